//! The few file operations that durability hangs on, as a seam.
//!
//! [`RealDisk`] does them. Tests put a recording or a failing one in its place: that is how they see that bytes are
//! synced before a name points at them.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// A file being written.
pub trait DiskFile: Write + Debug + Send {
    /// Returns once everything written so far would survive a power cut (`fsync`).
    ///
    /// # Errors
    /// The disk's. After one, nothing may be assumed about what was written.
    fn sync(&mut self) -> io::Result<()>;
}

/// What [`crate::DurableFs`] changes a disk with. Each call blocks.
pub trait Disk: Debug + Send + Sync {
    /// Makes one directory.
    ///
    /// # Errors
    /// `AlreadyExists` when there is one; otherwise the disk's.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Opens a file for writing that must not exist yet.
    ///
    /// # Errors
    /// `AlreadyExists`, `NotFound` when its directory is missing; otherwise the disk's.
    fn create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for writing at its end, making it if need be.
    ///
    /// # Errors
    /// `NotFound` when its directory is missing; otherwise the disk's.
    fn append_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Returns once every name in `path` would survive a power cut (`fsync` of the directory).
    ///
    /// # Errors
    /// The disk's. After one, nothing may be assumed about the names.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Gives the file `from` the further name `to`.
    ///
    /// # Errors
    /// `AlreadyExists` when `to` is taken: of several that try, one succeeds.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Renames `from` to `to`, in place of what was there.
    ///
    /// # Errors
    /// The disk's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound` when there is none; otherwise the disk's.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The machine's disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl DiskFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().write(true).create_new(true).open(path)?))
    }

    fn append_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().append(true).create(true).open(path)?))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}
