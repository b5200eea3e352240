//! Removing what is committed elsewhere.

use crate::fault;
use crate::queue::Task;
use crate::recovery::DAMAGED_DIR;
use crate::recovery::folder::move_aside;
use crate::segment::{Failed, Segment};
use crate::shared::locked;
use crate::{Journal, MaintainError};

/// What a trim removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trimmed {
    /// Segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Journal {
    /// Removes every segment (or, where the disk does not give all of it back, moves it to `damaged/`) that holds no
    /// position at or above `through`: those below are durable elsewhere. When that is everything, a new segment is
    /// begun first, so that nothing is left but its header: that keeps id and position.
    ///
    /// Blocks for a few fsyncs and, when everything may go, for the records appended before. Segments go oldest first
    /// and the folder is synced after each: whatever a crash leaves has no hole.
    ///
    /// # Errors
    /// [`MaintainError::Io`]: the rest stays and is tried again next time. A full disk is no error: what can go without
    /// a new segment goes.
    pub fn trim(&self, through: u64) -> Result<Trimmed, MaintainError> {
        let _alone = locked(&self.trimming);
        if locked(&self.shared.state).next <= through {
            match self.ask(|answer| Task::Roll(through, answer)) {
                Ok(_) | Err(MaintainError::DiskFull | MaintainError::Poisoned | MaintainError::Closed) => {}
                Err(error) => return Err(error),
            }
        }
        let mut trimmed = Trimmed::default();
        while let Some(oldest) = self.oldest_below(through) {
            let path = oldest.path(&self.dir);
            let io = |action| {
                let path = path.clone();
                move |source| MaintainError::Io { action, path, source }
            };
            fault::pass(fault::REMOVE_SEGMENT).map_err(io("remove"))?;
            if oldest.unreadable {
                // What a disk does not give back today it may give back to whoever knows more about disks.
                let names = [oldest.name.to_string()];
                move_aside(self.fs.as_ref(), &self.dir, DAMAGED_DIR, &names).map_err(maintain)?;
            } else {
                match self.fs.remove(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io("remove")(error)),
                    _ => {}
                }
            }
            {
                let mut state = locked(&self.shared.state);
                state.segments.pop_front();
                if oldest.unreadable {
                    state.damaged.files += 1;
                    state.damaged.bytes += oldest.bytes;
                }
            }
            if let Err(source) = self.fs.sync_dir(&self.dir) {
                self.shared.poison(format!("cannot sync {}: {source}", self.dir.display()));
                return Err(MaintainError::Io { action: "sync", path: self.dir.clone(), source });
            }
            trimmed.segments += 1;
            trimmed.bytes += oldest.bytes;
        }
        Ok(trimmed)
    }

    /// The oldest segment, unless it is the last or still needed. It reaches up to where the one after it begins: what
    /// may be missing between them is not coming back.
    fn oldest_below(&self, through: u64) -> Option<Segment> {
        let state = locked(&self.shared.state);
        let (oldest, after) = (state.segments.front()?, state.segments.get(1)?);
        (after.first <= through).then(|| oldest.clone())
    }
}

fn maintain(failed: Failed) -> MaintainError {
    MaintainError::Io { action: failed.action, path: failed.path, source: failed.source }
}
