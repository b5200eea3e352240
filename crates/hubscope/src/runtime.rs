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

/// Threads for work that blocks: reading, writing, encoding. Each keeps some memory for itself, and without a limit
/// there come to be a hundred: after four minutes of load the process took 1,374 MiB, with eight threads 758. Few of
/// them wait for work of others (a flush or an import, a rewriting: for their writes, each under a lock of its own), so
/// that the rest always gets on.
const BLOCKING_THREADS_MAX: usize = 16;

/// Starts it: a thread for each core; blocking work has threads of its own.
pub(crate) fn start() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build().context("cannot start the runtime")
}
