//! Fail points: places where a test may stop the process or make an operation fail. No-ops without feature
//! `failpoints`.

use std::io;

/// Before the bytes of a group are written.
pub(crate) const APPEND: &str = "journal::append";
/// After the write, before its fsync.
pub(crate) const FSYNC: &str = "journal::fsync";
/// After the fsync, before anybody is told.
pub(crate) const FSYNCED: &str = "journal::fsynced";
/// Before a trimmed segment is removed.
pub(crate) const REMOVE_SEGMENT: &str = "journal::remove_segment";

/// Passes a fail point. An action `return` makes it an I/O error; `return(full)` makes that "no room".
pub(crate) fn pass(point: &'static str) -> io::Result<()> {
    let _ = point; // unused when the macro below is compiled out
    fail::fail_point!(point, |argument| Err(match argument.as_deref() {
        Some("full") => io::ErrorKind::StorageFull.into(),
        _ => io::Error::other(format!("injected at {point}")),
    }));
    Ok(())
}
