//! How fast a journal acknowledges on this disk: `cargo run -p journal --example append -- DIR`.
//!
//! Prints the disk's own fdatasync first, because every other figure hangs on it. DIR must not exist; it is left
//! behind.

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use journal::{AppendError, Journal, Options, RealFs};

/// One launch event is about 312 bytes; a request of 1,000 of them is what batching senders send.
const SHAPES: [(&str, usize, u32, usize, usize); 4] = [
    // name, payload bytes, events per record, records in flight, records in all
    ("1 event, 1 in flight", 350, 1, 1, 2_000),
    ("1 event, 64 in flight", 350, 1, 64, 50_000),
    ("1 event, 2,048 in flight", 350, 1, 2_048, 300_000),
    ("1,000 events, 16 in flight", 320_000, 1_000, 16, 1_000),
];

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).ok_or("give a folder that does not exist yet")?;
    let dir = Path::new(&dir);
    std::fs::create_dir(dir)?;
    print_fdatasync(&dir.join("fdatasync"))?;
    for (number, (name, bytes, events, in_flight, records)) in SHAPES.into_iter().enumerate() {
        let (journal, _) = Journal::open(&dir.join(number.to_string()), Arc::new(RealFs), Options::default())?;
        let started = Instant::now();
        let acks = append(&journal, bytes, events, in_flight, records)?;
        let seconds = started.elapsed().as_secs_f64();
        let status = journal.status();
        println!(
            "{name}: {:.0} events/s, {:.0} MB/s, ack p50 {:?} p99 {:?}, {:.1} records a group, fsync mean {:?}",
            (records * events as usize) as f64 / seconds,
            (records * bytes) as f64 / seconds / 1e6,
            quantile(&acks, 50),
            quantile(&acks, 99),
            status.records as f64 / status.groups as f64,
            status.fsync.total / u32::try_from(status.fsync.count)?.max(1),
        );
    }
    Ok(())
}

fn append(
    journal: &Journal,
    bytes: usize,
    events: u32,
    in_flight: usize,
    records: usize,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let (answer, answers) = mpsc::channel();
    let refused = Arc::new(AtomicU64::new(0));
    let mut acks = Vec::with_capacity(records);
    for sent in 0..records {
        if sent >= in_flight {
            acks.push(answers.recv()?);
        }
        let (answer, refused, started) = (answer.clone(), Arc::clone(&refused), Instant::now());
        let done = move |outcome: Result<u64, AppendError>| {
            refused.fetch_add(u64::from(outcome.is_err()), Ordering::Relaxed);
            // Nobody listens any more when an error ended the measurement.
            let _ = answer.send(started.elapsed());
        };
        journal.append(vec![b'x'; bytes], events, Box::new(done));
    }
    drop(answer);
    acks.extend(answers);
    match refused.load(Ordering::Relaxed) {
        0 => Ok(acks),
        refused => Err(format!("{refused} records were refused").into()),
    }
}

fn print_fdatasync(path: &Path) -> Result<(), Box<dyn Error>> {
    let file = File::create_new(path)?;
    let block = [b'x'; 4096];
    let mut times = Vec::new();
    for number in 0..1_000 {
        let started = Instant::now();
        file.write_all_at(&block, number * 4096)?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    println!("fdatasync of 4 KiB appended: p50 {:?} p99 {:?}", quantile(&times, 50), quantile(&times, 99));
    Ok(())
}

fn quantile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}
