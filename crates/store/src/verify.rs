//! Verification: every file of the tables is what was written, and what the log says of them is true.
//!
//! First the files, which needs no table: each is read, summed and compared with its recorded sum. A file without one
//! (written by another program, or just before a crash) is decoded; if it can be, its sum is recorded from then on.
//! Then, if the log can be read, the table: each part is there with as many bytes and rows as the log says, commits
//! have no gap, and positions neither gap nor double (S1).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaDataReader;
use serde::Serialize;

use crate::checked::Checked;
use crate::columns::Table;
use crate::derived::{DERIVED, HISTORY, derived_in};
use crate::durable_fs::blocking;
use crate::error::{Cause, TableError};
use crate::positions::PositionCheck;
use crate::snapshot::{Snapshot, TableSnapshot};
use crate::store::Store;
use crate::sums::{Sum, Summing, Sums};

/// Faults, adopted files and orphans listed of each; beyond, they are only counted.
const LISTED_MAX: usize = 1_000;

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The bytes of a file are not those that were written.
    Damaged,
    /// A file that the table needs is not there.
    Missing,
    /// A file cannot be read or decoded.
    Unreadable,
    /// A part has not as many rows or bytes as the log says.
    Differs,
    /// A commit is missing.
    LogGap,
    /// Positions that no row has, though nothing says that they were removed.
    Gap,
    /// Positions that come more than once.
    Double,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Which file, relative to the folder of data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Range<u64>>,
    /// As a sentence.
    pub detail: String,
}

/// A list of which only the beginning is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed<T> {
    /// How many there are.
    pub count: u64,
    /// The first thousand.
    pub first: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<T> Listed<T> {
    fn push(&mut self, item: T) {
        self.count += 1;
        if self.first.len() < LISTED_MAX {
            self.first.push(item);
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Files read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong.
    pub faults: Listed<Fault>,
    /// Files whose sum was not known; they could be decoded, and their sum is recorded now.
    pub adopted: Listed<String>,
    /// Parts that no version names and nobody reads: they cost room only, and go with the next compaction.
    pub orphans: Listed<String>,
    /// Positions of each journal, as the tables hold them.
    pub journals: BTreeMap<String, PositionCheck>,
}

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.faults.count == 0
    }

    /// Whether the log itself is damaged, so that the table may not be opened.
    pub fn log_is_damaged(&self) -> bool {
        self.faults.first.iter().any(|fault| fault.file.as_ref().is_some_and(|file| file.contains("/_delta_log/")))
    }

    /// Adds one thing that is wrong.
    pub fn add(&mut self, kind: FaultKind, file: Option<String>, bytes: Option<Range<u64>>, detail: String) {
        self.faults.push(Fault { kind, file, bytes, detail });
    }
}

/// How far a verification has come.
#[derive(Clone, Debug)]
pub struct Step {
    /// Bytes read.
    pub done: u64,
    /// Bytes to read.
    pub total: u64,
    /// Which file is next.
    pub file: String,
}

/// Told how far it has come.
pub type Progress = Arc<dyn Fn(Step) + Send + Sync>;

/// Reads every file of the tables in the folder of data `root`, which no running process owns, and compares it with
/// what was written. Needs no table that can be opened. Blocks.
///
/// # Errors
/// The disk's, for folders and the list of sums; a file that cannot be read is a fault.
pub fn verify_files(root: &Path, progress: &Progress) -> io::Result<Verified> {
    let sums =
        Sums::open(&root.join("tables"), &root.join("state").join("sums.jsonl"), Arc::new(crate::disk::RealDisk))?;
    files(root, &sums, &BTreeSet::new(), progress)
}

/// Compares every derived file in the folder of data `root` with its checksum. Blocks.
///
/// # Errors
/// The disk's, for folders; what is wrong with a file is a fault.
pub fn verify_derived(root: &Path, verified: &mut Verified) -> io::Result<()> {
    let cures = [
        (DERIVED, "'hubscope rebuild' makes it anew"),
        (HISTORY, "what it was derived from is gone: take it from a backup"),
    ];
    for (parent, cure) in cures {
        for (name, derived) in derived_in(root, parent)? {
            let (files, bytes, faults) = derived.verify();
            verified.files += files;
            verified.bytes += bytes;
            for fault in faults {
                let file = fault.path.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
                let detail = format!("{}; {cure}", fault.detail);
                verified.add(FaultKind::Damaged, Some(format!("{parent}/{name}/{file}")), None, detail);
            }
        }
    }
    Ok(())
}

impl Store {
    /// Reads every file of both tables and compares it with what was written, then the table with its files. Beside
    /// flushes, queries and compactions.
    ///
    /// # Errors
    /// The disk's, for folders and the list of sums; what is wrong with files and rows is told in the answer.
    pub async fn verify(&self, progress: Progress) -> Result<Verified, TableError> {
        let snapshot = self.snapshot();
        let failed = |source: io::Error| TableError::log(Table::Events, "verified", source);
        let sums = self.fs.sums().cloned().ok_or_else(|| failed(io::Error::other("no sums are kept")))?;
        let root = self.root().to_owned();
        let theirs = Arc::clone(&snapshot);
        let work = move || {
            let needed = needed(&theirs);
            let mut verified = files(&root, &sums, &needed, &progress)?;
            for (table, side) in sides(&theirs) {
                check_parts(&root, table, side, &sums, &mut verified);
                check_log(&root, table, side, &mut verified)?;
            }
            Ok(verified)
        };
        let mut verified = blocking(work).await.map_err(failed)?;
        self.list_orphans(&snapshot, &mut verified).await;
        for collector in snapshot.journals() {
            match self.positions_of(&snapshot, &collector).await {
                Ok(check) => {
                    tell_positions(collector.as_str(), &check, &mut verified);
                    verified.journals.insert(collector.to_string(), check);
                }
                Err(error) => {
                    let detail = format!("the positions of {collector} could not be read: {}", chain(&error));
                    verified.add(FaultKind::Unreadable, None, None, detail);
                }
            }
        }
        Ok(verified)
    }

    /// Keeps of the orphans those that nobody was about to commit or still reads.
    async fn list_orphans(&self, snapshot: &Snapshot, verified: &mut Verified) {
        let mut committer = self.committer.lock().await;
        let mut known: BTreeSet<String> = needed(snapshot);
        for table in Table::ALL {
            let delta = committer.table(table);
            let name = |path: &str| format!("tables/{}/{path}", table.name());
            known.extend(delta.view().parts.iter().map(|part| name(&part.path)));
            known.extend(delta.removed.iter().map(|removed| name(&removed.part.path)));
            known.extend(delta.folder().unborn().iter().map(|path| name(path)));
        }
        verified.orphans.first.retain(|file| !known.contains(file));
        verified.orphans.count = verified.orphans.first.len() as u64;
    }
}

fn sides(snapshot: &Snapshot) -> [(Table, &TableSnapshot); 2] {
    [(Table::Events, &snapshot.events), (Table::Quarantine, &snapshot.quarantine)]
}

/// The parts of a snapshot, relative to the folder of data.
fn needed(snapshot: &Snapshot) -> BTreeSet<String> {
    let named = |(table, side): (Table, &TableSnapshot)| {
        side.parts.iter().map(|part| format!("tables/{}/{}", table.name(), part.path)).collect::<Vec<_>>()
    };
    sides(snapshot).into_iter().flat_map(named).collect()
}

/// Reads every file; parts beside `needed` are listed as orphans.
fn files(root: &Path, sums: &Sums, needed: &BTreeSet<String>, progress: &Progress) -> io::Result<Verified> {
    let mut verified = Verified::default();
    let listed = list(root)?;
    let total = listed.iter().map(|(_, bytes)| bytes).sum();
    for (name, bytes) in listed {
        progress(Step { done: verified.bytes, total, file: name.clone() });
        if name.ends_with(".parquet") && !name.contains("/_delta_log/") && !needed.contains(&name) {
            verified.orphans.push(name.clone());
        }
        let path = root.join(&name);
        match read(&path) {
            Ok(sum) => judge(&path, name, sum, sums, &mut verified),
            // Removed since it was listed; the table says below whether it misses it.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => verified.add(FaultKind::Unreadable, Some(name), None, format!("cannot be read: {error}")),
        }
        verified.files += 1;
        verified.bytes += bytes;
    }
    if sums.damaged_lines() > 0 {
        let detail = format!("{} lines are damaged; the files of which they told have no sum", sums.damaged_lines());
        verified.add(FaultKind::Damaged, Some("state/sums.jsonl".into()), None, detail);
    }
    Ok(verified)
}

/// The files of both tables and their sizes, without those being written.
fn list(root: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut found = Vec::new();
    for table in Table::ALL {
        for folder in [format!("tables/{}", table.name()), format!("tables/{}/_delta_log", table.name())] {
            let entries = match std::fs::read_dir(root.join(&folder)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let Ok(metadata) = entry.metadata() else { continue };
                let name = entry.file_name().to_string_lossy().into_owned();
                if metadata.is_file() && !name.contains('#') {
                    found.push((format!("{folder}/{name}"), metadata.len()));
                }
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> io::Result<Sum> {
    let mut file = File::open(path)?;
    let mut summing = Summing::default();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(summing.finish()),
            read => summing.add(buffer.get(..read).unwrap_or_default()),
        }
    }
}

fn judge(path: &Path, name: String, sum: Sum, sums: &Sums, verified: &mut Verified) {
    let Some(recorded) = sums.get(path) else {
        match decode(path).and_then(|()| sums.record(path, sum).map_err(Cause::from)) {
            Ok(()) => verified.adopted.push(name),
            Err(error) => {
                let detail = format!("its sum is not known, and it cannot be decoded: {error}");
                verified.add(FaultKind::Unreadable, Some(name), None, detail);
            }
        }
        return;
    };
    if recorded.any().all(|right| right.differs_at(&sum).is_some()) {
        let place = recorded.now.differs_at(&sum);
        let bytes = place.clone().unwrap_or_default();
        let detail = format!("bytes {} to {} are not those that were written", bytes.start, bytes.end);
        verified.add(FaultKind::Damaged, Some(name), place, detail);
    }
}

/// Reads a file whose sum nobody knows as what its name says that it is.
fn decode(path: &Path) -> Result<(), Cause> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.ends_with(".parquet") {
        for batch in ParquetRecordBatchReaderBuilder::try_new(Checked::open(path, None)?)?.build()? {
            batch?;
        }
    } else if name.ends_with(".json") || name == "_last_checkpoint" {
        let text = std::fs::read(path)?;
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            serde_json::from_slice::<serde_json::Map<_, _>>(line)?;
        }
    }
    Ok(())
}

/// Each part of the table is there, with as many bytes and rows as the log says.
fn check_parts(root: &Path, table: Table, side: &TableSnapshot, sums: &Sums, verified: &mut Verified) {
    let damaged: BTreeSet<String> = verified.faults.first.iter().filter_map(|fault| fault.file.clone()).collect();
    for part in side.parts.iter() {
        let name = format!("tables/{}/{}", table.name(), part.path);
        if damaged.contains(&name) {
            continue;
        }
        match footer(&root.join(&name), sums) {
            Ok((bytes, rows)) if (bytes, rows) == (part.size, part.rows) => {}
            Ok((bytes, rows)) => {
                let detail =
                    format!("the log says {} bytes and {} rows, the file has {bytes} and {rows}", part.size, part.rows);
                verified.add(FaultKind::Differs, Some(name), None, detail);
            }
            Err(Footer::Missing) => {
                let detail = "the table needs it, and it is not there".to_owned();
                verified.add(FaultKind::Missing, Some(name), None, detail);
            }
            Err(Footer::Unreadable(error)) => {
                verified.add(FaultKind::Unreadable, Some(name), None, format!("its footer cannot be read: {error}"));
            }
        }
    }
}

enum Footer {
    Missing,
    Unreadable(Cause),
}

/// Bytes and rows of a part.
fn footer(path: &Path, sums: &Sums) -> Result<(u64, u64), Footer> {
    let unreadable = |error: parquet::errors::ParquetError| Footer::Unreadable(error.into());
    let bytes = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Footer::Missing),
        Err(error) => return Err(Footer::Unreadable(error.into())),
    };
    let file = Checked::open(path, Some(sums)).map_err(|error| Footer::Unreadable(error.into()))?;
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(unreadable)?;
    Ok((bytes, u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0)))
}

/// From the newest checkpoint (or the first commit) to the version, each commit is there.
fn check_log(root: &Path, table: Table, side: &TableSnapshot, verified: &mut Verified) -> io::Result<()> {
    let folder = PathBuf::from("tables").join(table.name()).join("_delta_log");
    let mut commits = BTreeSet::new();
    let mut checkpoint = None;
    for entry in std::fs::read_dir(root.join(&folder))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let Some((number, rest)) = name.split_once('.') else { continue };
        let Ok(number) = number.parse::<i64>() else { continue };
        match rest {
            "json" => drop(commits.insert(number)),
            "checkpoint.parquet" if number <= side.version => checkpoint = checkpoint.max(Some(number)),
            _ => {}
        }
    }
    for number in checkpoint.map_or(0, |number| number + 1)..=side.version {
        if !commits.contains(&number) {
            let file = folder.join(format!("{number:020}.json")).to_string_lossy().into_owned();
            verified.add(
                FaultKind::LogGap,
                Some(file),
                None,
                "the table needs this commit, and it is not there".into(),
            );
        }
    }
    Ok(())
}

fn tell_positions(collector: &str, check: &PositionCheck, verified: &mut Verified) {
    if check.missing != check.removed {
        let detail = format!(
            "of {collector}, {} positions below {} have no row, and {} rows were removed; the first without: {}",
            check.missing,
            check.through,
            check.removed,
            check.gaps.iter().take(3).map(|gap| format!("{} to {}", gap.start, gap.end)).collect::<Vec<_>>().join(", ")
        );
        verified.add(FaultKind::Gap, None, None, detail);
    }
    if check.doubles_count > 0 {
        let detail = format!(
            "of {collector}, {} positions come more than once, the first being {}",
            check.doubles_count,
            check.doubles.first().copied().unwrap_or_default()
        );
        verified.add(FaultKind::Double, None, None, detail);
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        told = format!("{told}: {cause}");
        next = cause.source();
    }
    told
}
