//! What makes a batch durable, as seen by those who answer senders.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use event::{Batch, CollectorId, Position};

use crate::Outcomes;

/// A batch is on disk: the row at index `i` has the position `first + i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Whose positions they are.
    pub collector: CollectorId,
    /// Position of the first row.
    pub first: Position,
    /// What was decided about each row.
    pub outcomes: Outcomes,
    /// A request of the same key was kept before, and this is what was answered then.
    pub is_repeated: bool,
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
    /// The journal has as many bytes on disk as its quota allows; the next flush makes room.
    #[error("the journal has as many bytes on disk as it may")]
    QuotaReached,
    /// A write failed before; nothing is taken until a restart.
    #[error("a write failed; nothing is taken until a restart")]
    Poisoned,
    /// The request is longer than the journal takes.
    #[error("the request is too large for the journal")]
    TooLarge,
    /// A request of the same key is being kept at this moment.
    #[error("a request of this key is being kept at this moment")]
    KeyBusy,
    /// Other events came under the same key before.
    #[error("other events came under this key before")]
    KeyReused,
    /// The program is stopping.
    #[error("the program is stopping")]
    Closed,
}

/// Keeps batches.
pub trait Collect: Send + Sync + Debug {
    /// Whether a batch would be refused as [`CollectError::Overloaded`] at this moment, whatever is in it: known before
    /// any work is put into it.
    fn is_overloaded(&self) -> bool;

    /// Makes `batch` durable: `Ok` means that it survives a crash and is visible to queries. An empty batch is not for
    /// this. One whose key was kept before is not kept again; its receipt is that of the first.
    ///
    /// **Cancel safety**: dropping the future leaves open whether the batch was kept.
    ///
    /// # Errors
    /// See [`CollectError`]; nothing was kept.
    fn collect(&self, batch: Batch) -> Pin<Box<dyn Future<Output = Result<Receipt, CollectError>> + Send + '_>>;
}
