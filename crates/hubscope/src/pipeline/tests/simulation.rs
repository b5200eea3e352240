//! The whole way of an event on one simulated disk: journal, tail, tables and keys meet the same power cut, the same
//! full disk and the same failed fsync, and whatever was acknowledged is there once, with the verdict and the position
//! that were told.
//!
//! `PIPELINE_SIMULATION_SEED=n` runs one seed, `PIPELINE_SIMULATION_SEEDS=n` that many.

mod history;
mod machine;
mod model;

use std::ops::Range;
use std::thread;
use std::time::Duration;

use history::History;
use model::Totals;
use tokio::runtime::Runtime;

/// Histories of a usual run: about a quarter of a minute on two cores, in a build without optimisation.
const HISTORIES: u64 = 80;

/// No history takes longer, whatever the machine is doing beside it; one that does hangs.
const HISTORY_TIME_MAX: Duration = Duration::from_secs(120);

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Runs every `step`-th history.
fn run_each(seeds: Range<u64>, skip: usize, step: usize) -> Totals {
    let runtime = runtime();
    let mut totals = Totals::default();
    for seed in seeds.skip(skip).step_by(step) {
        let outcome = runtime.block_on(async {
            let history = tokio::time::timeout(HISTORY_TIME_MAX, History::run(seed));
            history.await.unwrap_or_else(|_| Err("it hangs".to_owned()))
        });
        match outcome {
            Ok(found) => totals += found,
            Err(complaint) => panic!("seed {seed}: {complaint} (replay it with PIPELINE_SIMULATION_SEED={seed})"),
        }
    }
    totals
}

#[test]
fn no_crash_and_no_fault_of_the_disk_loses_doubles_or_changes_what_was_acknowledged() {
    let seeds = match from_environment("PIPELINE_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("PIPELINE_SIMULATION_SEEDS").unwrap_or(HISTORIES),
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let totals = thread::scope(|scope| {
        let workers = (0..threads).map(|number| {
            let seeds = seeds.clone();
            scope.spawn(move || run_each(seeds, number, threads))
        });
        let workers: Vec<_> = workers.collect();
        let mut totals = Totals::default();
        for worker in workers {
            totals += worker.join().expect("a history failed; its seed stands above");
        }
        totals
    });
    println!("{} histories: {totals:?}", seeds.end - seeds.start);
    if seeds.end - seeds.start >= HISTORIES {
        totals.assert_that_much_happened();
    }
}

/// The histories above would notice a program that forgets to sync: the journal's files, the table's files, or the
/// names of either.
#[test]
fn the_model_notices_missing_syncs() {
    let runtime = runtime();
    for (below, folders) in [("journal", false), ("journal", true), ("tables", false), ("tables", true)] {
        let noticed =
            (0..HISTORIES).find(|seed| runtime.block_on(History::run_on_liar(*seed, below, folders)).is_err());
        assert!(noticed.is_some(), "syncs of {below} (of folders: {folders}) were ignored, and nobody noticed");
    }
}
