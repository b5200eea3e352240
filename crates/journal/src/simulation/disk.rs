//! Names and faults of the simulated disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::contents::Contents;
use super::random::Random;

/// The names on a disk.
#[derive(Clone, Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, usize>,
    dirs: BTreeSet<PathBuf>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Folder(PathBuf),
    Link(PathBuf, usize),
    Unlink(PathBuf),
    Rename { from: PathBuf, to: PathBuf, inode: usize },
}

impl NameChange {
    fn touches(&self, dir: &Path) -> bool {
        match self {
            Self::Folder(path) | Self::Link(path, _) | Self::Unlink(path) => path.parent() == Some(dir),
            Self::Rename { from, to, .. } => from.parent() == Some(dir) || to.parent() == Some(dir),
        }
    }
}

impl Names {
    fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Folder(path) => drop(self.dirs.insert(path.clone())),
            NameChange::Link(path, inode) => drop(self.files.insert(path.clone(), *inode)),
            NameChange::Unlink(path) => drop(self.files.remove(path)),
            NameChange::Rename { from, to, inode } => {
                self.files.remove(from);
                self.files.insert(to.clone(), *inode);
            }
        }
    }

    fn has_dir(&self, dir: &Path) -> bool {
        dir.parent().is_none() || self.dirs.contains(dir)
    }

    /// Forgets what lies in folders whose own name is gone.
    fn drop_orphans(&mut self) {
        loop {
            let dirs = self.dirs.clone();
            self.dirs.retain(|dir| dir.parent().is_none_or(|up| up.parent().is_none() || dirs.contains(up)));
            if self.dirs.len() == dirs.len() {
                break;
            }
        }
        let dirs = &self.dirs;
        self.files.retain(|path, _| path.parent().is_some_and(|dir| dir.parent().is_none() || dirs.contains(dir)));
    }
}

#[derive(Debug)]
pub(super) struct Disk {
    random: Random,
    inodes: Vec<Contents>,
    visible: Names,
    durable: Names,
    unsynced: Vec<NameChange>,
    boot: u64,
    changes_left: Option<u64>,
    syncs_left: Option<u64>,
    failed_syncs: u64,
    dir_syncs_left: Option<u64>,
    renames_left: Option<u64>,
    /// Ranges that cannot be read; of an inode that cannot be opened, all.
    lost: Vec<(usize, Option<Range<u64>>)>,
    capacity: Option<u64>,
    /// Syncs of files below a folder (or of folders) that do nothing.
    ignored: Vec<(PathBuf, bool)>,
}

fn stopped<T>() -> io::Result<T> {
    Err(io::Error::other("the simulated machine has stopped"))
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            inodes: Vec::new(),
            visible: Names::default(),
            durable: Names::default(),
            unsynced: Vec::new(),
            boot: 0,
            changes_left: None,
            syncs_left: None,
            failed_syncs: 0,
            dir_syncs_left: None,
            renames_left: None,
            lost: Vec::new(),
            capacity: None,
            ignored: Vec::new(),
        }
    }

    // What the test does to it.

    pub(super) fn power_loss(&mut self) {
        for contents in &mut self.inodes {
            contents.power_loss(&mut self.random);
        }
        let fate = self.random.below(4);
        for change in std::mem::take(&mut self.unsynced) {
            let kept = match fate {
                0 => false,
                1 => true,
                _ => self.random.one_in(2),
            };
            if kept {
                self.durable.apply(&change);
            }
        }
        self.durable.drop_orphans();
        self.visible = self.durable.clone();
        self.failed_syncs = 0;
        self.reboot();
    }

    pub(super) fn reboot(&mut self) {
        self.boot += 1;
        self.changes_left = None;
        self.syncs_left = None;
        self.dir_syncs_left = None;
        self.renames_left = None;
    }

    pub(super) fn stop_after(&mut self, changes: u64) {
        self.changes_left = Some(changes);
    }

    pub(super) fn stopped(&self) -> bool {
        self.changes_left == Some(0)
    }

    pub(super) fn fail_sync_after(&mut self, syncs: u64) {
        self.syncs_left = Some(syncs);
    }

    pub(super) fn fail_dir_sync_after(&mut self, syncs: u64) {
        self.dir_syncs_left = Some(syncs);
    }

    pub(super) fn fail_rename_after(&mut self, renames: u64) {
        self.renames_left = Some(renames);
    }

    pub(super) fn ignore_syncs(&mut self, below: &Path, of_folders: bool) {
        self.ignored.push((below.to_owned(), of_folders));
    }

    pub(super) fn lose(&mut self, path: &Path, bytes: Option<Range<u64>>) {
        if let Some(inode) = self.visible.files.get(path) {
            self.lost.push((*inode, bytes));
        }
    }

    pub(super) fn failed_syncs(&self) -> u64 {
        self.failed_syncs
    }

    pub(super) fn set_capacity(&mut self, bytes: Option<u64>) {
        self.capacity = bytes;
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.visible.files.keys().cloned().collect()
    }

    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        self.visible.dirs.iter().cloned().collect()
    }

    pub(super) fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let inode = *self.visible.files.get(path)?;
        self.inodes.get(inode).map(|contents| contents.visible().to_vec())
    }

    pub(super) fn place_dir(&mut self, path: &Path) {
        for names in [&mut self.visible, &mut self.durable] {
            names.dirs.extend(path.ancestors().map(Path::to_owned));
        }
    }

    pub(super) fn place(&mut self, path: &Path, bytes: &[u8]) {
        let inode = self.inodes.len();
        self.inodes.push(Contents::durable(bytes));
        for names in [&mut self.visible, &mut self.durable] {
            names.dirs.extend(path.ancestors().skip(1).map(Path::to_owned));
            names.files.insert(path.to_owned(), inode);
        }
    }

    // What a program does with it.

    pub(super) fn create_dir(&mut self, dir: &Path) -> io::Result<bool> {
        self.running()?;
        if self.visible.has_dir(dir) {
            return Ok(false);
        }
        self.parent_exists(dir)?;
        self.spend_change()?;
        self.change_names(NameChange::Folder(dir.to_owned()));
        Ok(true)
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.running()?;
        if !self.visible.has_dir(dir) {
            return Err(ErrorKind::NotFound.into());
        }
        let here = self.visible.files.keys().filter(|path| path.parent() == Some(dir));
        Ok(here.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<(usize, u64)> {
        self.parent_exists(path)?;
        if self.visible.files.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.spend_change()?;
        if self.room() == Some(0) {
            return Err(ErrorKind::StorageFull.into());
        }
        let inode = self.inodes.len();
        self.inodes.push(Contents::default());
        self.change_names(NameChange::Link(path.to_owned(), inode));
        Ok((inode, self.boot))
    }

    pub(super) fn open(&self, path: &Path) -> io::Result<(usize, u64)> {
        self.running()?;
        let inode = *self.visible.files.get(path).ok_or(ErrorKind::NotFound)?;
        if self.lost.iter().any(|(lost, bytes)| *lost == inode && bytes.is_none()) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok((inode, self.boot))
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.parent_exists(to)?;
        let inode = self.inode(from)?;
        self.spend_change()?;
        fails_now(&mut self.renames_left)?;
        self.change_names(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), inode });
        Ok(())
    }

    pub(super) fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.parent_exists(to)?;
        let inode = self.inode(from)?;
        if self.visible.files.contains_key(to) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.spend_change()?;
        fails_now(&mut self.renames_left)?;
        self.change_names(NameChange::Link(to.to_owned(), inode));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.inode(path)?;
        self.spend_change()?;
        self.change_names(NameChange::Unlink(path.to_owned()));
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.running()?;
        if !self.visible.has_dir(dir) {
            return Err(ErrorKind::NotFound.into());
        }
        self.spend_change()?;
        fails_now(&mut self.dir_syncs_left)?;
        if self.ignored.iter().any(|(below, of_folders)| *of_folders && dir.starts_with(below)) {
            return Ok(());
        }
        let (synced, left) = std::mem::take(&mut self.unsynced).into_iter().partition(|change| change.touches(dir));
        self.unsynced = left;
        let synced: Vec<NameChange> = synced;
        for change in &synced {
            self.durable.apply(change);
        }
        Ok(())
    }

    pub(super) fn random_bits(&mut self) -> u128 {
        u128::from(self.random.bits()) << 64 | u128::from(self.random.bits())
    }

    pub(super) fn len(&mut self, inode: usize, boot: u64) -> io::Result<u64> {
        Ok(self.file(inode, boot)?.visible().len() as u64)
    }

    pub(super) fn read_at(&mut self, inode: usize, boot: u64, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let end = offset + into.len() as u64;
        let overlaps = |lost: &Range<u64>| lost.start < end && offset < lost.end;
        if self.lost.iter().any(|(lost, bytes)| *lost == inode && bytes.as_ref().is_none_or(overlaps)) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let contents = self.file(inode, boot)?.visible();
        let from = contents.get(place(offset)..).unwrap_or_default();
        let length = from.len().min(into.len());
        if let (Some(into), Some(from)) = (into.get_mut(..length), from.get(..length)) {
            into.copy_from_slice(from);
        }
        Ok(length)
    }

    pub(super) fn write_at(&mut self, inode: usize, boot: u64, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let len = self.file(inode, boot)?.visible().len() as u64;
        let mut length = bytes.len() as u64;
        if let Some(room) = self.room() {
            length = length.min(room.saturating_add(len.saturating_sub(offset)));
            if length == 0 && !bytes.is_empty() {
                self.spend_change()?;
                return Err(ErrorKind::StorageFull.into());
            }
        }
        if length > 1 && self.random.one_in(8) {
            length = 1 + self.random.below(length - 1);
        }
        let spent = self.spend_change();
        if spent.is_err() {
            length = self.random.below(length + 1);
        }
        let written = bytes.get(..place(length)).unwrap_or(bytes);
        if let Some(contents) = self.inodes.get_mut(inode) {
            contents.write(place(offset), written);
        }
        spent.map(|()| written.len())
    }

    pub(super) fn set_len(&mut self, inode: usize, boot: u64, len: u64) -> io::Result<()> {
        self.file(inode, boot)?;
        self.spend_change()?;
        self.file(inode, boot)?.resize(place(len));
        Ok(())
    }

    pub(super) fn sync_data(&mut self, inode: usize, boot: u64) -> io::Result<()> {
        self.file(inode, boot)?;
        self.spend_change()?;
        let mut names = self.visible.files.iter().filter(|(_, named)| **named == inode).map(|(path, _)| path);
        let is_ignored =
            |path: &PathBuf| self.ignored.iter().any(|(below, of_dirs)| !of_dirs && path.starts_with(below));
        if names.any(is_ignored) {
            return Ok(());
        }
        let fails = self.syncs_left == Some(0);
        self.syncs_left = if fails { None } else { self.syncs_left.map(|left| left - 1) };
        let Some(contents) = self.inodes.get_mut(inode) else {
            return stopped();
        };
        if fails {
            self.failed_syncs += 1;
            contents.fail_sync(&mut self.random);
            return Err(io::Error::other("simulated input/output error"));
        }
        contents.sync();
        Ok(())
    }

    // How it keeps count.

    fn inode(&self, path: &Path) -> io::Result<usize> {
        self.running()?;
        self.visible.files.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn running(&self) -> io::Result<()> {
        if self.stopped() { stopped() } else { Ok(()) }
    }

    /// Counts a change down; the one that brings it to zero does not happen (a write: in part).
    fn spend_change(&mut self) -> io::Result<()> {
        self.running()?;
        self.changes_left = self.changes_left.map(|left| left - 1);
        self.running()
    }

    fn file(&mut self, inode: usize, boot: u64) -> io::Result<&mut Contents> {
        self.running()?;
        match self.inodes.get_mut(inode) {
            Some(contents) if boot == self.boot => Ok(contents),
            _ => stopped(),
        }
    }

    fn parent_exists(&self, path: &Path) -> io::Result<()> {
        self.running()?;
        match path.parent() {
            Some(parent) if self.visible.has_dir(parent) => Ok(()),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    fn change_names(&mut self, change: NameChange) {
        self.visible.apply(&change);
        self.unsynced.push(change);
    }

    /// Bytes that still fit; `None` without a limit.
    fn room(&self) -> Option<u64> {
        let named: BTreeSet<usize> = self.visible.files.values().copied().collect();
        let files = named.iter().filter_map(|inode| self.inodes.get(*inode));
        let used: u64 = files.map(|contents| contents.visible().len() as u64).sum();
        self.capacity.map(|capacity| capacity.saturating_sub(used))
    }
}

/// Counts down to a failure; it happens once.
fn fails_now(left: &mut Option<u64>) -> io::Result<()> {
    match left {
        Some(0) => {
            *left = None;
            Err(io::Error::from_raw_os_error(EIO))
        }
        Some(more) => {
            *more -= 1;
            Ok(())
        }
        None => Ok(()),
    }
}

/// What Linux says of a disk that failed.
const EIO: i32 = 5;

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
