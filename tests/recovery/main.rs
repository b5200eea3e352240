//! Acknowledged means kept: the real program is killed and stopped under load, and what it acknowledged is counted.
//!
//! The oracle is the client's own ledger of what it sent and what was acknowledged; the program is never asked what it
//! believes to have.

mod backup;
mod faults;
mod full;
mod kill;
mod ledger;
mod load;
mod oracle;
mod person;
mod restore;
mod retention;
mod samples;
mod stop;

/// Says that a test proves nothing here. It goes past the test runner, which hides what passing tests print.
fn skipped(why: &str) {
    use std::io::Write as _;
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {why}");
}

/// Small limits, so that flushes, commits and removals of segments happen many times in every round.
const BUSY: [(&str, &str); 4] = [
    ("HUBSCOPE_JOURNAL__SEGMENT_SIZE", "64 KiB"),
    ("HUBSCOPE_STORE__FLUSH_INTERVAL", "50 ms"),
    ("HUBSCOPE_STORE__COMMIT_INTERVAL", "10 ms"),
    ("HUBSCOPE_ARCHIVE__ENABLED", "false"),
];

/// As [`BUSY`], with publication and compaction all the time.
const BUSIER: [(&str, &str); 6] = [
    ("HUBSCOPE_JOURNAL__SEGMENT_SIZE", "64 KiB"),
    ("HUBSCOPE_STORE__FLUSH_INTERVAL", "50 ms"),
    ("HUBSCOPE_STORE__COMMIT_INTERVAL", "10 ms"),
    ("HUBSCOPE_STORE__COMPACT_PARTS", "2"),
    ("HUBSCOPE_ARCHIVE__ENABLED", "true"),
    ("HUBSCOPE_ARCHIVE__INTERVAL", "100 ms"),
];
