//! Follows snapshots of the store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use event::EventTime;
use insight::session::{EndKnownBy, Session};
use store::{Contents, Derived, DerivedDamaged, Scan, Selection, Snapshot, Store, Table, TableError, TableSnapshot};

use crate::checkpoint::{self, Checkpoint, Settings};
use crate::columns::kept;
use crate::evidence::{self, EMITTED_COLUMNS, Names, Places, WATCHED_COLUMNS};
use crate::history::History;
use crate::hub::{HubLedger, HubSettings, LATE_OF_ALL};
use crate::months::NotKept;
use crate::rows::Rows;
use crate::schemas;
use crate::slices::{SLICE_ROWS, slices};
use crate::state::{Lateness, State};

/// While everything is read anew, settled rows are put away when there are more than this part of what is read at once.
const HELD_PART: u64 = 4;

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
    /// [`Sessions::interrupt`] was called.
    #[error("sessions are not made anew, as the program ends")]
    Interrupted,
    /// What is to be read at the next start could not be written, or not read again.
    #[error("sessions cannot be put into files: {0}")]
    NotSaved(String),
}

impl From<NotKept> for DeriveError {
    fn from(error: NotKept) -> Self {
        Self::NotKept(error.to_string())
    }
}

fn not_saved(error: impl fmt::Display) -> DeriveError {
    DeriveError::NotSaved(error.to_string())
}

/// Tells the newest snapshot.
pub type Newest = Arc<dyn Fn() -> Arc<Snapshot> + Send + Sync>;

/// Every session of every hub, following the snapshots of one store.
#[derive(Debug)]
pub struct Sessions {
    tables: PathBuf,
    settings: Settings,
    /// Where sessions are kept whose events have left, if anywhere.
    folder: Option<Derived>,
    files: Option<Files>,
    slice_rows: u64,
    is_interrupted: AtomicBool,
    state: Mutex<State>,
    /// Beside the state, so that nobody waits for a rebuild to learn of it.
    status: Mutex<Status>,
}

/// Where rows that nothing but late evidence changes lie, and what is known beside them.
struct Files {
    folder: Derived,
    newest: Newest,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("folder", &self.folder).finish_non_exhaustive()
    }
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
    /// How often everything was read anew since the start.
    pub rebuilds: u64,
    /// While everything is read anew: how many stretches of time have been read, and how many there are.
    pub making: Option<(usize, usize)>,
}

/// Files that are gone because somebody was forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Of the folder of what outlives its events.
    pub history: Vec<String>,
    /// Of the folder of what can be made anew.
    pub files: Vec<String>,
}

impl Sessions {
    /// Of the hubs of `store`; a hub without settings has neither a culler nor a maximal age,
    /// and nobody was renamed there.
    pub fn new(store: &Store, settings: BTreeMap<Arc<str>, HubSettings>) -> Self {
        Self {
            tables: store.table_dir(Table::Events).to_owned(),
            settings,
            folder: None,
            files: None,
            slice_rows: SLICE_ROWS,
            is_interrupted: AtomicBool::new(false),
            state: Mutex::default(),
            status: Mutex::default(),
        }
    }

    /// The same, with what [`Self::keep`] put into `folder`, and will put there. It is read when it is needed first.
    #[must_use]
    pub fn with_history(self, folder: Derived) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// The same, going on where [`Self::save`] ended, and holding in `folder` and not in memory what will probably
    /// change no more. What is written is always of the `newest` snapshot, so that nobody who was forgotten is in it.
    #[must_use]
    pub fn with_files(self, folder: Derived, newest: Newest) -> Self {
        Self { files: Some(Files { folder, newest }), ..self }
    }

    /// The same, reading about so many events at once when everything is read anew; a million unless it is said.
    #[must_use]
    pub fn with_slice_rows(self, rows: u64) -> Self {
        Self { slice_rows: rows, ..self }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut state = self.state();
        // Taken while nobody is forgotten: an older one might still name them.
        self.brought_up(&mut state, &newest(), now)?;
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
        for batch in state.months.read_before(to) {
            part(&batch.map_err(not_saved)?, &is_over)?;
        }
        for batch in state.recent.batches() {
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

    /// Takes the sessions out of what is kept that began until the time that `until` tells by hub and name, and clears
    /// away what can be made anew. Blocks.
    ///
    /// # Errors
    /// When what is kept is damaged, or the disk refuses.
    pub fn forget(&self, until: &dyn Fn(&str, &str) -> Option<EventTime>) -> Result<Forgotten, DeriveError> {
        let mut state = self.state();
        let mut gone = Forgotten::default();
        if let Some(files) = &self.files {
            state.forget();
            gone.files = files.folder.clear().map_err(not_saved)?;
        }
        let Some(folder) = &self.folder else { return Ok(gone) };
        let history = self.history(&mut state).map_err(DeriveError::History)?;
        let (mut next, is_other) = history.without(until)?;
        if is_other {
            gone.history = next.write(folder)?;
            state.history = Some(Ok(next));
            state.forget();
        }
        Ok(gone)
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
    /// Blocks: it reads what came since it was asked last, and when it is asked first what came since the last
    /// [`Self::save`], or everything.
    ///
    /// # Errors
    /// When parts cannot be read. The next call begins anew.
    pub fn at(&self, snapshot: &Snapshot, now: EventTime) -> Result<Rows, DeriveError> {
        let mut state = self.state();
        if let Some(rows) = state.answered(&snapshot.data_version(), now) {
            return Ok(rows);
        }
        self.brought_up(&mut state, snapshot, now)?;
        state.answer(now)
    }

    /// Reads everything anew. The rows are those that [`Self::at`] would have given.
    ///
    /// # Errors
    /// As [`Self::at`].
    pub fn rebuild(&self, snapshot: &Snapshot, now: EventTime) -> Result<Rows, DeriveError> {
        let mut state = self.state();
        state.forget();
        state.is_loaded = true;
        drop(state);
        self.at(snapshot, now)
    }

    /// Puts what is known into files, so that the next start goes on from there. Everything is on disk when it
    /// returns; nothing is written when nothing came. Blocks.
    ///
    /// # Errors
    /// As [`Self::at`], and the disk's: what was known is still known then, unless a file of it cannot be read again.
    pub fn save(&self, now: EventTime) -> Result<(), DeriveError> {
        let Some(files) = &self.files else { return Ok(()) };
        let mut state = self.state();
        self.brought_up(&mut state, &(files.newest)(), now)?;
        // Beside a damaged history nothing is whole.
        let Ok(history) = self.history(&mut state).map(History::names) else { return Ok(()) };
        let Some(followed) = &state.followed else { return Ok(()) };
        if state.saved.as_ref() == Some(&followed.version) && state.recent.rows() == 0 {
            return Ok(());
        }
        let version = followed.version.clone();
        let mut months = state.months.clone();
        let known = (followed, &state.hubs);
        let written = months
            .add(state.recent.batches())
            .and_then(|_| checkpoint::write(&files.folder, &mut months, &self.settings, &history, known));
        if let Err(error) = written {
            if matches!(error, NotKept::Damaged(_)) {
                // What cannot be read again is made anew.
                state.forget();
            }
            return Err(not_saved(error));
        }
        state.saved = Some(version);
        state.put_into_files(months);
        Ok(())
    }

    /// Ends whatever reads everything anew in slices, soon, and lets nothing begin to: the program ends.
    pub fn interrupt(&self) {
        self.is_interrupted.store(true, Ordering::SeqCst);
    }

    /// Figures of its state when it was last asked.
    pub fn status(&self) -> Status {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, status: Status) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Makes `state` that of `snapshot`, or knows nothing any more.
    fn brought_up(&self, state: &mut State, snapshot: &Snapshot, now: EventTime) -> Result<(), DeriveError> {
        let followed = self.follow(state, snapshot, now);
        if followed.is_err() {
            state.forget();
        }
        self.tell(state.status());
        followed
    }

    fn follow(&self, state: &mut State, snapshot: &Snapshot, now: EventTime) -> Result<(), DeriveError> {
        if !std::mem::replace(&mut state.is_loaded, true) {
            self.load(state);
        }
        let contents = snapshot.contents();
        if let Some(followed) = &state.followed {
            if contents.only_extends(&followed.contents) {
                self.read_new(state, snapshot, &contents)?;
                let late = state.catch_up(now);
                state.follow(snapshot, contents);
                if late.is_empty() {
                    return Ok(state.settle(&|hub| hub.settle(now))?);
                }
                tracing::info!("events came for a time whose sessions were settled: all sessions are made anew");
                return self.read_all(state, snapshot, now, late);
            }
            if followed.contents.only_extends(&contents) {
                // An older one, whose own sessions are not at hand any more.
                return Ok(());
            }
        }
        self.read_all(state, snapshot, now, Lateness::new())
    }

    /// Takes up what the last process left, if the table only grew since.
    fn load(&self, state: &mut State) {
        let Some(files) = &self.files else { return };
        let Ok(history) = self.history(state).map(History::names) else { return };
        match Checkpoint::read(&files.folder, &self.settings, &history) {
            Ok(Some(found)) if (files.newest)().contents().only_extends(&found.followed.contents) => {
                state.saved = Some(found.followed.version.clone());
                state.followed = Some(found.followed);
                state.hubs = found.hubs;
                state.months = found.months;
            }
            Ok(_) => {}
            Err(damaged) => tracing::warn!(%damaged, "sessions are made anew from the table"),
        }
    }

    fn read_all(
        &self,
        state: &mut State,
        snapshot: &Snapshot,
        now: EventTime,
        mut late: Lateness,
    ) -> Result<(), DeriveError> {
        let newest = self.files.as_ref().map(|files| (files.newest)());
        let snapshot = newest.as_deref().unwrap_or(snapshot);
        loop {
            state.forget();
            state.rebuilds += 1;
            if let Some(Err(error)) = self.files.as_ref().map(|files| files.folder.clear()) {
                tracing::warn!(%error, "files of sessions that are not needed any more could not be removed");
            }
            self.begin(state, &late)?;
            let later = self.read_slices(state, &snapshot.events, now, &late)?;
            if later.is_empty() {
                break;
            }
            late.extend(later);
        }
        state.follow(snapshot, snapshot.contents());
        Ok(state.settle(&|hub| hub.settle(now))?)
    }

    /// Reads everything in order of time, and puts away what is settled. Of which hubs that was too soon.
    fn read_slices(
        &self,
        state: &mut State,
        table: &TableSnapshot,
        now: EventTime,
        late: &Lateness,
    ) -> Result<Lateness, DeriveError> {
        let slices = slices(table, self.slice_rows);
        for (done, slice) in slices.iter().enumerate() {
            if slices.len() > 1 && self.is_interrupted.load(Ordering::SeqCst) {
                return Err(DeriveError::Interrupted);
            }
            self.tell(Status { making: Some((done, slices.len())), ..state.status() });
            self.read(state, table, (&slice.selection, late), &|_, _| true)?;
            let mut late = state.catch_up(now);
            if !late.is_empty() {
                late.values_mut().for_each(|lateness| *lateness = LATE_OF_ALL.plus(LATE_OF_ALL).max(*lateness));
                return Ok(late);
            }
            if let Some(until) = slice.until {
                state.settle(&|hub| hub.settle_until(until, now))?;
            }
            if state.recent.rows() as u64 > self.slice_rows / HELD_PART {
                self.put_away(state)?;
            }
        }
        Ok(Lateness::new())
    }

    /// Puts settled rows into files. On a disk that refuses they stay in memory.
    fn put_away(&self, state: &mut State) -> Result<(), DeriveError> {
        let Some(files) = &self.files else { return Ok(()) };
        let mut months = state.months.clone();
        let written =
            months.add(state.recent.batches()).and_then(|_| checkpoint::write_months(&files.folder, &mut months));
        match written {
            Ok(()) => state.put_into_files(months),
            Err(NotKept::Damaged(damaged)) => return Err(not_saved(damaged)),
            Err(error) => tracing::warn!(%error, "sessions are held in memory, as they cannot be put into files"),
        }
        Ok(())
    }

    /// Begins every server after what is kept of it.
    fn begin(&self, state: &mut State, late: &Lateness) -> Result<(), DeriveError> {
        // Without what is kept, what events tell is still told.
        let Ok(history) = self.history(state) else { return Ok(()) };
        let lasts = history.lasts().map_err(|damaged| DeriveError::History(Arc::new(damaged)))?;
        let carried: Vec<_> = history.carried().collect();
        for ((hub, server), (last, stopped)) in lasts {
            self.ledger(state, hub, late).begin_after(server, &last, stopped);
        }
        for (hub, server, began) in carried {
            self.ledger(state, hub, late).carry(server, began);
        }
        Ok(())
    }

    fn ledger<'a>(&self, state: &'a mut State, hub: Arc<str>, late: &Lateness) -> &'a mut HubLedger {
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
        self.read(state, &new, (&Selection::All, &Lateness::new()), &is_new)
    }

    fn read(
        &self,
        state: &mut State,
        table: &TableSnapshot,
        (selection, late): (&Selection, &Lateness),
        is_new: &dyn Fn(&Places<'_>, usize) -> bool,
    ) -> Result<(), DeriveError> {
        let mut names = Names::default();
        let (hubs, unsaid) = (&mut state.hubs, HubSettings::default());
        let mut of_hub = |hub: &Arc<str>, then: &mut dyn FnMut(&mut HubLedger)| {
            let settings = self.settings.get(hub).unwrap_or(&unsaid);
            then(hubs.entry(Arc::clone(hub)).or_insert_with(|| HubLedger::new(settings, late.get(hub).copied())));
        };
        let scan = |ids: &[&str], columns: &[&str]| {
            Scan::new(Table::Events, &self.tables, table).schemas(ids).columns(columns).select(selection.clone())
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
