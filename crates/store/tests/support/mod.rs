//! What the store's tests share: events to keep, a disk that remembers and fails, and what a reader sees.
#![allow(dead_code, reason = "each test binary uses its share")]

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use event::{
    Admitted, Batch, CollectorId, Column, ColumnKind, Day, Door, EventTime, Quarantined, Reason, Repair, Repairs,
    Revision, Row, Value, Verdict,
};
use store::disk::{Disk, DiskFile, RealDisk};
use store::{DurableFs, ImportUnit, Options, Rows, Scan, Snapshot, Store, Table};

pub(crate) const NOON: i64 = 1_700_000_000_000_000;

pub(crate) fn column(name: &str, kind: ColumnKind) -> Column {
    Column { name: name.into(), property: name.into(), kind }
}

pub(crate) fn columns() -> Vec<Column> {
    vec![column("spec", ColumnKind::Text), column("build_token", ColumnKind::Boolean)]
}

pub(crate) fn revision(schema: &str, columns: Vec<Column>) -> Arc<Revision> {
    Arc::new(Revision { schema: schema.into(), version: "5".into(), hash: "0123456789abcdef".into(), columns })
}

/// An admitted event; `text` says which it is.
pub(crate) fn admitted(text: &str, time: i64) -> Row {
    let revision = revision("https://schema.example/launch", columns());
    let promoted = vec![Some(Value::Text(format!("spec of {text}").into())), None];
    admitted_under(revision, text, time, promoted)
}

pub(crate) fn admitted_under(revision: Arc<Revision>, text: &str, time: i64, promoted: Vec<Option<Value>>) -> Row {
    let mut repairs = Repairs::NONE;
    if text.ends_with('7') {
        repairs.insert(Repair::OffsetBeforeZ);
        repairs.insert(Repair::TaskName);
    }
    let admitted = Admitted { time: EventTime::from_micros(time), revision, repairs, promoted };
    Row { text: text.to_owned().into(), verdict: Verdict::Admitted(admitted) }
}

pub(crate) fn quarantined(text: impl Into<Vec<u8>>) -> Row {
    let quarantined = Quarantined {
        reason: Reason::NotJson,
        detail: "expected a value at byte 0".into(),
        schema: None,
        version: None,
        time: None,
        repairs: Repairs::NONE,
    };
    Row { text: text.into().into(), verdict: Verdict::Quarantined(quarantined) }
}

pub(crate) fn batch(rows: Vec<Row>) -> Batch {
    Batch { received: EventTime::from_micros(NOON), hub: "default".into(), door: Door::Http, key: None, rows }
}

pub(crate) fn unit(day: Day, hash: u8, rows: Vec<Row>) -> ImportUnit {
    let mut sha256 = [hash; 32];
    sha256[0] = 0xff;
    let piece = |rows: &[Row]| Rows::build(&Batch { door: Door::Archive, ..batch(rows.to_vec()) });
    ImportUnit { day, sha256, pieces: rows.chunks(3).map(piece).collect() }
}

pub(crate) fn day(text: &str) -> Day {
    text.parse().unwrap()
}

pub(crate) fn journal() -> CollectorId {
    CollectorId::of_journal(7)
}

pub(crate) fn small_options() -> Options {
    Options {
        parts_small_max: 3,
        // Every month is worth a file, so that merges are cut.
        month_bytes_min: 1,
        removed_file_grace: std::time::Duration::ZERO,
        ..Options::default()
    }
}

pub(crate) async fn open(root: &Path) -> Store {
    let store = Store::open(root, small_options(), &columns()).await.unwrap();
    store.attach(journal());
    store
}

pub(crate) async fn open_on(root: &Path, disk: &TestDisk) -> Result<Store, store::OpenError> {
    let store = Store::open_on(root, DurableFs::new(Arc::new(disk.clone())), small_options(), &columns()).await?;
    store.attach(journal());
    Ok(store)
}

/// Text by (collector, position), in both tables, files and tail. Panics if one comes twice.
pub(crate) type Seen = BTreeMap<(String, i64), String>;

pub(crate) fn seen(store: &Store, snapshot: &Snapshot) -> Seen {
    let mut seen = Seen::new();
    for table in Table::ALL {
        add_rows(&mut seen, store.scan(table, snapshot).columns(&["collector", "position", "text"]));
    }
    seen
}

pub(crate) fn add_rows(seen: &mut Seen, scan: Scan) {
    for batch in scan.read() {
        let batch = batch.unwrap();
        let (collectors, positions) = (text_of(&batch, "collector"), integers_of(&batch, "position"));
        for ((collector, position), text) in collectors.into_iter().zip(positions).zip(text_of(&batch, "text")) {
            let id = (collector.unwrap(), position);
            assert!(seen.insert(id.clone(), text.unwrap()).is_none(), "{id:?} comes twice");
        }
    }
}

pub(crate) fn text_of(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
    column.iter().map(|text| text.map(str::to_owned)).collect()
}

pub(crate) fn integers_of(batch: &RecordBatch, name: &str) -> Vec<i64> {
    batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

pub(crate) fn parquet_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ext| ext == "parquet")).collect();
    files.sort();
    files
}

/// One change of the disk. Temporary names are told without their number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    CreateDir(PathBuf),
    Create(PathBuf),
    Append(PathBuf),
    Write(PathBuf),
    Sync(PathBuf),
    SyncDir(PathBuf),
    Link(PathBuf, PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// The real disk, which remembers every change, and fails the `n`-th from now on if told to.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestDisk {
    state: Arc<Mutex<State>>,
}

type Hook = Box<dyn FnOnce() + Send>;
type When = fn(&Change) -> bool;

#[derive(Default)]
struct State {
    /// Runs once, just before the first change that its predicate names.
    hook: Option<(When, Hook)>,
    changes: Vec<Change>,
    fail_at: Option<usize>,
    /// Fail after having done it: the caller cannot know.
    done_first: bool,
    failed: Option<Change>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}

impl TestDisk {
    /// Runs `hook` once, just before the first change for which `when` is true.
    pub(crate) fn before(&self, when: When, hook: impl FnOnce() + Send + 'static) {
        self.state.lock().unwrap().hook = Some((when, Box::new(hook)));
    }

    pub(crate) fn changes(&self) -> Vec<Change> {
        self.state.lock().unwrap().changes.clone()
    }

    pub(crate) fn forget(&self) {
        self.state.lock().unwrap().changes.clear();
    }

    /// Fails the change after `after` more, once; with `done_first`, after having done it.
    pub(crate) fn fail_after(&self, after: usize, done_first: bool) {
        let mut state = self.state.lock().unwrap();
        state.fail_at = Some(state.changes.len() + after);
        state.done_first = done_first;
        state.failed = None;
    }

    /// The change that failed, if it came to that.
    pub(crate) fn failed(&self) -> Option<Change> {
        self.state.lock().unwrap().failed.clone()
    }

    fn change<T>(&self, change: Change, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let hook = self.state.lock().unwrap().hook.take_if(|(when, _)| when(&change));
        if let Some((_, hook)) = hook {
            hook();
        }
        let (fails, done_first) = {
            let mut state = self.state.lock().unwrap();
            let fails = state.fail_at == Some(state.changes.len());
            state.changes.push(change.clone());
            if fails {
                state.fail_at = None;
                state.failed = Some(change);
            }
            (fails, state.done_first)
        };
        if fails && !done_first {
            return Err(io::Error::other("injected"));
        }
        let outcome = work();
        if fails { Err(io::Error::other("injected, after it was done")) } else { outcome }
    }
}

#[derive(Debug)]
struct TestFile {
    disk: TestDisk,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl Write for TestFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let disk = self.disk.clone();
        disk.change(Change::Write(self.path.clone()), || self.file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for TestFile {
    fn sync(&mut self) -> io::Result<()> {
        let disk = self.disk.clone();
        disk.change(Change::Sync(self.path.clone()), || self.file.sync())
    }
}

impl Disk for TestDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.change(Change::CreateDir(path.to_owned()), || RealDisk.create_dir(path))
    }

    fn create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.change(Change::Create(path.to_owned()), || RealDisk.create_file(path))?;
        Ok(Box::new(TestFile { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn append_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.change(Change::Append(path.to_owned()), || RealDisk.append_file(path))?;
        Ok(Box::new(TestFile { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.change(Change::SyncDir(path.to_owned()), || RealDisk.sync_dir(path))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Change::Link(from.to_owned(), to.to_owned()), || RealDisk.link(from, to))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Change::Rename(from.to_owned(), to.to_owned()), || RealDisk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(Change::Remove(path.to_owned()), || RealDisk.remove(path))
    }
}

/// Copies a folder, so that many cases can begin with the same tables.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let dest = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &dest);
        } else {
            std::fs::copy(entry.path(), dest).unwrap();
        }
    }
}
