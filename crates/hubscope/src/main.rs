//! The program: it parses, wires, runs and stops. What it does lies in the other crates.

mod access;
mod backup;
mod cli;
mod config;
mod control;
mod demo;
mod folder;
mod forget;
mod hex;
mod jobs;
mod keys;
mod listening;
mod metrics;
mod operations;
mod output;
mod pipeline;
mod polling;
mod questions;
mod registry;
mod rollups;
mod runtime;
mod serve;
mod shutdown;
mod telemetry;
mod tokens;
mod verification;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Arguments, Unsound, Usage};

/// A request is hundreds of small allocations, most of them freed by another thread: the system's allocator took a
/// quarter of the door's time. It is built without huge pages: with them a minute of full load took 23 % more memory
/// and 8 % more CPU an event.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A command that failed.
const EXIT_FAILED: u8 = 1;
/// A command that was asked for something it cannot do; clap's own errors end so too.
const EXIT_USAGE: u8 = 2;
/// A verification that found something wrong.
const EXIT_UNSOUND: u8 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[cfg(feature = "failpoints")]
    kill_at::arm();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hubscope: {error:#}");
            ExitCode::from(match error {
                error if error.is::<Usage>() => EXIT_USAGE,
                error if error.is::<Unsound>() => EXIT_UNSOUND,
                _ => EXIT_FAILED,
            })
        }
    }
}

/// For tests of crashes: `HUBSCOPE_KILL_AT=store::after_commit:3` kills the process when it comes there the third time.
#[cfg(feature = "failpoints")]
mod kill_at {
    use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) fn arm() {
        let Ok(wish) = std::env::var("HUBSCOPE_KILL_AT") else { return };
        let (point, nth) = match wish.rsplit_once(':') {
            Some((point, nth)) if nth.parse::<u64>().is_ok() => (point.to_owned(), nth.parse().unwrap_or(1)),
            _ => (wish, 1),
        };
        let passed = AtomicU64::new(0);
        let kill = move || {
            if passed.fetch_add(1, Ordering::SeqCst) + 1 == nth {
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            }
        };
        if let Err(error) = fail::cfg_callback(point, kill) {
            eprintln!("hubscope: HUBSCOPE_KILL_AT: {error}");
        }
    }
}
