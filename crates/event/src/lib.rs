//! The words that every other crate speaks: an event, when it happened, what was decided about it, where it lies.
//!
//! A [`Batch`] is one request as it was understood: envelope once, one [`Row`] per event, each with its text and a
//! [`Verdict`]. It goes `ingest` → journal → `store` unchanged; only the journal gives it positions. Nothing here does
//! I/O, and nothing here knows a format on disk.

mod batch;
mod clock;
mod identity;
pub mod pyjson;
mod reason;
mod repair;
mod revision;
pub mod schemas;
mod time;

pub use batch::{Admitted, Batch, Door, Quarantined, RequestKey, Row, Verdict};
pub use clock::{Clock, ManualClock, SystemClock};
pub use identity::{CollectorId, Position};
pub use reason::Reason;
pub use repair::{Repair, Repairs};
pub use revision::{Column, ColumnKind, Revision, Value};
pub use time::{Day, EventTime, ParseDayError};
