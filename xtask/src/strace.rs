//! The tool with which tests make system calls fail.

use std::path::Path;

use anyhow::Result;

use crate::command::{install, may_install, on_path};
use crate::stage::Outcome;

const PROGRAM: &str = "strace";

/// Installs it from Debian's packages, unless it is there. Without it the tests that need it say that they were
/// skipped.
pub(crate) fn set_up(root: &Path) -> Result<Outcome> {
    if on_path(PROGRAM).is_none() && may_install() {
        install(root, &[PROGRAM])?;
    }
    Ok(match on_path(PROGRAM) {
        Some(program) => Outcome::Passed(program.display().to_string()),
        None => {
            Outcome::Skipped("strace is not installed: faults of the disk are not tried on the real program".into())
        }
    })
}
