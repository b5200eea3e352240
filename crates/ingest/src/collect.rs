//! What makes a batch durable, as seen by those who answer senders.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use event::{Batch, CollectorId, Position};

/// A batch is on disk: the row at index `i` has the position `first + i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Whose positions they are.
    pub collector: CollectorId,
    /// Position of the first row.
    pub first: Position,
}

/// Nothing of a batch was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// More arrives than can be written; the same batch may be sent again.
    #[error("more arrives than can be written")]
    Overloaded,
    /// No room on the disk.
    #[error("no room on the disk")]
    DiskFull,
    /// A write failed before; nothing is taken until a restart.
    #[error("a write failed; nothing is taken until a restart")]
    Poisoned,
    /// The program is stopping.
    #[error("the program is stopping")]
    Closed,
}

/// Keeps batches.
pub trait Collect: Send + Sync + Debug {
    /// Makes `batch` durable: `Ok` means that it survives a crash and is visible to queries. An empty batch is not for
    /// this.
    ///
    /// **Cancel safety**: dropping the future leaves open whether the batch was kept.
    ///
    /// # Errors
    /// See [`CollectError`]; nothing was kept.
    fn collect(&self, batch: Batch) -> Pin<Box<dyn Future<Output = Result<Receipt, CollectError>> + Send + '_>>;
}
