//! What can go wrong before a line is read.

use std::io;
use std::path::PathBuf;

use event::Day;

/// A folder could not be taken for what it was said to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The path is no folder.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// As given.
        path: PathBuf,
    },
    /// The folder holds nothing of the kind.
    #[error("{} holds no {looked_for}", path.display())]
    Nothing {
        /// As given.
        path: PathBuf,
        /// What would have been found.
        looked_for: &'static str,
    },
    /// Two files claim one day.
    #[error("{} and {} both hold {day}; keep one of them", one.display(), other.display())]
    TwoForOneDay {
        /// The day.
        day: Day,
        /// The first file.
        one: PathBuf,
        /// The second.
        other: PathBuf,
    },
    /// A link that leads out of the folder, or nowhere.
    #[error("{} is a link that leads to no file within {}; copy the file there", path.display(), root.display())]
    LinkOutside {
        /// The link.
        path: PathBuf,
        /// The folder given.
        root: PathBuf,
    },
    /// The folder is nested deeper than any export.
    #[error("{} lies more than {depth} folders deep; give the folder of the log itself", path.display())]
    TooDeep {
        /// Where the search ended.
        path: PathBuf,
        /// The limit.
        depth: usize,
    },
    /// The operating system refused.
    #[error("cannot list {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A unit could not be read. Nothing of its day was taken; the call can be repeated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system refused, or the compressed file is damaged.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The day is larger than a day can be.
    #[error("{} brings {day} to more than {limit} bytes, the limit for one day", path.display())]
    TooLarge {
        /// The file at which the limit was met.
        path: PathBuf,
        /// The day.
        day: Day,
        /// The limit, in bytes after decompression.
        limit: u64,
    },
}
