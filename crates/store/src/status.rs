//! How the store is, as figures.

use std::time::Duration;

use event::{CollectorId, EventTime, Position};

/// Figures for metrics and readiness.
#[derive(Clone, Debug)]
pub struct Status {
    /// The table `events`.
    pub events: TableStatus,
    /// The table `quarantine`.
    pub quarantine: TableStatus,
    /// Events kept, in files and in memory.
    pub events_rows: u64,
    /// Events kept aside, in files and in memory.
    pub quarantine_rows: u64,
    /// When the newest of them reached us, if there is any.
    pub newest_received: Option<EventTime>,
    /// Events acknowledged and not yet flushed, both tables.
    pub tail_rows: u64,
    /// Bytes of their texts; what is held in memory is about twice that.
    pub tail_bytes: usize,
    /// Parts small enough to be compacted, the greater number of both tables.
    pub small_parts: usize,
    /// The journal acknowledged for, and the position that its next event gets.
    pub attached: Option<(CollectorId, Position)>,
    /// The last flush that succeeded.
    pub last_flush: Option<FlushStatus>,
    /// Why nothing can be written until restart, if so.
    pub poisoned: Option<String>,
    /// Acknowledgements whose positions did not follow (S1). Always 0, or there is a bug.
    pub positions_broken: u64,
    /// Promoted values left out, because two schemas give one name two types. The text has them.
    pub values_clashed: u64,
}

/// Figures of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableStatus {
    /// Version of the Delta table.
    pub version: i64,
    /// Files.
    pub parts: usize,
    /// Rows in them.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows in memory.
    pub tail_rows: u64,
    /// Files small enough to be compacted.
    pub small_parts: usize,
    /// When the newest row in the files reached us, if known.
    pub newest_received: Option<EventTime>,
}

/// One flush.
#[derive(Clone, Debug)]
pub struct FlushStatus {
    /// Positions below are in the tables.
    pub through: Position,
    /// Rows written, both tables.
    pub rows: u64,
    /// How long it took.
    pub took: Duration,
}
