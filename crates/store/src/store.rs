//! The store: both tables, the tail, and the one place where they are swapped.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use event::{Batch, CollectorId, Column, EventTime, Position};
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;

use crate::columns::{self, ColumnClash, Table};
use crate::compact::Rearranged;
use crate::delta::{Delta, View};
use crate::durable_fs::{DurableFs, blocking};
use crate::error::OpenError;
use crate::options::Options;
use crate::rewrite::Turn;
use crate::rows::{Rows, position_value};
use crate::scan::Scan;
use crate::snapshot::{Snapshot, TableSnapshot, committed, ledger};
use crate::status::{FlushStatus, Status, TableStatus};
use crate::tail::Tail;

/// The tables and the tail of one data folder. One per process and folder.
#[derive(Debug)]
pub struct Store {
    dirs: [PathBuf; 2],
    pub(crate) fs: DurableFs,
    pub(crate) options: Options,
    live: Mutex<Live>,
    pub(crate) committer: tokio::sync::Mutex<Committer>,
    turn: Arc<tokio::sync::Mutex<()>>,
    pub(crate) counters: Counters,
    pub(crate) rearranged: Mutex<VecDeque<Rearranged>>,
    pub(crate) opened_millis: i64,
}

/// What [`Store::snapshot`] is made of. Behind one lock, held for microseconds.
#[derive(Debug)]
struct Live {
    attached: Option<Attached>,
    pending: Pending,
    events: Side,
    quarantine: Side,
    snapshot: Option<Arc<Snapshot>>,
    last_flush: Option<FlushStatus>,
    newest_received: Option<EventTime>,
}

/// Small requests that are acknowledged and not yet columns: thirty arrays for one event would cost more than all the
/// rest of its way, and nobody looks between two events.
#[derive(Debug, Default)]
struct Pending {
    first: Position,
    batches: Vec<Batch>,
    rows: u64,
    text_bytes: usize,
}

/// So many rows or bytes of text wait to become columns at most: what turns them is a request's acknowledgement, which
/// takes half a millisecond longer then.
const PENDING_ROWS_MAX: u64 = 256;
const PENDING_BYTES_MAX: usize = 1 << 20;

impl Pending {
    fn is_full(&self) -> bool {
        self.rows >= PENDING_ROWS_MAX || self.text_bytes >= PENDING_BYTES_MAX
    }
}

#[derive(Debug)]
struct Attached {
    collector: CollectorId,
    /// The position that the next acknowledgement has to begin with.
    next: Position,
}

/// One table as readers see it.
#[derive(Debug)]
struct Side {
    view: View,
    /// Figures of `view`: asked for with each request, so counted once per commit.
    table: TableStatus,
    tail: Tail,
}

/// Both tables as the committer sees them; whoever changes one holds the lock around this.
#[derive(Debug)]
pub(crate) struct Committer {
    pub(crate) events: Delta,
    pub(crate) quarantine: Delta,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) positions_broken: AtomicU64,
    pub(crate) values_clashed: AtomicU64,
    pub(crate) tail_text_bytes: AtomicU64,
}

/// What a flush takes: the rows of the tail below `through`.
pub(crate) struct Taken {
    pub(crate) collector: CollectorId,
    pub(crate) through: Position,
    pub(crate) text_bytes: u64,
}

impl Committer {
    pub(crate) fn table(&mut self, table: Table) -> &mut Delta {
        match table {
            Table::Events => &mut self.events,
            Table::Quarantine => &mut self.quarantine,
        }
    }
}

impl Store {
    /// Opens the tables under `root/tables`, or makes them. `columns` are the promoted columns that `events` has to
    /// have.
    ///
    /// # Errors
    /// [`OpenError`]: the folder, a table, or a column whose name is taken with another type.
    pub async fn open(root: &Path, options: Options, columns: &[Column]) -> Result<Self, OpenError> {
        Self::open_on(root, DurableFs::default(), options, columns).await
    }

    /// As [`Self::open`], on a disk of the caller's.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_on(root: &Path, fs: DurableFs, options: Options, columns: &[Column]) -> Result<Self, OpenError> {
        let dirs = prepare(root, &fs).await?;
        Self::open_in(dirs, fs, options, columns).await
    }

    /// Opens tables that are there, only to look at them: makes nothing, mends nothing, and removes nothing of what a
    /// crash left. `None` where there are none yet.
    ///
    /// # Errors
    /// As [`Self::open`]; also when there is one table without the other.
    pub async fn open_to_look(root: &Path) -> Result<Option<Self>, OpenError> {
        let fs = DurableFs::default();
        let Some(dirs) = find(root, &fs).await? else { return Ok(None) };
        Self::open_in(dirs, fs, Options::default(), &[]).await.map(Some)
    }

    async fn open_in(
        dirs: [PathBuf; 2],
        fs: DurableFs,
        options: Options,
        columns: &[Column],
    ) -> Result<Self, OpenError> {
        let [events_dir, quarantine_dir] = &dirs;
        let schema = columns::events_schema(columns)?;
        let events = Delta::open(Table::Events, events_dir, &fs, &schema).await?;
        let quarantine_schema = columns::quarantine_schema();
        let quarantine = Delta::open(Table::Quarantine, quarantine_dir, &fs, &quarantine_schema).await?;
        let schema = columns::with_columns(&events.schema()?, columns)?;
        let live = Live {
            attached: None,
            pending: Pending::default(),
            events: Side::new(events.view(), Tail::new(schema), &options),
            quarantine: Side::new(quarantine.view(), Tail::new(quarantine_schema), &options),
            snapshot: None,
            last_flush: None,
            newest_received: None,
        };
        Ok(Self {
            dirs,
            fs,
            options,
            live: Mutex::new(live),
            committer: tokio::sync::Mutex::new(Committer { events, quarantine }),
            turn: Arc::default(),
            counters: Counters::default(),
            rearranged: Mutex::default(),
            opened_millis: crate::write::now_millis(),
        })
    }

    /// Through which position (exclusive) the rows of `collector` are in the tables; 0 when unknown. What the journal
    /// holds from here on has to be acknowledged again after a start.
    pub fn committed(&self, collector: &CollectorId) -> Position {
        committed(&self.live().events.view.transactions, collector)
    }

    /// Through which position (exclusive) `quarantine` has its rows of `collector`. After a crash between the commits
    /// of a flush that is beyond [`Self::committed`]: what is acknowledged again from there on is not added to it a
    /// second time.
    pub fn committed_aside(&self, collector: &CollectorId) -> Position {
        committed(&self.live().quarantine.view.transactions, collector)
    }

    /// Names the journal that this process acknowledges for. Its next acknowledgement begins at [`Self::committed`]. A
    /// tail of another journal must have been flushed; what is left of it is dropped.
    pub fn attach(&self, collector: CollectorId) {
        let mut live = self.live();
        let next = committed(&live.events.view.transactions, &collector);
        live.pending = Pending::default();
        live.events.tail.clear();
        live.quarantine.tail.clear();
        self.counters.tail_text_bytes.store(0, Ordering::Relaxed);
        live.attached = Some(Attached { collector, next });
        live.snapshot = None;
    }

    /// Adds the columns that the schemas just registered promote. Rows that have them may come before or after.
    ///
    /// # Errors
    /// The first column whose name is taken with another type; none is added then.
    pub fn add_columns(&self, columns: &[Column]) -> Result<(), ColumnClash> {
        let mut live = self.live();
        let schema = columns::with_columns(live.events.tail.schema(), columns)?;
        live.widen(schema);
        Ok(())
    }

    /// Shows rows that the journal has made durable: whoever calls [`Self::snapshot`] after this returns sees them.
    /// `first` is the position of the request's first event. Rows below [`Self::committed`] are passed over, so a
    /// replay may begin earlier. Takes microseconds.
    ///
    /// # Panics
    /// In debug builds, when positions have a gap or come twice (S1), or no journal is attached. Release builds count
    /// it ([`Status::positions_broken`]) and go on.
    pub fn acknowledge(&self, first: Position, rows: Rows) {
        let mut live = self.settled();
        self.advance(&mut live, first, rows.count);
        self.append(&mut live, first, &rows);
        self.counters.tail_text_bytes.fetch_add(rows.text_bytes as u64, Ordering::Relaxed);
    }

    /// As [`Self::acknowledge`], for a request of few events: its columns are built together with those of the requests
    /// around it, when somebody looks.
    ///
    /// # Panics
    /// As [`Self::acknowledge`].
    pub fn acknowledge_few(&self, first: Position, batch: Batch) {
        let text_bytes: usize = batch.rows.iter().map(|row| row.text.len()).sum();
        let count = u32::try_from(batch.rows.len()).unwrap_or(u32::MAX);
        let mut live = self.live();
        self.advance(&mut live, first, count);
        if live.pending.first.plus(live.pending.rows) != first {
            self.settle(&mut live);
        }
        if live.pending.batches.is_empty() {
            live.pending.first = first;
        }
        live.snapshot = None;
        live.newest_received = live.newest_received.max(Some(batch.received));
        live.pending.rows += u64::from(count);
        live.pending.text_bytes += text_bytes;
        live.pending.batches.push(batch);
        if live.pending.is_full() {
            self.settle(&mut live);
        }
        self.counters.tail_text_bytes.fetch_add(text_bytes as u64, Ordering::Relaxed);
    }

    fn advance(&self, live: &mut Live, first: Position, count: u32) {
        if !live.advance(first, count) {
            self.counters.positions_broken.fetch_add(1, Ordering::Relaxed);
            debug_assert!(false, "S1: an acknowledgement at {first} of {count} rows does not follow the last one");
        }
    }

    fn append(&self, live: &mut Live, first: Position, rows: &Rows) {
        let clashes = rows.clashes + live.append(first, rows);
        self.counters.values_clashed.fetch_add(clashes, Ordering::Relaxed);
    }

    /// Turns the requests that wait into columns of the tail.
    fn settle(&self, live: &mut Live) {
        let pending = std::mem::take(&mut live.pending);
        if !pending.batches.is_empty() {
            self.append(live, pending.first, &Rows::build_all(&pending.batches));
        }
    }

    /// Says that the journal holds no position below `next` any more that was not acknowledged here: damage took them,
    /// and the journal has reported it. Does nothing when there are none such.
    pub fn pass_over(&self, next: Position) {
        let mut live = self.live();
        if let Some(attached) = live.attached.as_mut().filter(|attached| attached.next < next) {
            tracing::error!(
                from = attached.next.0,
                to = next.0,
                "positions that the journal lost to damage are passed over"
            );
            attached.next = next;
        }
    }

    /// One consistent view of everything acknowledged or imported so far. Cheap: the same `Arc` until something
    /// changes.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let mut live = self.settled();
        if let Some(snapshot) = &live.snapshot {
            return Arc::clone(snapshot);
        }
        let snapshot = Arc::new(live.look());
        live.snapshot = Some(Arc::clone(&snapshot));
        snapshot
    }

    /// The folder of `table`; paths of parts are relative to it.
    pub fn table_dir(&self, table: Table) -> &Path {
        let [events, quarantine] = &self.dirs;
        match table {
            Table::Events => events,
            Table::Quarantine => quarantine,
        }
    }

    /// The folder of data.
    pub fn root(&self) -> &Path {
        let [events, _] = &self.dirs;
        events.ancestors().nth(2).unwrap_or(events)
    }

    pub(crate) fn dirs(&self) -> &[PathBuf; 2] {
        &self.dirs
    }

    /// The files of both tables, `<table>/<file>`, read with their checksums: a damaged one gives an error, not other
    /// bytes.
    pub fn files(&self) -> Arc<dyn ObjectStore> {
        let [events, _] = &self.dirs;
        let tables = events.parent().and_then(|tables| object_store::path::Path::from_absolute_path(tables).ok());
        Arc::new(PrefixStore::new(self.fs.clone(), tables.unwrap_or_default()))
    }

    /// A scan over `table` as `snapshot` shows it.
    pub fn scan(&self, table: Table, snapshot: &Snapshot) -> Scan {
        let side = match table {
            Table::Events => &snapshot.events,
            Table::Quarantine => &snapshot.quarantine,
        };
        Scan::new(table, self.table_dir(table), side)
    }

    /// The days that the import `collector` covers, each with [`crate::unit_version`] of what was imported.
    pub fn import_ledger(&self, collector: &CollectorId) -> std::collections::BTreeMap<event::Day, i64> {
        ledger(&self.live().events.view.transactions, collector)
    }

    /// How the store is, for metrics and readiness.
    pub fn status(&self) -> Status {
        let live = self.settled();
        let (events, quarantine) = (live.events.status(), live.quarantine.status());
        Status {
            events,
            quarantine,
            events_rows: events.rows + events.tail_rows,
            quarantine_rows: quarantine.rows + quarantine.tail_rows,
            newest_received: live.newest_received.max(events.newest_received).max(quarantine.newest_received),
            tail_rows: events.tail_rows + quarantine.tail_rows,
            tail_bytes: self.tail_bytes(),
            small_parts: events.small_parts.max(quarantine.small_parts),
            attached: live.attached.as_ref().map(|attached| (attached.collector.clone(), attached.next)),
            last_flush: live.last_flush.clone(),
            poisoned: self.fs.poisoned().map(str::to_owned),
            positions_broken: self.counters.positions_broken.load(Ordering::Relaxed),
            values_clashed: self.counters.values_clashed.load(Ordering::Relaxed),
        }
    }

    /// The prefix of the tail that a flush takes: everything acknowledged so far.
    pub(crate) fn take(&self) -> Option<Taken> {
        let live = self.live();
        let attached = live.attached.as_ref()?;
        let text_bytes = self.counters.tail_text_bytes.load(Ordering::Relaxed);
        Some(Taken { collector: attached.collector.clone(), through: attached.next, text_bytes })
    }

    /// The rows of `table` in the tail with `from <= position < to`.
    pub(crate) fn tail_rows(&self, table: Table, from: Position, to: Position) -> Vec<arrow::array::RecordBatch> {
        self.settled().side(table).tail.slice(position_value(from), position_value(to))
    }

    /// Waits until no compaction, rewriting or expiry is under way, and keeps others off.
    pub(crate) async fn turn(&self) -> Turn {
        Arc::new(Arc::clone(&self.turn).lock_owned().await)
    }

    /// The columns that `table` has to have.
    pub(crate) fn schema(&self, table: Table) -> SchemaRef {
        Arc::clone(self.live().side(table).tail.schema())
    }

    /// Adds the columns that `rows` have and the table lacks.
    pub(crate) fn make_room(&self, rows: &Rows) {
        let clashes = self.live().make_room(rows);
        self.counters.values_clashed.fetch_add(clashes + rows.clashes, Ordering::Relaxed);
    }

    /// Shows readers what the committer has done. Rows that are in the tables leave the tail in the same moment, since
    /// the tail is cut by each table's own transaction.
    pub(crate) fn publish(&self, committer: &Committer) {
        let mut live = self.live();
        live.events.show(committer.events.view(), &self.options);
        live.quarantine.show(committer.quarantine.view(), &self.options);
        live.snapshot = None;
    }

    /// Lets go of tail rows that are in both tables.
    pub(crate) fn flushed(&self, taken: &Taken, flush: FlushStatus) {
        let mut live = self.live();
        live.last_flush = Some(flush);
        if live.attached.as_ref().is_some_and(|attached| attached.collector == taken.collector) {
            live.events.tail.drop_below(position_value(taken.through));
            live.quarantine.tail.drop_below(position_value(taken.through));
            self.counters.tail_text_bytes.fetch_sub(taken.text_bytes, Ordering::Relaxed);
        }
    }

    /// Bytes of text in the tail: what its limits are about. Costs nothing.
    pub fn tail_bytes(&self) -> usize {
        usize::try_from(self.counters.tail_text_bytes.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    /// As [`Self::live`], with everything acknowledged in the tails.
    fn settled(&self) -> MutexGuard<'_, Live> {
        let mut live = self.live();
        self.settle(&mut live);
        live
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn side(&mut self, table: Table) -> &mut Side {
        match table {
            Table::Events => &mut self.events,
            Table::Quarantine => &mut self.quarantine,
        }
    }

    /// Moves the expected position past `count` rows from `first`; false if they do not follow.
    fn advance(&mut self, first: Position, count: u32) -> bool {
        let Some(attached) = &mut self.attached else { return false };
        let committed = committed(&self.events.view.transactions, &attached.collector);
        let end = first.plus(u64::from(count));
        let follows = first == attached.next || (first < committed && attached.next == committed);
        attached.next = attached.next.max(end);
        follows
    }

    /// Appends the rows to both tails; returns how many promoted values had no place.
    fn append(&mut self, first: Position, rows: &Rows) -> u64 {
        let Some(collector) = self.attached.as_ref().map(|attached| attached.collector.clone()) else { return 0 };
        self.snapshot = None;
        self.newest_received = self.newest_received.max(Some(rows.received));
        let clashes = self.make_room(rows);
        for (side, portion) in [(&mut self.events, &rows.events), (&mut self.quarantine, &rows.quarantine)] {
            if portion.indexes.is_empty() {
                continue;
            }
            let batch = portion.batch(side.tail.schema(), collector.as_str(), first);
            let from = side.view.transactions.get(collector.as_str()).copied().unwrap_or(0);
            if let Err(error) = batch.and_then(|batch| side.tail.push_from(batch, from)) {
                // Cannot happen: every array was built for its column. The journal still has the rows.
                tracing::error!(%error, "acknowledged rows do not fit the tail");
                debug_assert!(false, "acknowledged rows do not fit the tail: {error}");
            }
        }
        clashes
    }

    /// Adds the columns that `rows` have and the table lacks; returns how many cannot join it. Their values are left
    /// out: the rows are acknowledged, and their text has everything.
    fn make_room(&mut self, rows: &Rows) -> u64 {
        let mut clashes = 0;
        for column in &rows.promoted {
            match columns::with_columns(self.events.tail.schema(), std::slice::from_ref(column)) {
                Ok(schema) => self.widen(schema),
                Err(clash) => {
                    tracing::error!(%clash, "values of a promoted column are left out; the text has them");
                    clashes += 1;
                }
            }
        }
        clashes
    }

    fn widen(&mut self, schema: SchemaRef) {
        if schema == *self.events.tail.schema() {
            return;
        }
        if let Err(error) = self.events.tail.widen(schema) {
            tracing::error!(%error, "the tail cannot take new columns");
            debug_assert!(false, "the tail cannot take new columns: {error}");
        }
        self.snapshot = None;
    }

    fn look(&self) -> Snapshot {
        let collector = self.attached.as_ref().map(|attached| &attached.collector);
        Snapshot {
            events: self.events.look(collector),
            quarantine: self.quarantine.look(collector),
            attached: self.attached.as_ref().map(|attached| (attached.collector.clone(), attached.next)),
            transactions: Arc::clone(&self.events.view.transactions),
            transactions_aside: Arc::clone(&self.quarantine.view.transactions),
        }
    }
}

impl Side {
    fn new(view: &View, tail: Tail, options: &Options) -> Self {
        Self { view: view.clone(), table: figures(view, options), tail }
    }

    fn show(&mut self, view: &View, options: &Options) {
        self.view = view.clone();
        self.table = figures(view, options);
    }

    fn look(&self, collector: Option<&CollectorId>) -> TableSnapshot {
        let from = collector.map_or(Position(0), |collector| committed(&self.view.transactions, collector));
        TableSnapshot {
            schema: Arc::clone(self.tail.schema()),
            version: self.view.version,
            parts: Arc::clone(&self.view.parts),
            tail: self.tail.slice(position_value(from), i64::MAX).into(),
        }
    }

    fn status(&self) -> TableStatus {
        TableStatus { tail_rows: self.tail.rows() as u64, ..self.table }
    }
}

fn figures(view: &View, options: &Options) -> TableStatus {
    TableStatus {
        version: view.version,
        parts: view.parts.len(),
        rows: view.parts.iter().map(|part| part.rows).sum(),
        bytes: view.parts.iter().map(|part| part.size).sum(),
        tail_rows: 0,
        newest_received: view.parts.iter().filter_map(|part| part.received).map(|(_, newest)| newest).max(),
        small_parts: view.parts.iter().filter(|part| options.is_small(part)).count(),
    }
}

/// Finds both tables as they lie.
async fn find(root: &Path, fs: &DurableFs) -> Result<Option<[PathBuf; 2]>, OpenError> {
    let (root, fs) = (root.to_owned(), fs.clone());
    let failed = root.clone();
    let work = move || {
        let root = root.canonicalize()?;
        let tables = root.join("tables");
        let dirs = [Table::Events, Table::Quarantine].map(|table| tables.join(table.name()));
        let logs = dirs.each_ref().map(|dir| dir.join("_delta_log"));
        let holds_file = |log: &PathBuf| std::fs::read_dir(log).is_ok_and(|mut entries| entries.next().is_some());
        match logs.each_ref().map(holds_file) {
            [true, true] => {}
            [false, false] => return Ok(None),
            [has_events, _] => {
                let missing = if has_events { &logs[1] } else { &logs[0] };
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is missing", missing.display())));
            }
        }
        fs.keep_sums(&tables, &root.join("state").join("sums.jsonl"))?;
        Ok(Some(dirs))
    };
    blocking(work).await.map_err(|source| OpenError::Folder { path: failed, source })
}

/// Makes the folders, removes what a killed process left half written, and makes every name durable that it left:
/// what is read from here on decides what the journal may forget.
async fn prepare(root: &Path, fs: &DurableFs) -> Result<[PathBuf; 2], OpenError> {
    let (root, fs) = (root.to_owned(), fs.clone());
    let failed = root.clone();
    let work = move || {
        std::fs::create_dir_all(&root)?;
        let root = root.canonicalize()?;
        let tables = root.join("tables");
        let dirs = [Table::Events, Table::Quarantine].map(|table| tables.join(table.name()));
        for dir in &dirs {
            let log = dir.join("_delta_log");
            fs.create_dir_all(&log)?;
            for folder in [dir, &log] {
                let removed = fs.remove_temporaries(folder)?;
                if removed > 0 {
                    tracing::info!(removed, folder = %folder.display(), "removed half-written files");
                }
                fs.settle(folder)?;
            }
        }
        let state = root.join("state");
        fs.create_dir_all(&state)?;
        fs.keep_sums(&tables, &state.join("sums.jsonl"))?;
        Ok(dirs)
    };
    blocking(work).await.map_err(|source| OpenError::Folder { path: failed, source })
}
