//! Compaction holds a few batches, not the parts that it merges: its peak is measured in a process that does nothing
//! else.
#![cfg(target_os = "linux")]

mod support;

use std::path::Path;
use std::process::Command;

use event::Position;
use store::{Options, Rows, Store, Table};
use support::{NOON, admitted, batch, columns, journal};

/// In the child, the folder of the store.
const FOLDER: &str = "STORE_MEMORY_FOLDER";

const PARTS: usize = 16;
const ROWS_A_PART: usize = 2_500;
/// 16 × 2,500 × 8 KiB: 312 MiB of rows, of which the parts on disk are a fraction.
const TEXT_BYTES: usize = 8 << 10;

/// What compaction may add to what the process has when the store is open. By its named limits it is 112 MiB (16
/// batches of 2 MiB, 16 MiB that wait, a row group of 64 MiB); measured are twice that, since decoders, copies and the
/// allocator have theirs. If the parts were held whole, it would be more than all of their rows.
const PEAK_BYTES_MAX: u64 = 280 << 20;

fn options() -> Options {
    Options { parts_small_max: PARTS, removed_file_grace: std::time::Duration::ZERO, ..Options::default() }
}

async fn open(root: &Path) -> Store {
    let store = Store::open(root, options(), &columns()).await.unwrap();
    store.attach(journal());
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_holds_a_few_batches_and_not_its_parts() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for part in 0..PARTS {
        let text = |row: usize| format!("{}-{row}-{}", part, "compressible ".repeat(TEXT_BYTES / 13));
        let rows = (0..ROWS_A_PART).map(|row| admitted(&text(row), NOON + (row * PARTS + part) as i64));
        store.acknowledge(Position((part * ROWS_A_PART) as u64), Rows::build(&batch(rows.collect())));
        store.flush().await.unwrap();
    }
    assert_eq!(store.snapshot().events.parts.len(), PARTS);
    drop(store);

    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "compacts_and_tells_its_peak", "--nocapture"]).env(FOLDER, folder.path());
    let output = child.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    let peak = told.lines().find_map(|line| line.split_once("peak ")?.1.parse::<u64>().ok());
    let peak = peak.unwrap_or_else(|| panic!("no peak in {told}"));
    let rows = (PARTS * ROWS_A_PART * TEXT_BYTES) as u64;
    assert!(peak < PEAK_BYTES_MAX && peak < rows, "{} MiB for {} MiB of rows", peak >> 20, rows >> 20);
    println!("{} MiB for {} MiB of rows", peak >> 20, rows >> 20);

    let store = open(folder.path()).await;
    let snapshot = store.snapshot();
    assert_eq!((snapshot.events.parts.len(), snapshot.events.rows()), (1, (PARTS * ROWS_A_PART) as u64));
    assert!(store.scan(Table::Events, &snapshot).columns(&["position"]).read().all(|batch| batch.is_ok()));
}

/// In the child alone: compacts, and prints how many bytes its memory grew by at most.
#[tokio::test(flavor = "multi_thread")]
async fn compacts_and_tells_its_peak() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = open(Path::new(&folder)).await;
    let before = memory("VmRSS:");
    let compacted = store.compact().await.unwrap();
    assert_eq!((compacted.parts_taken, compacted.parts_made), (PARTS as u64, 1));
    // On a line of its own: the runner has begun one.
    println!("\npeak {}", memory("VmHWM:") - before);
}

fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the system counts memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB") << 10
}
