//! Segment files as wholes: created, measured, set aside.

use std::io;
use std::path::{Path, PathBuf};

use crate::format::{SegmentHeader, SegmentName};
use crate::fs::{Fs, FsFile, read_around, write_fully};

/// Suffix of a file that is not finished; whatever bears it is removed at the next start.
pub(crate) const UNFINISHED: &str = ".unfinished";

/// What is known of a segment on disk.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) name: SegmentName,
    /// Position of its first record.
    pub(crate) first: u64,
    /// Position after its last record.
    pub(crate) next: u64,
    /// Length up to the end of its last record; what may lie behind is not ours to read.
    pub(crate) bytes: u64,
    /// Mark of its records, unless its header is damaged.
    pub(crate) salt: Option<u64>,
    /// The disk does not give all of it back: it is never removed, only moved aside.
    pub(crate) unreadable: bool,
}

impl Segment {
    pub(crate) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.name.to_string())
    }
}

/// A step that failed: what was tried, on which file, and what the system said.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) action: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
    /// The step was an fsync: from here on nothing can be promised.
    pub(crate) sync: bool,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.path.display(), self.source)
    }
}

impl Failed {
    pub(crate) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source, sync: action == SYNC }
    }
}

/// The action of a [`Failed`] fsync.
pub(crate) const SYNC: &str = "sync";

/// Creates a segment that holds only its header. When this returns, file, length and name are durable: a record in it
/// may be acknowledged after one fsync of the file.
pub(crate) fn create(fs: &dyn Fs, dir: &Path, header: &SegmentHeader) -> Result<Box<dyn FsFile>, Failed> {
    let name = SegmentName { sequence: header.sequence, first: header.first, id: header.id };
    commit_file(fs, dir, &name.to_string(), |file| write_fully(file, 0, &header.encode()))
}

/// Writes a file under an unfinished name, syncs it, renames it and syncs the folder: it exists whole or not at all.
pub(crate) fn commit_file(
    fs: &dyn Fs,
    dir: &Path,
    name: &str,
    fill: impl FnOnce(&dyn FsFile) -> io::Result<()>,
) -> Result<Box<dyn FsFile>, Failed> {
    let path = dir.join(name);
    let unfinished = dir.join(format!("{name}{UNFINISHED}"));
    let file = create_over(fs, &unfinished).map_err(Failed::at("create", &unfinished))?;
    let finished = fill(file.as_ref())
        .map_err(Failed::at("write", &unfinished))
        .and_then(|()| file.sync_data().map_err(Failed::at(SYNC, &unfinished)))
        .and_then(|()| fs.rename(&unfinished, &path).map_err(Failed::at("rename", &unfinished)));
    if let Err(failed) = finished {
        // Frees the little room it took; if this fails too, the next start does it.
        let _ = fs.remove(&unfinished);
        return Err(failed);
    }
    fs.sync_dir(dir).map_err(Failed::at(SYNC, dir))?;
    Ok(file)
}

fn create_over(fs: &dyn Fs, path: &Path) -> io::Result<Box<dyn FsFile>> {
    match fs.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs.remove(path)?;
            fs.create(path)
        }
        other => other,
    }
}

/// Bytes copied at a time.
const COPY_BYTES: u64 = 256 * 1024;

/// Copies a range of bytes of `from` to the front of `to`; zeros where they cannot be read.
pub(crate) fn copy_range(from: &dyn FsFile, range: std::ops::Range<u64>, to: &dyn FsFile) -> io::Result<()> {
    let mut buffer = vec![0; usize::try_from(COPY_BYTES.min(range.end - range.start)).unwrap_or(usize::MAX)];
    let mut offset = range.start;
    while offset < range.end {
        let length = usize::try_from((range.end - offset).min(COPY_BYTES)).unwrap_or(usize::MAX);
        let chunk = buffer.get_mut(..length).unwrap_or_default();
        if read_around(from, offset, chunk, &mut Vec::new())? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        write_fully(to, offset - range.start, chunk)?;
        offset += length as u64;
    }
    Ok(())
}
