//! A disk in memory that keeps only what it promised, for tests.
//!
//! Everything is visible at once, as through a page cache, but durable only after its sync. At
//! [`SimulatedDisk::power_loss`] the rest is kept, lost, torn within or reordered, sector by sector, name by name, as a
//! seed decides: the same seed and the same calls give the same disk. A failed fsync throws the dirty bytes away and
//! calls them clean, as Linux does: a second fsync succeeds and saves nothing.

mod contents;
mod disk;
mod random;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::fs::{Fs, FsFile};
use crate::shared::locked;
use disk::Disk;
pub use random::Random;

/// The disk of a simulated machine. Clones share it.
#[derive(Clone, Debug)]
pub struct SimulatedDisk(Arc<Mutex<Disk>>);

impl SimulatedDisk {
    /// An empty disk with a root folder `/`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Disk::new(seed))))
    }

    /// The power goes, and comes back: unsynced changes meet their fate, open files are dead.
    pub fn power_loss(&self) {
        locked(&self.0).power_loss();
    }

    /// The process goes, the machine stays: nothing is lost, and nothing more is durable than before; open files are
    /// dead.
    pub fn process_end(&self) {
        locked(&self.0).reboot();
    }

    /// Everything fails after so many further changes (writes, syncs, creations …): the last write may be cut short.
    /// Ends with the next power loss or process end.
    pub fn stop_after(&self, changes: u64) {
        locked(&self.0).stop_after(changes);
    }

    /// Whether it has stopped.
    pub fn stopped(&self) -> bool {
        locked(&self.0).stopped()
    }

    /// After so many further successful fsyncs of files, one fails.
    pub fn fail_sync_after(&self, syncs: u64) {
        locked(&self.0).fail_sync_after(syncs);
    }

    /// After so many further successful syncs of folders, one fails. Its names stay as undurable as they were.
    pub fn fail_dir_sync_after(&self, syncs: u64) {
        locked(&self.0).fail_dir_sync_after(syncs);
    }

    /// After so many further renames and links, one fails.
    pub fn fail_rename_after(&self, renames: u64) {
        locked(&self.0).fail_rename_after(renames);
    }

    /// The disk does not give these bytes of a file back; without a range it does not even open the file.
    pub fn lose(&self, path: &Path, bytes: Option<Range<u64>>) {
        locked(&self.0).lose(path, bytes);
    }

    /// From now on, syncs of the files below a folder, or of the folders there, say that they were done and do nothing.
    pub fn ignore_syncs(&self, below: &Path, of_folders: bool) {
        locked(&self.0).ignore_syncs(below, of_folders);
    }

    /// How many fsyncs failed since the last power loss.
    pub fn failed_syncs(&self) -> u64 {
        locked(&self.0).failed_syncs()
    }

    /// The disk holds this many bytes at most; `None`: any number.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        locked(&self.0).set_capacity(bytes);
    }

    /// Paths of all files, in order.
    pub fn files(&self) -> Vec<PathBuf> {
        locked(&self.0).files()
    }

    /// Paths of all folders, in order.
    pub fn dirs(&self) -> Vec<PathBuf> {
        locked(&self.0).dirs()
    }

    /// Gives a file a further name, as a hard link does.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken, `NotFound` when there is no such file.
    pub fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        locked(&self.0).link(from, to)
    }

    /// The bytes of a file as a program sees them; `None` when there is no such file.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        locked(&self.0).contents(path)
    }

    /// Puts a folder there with all its parents, durably.
    pub fn place_dir(&self, path: &Path) {
        locked(&self.0).place_dir(path);
    }

    /// Puts a file there, durably.
    pub fn place(&self, path: &Path, bytes: &[u8]) {
        locked(&self.0).place(path, bytes);
    }
}

impl Fs for SimulatedDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<bool> {
        locked(&self.0).create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        locked(&self.0).list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let (inode, boot) = locked(&self.0).create(path)?;
        Ok(Box::new(SimulatedFile { disk: Arc::clone(&self.0), inode, boot }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let (inode, boot) = locked(&self.0).open(path)?;
        Ok(Box::new(SimulatedFile { disk: Arc::clone(&self.0), inode, boot }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        locked(&self.0).rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        locked(&self.0).remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        locked(&self.0).sync_dir(dir)
    }

    fn random(&self) -> io::Result<u128> {
        Ok(locked(&self.0).random_bits())
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: Arc<Mutex<Disk>>,
    inode: usize,
    boot: u64,
}

impl FsFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        locked(&self.disk).len(self.inode, self.boot)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        locked(&self.disk).read_at(self.inode, self.boot, offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        locked(&self.disk).write_at(self.inode, self.boot, offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        locked(&self.disk).set_len(self.inode, self.boot, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        locked(&self.disk).sync_data(self.inode, self.boot)
    }
}
