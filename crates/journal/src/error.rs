//! Errors, one type per operation, so that a caller sees only what can happen to it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a journal could not be opened. Damage in it is no reason: that is reported by [`crate::Recovery`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The limits contradict each other.
    #[error("journal options: {complaint}")]
    Options {
        /// Which, and what would be right.
        complaint: &'static str,
    },
    /// The folder or a file in it cannot be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: "list", "read", …
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Written by a newer program. Nothing was changed.
    #[error(
        "{} has format version {found}, this program knows version {known}: open it with the program that wrote it",
        path.display()
    )]
    UnknownVersion {
        /// The segment.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
}

impl OpenError {
    /// For `map_err`: says what was being done.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Why a record was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Too much is waiting already. Nothing was kept; try again later.
    #[error("the journal's queue is full")]
    Overloaded,
    /// An fsync or a write failed earlier. Whether this record is on disk is unknown; only a restart helps.
    #[error("the journal refuses writes since a write or fsync failed")]
    Poisoned,
    /// No room on the disk. Nothing was kept; it works again once there is room.
    #[error("no room on the journal's disk")]
    DiskFull,
    /// The journal has taken what it may ([`crate::Options::disk_bytes_max`]). Nothing was kept; it works again once
    /// [`crate::Journal::trim`] has removed something.
    #[error("the journal has as many bytes on disk as it may")]
    QuotaReached,
    /// The payload is larger than [`crate::Options::record_bytes_max`]. Nothing was kept; it never will be.
    #[error("a record of {bytes} bytes is larger than the {limit} allowed")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The record takes no position, so that nothing could say when it may be trimmed. Nothing was kept.
    #[error("a record must take at least one position")]
    Empty,
    /// The journal was closed. Nothing was kept.
    #[error("the journal is closed")]
    Closed,
}

/// Why a replay stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError<E> {
    /// A segment cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The segment.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The function that took the records returned this.
    #[error("replay was stopped at position {position}")]
    Stopped {
        /// First position of the record that it was given.
        position: u64,
        /// Its error.
        error: E,
    },
}

/// Why old segments could not be removed, or the journal not renewed. What was not removed stays, and is tried again by
/// the next call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaintainError {
    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No room on the disk, or within the journal's quota, for what this needs.
    #[error("no room on the journal's disk")]
    DiskFull,
    /// See [`AppendError::Poisoned`].
    #[error("the journal refuses writes since a write or fsync failed")]
    Poisoned,
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}
