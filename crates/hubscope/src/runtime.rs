//! The runtime of every command.

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};

/// Lets the process open as many files as it may at all, and says how many that are. The usual soft limit of 1,024 is
/// for programs that use `select`.
pub(crate) fn raise_file_limit() -> Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("cannot raise the limit of open files")?;
    Ok(maximum.unwrap_or(u64::MAX))
}

/// Starts it: a thread for each core; blocking work has threads of its own.
pub(crate) fn start() -> Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}
