//! What was admitted, kept: two Delta tables on a disk that is synced, and the tail that is not in them yet.
//!
//! ```text
//! acknowledge ─▶ tail (Arrow, memory) ─▶ flush ─▶ quarantine, then events (a part and a transaction in one commit)
//! import      ─────────────────────────────────▶ the same, its ledger being the transactions
//!                         snapshot = parts ∪ tail, every event once ─▶ scan, or the query engine's own reading
//! ```
//!
//! Rows leave by one mechanism ([`Store::rewrite`]): an import's day that changed, retention ([`Store::retain`]),
//! erasure; what they leave behind goes with [`Store::expire`]. Every file is summed when it is written, and compared
//! whenever it is read ([`Store::verify`] reads all). [`Store::backup`] makes a folder of data of one version.
//!
//! Invariants: **S1** positions of a journal have no gap and no double up to its transaction, but for rows that were
//! removed and counted ([`Store::verify_positions`]). **S2** compaction keeps the multiset of rows. **S3** what was
//! acknowledged shows in the next [`Store::snapshot`].
//!
//! It names Delta, and nothing above it does. It knows no SQL, no HTTP, no schema's text; it never decides when to
//! flush. The format is described in `docs/formats/tables.md`.

mod backup;
mod base64;
mod checked;
mod columns;
mod compact;
mod compact_plan;
mod coverage;
mod coverage_json;
mod delta;
mod derived;
pub mod disk;
mod durable_fs;
mod durable_upload;
mod error;
mod expire;
mod flush;
mod import;
mod merge;
mod options;
mod part;
mod positions;
mod retention;
mod rewrite;
mod rows;
pub mod scan;
mod snapshot;
mod sort;
mod status;
mod store;
mod sums;
mod tail;
mod transactions;
mod vacuum;
mod verify;
mod write;

pub use backup::{BackedUp, copy_durably, sync_dir};
pub use checked::Damaged;
pub use columns::{ColumnClash, LOGGED_STATISTICS, Table};
pub use compact::{Compacted, Rearranged};
pub use coverage::{Coverage, Quarters, Seen, Source};
pub use derived::{Derived, DerivedDamaged, DerivedFile, Manifest, NewFile, Replaced};
pub use durable_fs::{DurableFs, durable_write};
pub use error::{Cause, CompactError, FlushError, ImportError, OpenError, TableError};
pub use expire::Expired;
pub use flush::Flushed;
pub use import::{ImportUnit, Imported, unit_version};
pub use options::Options;
pub use part::Part;
pub use positions::PositionCheck;
pub use retention::{Retention, cutoff};
pub use rewrite::{Rewrite, Rewritten, Share};
pub use rows::{Rows, is_suspect};
pub use scan::{Scan, Selection};
pub use snapshot::{Contents, Snapshot, TableSnapshot};
pub use status::{FlushStatus, Status, TableStatus};
pub use store::Store;
pub use verify::{Fault, FaultKind, Listed, Progress, Step, Verified, verify_derived, verify_files};
