//! What can go wrong, by operation.

use std::path::PathBuf;

use event::CollectorId;

use crate::columns::{ColumnClash, Table};

/// A cause whose type is no business of callers (Delta, Parquet, Arrow).
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A table could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The Delta log could not be read or written.
    #[error("the table '{}' could not be {doing}", table.name())]
    Log {
        /// Which table.
        table: Table,
        /// What was tried: `opened`, `refreshed`, `committed to`, ….
        doing: &'static str,
        /// Why.
        source: Cause,
    },
    /// The Delta log says something that it cannot mean.
    #[error("the log of the table '{}' is damaged: {detail}", table.name())]
    Damaged {
        /// Which table.
        table: Table,
        /// What is wrong, and in which file.
        detail: String,
    },
    /// A part could not be read or written.
    #[error("the part '{path}' of the table '{}' could not be {doing}", table.name())]
    Part {
        /// Which table.
        table: Table,
        /// Which file, relative to the table.
        path: String,
        /// `read` or `written`.
        doing: &'static str,
        /// Why.
        source: Cause,
    },
    /// Rows could not be brought into the table's columns. A bug, or two types under one name.
    #[error("rows do not fit the columns of the table '{}'", table.name())]
    Rows {
        /// Which table.
        table: Table,
        /// Why.
        source: arrow::error::ArrowError,
    },
    /// Other writers were faster every time. Try again.
    #[error("the table '{}' was changed by another writer at each of {attempts} attempts to commit", table.name())]
    Busy {
        /// Which table.
        table: Table,
        /// How often it was tried.
        attempts: u32,
    },
}

/// The store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The data folder could not be made or read.
    #[error("the folder '{}' could not be prepared", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A promoted column cannot join the table.
    #[error(transparent)]
    Column(#[from] ColumnClash),
    /// A table could not be opened.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A flush failed. Nothing is lost: the rows stay in the tail, and the next flush takes them again, exactly once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// No journal was attached, so there is nothing whose position could move.
    #[error("no journal is attached to the store")]
    NotAttached,
    /// The table refused.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// An import failed. Units committed before stay; to import the same units again is safe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Only collectors called `import/…` may import: a journal's positions are not days and lines.
    #[error("the collector '{0}' is not an import; its name would have to begin with 'import/'")]
    NotAnImport(CollectorId),
    /// A day is too long for its positions.
    #[error("the unit of {day} has {rows} rows; a day's positions hold {}", u32::MAX)]
    TooLong {
        /// Which day.
        day: event::Day,
        /// How many rows it has.
        rows: u64,
    },
    /// A promoted column cannot join the table.
    #[error(transparent)]
    Column(#[from] ColumnClash),
    /// The table refused.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A compaction failed. The table is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompactError {
    /// The rows written are not those read (S2); nothing was committed.
    #[error("compaction of '{}' read {read} rows and wrote {written}; nothing was changed", table.name())]
    RowsDiffer {
        /// Which table.
        table: Table,
        /// Rows in the parts taken.
        read: u64,
        /// Rows in the parts written.
        written: u64,
    },
    /// The table refused.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl TableError {
    pub(crate) fn log(table: Table, doing: &'static str, source: impl Into<Cause>) -> Self {
        Self::Log { table, doing, source: source.into() }
    }

    pub(crate) fn read(table: Table, path: &str, source: impl Into<Cause>) -> Self {
        Self::Part { table, path: path.to_owned(), doing: "read", source: source.into() }
    }

    pub(crate) fn write(table: Table, path: &str, source: impl Into<Cause>) -> Self {
        Self::Part { table, path: path.to_owned(), doing: "written", source: source.into() }
    }

    pub(crate) fn rows(table: Table) -> impl FnOnce(arrow::error::ArrowError) -> Self {
        move |source| Self::Rows { table, source }
    }
}
