use std::fs::File;
use std::io;
use std::path::Path;

use super::{Fs, FsFile, RealFs};

/// The machine's file system for those who only look: whatever would change something is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadOnly;

fn refused<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "only looking"))
}

impl Fs for ReadOnly {
    fn create_dir(&self, _: &Path) -> io::Result<bool> {
        refused()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealFs.list(dir)
    }

    fn create(&self, _: &Path) -> io::Result<Box<dyn FsFile>> {
        refused()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(File::open(path)?))
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn random(&self) -> io::Result<u128> {
        refused()
    }
}
