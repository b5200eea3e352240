//! An admin's own questions: files of the same form as the built-in ones, in one folder.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::{Catalogue, CatalogueError, Kpi, file};

/// Files of a folder that are read; a catalogue of more nobody would look through.
const FILES_MAX: usize = 1_000;

/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// A file of a question, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFile {
    /// Its path.
    pub path: PathBuf,
    /// What it holds, or why that cannot be told.
    pub text: Result<String, CatalogueError>,
}

/// The files of `path` whose names end in `.md`, in order of their names; of a file, that one.
///
/// # Errors
/// When the folder cannot be listed.
pub fn own_files(path: &Path) -> io::Result<Vec<OwnFile>> {
    if path.is_file() {
        return Ok(vec![read(path.to_owned())]);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    paths.sort();
    let too_many = paths.len() > FILES_MAX;
    paths.truncate(FILES_MAX);
    let mut files: Vec<OwnFile> = paths.into_iter().map(read).collect();
    if too_many {
        let problem = format!("the folder has more than {FILES_MAX} files; the others are left out");
        let error = CatalogueError::new(&path.display().to_string(), 1, problem);
        files.push(OwnFile { path: path.to_owned(), text: Err(error) });
    }
    Ok(files)
}

fn read(path: PathBuf) -> OwnFile {
    let failed = |problem: String| CatalogueError::new(&path.display().to_string(), 1, problem);
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    let text = match read {
        Err(error) => Err(failed(format!("cannot be read: {error}"))),
        Ok(bytes) if bytes as u64 > FILE_BYTES_MAX => Err(failed(format!("is longer than {FILE_BYTES_MAX} bytes"))),
        Ok(_) => Ok(text),
    };
    OwnFile { path, text }
}

impl Catalogue {
    /// Adds the question of a file, and gives it back.
    ///
    /// # Errors
    /// When the file is wrong, with its line; also when its id is taken. Nothing is added then.
    pub fn add(&mut self, own: &OwnFile) -> Result<&Kpi, CatalogueError> {
        let text = own.text.as_deref().map_err(Clone::clone)?;
        let kpi = self.understood(&own.path.display().to_string(), text)?;
        // Pages name the file, and readers need not know where it lies.
        let file = own.path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        self.kpis.push(Kpi { file, ..kpi });
        Ok(&self.kpis[self.kpis.len() - 1])
    }

    /// The question of the file called `name`, whose id is not taken yet.
    pub(super) fn understood(&self, name: &str, text: &str) -> Result<Kpi, CatalogueError> {
        let kpi = file::parse(name, text)?;
        match self.get(&kpi.id) {
            None => Ok(kpi),
            Some(other) => Err(CatalogueError::new(name, 1, format!("the id '{}' is taken by {}", kpi.id, other.file))),
        }
    }
}
