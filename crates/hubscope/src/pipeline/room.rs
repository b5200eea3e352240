//! Room on the disk: what happens when there is none, and how it is noticed that there is some again.
//!
//! While there is room, a reserve of it is held ([`Reserve`]). A flush that finds the disk full gives it up and tries
//! once more: what it writes lets the journal go, which is larger, so that most often the reserve can be held again at
//! once. Where it cannot, the disk counts as full and nothing is taken in, so that a clean stop has little left to
//! write. [`Pipeline::look_for_room`] ends that as soon as reserve and journal find their room.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use ingest::CollectError;
use journal::{Fs, MaintainError, Reserve};

use super::Pipeline;

/// Name of the reserve in the folder of data.
const RESERVE_FILE: &str = "reserve";

/// Why nothing is taken in at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// The disk is full, or the user's quota of it.
    Disk,
    /// The journal has as many bytes as `journal.quota` allows.
    Quota,
}

impl From<Shortage> for CollectError {
    fn from(shortage: Shortage) -> Self {
        match shortage {
            Shortage::Disk => Self::DiskFull,
            Shortage::Quota => Self::QuotaReached,
        }
    }
}

#[derive(Debug)]
pub(super) struct Room {
    reserve: Reserve,
    shortage: Mutex<Option<Shortage>>,
}

impl Room {
    /// A reserve of `bytes` in the folder `root`, not held yet.
    pub(super) fn new(disk: Arc<dyn Fs>, root: &Path, bytes: u64) -> Self {
        Self { reserve: Reserve::new(disk, root.join(RESERVE_FILE), bytes), shortage: Mutex::default() }
    }

    pub(super) fn shortage(&self) -> Option<Shortage> {
        *self.shortage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, shortage: Option<Shortage>) {
        *self.shortage.lock().unwrap_or_else(PoisonError::into_inner) = shortage;
    }

    /// Gives the reserve up for a write that found no room. Returns whether there was one.
    pub(super) fn give_up(&self) -> Result<bool> {
        self.note(Some(Shortage::Disk));
        self.reserve.release().context("cannot give up the room that is kept free")
    }

    /// Holds the reserve again, or for the first time; without room for it the disk counts as full.
    pub(super) fn hold(&self) -> Result<bool> {
        let held = self.reserve.take().context("cannot keep room free")?;
        self.note((!held).then_some(Shortage::Disk));
        Ok(held)
    }
}

impl Pipeline {
    /// Keeps room free from now on. A disk that fails at this is told, and does not stop a start: whether events can be
    /// kept shows when there are some.
    pub(crate) fn hold_reserve(&self) {
        match tokio::task::block_in_place(|| self.room.hold()) {
            Ok(true) => {}
            Ok(false) => tracing::warn!("the disk is full: nothing is taken in until there is room for store.reserve"),
            Err(error) => tracing::error!(error = format!("{error:#}"), "there is no reserve for a full disk"),
        }
    }

    /// Why nothing is taken in at the moment, if that is so.
    pub(crate) fn shortage(&self) -> Option<Shortage> {
        self.room.shortage()
    }

    /// Bytes that are kept free for writing the table when the disk is full.
    pub(crate) fn reserve_bytes(&self) -> u64 {
        self.room.reserve.held_bytes()
    }

    /// After there was no room: looks whether there is some now. Returns whether it has just come back.
    ///
    /// # Errors
    /// What the disk says other than that it is full.
    pub(crate) fn look_for_room(&self) -> Result<bool> {
        if self.room.shortage().is_none() {
            return Ok(false);
        }
        tokio::task::block_in_place(|| {
            if !self.room.reserve.take().context("cannot keep room free")? {
                return Ok(false);
            }
            match self.journal.probe() {
                Ok(()) => {}
                Err(MaintainError::DiskFull | MaintainError::Poisoned | MaintainError::Closed) => return Ok(false),
                Err(error) => return Err(error).context("cannot find out whether the journal has room"),
            }
            self.room.note(None);
            tracing::info!("there is room again; events are taken in");
            Ok(true)
        })
    }
}

/// Whether an error comes from a disk or a quota that is full.
pub(super) fn is_full(error: &anyhow::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let full = |error: &io::Error| matches!(error.kind(), StorageFull | QuotaExceeded);
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(full))
}
