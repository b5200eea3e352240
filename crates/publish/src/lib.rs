//! What is given away: a public archive of daily files, in the form of mybinder.org's.
//!
//! ```text
//! store::snapshot ─▶ coverage (which days, how many events) ─▶ day after day: show each event by its schema's policy,
//!                    sort, compare with the file that is there, write what differs ─▶ index.html, at last index.jsonl
//! ```
//!
//! Invariants: **P1** a field that was not declared public never leaves ([`line`](self) is the only place where an
//! event's text passes). **P2** a day's file is a pure function of the table: the same snapshot gives the same bytes,
//! whatever was published before. **P3** the index lists exactly the files that exist; a day is published if a source
//! covered it, also with no event. **P4** each run writes the page anew with its time, so that a publisher that stops
//! is seen.
//!
//! Only schemas of which something was declared public are published; nothing of the quarantine is. Readers see old
//! files or new ones, never half: every file is written aside, synced and renamed. The format is described in
//! `docs/formats/archive.md`.

mod coverage;
mod day;
mod error;
mod folder;
mod index;
mod line;
mod memory;
mod minute;
mod publisher;
mod rows;
mod run;
mod runs;
mod state;

pub use error::PublishError;
pub use publisher::{Options, Published, Publisher};
