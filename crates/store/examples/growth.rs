//! What years cost: prints the figures of `docs/operate/growth.md`.
//!
//! ```sh
//! cargo run --release --package store --example growth -- year
//! cargo run --release --package store --example growth -- day
//! cargo run --release --package store --example growth -- start
//! cargo run --release --package store --example growth -- compact
//! ```
//!
//! Time is simulated: times are those that events would have, what would be a flush every fifteen minutes comes one
//! after the other, and with each day that passes the files of the log grow a day older. Parts and commits are real, on
//! the disk of `TMPDIR`. Tables are opened by a process that does nothing else.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event::Verdict;
use event::{
    Admitted, Batch, CollectorId, Column, ColumnKind, Door, EventTime, Position, Repairs, Revision, Row, Value,
};
use store::{Options, Rows, Store, Table};

/// As the program has it: what memory remains with is the allocator's doing too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// … and as many threads for work that blocks, each of which keeps memory of its own.
const BLOCKING_THREADS: usize = 16;

/// 2025-01-01.
const BEGIN: i64 = 1_735_689_600_000_000;
const MINUTE: i64 = 60_000_000;

/// Rows of a flush at full speed; their texts are 46 MiB.
const ROWS_A_FLUSH: usize = 260_000;

/// Memory is told after so many flushes of the year.
const FLUSHES_TOLD: usize = 2_000;

/// Steele and others' SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

fn revision() -> Arc<Revision> {
    let columns = vec![Column { name: "spec".into(), property: "spec".into(), kind: ColumnKind::Text }];
    Arc::new(Revision { schema: "launch".into(), version: "1".into(), hash: "0123456789abcdef".into(), columns })
}

fn row(revision: &Arc<Revision>, time: i64, random: &mut Random) -> Row {
    let spec = format!("owner-{}/repository-{}", random.below(200), random.below(5_000));
    let text = format!(
        "{{\"timestamp\": \"{}\", \"schema\": \"launch\", \"version\": 1, \"provider\": \"GitHub\", \"spec\": \"{spec}\", \
         \"status\": \"success\", \"token\": \"{:016x}\"}}",
        EventTime::from_micros(time),
        random.below(u64::MAX)
    );
    let promoted = vec![Some(Value::Text(spec.into()))];
    let admitted = Admitted {
        time: EventTime::from_micros(time),
        revision: Arc::clone(revision),
        repairs: Repairs::NONE,
        promoted,
    };
    Row { text: text.into_bytes().into(), verdict: Verdict::Admitted(admitted) }
}

fn batch(received: i64, rows: Vec<Row>) -> Batch {
    Batch { received: EventTime::from_micros(received), hub: "default".into(), door: Door::Http, key: None, rows }
}

fn options() -> Options {
    Options { parts_small_max: 8, removed_file_grace: Duration::ZERO, ..Options::default() }
}

/// Resident memory and its peak, in MiB, as the kernel tells.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1_024)
    };
    format!("{} MiB resident, {} MiB at most", of("VmRSS").unwrap_or(0), of("VmHWM").unwrap_or(0))
}

fn live_files(store: &Store) -> usize {
    let snapshot = store.snapshot();
    snapshot.events.parts.len() + snapshot.quarantine.parts.len()
}

fn files_on_disk(root: &Path) -> usize {
    let mut count = 0;
    for table in Table::ALL {
        for folder in ["", "_delta_log"] {
            let entries = std::fs::read_dir(root.join("tables").join(table.name()).join(folder));
            count += entries.map_or(0, |entries| entries.flatten().filter(|entry| entry.path().is_file()).count());
        }
    }
    count
}

/// Makes the files of the log a day older: the store removes them by their age.
fn age_log(root: &Path) -> std::io::Result<()> {
    for table in Table::ALL {
        for entry in std::fs::read_dir(root.join("tables").join(table.name()).join("_delta_log"))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let file = std::fs::File::options().write(true).open(entry.path())?;
                file.set_modified(entry.metadata()?.modified()? - Duration::from_secs(86_400))?;
            }
        }
    }
    Ok(())
}

/// Fifty users, who come on working days between 8 and 18 o'clock: a few events in most quarters of an hour then.
async fn year(root: &Path, flushes_max: usize) -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::open(root, options(), &revision().columns).await?;
    store.attach(CollectorId::of_journal(1));
    let (mut random, revision, mut position, mut flushes, mut most) = (Random(1), revision(), 0, 0, 0);
    let begun = Instant::now();
    'year: for day in 0..365_i64 {
        let quarters = if day % 7 < 5 { 32..72 } else { 40..44 };
        for quarter in quarters {
            let from = BEGIN + day * 1_440 * MINUTE + quarter * 15 * MINUTE;
            let rows: Vec<Row> = (0..5 + random.below(20))
                .map(|_| row(&revision, from + random.below(15 * MINUTE as u64) as i64, &mut random))
                .collect();
            let rows = Rows::build(&batch(from + 15 * MINUTE, rows));
            let count = u64::from(rows.count());
            store.acknowledge(Position(position), rows);
            position += count;
            store.flush().await?;
            flushes += 1;
            if store.status().small_parts >= options().parts_small_max {
                store.compact().await?;
            }
            most = most.max(live_files(&store));
            if flushes % FLUSHES_TOLD == 0 {
                println!("after {flushes} flushes: {}", memory());
            }
            if flushes == flushes_max {
                break 'year;
            }
        }
        age_log(root)?;
    }
    let figures = store.status();
    println!("{flushes} flushes of {position} events, in {:.0} s", begun.elapsed().as_secs_f64());
    println!("live files: {} at the end, {most} at most; {} bytes", live_files(&store), figures.events.bytes);
    println!("files on disk, the log's and those still kept for readers included: {}", files_on_disk(root));
    println!("memory: {}", memory());
    drop(store);
    opened(root, position)
}

/// Runs this program again, so that the memory it tells of is that of `command` alone.
fn again(command: &str, root: &Path, expected: u64) -> Result<(), Box<dyn std::error::Error>> {
    let program = std::env::current_exe()?;
    let child = std::process::Command::new(program).arg(command).arg(root).arg(expected.to_string()).status()?;
    if child.success() { Ok(()) } else { Err(format!("{command} failed").into()) }
}

fn opened(root: &Path, expected: u64) -> Result<(), Box<dyn std::error::Error>> {
    again("open-here", root, expected)
}

/// Opens the tables, and counts by what the log knows.
async fn open_here(root: &Path, expected: u64) -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let store = Store::open(root, options(), &revision().columns).await?;
    let open = begun.elapsed();
    let snapshot = store.snapshot();
    assert_eq!(snapshot.events.rows(), expected, "the log knows every row");
    let counted = begun.elapsed();
    println!(
        "opened in {:.1} ms, counted (from the log) {:.1} ms after the start; {}",
        open.as_secs_f64() * 1e3,
        counted.as_secs_f64() * 1e3,
        memory()
    );
    Ok(())
}

/// The same with parts of a `scale`th of the size.
fn scaled(scale: usize) -> Options {
    let (scale, whole) = (scale as u64, options());
    Options {
        part_bytes_max: whole.part_bytes_max / scale,
        part_bytes_small: whole.part_bytes_small / scale,
        part_rows_small: whole.part_rows_small / scale,
        month_bytes_min: whole.month_bytes_min / scale,
        ..whole
    }
}

/// A flush is some 50 MiB of texts; at full speed some hundred of them come in a day. Their sizes decide how many files
/// are left, and so do the months, of which a day has one. A `scale`th of the rows in parts of a `scale`th of the size
/// makes as many files in a `scale`th of the time.
async fn day(root: &Path, flushes: usize, scale: usize) -> Result<(), Box<dyn std::error::Error>> {
    let rows_a_flush = ROWS_A_FLUSH / scale;
    let store = Store::open(root, scaled(scale), &revision().columns).await?;
    store.attach(CollectorId::of_journal(1));
    let (mut random, revision, mut position) = (Random(1), revision(), 0);
    let begun = Instant::now();
    let (mut bytes, mut most) = (0, 0);
    for flush in 0..flushes {
        let from = BEGIN + flush as i64 * (1_440 * MINUTE / flushes as i64);
        let rows: Vec<Row> = (0..rows_a_flush).map(|at| row(&revision, from + at as i64 * 100, &mut random)).collect();
        let rows = Rows::build(&batch(from + MINUTE, rows));
        bytes += rows.text_bytes();
        let count = u64::from(rows.count());
        store.acknowledge(Position(position), rows);
        position += count;
        store.flush().await?;
        most = most.max(live_files(&store));
        if store.status().small_parts >= options().parts_small_max {
            store.compact().await?;
        }
    }
    store.compact().await?;
    println!(
        "{flushes} flushes of {position} events with {bytes} bytes of texts, in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    println!("live files: {} at the end, {most} at most; {} bytes", live_files(&store), store.status().events.bytes);
    println!("memory: {}", memory());
    Ok(())
}

/// One part under many names: hard links, each committed as a part of its own.
async fn start(root: &Path, rows: usize, links: usize) -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::open(root, options(), &revision().columns).await?;
    store.attach(CollectorId::of_journal(1));
    let (mut random, revision) = (Random(1), revision());
    let all: Vec<Row> = (0..rows).map(|at| row(&revision, BEGIN + at as i64 * 1_000, &mut random)).collect();
    store.acknowledge(Position(0), Rows::build(&batch(BEGIN + 1_440 * MINUTE, all)));
    store.flush().await?;
    let (dir, snapshot) = (store.table_dir(Table::Events).to_owned(), store.snapshot());
    let part = snapshot.events.parts.first().ok_or("no part was written")?.clone();
    drop((store, snapshot));
    let log = dir.join("_delta_log");
    let commits =
        std::fs::read_dir(&log)?.flatten().filter(|entry| entry.path().extension().is_some_and(|ext| ext == "json"));
    let next = commits.count();
    let text = std::fs::read_to_string(log.join(format!("{:020}.json", next - 1)))?;
    let add = text.lines().find(|line| line.starts_with("{\"add\"")).ok_or("no part in the commit")?;
    let mut lines = String::new();
    for link in 1..links {
        let name = format!("part-{link:032x}.parquet");
        std::fs::hard_link(dir.join(&*part.path), dir.join(&name))?;
        lines.push_str(&add.replace(&*part.path, &name));
        lines.push('\n');
    }
    std::fs::write(log.join(format!("{next:020}.json")), lines)?;
    println!("{} rows in {links} files of {} bytes", rows * links, part.size);
    opened(root, (rows * links) as u64)
}

/// Makes small parts, then compacts them in a process that does nothing else, so that its memory is compaction's.
async fn compact(root: &Path, parts: usize, rows_a_part: usize) -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::open(root, options(), &revision().columns).await?;
    store.attach(CollectorId::of_journal(1));
    let (mut random, revision, mut position) = (Random(1), revision(), 0);
    for part in 0..parts {
        let time = |at: usize| BEGIN + (at * parts + part) as i64 * 1_000;
        let rows: Vec<Row> = (0..rows_a_part).map(|at| row(&revision, time(at), &mut random)).collect();
        let rows = Rows::build(&batch(BEGIN + 1_440 * MINUTE, rows));
        let count = u64::from(rows.count());
        store.acknowledge(Position(position), rows);
        position += count;
        store.flush().await?;
    }
    println!("{position} events in {parts} parts of {} bytes", store.status().events.bytes);
    drop(store);
    again("compact-here", root, position)?;
    opened(root, position)
}

/// Compacts what lies in `root`.
async fn compact_here(root: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::open(root, options(), &revision().columns).await?;
    println!("before compaction: {}", memory());
    let begun = Instant::now();
    let done = store.compact().await?;
    println!(
        "{} parts became {} in {:.1} s: {}",
        done.parts_taken,
        done.parts_made,
        begun.elapsed().as_secs_f64(),
        memory()
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().max_blocking_threads(BLOCKING_THREADS).build()?.block_on(measure())
}

async fn measure() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |index: usize, default: usize| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(default);
    match arguments.as_slice() {
        [command, folder, _] if command == "compact-here" => return compact_here(Path::new(folder)).await,
        [command, folder, rows] if command == "open-here" => return open_here(Path::new(folder), rows.parse()?).await,
        _ => {}
    }
    let folder = std::env::temp_dir().join(format!("hubscope-growth-{}", std::process::id()));
    let outcome = match arguments.first().map(String::as_str) {
        Some("year") => year(&folder, number(1, usize::MAX)).await,
        Some("day") => day(&folder, number(1, 400), number(2, 1).max(1)).await,
        Some("start") => start(&folder, number(1, 100_000), number(2, 1_000)).await,
        Some("compact") => compact(&folder, number(1, 16), number(2, 200_000)).await,
        _ => return Err("one of: year [FLUSHES], day [FLUSHES SCALE], start [ROWS LINKS], compact [PARTS ROWS]".into()),
    };
    std::fs::remove_dir_all(&folder)?;
    outcome
}
