//! Acknowledged means kept: the real program is killed and stopped under load, and what it acknowledged is counted.
//!
//! The oracle is the client's own ledger of what it sent and what was acknowledged; the program is never asked what it
//! believes to have.

mod kill;
mod ledger;
mod load;
mod oracle;
mod restore;
mod stop;

/// Small limits, so that flushes, commits and removals of segments happen many times in every round.
const BUSY: [(&str, &str); 4] = [
    ("HUBSCOPE_JOURNAL__SEGMENT_SIZE", "64 KiB"),
    ("HUBSCOPE_STORE__FLUSH_INTERVAL", "50 ms"),
    ("HUBSCOPE_STORE__COMMIT_INTERVAL", "10 ms"),
    ("HUBSCOPE_ARCHIVE__ENABLED", "false"),
];
