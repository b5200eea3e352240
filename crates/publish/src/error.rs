//! What can go wrong while publishing.

use std::io;
use std::path::PathBuf;

use store::TableError;

/// A publication failed. Files that were renamed into place before stay, whole and right; the index is the old one or
/// the new one. The next run does the rest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The operating system refused.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// `write`, `read`, `list`, ….
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The table could not be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The table lacks a column, or has it with another type.
    #[error("the table 'events' has no column '{column}' of the expected type")]
    Column {
        /// Which.
        column: &'static str,
    },
    /// The work was ended from outside: the runtime is stopping, or it panicked.
    #[error("publishing was cut short")]
    CutShort,
}

impl PublishError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
