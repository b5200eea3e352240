//! Listing a folder without being led out of it.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use super::ScanError;

/// What a folder holds: files and folders with names that are text, each in order of name.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: Vec<Entry>,
    pub(super) folders: Vec<Entry>,
}

/// A file or folder in it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// Resolves the folder that the operator named; that one may be a link.
///
/// # Errors
///
/// [`ScanError::NotAFolder`], [`ScanError::Io`].
pub(super) fn root(given: &Path) -> Result<PathBuf, ScanError> {
    let resolved = given.canonicalize().map_err(|source| io_error(given, source))?;
    if resolved.is_dir() { Ok(resolved) } else { Err(ScanError::NotAFolder { path: given.to_owned() }) }
}

/// Lists `folder`, which is `root` or lies in it. Only names that `wanted` accepts count as files. A link to a file
/// counts when it leads to one within `root`; links to folders are passed over, because an export has none and they can
/// form circles.
///
/// # Errors
///
/// [`ScanError::LinkOutside`], [`ScanError::Io`].
pub(super) fn list(root: &Path, folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Listing, ScanError> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder).map_err(|source| io_error(folder, source))? {
        let entry = entry.map_err(|source| io_error(folder, source))?;
        // A name that is not UTF-8 is none of the names that we look for.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        match kind(root, &entry, wanted(&name))? {
            Kind::File => listing.files.push(Entry { name, path }),
            Kind::Folder => listing.folders.push(Entry { name, path }),
            Kind::Other => {}
        }
    }
    listing.files.sort_by(|a, b| a.name.cmp(&b.name));
    listing.folders.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listing)
}

enum Kind {
    File,
    Folder,
    Other,
}

fn kind(root: &Path, entry: &DirEntry, wanted: bool) -> Result<Kind, ScanError> {
    let path = entry.path();
    let file_type = entry.file_type().map_err(|source| io_error(&path, source))?;
    if file_type.is_dir() {
        return Ok(Kind::Folder);
    }
    if !wanted {
        return Ok(Kind::Other);
    }
    if file_type.is_symlink() {
        let outside = || ScanError::LinkOutside { path: path.clone(), root: root.to_owned() };
        let target = path.canonicalize().map_err(|_| outside())?;
        if target.is_dir() {
            return Ok(Kind::Other);
        }
        return if target.starts_with(root) && target.is_file() { Ok(Kind::File) } else { Err(outside()) };
    }
    Ok(if file_type.is_file() { Kind::File } else { Kind::Other })
}

fn io_error(path: &Path, source: std::io::Error) -> ScanError {
    ScanError::Io { path: path.to_owned(), source }
}
