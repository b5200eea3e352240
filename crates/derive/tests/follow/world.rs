//! A store, what follows it, and what they are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use derive::{HubSettings, Rows, Sessions};
use event::{
    Admitted, Batch, CollectorId, Column, ColumnKind, Door, EventTime, Position, Repairs, Revision, Row, Value,
    Verdict, schemas,
};
use store::{Cause, Rewrite, Store, Table};

pub(crate) const BEGAN: i64 = 1_750_000_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const HOUR: i64 = 3_600 * SECOND;

pub(crate) fn at(seconds: i64) -> EventTime {
    EventTime::from_micros(BEGAN + seconds * SECOND)
}

fn column(name: &str) -> Column {
    Column { name: name.into(), property: name.into(), kind: ColumnKind::Text }
}

fn columns() -> Vec<Column> {
    ["action", "username", "servername"].map(column).to_vec()
}

pub(crate) fn row(schema: &str, time: EventTime, promoted: [Option<&str>; 3], text: String) -> Row {
    let revision =
        Revision { schema: schema.into(), version: "1".into(), hash: "0123456789abcdef".into(), columns: columns() };
    let promoted = promoted.map(|value| value.map(|value| Value::Text(value.into()))).to_vec();
    let admitted = Admitted { time, revision: Arc::new(revision), repairs: Repairs::NONE, promoted };
    Row { text: text.into(), verdict: Verdict::Admitted(admitted) }
}

pub(crate) fn action(time: EventTime, action: &str, user: &str, server: &str) -> Row {
    row(schemas::SERVER_ACTION, time, [Some(action), Some(user), Some(server)], "{}".to_owned())
}

/// What an import of a hub's log brings.
pub(crate) fn batch(hub: &str, received: EventTime, rows: Vec<Row>) -> Batch {
    Batch { received, hub: hub.into(), door: Door::Http, key: None, rows }
}

/// A store and what follows it.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Arc<Store>,
    pub(crate) next: Position,
    pub(crate) sessions: Sessions,
    pub(crate) settings: BTreeMap<Arc<str>, HubSettings>,
    pub(crate) slice_rows: u64,
}

impl World {
    pub(crate) async fn new(settings: HubSettings) -> Self {
        Self::in_slices(settings, 1 << 20).await
    }

    /// One in which all that is more than `slice_rows` events is read by month.
    pub(crate) async fn in_slices(settings: HubSettings, slice_rows: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await;
        let settings = BTreeMap::from([("north".into(), settings)]);
        let sessions = in_files(&store, &settings).with_slice_rows(slice_rows);
        Self { folder, store, next: Position(0), sessions, settings, slice_rows }
    }

    pub(crate) fn tell(&mut self, hub: &str, received: EventTime, rows: Vec<Row>) {
        let count = rows.len() as u64;
        self.store.acknowledge(self.next, store::Rows::build(&batch(hub, received, rows)));
        self.next = self.next.plus(count);
    }

    /// Those that were followed, and those made anew by somebody who knows nothing yet.
    pub(crate) fn both(&self, now: EventTime) -> (Vec<String>, Vec<String>) {
        let snapshot = self.store.snapshot();
        let anew = sessions(&self.store, &self.settings);
        (told(&self.sessions.at(&snapshot, now).unwrap()), told(&anew.at(&snapshot, now).unwrap()))
    }

    /// Another life of the process.
    pub(crate) async fn restart(self) -> Self {
        self.store.flush().await.unwrap();
        let (folder, next, settings, slice_rows) = (self.folder, self.next, self.settings, self.slice_rows);
        drop((self.store, self.sessions));
        let store = open(folder.path()).await;
        let sessions = in_files(&store, &settings).with_slice_rows(slice_rows);
        Self { folder, store, next, sessions, settings, slice_rows }
    }

    /// Another life of what follows the store.
    pub(crate) fn save_and_go_on(&mut self, now: EventTime) {
        self.sessions.save(now).unwrap();
        self.sessions = in_files(&self.store, &self.settings).with_slice_rows(self.slice_rows);
        self.sessions.at(&self.store.snapshot(), now).unwrap();
        assert_eq!(self.sessions.status().rebuilds, 0);
    }

    /// The files that a start reads.
    pub(crate) fn files(&self) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("derived/sessions")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Events from before `cutoff` leave; what they told is kept.
    pub(crate) async fn retain(&self, now: EventTime, cutoff: EventTime) {
        self.store.flush().await.unwrap();
        self.sessions.keep(&|| self.store.snapshot(), now, None, cutoff).unwrap();
        self.store.rewrite(Arc::new(Outdated(cutoff))).await.unwrap();
    }
}

fn sessions(store: &Store, settings: &BTreeMap<Arc<str>, HubSettings>) -> Sessions {
    Sessions::new(store, settings.clone()).with_history(store.history("sessions"))
}

/// The same, over starts.
pub(crate) fn in_files(store: &Arc<Store>, settings: &BTreeMap<Arc<str>, HubSettings>) -> Sessions {
    let of = Arc::clone(store);
    sessions(store, settings).with_files(store.derived("sessions"), Arc::new(move || of.snapshot()))
}

async fn open(folder: &std::path::Path) -> Arc<Store> {
    let store = Store::open(folder, store::Options { parts_small_max: 3, ..Default::default() }, &columns()).await;
    let store = store.unwrap();
    store.attach(CollectorId::of_journal(7));
    Arc::new(store)
}

/// Every value of every row, in order.
pub(crate) fn told(rows: &Rows) -> Vec<String> {
    let mut told: Vec<String> = rows.read().unwrap().iter().flat_map(rows_of).collect();
    told.sort();
    told
}

fn rows_of(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("-");
    let columns: Vec<ArrayFormatter<'_>> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap()).collect();
    let of_row = |row: usize| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|");
    (0..batch.num_rows()).map(of_row).collect()
}

/// Removes the events of a user, as a request to forget does.
#[derive(Debug)]
pub(crate) struct Forget(pub(crate) String);

impl Rewrite for Forget {
    fn columns(&self, table: Table) -> Vec<String> {
        if table == Table::Events { vec!["username".into()] } else { Vec::new() }
    }

    fn leaves(&self, table: Table, batch: &RecordBatch) -> Result<BooleanArray, Cause> {
        if table == Table::Quarantine {
            return Ok((0..batch.num_rows()).map(|_| Some(false)).collect());
        }
        let users = batch.column_by_name("username").unwrap().as_string::<i32>();
        Ok(users.iter().map(|user| Some(user == Some(&self.0))).collect())
    }
}

/// Removes events from before an instant, as retention does.
#[derive(Debug)]
struct Outdated(EventTime);

impl Rewrite for Outdated {
    fn columns(&self, table: Table) -> Vec<String> {
        if table == Table::Events { vec!["time".into()] } else { Vec::new() }
    }

    fn leaves(&self, table: Table, batch: &RecordBatch) -> Result<BooleanArray, Cause> {
        if table == Table::Quarantine {
            return Ok((0..batch.num_rows()).map(|_| Some(false)).collect());
        }
        let times = batch.column_by_name("time").unwrap().as_primitive::<TimestampMicrosecondType>();
        Ok(times.iter().map(|time| time.map(|time| time < self.0.micros())).collect())
    }
}
