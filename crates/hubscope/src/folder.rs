//! The folder of data: what lies where in it, and that one process at a time owns it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use thiserror::Error;

/// A file of this name lies in a backup until it is whole.
pub(crate) const UNFINISHED_BACKUP: &str = "unfinished-backup";

/// `DATA`, owned by this process until the value is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    _lock: File,
}

/// Why a folder could not be taken.
#[derive(Debug, Error)]
pub(crate) enum FolderError {
    /// Another process owns it.
    #[error("{} is in use by another hubscope; stop that one first, or use another folder", .0.display())]
    InUse(PathBuf),
    /// It does not exist, and the command does not make one.
    #[error("{} holds no hubscope data; name the folder with --data, or begin one with 'hubscope serve'", .0.display())]
    Missing(PathBuf),
    /// A backup was cut short.
    #[error(
        "{} is half of a backup that did not end, and lacks files; use a whole backup, and remove this one",
        .0.display()
    )]
    HalfBackup(PathBuf),
    /// The operating system said no.
    #[error("cannot open {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

impl Folder {
    /// Takes the folder, making it first where it does not exist.
    pub(crate) fn create(root: &Path) -> Result<Self, FolderError> {
        std::fs::create_dir_all(root).map_err(|source| FolderError::Io { path: root.into(), source })?;
        Self::lock(root)
    }

    /// Takes a folder that must exist and hold data.
    pub(crate) fn open(root: &Path) -> Result<Self, FolderError> {
        if !root.join("journal").is_dir() && !root.join(UNFINISHED_BACKUP).exists() {
            return Err(FolderError::Missing(root.into()));
        }
        Self::lock(root)
    }

    fn lock(root: &Path) -> Result<Self, FolderError> {
        if root.join(UNFINISHED_BACKUP).exists() {
            return Err(FolderError::HalfBackup(root.into()));
        }
        let path = root.join("lock");
        let failed = |source| FolderError::Io { path: path.clone(), source };
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.into(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(root.into())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where acknowledged requests lie until the table holds them.
    pub(crate) fn journal(&self) -> PathBuf {
        journal_in(&self.root)
    }

    /// Where the public archive is written, unless configured otherwise.
    pub(crate) fn archive(&self) -> PathBuf {
        self.root.join("archive")
    }
}

/// Where acknowledged requests lie in the folder `root` until the table holds them.
pub(crate) fn journal_in(root: &Path) -> PathBuf {
    root.join("journal")
}

/// Where the schemas that an operator added lie in the folder `root`.
pub(crate) fn schemas_in(root: &Path) -> PathBuf {
    root.join("state").join("schema")
}

/// Where the keys of requests lie in the folder `root`, once the journal does not have them any more.
pub(crate) fn keys_in(root: &Path) -> PathBuf {
    root.join("state").join("idempotency")
}

/// Where the tokens lie in the folder `root`.
pub(crate) fn tokens_in(root: &Path) -> PathBuf {
    root.join("state").join("token")
}

/// Where it is kept who was forgotten, in the folder `root`.
pub(crate) fn erasures_in(root: &Path) -> PathBuf {
    root.join("state").join("erasure")
}

/// Where it is kept what was done to forget them, in the folder `root`.
pub(crate) fn certificates_in(root: &Path) -> PathBuf {
    root.join("state").join("certificate")
}

/// The files of `folder` whose names end so, in the order of their names; none if there is no such folder.
pub(crate) fn files_in(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Where a running `serve` listens for other commands.
pub(crate) fn control_socket(root: &Path) -> PathBuf {
    root.join("control.sock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = Folder::create(dir.path()).unwrap();
        assert!(matches!(Folder::create(dir.path()), Err(FolderError::InUse(_))));
        drop(first);
        Folder::create(dir.path()).unwrap();
    }

    #[test]
    fn a_folder_without_data_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Folder::open(dir.path()), Err(FolderError::Missing(_))));
    }
}
