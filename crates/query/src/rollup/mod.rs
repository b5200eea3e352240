//! Facts of days, kept ready: the answers of a few statements by day and key, so that questions over years are sums.
//!
//! ```text
//! events ─▶ a rollup's statement, for the days that changed ─▶ facts by day and key ─▶ cell (all hubs, or one)
//!             │                                                                          └─▶ tables of facts ─▶ KPI
//!             └─ the days of the tail and of new parts, while a question runs: the same statement
//! ```
//!
//! What is kept is made of certain parts of the table. A question looks which parts came or went since, and which days
//! they touch; the facts of those days are made anew by the same statement, over the snapshot that the question is
//! about. So an answer is that of the events themselves, late ones and erasures included, by construction; and to make
//! everything anew is no different from going on.

mod cell;
mod define;
mod files;
mod follow;
mod history;
mod relation;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use datafusion::physical_plan::execute_stream;
use datafusion::scalar::ScalarValue;
use event::Day;
use futures::StreamExt;
use store::Snapshot;

pub(crate) use cell::Cell;
use cell::{CellId, Counts};
pub(crate) use define::Rollup;
use define::Specs;
pub use files::RollupFiles;
use files::Saved;
pub(crate) use follow::Parts;
use follow::{Base, Changes, stretches};
pub(crate) use history::History;
use history::Keeping;
pub use history::{Cutoff, Until};
pub(crate) use relation::{FactProvider, FactTable, Facts};

use crate::coverage::Known;
use crate::engine::{Engine, Question, Shared};
use crate::error::QueryError;
use crate::kpi::timestamp;
use crate::scope::Scope;
use crate::zone::Zone;

/// Days whose facts are made together: of a month of a large federation that takes some 100 MB.
const DAYS_AT_ONCE: i32 = 31;

/// Days that a question makes anew while it runs. A month and its neighbours; when more have changed (a large import),
/// events are read as if nothing were kept, until the facts have caught up.
const LIVE_DAYS_MAX: usize = 40;

/// More rows than any statement answers: facts are taken as they come, and not gathered.
const EVERY_ROW: usize = 1 << 60;

/// Hubs that have facts of their own; what is asked of others is read from events. Facts of all hubs together are there
/// in any case.
const HUBS_MAX: usize = 256;

/// Answers of a snapshot's facts that are remembered: one for each cell of a question on the first page.
const AHEAD_MAX: usize = 16;

/// How often what parts cover is read on, when it takes longer than a query may.
const KNOWN_ATTEMPTS: usize = 100;

/// Facts, for an engine.
#[derive(Debug, Default)]
pub(crate) struct Rollups {
    /// Made of parts alone; `None` until the first have been made or read.
    base: Mutex<Option<Arc<Base>>>,
    /// Made for questions, by version of the data.
    ahead: Mutex<Ahead>,
    saved: Mutex<Option<Saved>>,
    /// What outlives its events.
    keeping: Mutex<Keeping>,
    /// Held by whoever brings `base` up to date.
    refreshing: tokio::sync::Mutex<()>,
    /// Held by the question that makes facts, so that others wait for them.
    making: tokio::sync::Mutex<()>,
    /// Read when facts were made last: most of a day's are those of the day before.
    specs: Mutex<Specs>,
}

#[derive(Debug, Default)]
struct Ahead {
    version: String,
    cells: BTreeMap<CellId, Arc<Cell>>,
}

/// Why facts are not at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotReady {
    /// They are still being made, or read.
    Soon,
    /// Facts of such days are not kept.
    Zone,
}

/// How far the making of facts is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollupProgress {
    /// Days done.
    pub done: u64,
    /// Days to do.
    pub total: u64,
    /// Which one, as words.
    pub what: String,
}

/// What the facts amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RollupFigures {
    /// Whether they are there.
    pub is_ready: bool,
    /// Facts: of a day and a key each.
    pub rows: u64,
    /// Bytes of memory that they take, about.
    pub bytes: u64,
}

/// Told how far it is.
type Tell<'a> = &'a (dyn Fn(RollupProgress) + Send + Sync);

impl Rollups {
    fn base(&self) -> Option<Arc<Base>> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts `base` in the place of what was there; nothing made of the former is used any more.
    fn set(&self, base: Option<Arc<Base>>) {
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = base;
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Ahead::default();
    }

    /// Puts `base` in where there is none yet.
    fn set_first(&self, base: &Arc<Base>) -> bool {
        let mut own = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        if own.is_none() {
            *own = Some(Arc::clone(base));
            return true;
        }
        false
    }

    fn specs(&self) -> MutexGuard<'_, Specs> {
        self.specs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ahead(&self, version: &str, id: &CellId) -> Option<Arc<Cell>> {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.cells.get(id).filter(|_| ahead.version == version).cloned()
    }

    fn put_ahead(&self, version: String, id: CellId, cell: &Arc<Cell>) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if ahead.version != version || ahead.cells.len() >= AHEAD_MAX {
            *ahead = Ahead { version, cells: BTreeMap::new() };
        }
        ahead.cells.insert(id, Arc::clone(cell));
    }
}

impl Engine {
    /// Brings the facts up to the newest parts of the table; the first time that is to make all of them. Questions are
    /// answered all the while.
    ///
    /// # Errors
    /// As of a question; what was kept before is kept.
    pub async fn refresh_rollups(&self, tell: Tell<'_>) -> Result<(), QueryError> {
        let _alone = self.rollups().refreshing.lock().await;
        let base = self.brought_up(self.base_of_now(), tell).await?;
        self.rollups().set(Some(Arc::new(base)));
        Ok(())
    }

    /// Makes all facts anew, from events and from what is kept of those that have left.
    ///
    /// # Errors
    /// As [`Engine::refresh_rollups`].
    pub async fn rebuild_rollups(&self, tell: Tell<'_>) -> Result<(), QueryError> {
        let _alone = self.rollups().refreshing.lock().await;
        let base = self.brought_up(Base::default(), tell).await?;
        self.rollups().set(Some(Arc::new(base)));
        self.rollups_not_written();
        Ok(())
    }

    /// What the facts amount to.
    pub fn rollup_figures(&self) -> RollupFigures {
        let Some(base) = self.rollups().base() else { return RollupFigures::default() };
        let rows = base.cells.values().map(|cell| cell.rows()).sum();
        let bytes: usize = base.cells.values().map(|cell| cell.bytes()).sum();
        RollupFigures { is_ready: true, rows, bytes: bytes as u64 }
    }

    fn base_of_now(&self) -> Base {
        self.rollups().base().map(|base| (*base).clone()).unwrap_or_default()
    }

    /// `base` as of the newest parts.
    async fn brought_up(&self, mut base: Base, tell: Tell<'_>) -> Result<Base, QueryError> {
        let whole = self.snapshot();
        let known = self.known_at_length(&whole).await?;
        let snapshot = Arc::new(without_tail(&whole));
        if base.history != known.past.generation {
            base = Base::default();
        }
        base.carried(&self.store().rearranged(), &known.parts);
        let wanted = self.cells_wanted(&known);
        let nothing = Arc::default();
        let (changed, all) = (base.changes(&known.parts, &nothing), Changes::all(&known.parts, &nothing));
        let mut work: Vec<(CellId, Zone, Arc<Cell>, BTreeSet<Day>)> = Vec::new();
        for (id, zone) in wanted {
            let hub = id.hub.as_deref();
            let (cell, mut days) = match base.cells.get(&id) {
                Some(cell) => (Arc::clone(cell), changed.days(id.rollup, hub, &zone)),
                None => {
                    let kept = self.kept_cell(&id, &known.past).await?;
                    (Arc::new(kept), all.days(id.rollup, hub, &zone))
                }
            };
            known.past.leave(&id, &mut days);
            work.push((id, zone, cell, days));
        }
        let total = work.iter().map(|(.., days)| days.len() as u64).sum();
        let mut done = 0;
        let mut cells = BTreeMap::new();
        for (id, zone, mut cell, days) in work {
            for (from, to) in stretches(&days, DAYS_AT_ONCE) {
                tell(RollupProgress { done, total, what: format!("{} of {from}", id.rollup.name()) });
                let of_stretch: BTreeSet<Day> = days.range(from..to).copied().collect();
                done += of_stretch.len() as u64;
                let counts = self.counted_patiently(&id, &zone, (from, to), &snapshot, cell.counts()).await?;
                Arc::make_mut(&mut cell).replace(id.rollup, &of_stretch, counts);
            }
            cells.insert(id, cell);
        }
        Ok(Base { parts: known.parts.clone(), cells, history: known.past.generation })
    }

    /// What `snapshot` tells of its sources, however long the reading takes.
    async fn known_at_length(&self, snapshot: &Arc<Snapshot>) -> Result<Arc<Known>, QueryError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.known(snapshot, self.deadline()).await {
                // What was read so far is remembered.
                Err(QueryError::TimedOut { .. }) if attempts < KNOWN_ATTEMPTS => {}
                known => return known,
            }
        }
    }

    /// The cells that are kept for what `known` tells.
    fn cells_wanted(&self, known: &Known) -> Vec<(CellId, Zone)> {
        let mut wanted: BTreeMap<CellId, Zone> = BTreeMap::new();
        for rollup in Rollup::ALL {
            let Some(relation) = rollup.relation() else { continue };
            let hubs = known.hubs_of(&relation);
            if hubs.is_empty() {
                continue;
            }
            let shared = self.hubs().shared_zone(hubs.iter().copied()).unwrap_or_else(Zone::utc);
            let mut add = |hub: Option<&str>, zone: Zone| {
                wanted.insert(CellId { rollup, hub: hub.map(Into::into), zone: zone.name().into() }, zone);
            };
            // Public figures are cut in UTC, see `Engine::zone_asked`.
            if rollup == Rollup::Launches {
                add(None, Zone::utc());
            }
            match hubs.len() {
                // The one hub's facts are those of all.
                1 => add(None, shared),
                _ => {
                    if rollup == Rollup::Starts {
                        add(None, shared);
                    }
                    hubs.iter().take(HUBS_MAX).for_each(|hub| add(Some(hub), self.hubs().zone(hub)));
                }
            }
        }
        for id in known.past.ids() {
            if let Ok(zone) = Zone::named(&id.zone) {
                wanted.entry(id.clone()).or_insert(zone);
            }
        }
        wanted.into_iter().collect()
    }

    /// The facts of `rollup` that `snapshot` has for `scope` with days cut in `zone`, if they are kept.
    ///
    /// # Errors
    /// As of a question: the facts of days that changed are made by one.
    pub(crate) async fn facts(
        &self,
        rollup: Rollup,
        scope: &Scope,
        zone: &Zone,
        (snapshot, known): (&Arc<Snapshot>, &Known),
        deadline: Instant,
    ) -> Result<Result<Arc<Cell>, NotReady>, QueryError> {
        let base = self.rollups().base().filter(|base| base.history == known.past.generation);
        let Some(base) = base else { return Ok(Err(NotReady::Soon)) };
        let id = cell_id(rollup, scope, zone, known);
        let Some(cell) = base.cells.get(&id) else {
            let is_wanted = self.cells_wanted(known).iter().any(|(wanted, _)| *wanted == id);
            return Ok(Err(if is_wanted { NotReady::Soon } else { NotReady::Zone }));
        };
        let mut carried = Base { parts: base.parts.clone(), ..Base::default() };
        carried.carried(&self.store().rearranged(), &known.parts);
        let mut days = carried.changes(&known.parts, &known.tail).days(rollup, id.hub.as_deref(), zone);
        known.past.leave(&id, &mut days);
        if days.is_empty() {
            return Ok(Ok(Arc::clone(cell)));
        }
        if days.len() > LIVE_DAYS_MAX {
            return Ok(Err(NotReady::Soon));
        }
        let version = snapshot.data_version();
        if let Some(known) = self.rollups().ahead(&version, &id) {
            return Ok(Ok(known));
        }
        let _alone = self.rollups().making.lock().await;
        if let Some(known) = self.rollups().ahead(&version, &id) {
            return Ok(Ok(known));
        }
        let mut ahead = (**cell).clone();
        for (from, to) in stretches(&days, DAYS_AT_ONCE) {
            let counts = self.counted(&id, zone, (from, to), snapshot, ahead.counts(), deadline).await?;
            ahead.replace(rollup, &days.range(from..to).copied().collect(), counts);
        }
        let ahead = Arc::new(ahead);
        self.rollups().put_ahead(version, id, &ahead);
        Ok(Ok(ahead))
    }

    /// The facts of the days of `range` alone, made from events: what came before them is not known.
    ///
    /// # Errors
    /// As of a question.
    pub(crate) async fn facts_from_events(
        &self,
        rollup: Rollup,
        scope: &Scope,
        zone: &Zone,
        (from, to): (Day, Day),
        snapshot: &Arc<Snapshot>,
        deadline: Instant,
    ) -> Result<Arc<Cell>, QueryError> {
        let id = CellId { rollup, hub: scope.hub().map(Into::into), zone: zone.name().into() };
        let counts = self.counted(&id, zone, (from, to), snapshot, Counts::default(), deadline).await?;
        let mut cell = Cell::default();
        cell.replace(rollup, &counts.days_found(), counts);
        Ok(Arc::new(cell))
    }

    /// As [`Self::counted`], in as many steps as it takes: fewer days need less memory and time.
    async fn counted_patiently(
        &self,
        id: &CellId,
        zone: &Zone,
        (from, to): (Day, Day),
        snapshot: &Arc<Snapshot>,
        mut counts: Counts,
    ) -> Result<Counts, QueryError> {
        counts.name_all(id.rollup);
        let mut left_to_do = vec![(from, to)];
        while let Some((from, to)) = left_to_do.pop() {
            let names = counts.names_only();
            match self.counted(id, zone, (from, to), snapshot, names, self.deadline()).await {
                Ok(found) => counts.extend(found),
                Err(QueryError::TimedOut { .. } | QueryError::TooMuchMemory { .. })
                    if to.number() - from.number() >= 2 =>
                {
                    let middle = Day::from_number(from.number() + (to.number() - from.number()) / 2);
                    left_to_do.extend([(middle, to), (from, middle)]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(counts)
    }

    /// Adds what the rollup's statement answers for the days of `from` to before `to` to `counts`.
    async fn counted(
        &self,
        id: &CellId,
        zone: &Zone,
        (from, to): (Day, Day),
        snapshot: &Arc<Snapshot>,
        counts: Counts,
        deadline: Instant,
    ) -> Result<Counts, QueryError> {
        let instants = zone.instants(from, to);
        let values = vec![
            ("from".to_owned(), timestamp(instants.start)),
            ("to".to_owned(), timestamp(instants.end)),
            ("zone".to_owned(), ScalarValue::Utf8(Some(zone.name().to_owned()))),
        ];
        let (shared, snapshot, rollup) = (self.shared(), Arc::clone(snapshot), id.rollup);
        let question = Question {
            sql: rollup.sql().to_owned(),
            values,
            rows_max: EVERY_ROW,
            scope: id.scope(),
            ..Question::default()
        };
        self.run(deadline, async move { shared.count(question, rollup, counts, &snapshot, deadline).await }).await
    }
}

impl Shared {
    async fn count(
        &self,
        question: Question,
        rollup: Rollup,
        mut counts: Counts,
        snapshot: &Snapshot,
        deadline: Instant,
    ) -> Result<Counts, QueryError> {
        let memory = self.memory_bytes_max();
        let running = |error| QueryError::running(error, memory);
        let (state, plan) = self.planned(question, snapshot, deadline).await?;
        let physical = state.create_physical_plan(&plan).await.map_err(|error| QueryError::planning(error, memory))?;
        let mut stream = execute_stream(physical, state.task_ctx()).map_err(running)?;
        // Whoever counts at the same time begins with none.
        let mut specs = std::mem::take(&mut *self.rollups.specs());
        while let Some(batch) = stream.next().await {
            rollup.count(&batch.map_err(running)?, &mut specs, &mut counts).map_err(running)?;
        }
        *self.rollups.specs() = specs;
        Ok(counts)
    }
}

/// The cell that has the rows of `scope`: where only one hub told anything, that of all is that hub's.
pub(crate) fn cell_id(rollup: Rollup, scope: &Scope, zone: &Zone, known: &Known) -> CellId {
    let is_only = |hub: &str| {
        rollup.relation().is_some_and(|relation| known.hubs_of(&relation).iter().all(|other| *other == hub))
    };
    let hub = scope.hub().filter(|hub| !is_only(hub)).map(Into::into);
    CellId { rollup, hub, zone: zone.name().into() }
}

fn without_tail(snapshot: &Snapshot) -> Snapshot {
    let mut parts_only = snapshot.clone();
    parts_only.events.tail = [].into();
    parts_only
}
