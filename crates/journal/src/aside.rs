//! What was set aside (damaged bytes, segments of former journals): counted, and removed on demand.

use std::io;
use std::path::{Path, PathBuf};

use crate::fs::{is_unreadable, read_around};
use crate::recovery::folder::count;
use crate::recovery::{DAMAGED_DIR, FORMER_DIR};
use crate::shared::locked;
use crate::{Journal, MaintainError};

impl Journal {
    /// Removes each file that was set aside of whose bytes `is_unwanted` says so, and each that the disk does not give
    /// back whole: nobody can tell what it holds. Returns their paths, below the journal's folder. One file at a time
    /// is in memory; blocks for reading all of them.
    ///
    /// # Errors
    /// [`MaintainError::Io`]; what was removed before stays removed.
    pub fn remove_aside(&self, is_unwanted: &dyn Fn(&[u8]) -> bool) -> Result<Vec<PathBuf>, MaintainError> {
        // Trimming and renewing set files aside, and count them.
        let _alone = locked(&self.trimming);
        let mut removed = Vec::new();
        for folder in [DAMAGED_DIR, FORMER_DIR] {
            let outcome = self.remove_in(folder, is_unwanted, &mut removed);
            let path = self.dir.join(folder);
            let counted = count(self.fs.as_ref(), &path);
            if let Ok(left) = &counted {
                let mut state = locked(&self.shared.state);
                let counter = if folder == DAMAGED_DIR { &mut state.damaged } else { &mut state.former };
                *counter = *left;
            }
            outcome?;
            counted.map_err(|source| MaintainError::Io { action: "list", path, source })?;
        }
        Ok(removed)
    }

    fn remove_in(
        &self,
        folder: &str,
        is_unwanted: &dyn Fn(&[u8]) -> bool,
        removed: &mut Vec<PathBuf>,
    ) -> Result<(), MaintainError> {
        let dir = self.dir.join(folder);
        let names = match self.fs.list(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            names => names.map_err(|source| MaintainError::Io { action: "list", path: dir.clone(), source })?,
        };
        let before = removed.len();
        for name in names {
            let path = dir.join(&name);
            let io = |action| {
                let path = path.clone();
                move |source| MaintainError::Io { action, path, source }
            };
            let bytes = self.read_whole(&path).map_err(io("read"))?;
            if bytes.is_none_or(|bytes| is_unwanted(&bytes)) {
                self.fs.remove(&path).map_err(io("remove"))?;
                removed.push(PathBuf::from(folder).join(name));
            }
        }
        if removed.len() > before {
            self.fs.sync_dir(&dir).map_err(|source| MaintainError::Io { action: "sync", path: dir, source })?;
        }
        Ok(())
    }

    /// The bytes of a file; `None` when the disk does not give all of them back.
    fn read_whole(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let file = match self.fs.open(path) {
            Err(error) if is_unreadable(&error) => return Ok(None),
            file => file?,
        };
        let len = usize::try_from(file.len()?).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let mut bytes = vec![0; len];
        let mut unreadable = Vec::new();
        let read = read_around(file.as_ref(), 0, &mut bytes, &mut unreadable)?;
        bytes.truncate(read);
        Ok(unreadable.is_empty().then_some(bytes))
    }
}
