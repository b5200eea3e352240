//! A journal: opaque records in a folder, on disk before anybody is told so.
//!
//! ```text
//! append ─▶ bounded queue ─▶ writer: one write, one fsync per group ─▶ done(position), in order
//! open ─▶ recovery: what is intact, what is damaged, where to go on ─▶ replay
//! trim ─▶ whole segments that are committed elsewhere are removed
//! ```
//!
//! Positions count what the records hold (events, say), without a gap, from 0. Each record has the position of its
//! first and a count. The journal's id and the next position survive restarts and the trimming of everything.
//!
//! Invariants, by their names in the design:
//!
//! * **J1** `done(Ok)` means that the record is replayed after any crash, until it is trimmed: same bytes, once, in
//!   order.
//! * **J2** a torn or damaged stretch hides no intact record, before or after it. It is reported and kept aside.
//! * **J3** after a failed fsync (or a write that failed for anything but want of room) the journal refuses every write
//!   until it is opened again. Nothing is retried.
//!
//! What it does not do: it does not look into payloads, does not lock its folder against other processes, does not copy
//! itself elsewhere, and its reader never waits for more to come. Layout of the files: `docs/formats/journal.md`.

mod aside;
mod error;
mod fault;
mod format;
pub mod fs;
mod inspect;
mod journal;
mod options;
mod queue;
mod reader;
mod recovery;
mod replay;
mod reserve;
mod segment;
mod shared;
#[cfg(any(test, feature = "failpoints"))]
pub mod simulation;
mod status;
#[cfg(test)]
mod tests;
mod trim;
mod writer;

pub use error::{AppendError, MaintainError, OpenError, ReplayError};
pub use format::FORMAT_VERSION;
pub use fs::{Fs, FsFile, RealFs};
pub use inspect::{InspectedSegment, Inspection, inspect};
pub use journal::{Done, Journal};
pub use options::Options;
pub use recovery::{DamagedRange, Recovery, TornTail};
pub use replay::{Record, Replayed};
pub use reserve::Reserve;
pub use status::{Aside, Status, Timing};
pub use trim::Trimmed;
