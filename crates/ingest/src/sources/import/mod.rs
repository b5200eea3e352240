//! Imports: files that another program wrote once and that stay where they are.
//!
//! ```text
//! archive::scan(dir)   ─┐
//!                       ├─▶ units (source, day, files) ─▶ Unit::read ─▶ ImportedDay { sha256, pieces } ─▶ the store
//! cloud_log::scan(dir) ─┘
//! ```
//!
//! The files are durable themselves, so nothing passes through the journal: the table's transaction is the checkpoint.
//! A *unit* is one day of one source. Its day is the one in its path, whatever the times of its events say, and it
//! covers that day also when it holds nothing. Its SHA-256 tells whether it changed since it was imported: same hash,
//! nothing to do; another, and the day's rows are replaced.
//!
//! The row with index `i` of a unit is its `i`-th line that is not blank, and its position is
//! [`event::Position::imported`]`(day, i)`. A line that cannot be read becomes a quarantined row in its place, so that
//! it is neither lost nor in the way of its neighbours.
//!
//! Names of sources (`collector` in the table is `import/<source>`): an archive is `archive`, wherever its folder lies,
//! so that a copy of it is recognised; an exported log is `cloud-log/<path of its folder under the bucket>`, which is
//! the folder's name alone where the folder itself is given. Whoever imports a second archive beside the first sets
//! [`Unit::source`] to a name of its own.

pub mod archive;
pub mod cloud_log;
mod content;
mod error;
mod folder;
mod hub_history;
pub mod hub_log;
mod unit;

pub use error::{ReadError, ScanError};
pub use hub_history::HubLogs;
pub use unit::{ImportedDay, PIECE_LINES, Unit};
