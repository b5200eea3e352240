//! Follows snapshots of the store.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use event::EventTime;
use insight::session::{EndKnownBy, Micros, Session};
use store::{Contents, Derived, DerivedDamaged, Scan, Snapshot, Store, Table, TableError, TableSnapshot};

use crate::evidence::{self, EMITTED_COLUMNS, Names, Places, WATCHED_COLUMNS};
use crate::history::{History, NotKept, kept};
use crate::hub::{HubLedger, HubSettings, Hubs, Late};
use crate::rows::{Rows, Settled, batches};
use crate::schemas;

/// Answers of so many snapshots are kept, so that the statements of one question see the same sessions.
const ANSWERS_MAX: usize = 4;

/// As long as nothing came, the same answer is given for so long: only the cap of a session depends on the time.
const ANSWER_AGE_MAX: Micros = Micros::from_secs(60);

/// Sessions could not be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeriveError {
    /// What they rest on could not be read.
    #[error("events that tell of servers cannot be read: {0}")]
    Read(#[from] TableError),
    /// Rows could not be made.
    #[error("rows of sessions cannot be made: {0}")]
    Rows(#[from] ArrowError),
    /// The table lacks a column that every table has.
    #[error("the table of events lacks a column by which sessions are told")]
    Columns,
    /// What is kept of events that have left cannot be read, so nothing is added to it either.
    #[error("what is kept of sessions whose events have left is damaged: {0}; take it from a backup")]
    History(Arc<DerivedDamaged>),
    /// What is to be kept of events that leave could not be written.
    #[error("sessions whose events leave cannot be kept: {0}")]
    NotKept(String),
}

impl From<NotKept> for DeriveError {
    fn from(error: NotKept) -> Self {
        Self::NotKept(error.to_string())
    }
}

/// Every session of every hub, following the snapshots of one store.
#[derive(Debug)]
pub struct Sessions {
    tables: PathBuf,
    settings: BTreeMap<Arc<str>, HubSettings>,
    /// Where sessions are kept whose events have left, if anywhere.
    folder: Option<Derived>,
    state: Mutex<State>,
    /// Beside the state, so that nobody waits for a rebuild to learn of it.
    status: Mutex<Status>,
}

/// What is known at present, for metrics and for whoever watches a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Sessions that nothing but late evidence changes, and those whose events have left.
    pub settled: usize,
    /// Servers that are known.
    pub servers: usize,
    /// Those of which something is open, or may still change.
    pub servers_open: usize,
    /// How often everything was read anew since the start, the first time included.
    pub rebuilds: u64,
}

#[derive(Debug, Default)]
struct State {
    /// `None` as long as nobody asked.
    history: Option<Result<History, Arc<DerivedDamaged>>>,
    followed: Option<Followed>,
    hubs: Hubs,
    settled: Settled,
    rebuilds: u64,
    answers: VecDeque<Answer>,
}

/// The last snapshot that was followed.
#[derive(Debug)]
struct Followed {
    version: String,
    contents: Contents,
    parts: HashSet<Arc<str>>,
}

#[derive(Debug)]
struct Answer {
    version: String,
    at: EventTime,
    rows: Rows,
}

impl Sessions {
    /// Of the hubs of `store`; a hub without settings has neither a culler nor a maximal age,
    /// and nobody was renamed there.
    pub fn new(store: &Store, settings: BTreeMap<Arc<str>, HubSettings>) -> Self {
        Self {
            tables: store.table_dir(Table::Events).to_owned(),
            settings,
            folder: None,
            state: Mutex::default(),
            status: Mutex::default(),
        }
    }

    /// The same, with what [`Self::keep`] put into `folder`, and will put there. It is read when it is needed first.
    #[must_use]
    pub fn with_history(self, folder: Derived) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Keeps the sessions that began before `to`, so that they are told as they are now when the events from before
    /// `to` have left; those that began before `from` are kept no longer. Everything is on disk when it returns.
    /// Blocks.
    ///
    /// # Errors
    /// As [`Self::at`]; also when what was kept before is damaged, or the disk refuses. Nothing has changed then, and
    /// events must not leave.
    pub fn keep(
        &self,
        newest: &dyn Fn() -> Arc<Snapshot>,
        now: EventTime,
        from: Option<EventTime>,
        to: EventTime,
    ) -> Result<(), DeriveError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken while nobody is forgotten: an older one might still name them.
        if let Err(error) = self.follow(&mut state, &newest(), now) {
            state.forget();
            return Err(error);
        }
        let history = self.history(&mut state).map_err(DeriveError::History)?.clone();
        // A term that was made longer brings nothing back.
        let to = to.max(history.until);
        // What ended later may yet be told better by events that stay.
        let is_over = |session: &Session| session.end_high.is_some_and(|end| end < to);
        // Who is not known to have ended may go on.
        let may_go_on = |session: &Session| matches!(session.end_known_by, EndKnownBy::Open | EndKnownBy::Capped);
        let (mut told, mut carried) = (Vec::new(), Vec::new());
        let mut part = |batch: &RecordBatch, ends: &dyn Fn(&Session) -> bool| -> Result<(), ArrowError> {
            told.push(kept(batch, &|_, _, session| session.start < to && ends(session))?);
            carried.push(kept(batch, &|_, _, session| session.start < to && !ends(session))?);
            Ok(())
        };
        for batch in state.settled.batches() {
            part(batch, &is_over)?;
        }
        for batch in state.open(now)? {
            part(&batch, &|session| is_over(session) && !may_go_on(session))?;
        }
        told.retain(|batch| batch.num_rows() > 0);
        let (mut next, is_other) = history.with(to, &told, &carried, from)?;
        if !is_other && next.carries_the_same(&history) {
            return Ok(());
        }
        next.write(folder)?;
        state.history = Some(Ok(next));
        if is_other {
            state.forget();
        }
        Ok(())
    }

    /// Takes the sessions out of what is kept that began until the time that `until` tells by hub and name. Returns the
    /// files that are gone. Blocks.
    ///
    /// # Errors
    /// When what is kept is damaged, or the disk refuses.
    pub fn forget(&self, until: &dyn Fn(&str, &str) -> Option<EventTime>) -> Result<Vec<String>, DeriveError> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let history = self.history(&mut state).map_err(DeriveError::History)?;
        let (mut next, is_other) = history.without(until)?;
        if !is_other {
            return Ok(Vec::new());
        }
        let removed = next.write(folder)?;
        state.history = Some(Ok(next));
        state.forget();
        Ok(removed)
    }

    /// Reads what is kept from the disk: how many rows there are, and how many began until the time that `until` tells
    /// by hub and name. Blocks.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn look_through(&self, until: &dyn Fn(&str, &str) -> Option<EventTime>) -> Result<(u64, u64), DeriveError> {
        let Some(folder) = &self.folder else { return Ok((0, 0)) };
        let history = History::read(folder).map_err(|damaged| DeriveError::History(Arc::new(damaged)))?;
        let left = history.without(until)?.0;
        Ok((history.rows(), history.rows() - left.rows()))
    }

    /// What is kept, read when it is asked for first.
    fn history<'a>(&self, state: &'a mut State) -> Result<&'a History, Arc<DerivedDamaged>> {
        let read = || match &self.folder {
            None => Ok(History::default()),
            Some(folder) => History::read(folder).map_err(|damaged| {
                tracing::error!(%damaged, "sessions whose events have left are missing; take them from a backup");
                Arc::new(damaged)
            }),
        };
        state.history.get_or_insert_with(read).as_ref().map_err(Arc::clone)
    }

    /// Every session that `snapshot` tells of, as things stand at `now`. A snapshot that is older than one that was
    /// followed already gets the sessions of that one, unless its own are still at hand.
    ///
    /// Blocks: it reads what came since it was asked last, and everything when it is asked first.
    ///
    /// # Errors
    /// When parts cannot be read. The next call begins anew.
    pub fn at(&self, snapshot: &Snapshot, now: EventTime) -> Result<Rows, DeriveError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rows) = state.answered(&snapshot.data_version(), now) {
            return Ok(rows);
        }
        let followed = self.follow(&mut state, snapshot, now);
        if followed.is_err() {
            state.forget();
        }
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = state.status();
        followed?;
        state.answer(now)
    }

    /// Reads everything anew. The rows are those that [`Self::at`] would have given.
    ///
    /// # Errors
    /// As [`Self::at`].
    pub fn rebuild(&self, snapshot: &Snapshot, now: EventTime) -> Result<Rows, DeriveError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget();
        drop(state);
        self.at(snapshot, now)
    }

    /// Figures of its state when it was last asked.
    pub fn status(&self) -> Status {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, state: &mut State, snapshot: &Snapshot, now: EventTime) -> Result<(), DeriveError> {
        let contents = snapshot.contents();
        if let Some(followed) = &state.followed {
            if contents.only_extends(&followed.contents) {
                self.read_new(state, snapshot, &contents)?;
                let late = state.catch_up(now);
                state.follow(snapshot, contents);
                if late.is_empty() {
                    return state.settle(now);
                }
                tracing::info!("events came for a time whose sessions were settled: all sessions are made anew");
                return self.read_all(state, snapshot, now, &late);
            }
            if followed.contents.only_extends(&contents) {
                // An older one, whose own sessions are not at hand any more.
                return Ok(());
            }
        }
        self.read_all(state, snapshot, now, &BTreeMap::new())
    }

    fn read_all(
        &self,
        state: &mut State,
        snapshot: &Snapshot,
        now: EventTime,
        late: &BTreeMap<Arc<str>, Micros>,
    ) -> Result<(), DeriveError> {
        state.forget();
        state.rebuilds += 1;
        self.begin(state, late);
        self.read(state, &snapshot.events, late, &|_, _| true)?;
        // Nothing was settled before, so nothing can be late.
        state.catch_up(now);
        state.follow(snapshot, snapshot.contents());
        state.settle(now)
    }

    /// Begins every server after what is kept of it.
    fn begin(&self, state: &mut State, late: &BTreeMap<Arc<str>, Micros>) {
        // Without what is kept, what events tell is still told.
        let Ok(history) = self.history(state) else { return };
        let (lasts, carried): (_, Vec<_>) = (history.lasts(), history.carried().collect());
        for ((hub, server), (last, stopped)) in lasts {
            self.ledger(state, hub, late).begin_after(server, &last, stopped);
        }
        for (hub, server, began) in carried {
            self.ledger(state, hub, late).carry(server, began);
        }
    }

    fn ledger<'a>(&self, state: &'a mut State, hub: Arc<str>, late: &BTreeMap<Arc<str>, Micros>) -> &'a mut HubLedger {
        let lateness = late.get(&hub).copied();
        let settings = self.settings.get(&hub).cloned().unwrap_or_default();
        state.hubs.entry(hub).or_insert_with(|| HubLedger::new(&settings, lateness))
    }

    /// Reads the rows of journals beyond what was followed: they stand in parts that are new, or in the tail.
    fn read_new(&self, state: &mut State, snapshot: &Snapshot, contents: &Contents) -> Result<(), DeriveError> {
        let Some(followed) = &state.followed else { return Ok(()) };
        if contents.journals == followed.contents.journals {
            return Ok(());
        }
        let parts = snapshot.events.parts.iter().filter(|part| !followed.parts.contains(&part.path)).cloned().collect();
        let new = TableSnapshot { parts, ..snapshot.events.clone() };
        let journals = followed.contents.journals.clone();
        let is_new = |places: &Places<'_>, row: usize| {
            let (collector, position) = places.get(row);
            !collector.is_import() && journals.get(&collector).is_none_or(|reached| position >= *reached)
        };
        self.read(state, &new, &BTreeMap::new(), &is_new)
    }

    fn read(
        &self,
        state: &mut State,
        table: &TableSnapshot,
        late: &BTreeMap<Arc<str>, Micros>,
        is_new: &dyn Fn(&Places<'_>, usize) -> bool,
    ) -> Result<(), DeriveError> {
        let mut names = Names::default();
        let (hubs, unsaid) = (&mut state.hubs, HubSettings::default());
        let mut of_hub = |hub: &Arc<str>, then: &mut dyn FnMut(&mut HubLedger)| {
            let settings = self.settings.get(hub).unwrap_or(&unsaid);
            then(hubs.entry(Arc::clone(hub)).or_insert_with(|| HubLedger::new(settings, late.get(hub).copied())));
        };
        let scan = |ids: &[&str], columns: &[&str]| {
            Scan::new(Table::Events, &self.tables, table).schemas(ids).columns(columns)
        };
        for batch in scan(&schemas::EMITTED, &EMITTED_COLUMNS).read() {
            let told = evidence::emitted(&batch?, &mut names, is_new, |acted| {
                of_hub(&acted.hub, &mut |hub| hub.act(&acted));
            });
            told.ok_or(DeriveError::Columns)?;
        }
        for batch in scan(&schemas::WATCHED, &WATCHED_COLUMNS).read() {
            let told = evidence::watched(&batch?, &mut names, is_new, |watched| {
                of_hub(&watched.hub.clone(), &mut |hub| hub.watch(watched.clone()));
            });
            told.ok_or(DeriveError::Columns)?;
        }
        Ok(())
    }
}

impl State {
    fn status(&self) -> Status {
        let counts = self.hubs.values().map(HubLedger::counts);
        let (servers, servers_open) = counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let settled = self.told().map(RecordBatch::num_rows).sum();
        Status { settled, servers, servers_open, rebuilds: self.rebuilds }
    }

    fn forget(&mut self) {
        *self = Self { rebuilds: self.rebuilds, history: self.history.take(), ..Self::default() };
    }

    /// The rows that nothing but late evidence changes.
    fn told(&self) -> impl Iterator<Item = &RecordBatch> {
        let history = self.history.as_ref().and_then(|history| history.as_ref().ok());
        history.into_iter().flat_map(History::told).chain(self.settled.batches())
    }

    /// The rows that may change, as things stand at `now`; no batch is empty.
    fn open(&self, now: EventTime) -> Result<Vec<RecordBatch>, ArrowError> {
        let of_hub = |(name, hub): (&Arc<str>, &HubLedger)| batches(name, hub.culler(), &hub.open(now));
        self.hubs.iter().flat_map(of_hub).collect()
    }

    fn follow(&mut self, snapshot: &Snapshot, contents: Contents) {
        let parts = snapshot.events.parts.iter().map(|part| Arc::clone(&part.path)).collect();
        self.followed = Some(Followed { version: snapshot.data_version(), contents, parts });
    }

    /// The hubs of which settled rows may be wrong.
    fn catch_up(&mut self, now: EventTime) -> BTreeMap<Arc<str>, Micros> {
        let late = self.hubs.iter_mut().filter_map(|(name, hub)| {
            let Late { lateness } = hub.catch_up(now).err()?;
            Some((Arc::clone(name), lateness))
        });
        late.collect()
    }

    fn settle(&mut self, now: EventTime) -> Result<(), DeriveError> {
        for (name, hub) in &mut self.hubs {
            let rows = hub.settle(now);
            for batch in batches(name, hub.culler(), &rows) {
                self.settled.push(batch?)?;
            }
        }
        Ok(())
    }

    fn answered(&self, version: &str, now: EventTime) -> Option<Rows> {
        let is_fresh = |answer: &&Answer| {
            let age = Micros::between(answer.at, now);
            answer.version == version && Micros(0) <= age && age < ANSWER_AGE_MAX
        };
        self.answers.iter().find(is_fresh).map(|answer| answer.rows.clone())
    }

    fn answer(&mut self, now: EventTime) -> Result<Rows, DeriveError> {
        let open = self.open(now)?;
        let rows = Rows::new(self.told().cloned().chain(open).collect());
        if let Some(followed) = &self.followed {
            let version = followed.version.clone();
            self.answers.retain(|answer| answer.version != version);
            self.answers.truncate(ANSWERS_MAX - 1);
            self.answers.push_front(Answer { version, at: now, rows: rows.clone() });
        }
        Ok(rows)
    }
}
