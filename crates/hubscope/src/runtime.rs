//! The runtime of every command.

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

/// Starts it: a thread for each core; blocking work has threads of its own.
pub(crate) fn start() -> Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}
