//! Facts that outlive the events that they were made of: what retention takes from `events` it leaves here.
//!
//! Before events leave, the facts of their days are written to a folder of their own, as [`super::files`] writes facts,
//! with a manifest that names those days and says what they covered. Such a day is *kept*: it is never made anew, since
//! its events are gone, so what comes later for it is not counted; all other days are made of events as ever. A cell
//! that begins anew begins with its kept days.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{Day, EventTime};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Derived, DerivedDamaged, Manifest, NewFile, Quarters};

use super::cell::{Cell, CellId};
use super::files::{cell_of, fault, month_bytes, month_name, months};
use super::follow::{Base, stretches};
use super::{Rollup, Tell};
use crate::coverage::Known;
use crate::engine::Engine;
use crate::error::QueryError;
use crate::views::{Relation, find};
use crate::zone::Zone;

/// Version of the files' form.
const FORM: u32 = 1;

/// The relation whose rows `derive` keeps.
const SESSIONS: &str = "sessions";

/// What was kept when events left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Moves whenever kept facts do: facts that were made beside others of them are of no use.
    pub(crate) generation: u64,
    cells: BTreeMap<CellId, Past>,
    /// When each hub was covered by what sessions are told of.
    sessions: BTreeMap<Arc<str>, Quarters>,
}

/// What is kept of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Past {
    /// What the names of its files begin with.
    stem: String,
    /// The days that are kept.
    days: BTreeSet<Day>,
    /// When its events were covered that have left.
    covered: Quarters,
    /// The one hub that had told anything, if the cell is of all hubs: then it is that hub's cell too.
    only: Option<Arc<str>>,
}

/// Where facts are kept, and which.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    folder: Option<Derived>,
    history: Arc<History>,
    /// Why what was kept cannot be read; then nothing is added to it.
    damaged: Option<String>,
}

/// When events leave: those of a schema from before the instant that it tells.
pub type Cutoff<'a> = &'a (dyn Fn(&str) -> Option<EventTime> + Send + Sync);

/// Until when what concerns somebody is to be forgotten, by hub and name; `None` of those who are not.
pub type Until<'a> = &'a (dyn Fn(&str, &str) -> Option<EventTime> + Send + Sync);

/// What a folder's manifest says of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    form: u32,
    generation: u64,
    cells: Vec<CellOf>,
    sessions: BTreeMap<Arc<str>, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CellOf {
    stem: String,
    rollup: String,
    hub: Option<Arc<str>>,
    zone: Arc<str>,
    only: Option<Arc<str>>,
    /// The first day and the one after the last, of each stretch.
    days: Vec<(i32, i32)>,
    covered: Value,
}

impl History {
    fn read(folder: &Derived) -> Result<Self, DerivedDamaged> {
        let Some(manifest) = folder.manifest()? else { return Ok(Self::default()) };
        let wrong = |detail: String| DerivedDamaged { path: folder.path("manifest"), detail };
        let of = Of::deserialize(&manifest.of).map_err(|error| wrong(error.to_string()))?;
        if of.form != FORM {
            return Err(wrong(format!("it has form {}; this program knows {FORM}", of.form)));
        }
        let mut history = Self { generation: of.generation, ..Self::default() };
        let covered = |value: &Value| {
            Quarters::from_json(value).ok_or_else(|| wrong("it does not say what was covered".to_owned()))
        };
        for cell in of.cells {
            let rollup = Rollup::named(&cell.rollup).ok_or_else(|| wrong(format!("'{}' is no rollup", cell.rollup)))?;
            let days = cell.days.into_iter().flat_map(|(from, to)| (from..to).map(Day::from_number)).collect();
            let id = CellId { rollup, hub: cell.hub, zone: cell.zone };
            let past = Past { stem: cell.stem, days, covered: covered(&cell.covered)?, only: cell.only };
            history.cells.insert(id, past);
        }
        for (hub, quarters) in of.sessions {
            history.sessions.insert(hub, covered(&quarters)?);
        }
        Ok(history)
    }

    fn of(&self) -> Of {
        let day_stretches = |days: &BTreeSet<Day>| {
            stretches(days, i32::MAX).into_iter().map(|(from, to)| (from.number(), to.number())).collect()
        };
        let cell = |(id, past): (&CellId, &Past)| CellOf {
            stem: past.stem.clone(),
            rollup: id.rollup.name().to_owned(),
            hub: id.hub.clone(),
            zone: Arc::clone(&id.zone),
            only: past.only.clone(),
            days: day_stretches(&past.days),
            covered: past.covered.to_json(),
        };
        let sessions = |(hub, quarters): (&Arc<str>, &Quarters)| (Arc::clone(hub), quarters.to_json());
        Of {
            form: FORM,
            generation: self.generation,
            cells: self.cells.iter().map(cell).collect(),
            sessions: self.sessions.iter().map(sessions).collect(),
        }
    }

    /// Which days of which cells are kept.
    fn days(&self) -> BTreeMap<&CellId, &BTreeSet<Day>> {
        self.cells.iter().map(|(id, past)| (id, &past.days)).collect()
    }

    /// The cells of which anything is kept.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &CellId> {
        self.cells.keys()
    }

    /// What is kept of a cell.
    fn past(&self, id: &CellId) -> Option<&Past> {
        self.cells.get(id).or_else(|| {
            let of_all = self.cells.get(&CellId { hub: None, ..id.clone() })?;
            (id.hub.is_some() && of_all.only == id.hub).then_some(of_all)
        })
    }

    /// Takes the days out of `days` that are kept.
    pub(crate) fn leave(&self, id: &CellId, days: &mut BTreeSet<Day>) {
        if let Some(past) = self.past(id) {
            days.retain(|day| !past.days.contains(day));
        }
    }

    /// When a cell was covered by events that have left and of which its facts are kept.
    pub(crate) fn covered(&self, id: &CellId) -> Quarters {
        self.past(id).map(|past| past.covered.clone()).unwrap_or_default()
    }

    /// When sessions that are kept were covered, of `hub` or of all hubs together.
    pub(crate) fn sessions_covered(&self, hub: Option<&str>) -> Quarters {
        let mut covered = Quarters::default();
        let of_hub = self.sessions.iter().filter(|(own, _)| hub.is_none_or(|hub| hub == &***own));
        of_hub.for_each(|(_, quarters)| covered.extend(quarters));
        covered
    }

    /// The hubs that had told of `relation`; of any without.
    pub(crate) fn hubs_of(&self, relation: Option<&Relation>) -> BTreeSet<&str> {
        let is_asked = |of: &str| relation.is_none_or(|relation| relation.name == of);
        let of_cells = self.cells.iter().filter(|(id, _)| id.rollup.relation().is_some_and(|own| is_asked(own.name)));
        let of_cells = of_cells.flat_map(|(id, past)| id.hub.as_deref().or(past.only.as_deref()));
        let of_sessions = self.sessions.keys().filter(|_| is_asked(SESSIONS)).map(|hub| &**hub);
        of_cells.chain(of_sessions).collect()
    }

    /// What is to be kept when events leave from before `cutoff`, and what of `base` is kept no longer.
    fn next(&self, base: &Base, known: &Known, cutoff: Cutoff<'_>, from: Option<EventTime>) -> (Self, Forgotten) {
        let mut next = Self { generation: self.generation, ..Self::default() };
        let mut forgotten = Forgotten::new();
        for (number, (id, cell)) in base.cells.iter().enumerate() {
            let Some(relation) = id.rollup.relation() else { continue };
            let Ok(zone) = Zone::named(&id.zone) else { continue };
            let former = self.past(id).map(|past| past.days.clone()).unwrap_or_default();
            let (mut days, mut covered) = (former.clone(), self.covered(id));
            if let Some(cutoff) = latest(&relation, cutoff) {
                // What happened just before may still count for a day.
                let reach = id.rollup.reach_micros().saturating_sub(1);
                let end = zone.day(EventTime::from_micros(cutoff.micros().saturating_add(reach))).next();
                days.extend(cell.days().range(..end));
                covered.extend(&known.covered(&relation, id.hub.as_deref()));
            }
            if let Some(from) = from {
                let first = zone.day(from);
                days.retain(|day| *day >= first);
                covered = covered.since(from);
            }
            let gone: BTreeSet<Day> = former.difference(&days).copied().collect();
            if !gone.is_empty() {
                forgotten.insert(id.clone(), gone);
            }
            if !days.is_empty() || !covered.is_empty() {
                let hubs = known.hubs_of(&relation);
                let only = hubs.first().filter(|_| id.hub.is_none() && hubs.len() == 1).map(|hub| Arc::from(*hub));
                let stem = format!("{}-{number:03}", id.rollup.name());
                next.cells.insert(id.clone(), Past { stem, days, covered, only });
            }
        }
        for (relation, hub) in
            find(SESSIONS).into_iter().flat_map(|of| known.hubs().into_iter().map(move |hub| (of, hub)))
        {
            let mut covered = self.sessions_covered(Some(hub));
            if latest(&relation, cutoff).is_some() {
                covered.extend(&known.covered(&relation, Some(hub)));
            }
            let covered = from.map_or_else(|| covered.clone(), |from| covered.since(from));
            if !covered.is_empty() {
                next.sessions.insert(hub.into(), covered);
            }
        }
        (next, forgotten)
    }

    /// Makes `folder` hold the kept days of `cells`; those that `former` wrote already stay as they are. Blocks.
    fn write(
        &self,
        folder: &Derived,
        cells: &BTreeMap<CellId, Arc<Cell>>,
        former: Option<&Self>,
    ) -> Result<Vec<String>, QueryError> {
        let written: Option<Manifest> = folder.manifest().ok().flatten();
        let mut files = Vec::new();
        for (id, past) in &self.cells {
            let Some(cell) = cells.get(id) else { continue };
            let before = former.and_then(|former| former.cells.get(id)).filter(|before| before.stem == past.stem);
            for month in months(cell) {
                let days = |of: &Past| of.days.range(month.clone()).copied().collect::<BTreeSet<Day>>();
                let kept = days(past);
                if kept.is_empty() {
                    continue;
                }
                let stem = format!("{}-{}", past.stem, month_name(month.start));
                let known = written.as_ref().filter(|_| before.is_some_and(|before| days(before) == kept));
                let known = known.and_then(|manifest| {
                    manifest.files.keys().find(|name| name.rsplit_once('-').is_some_and(|(own, _)| own == stem))
                });
                files.push(match known {
                    Some(name) => NewFile::Kept(name.clone()),
                    None => {
                        let bytes = month_bytes(cell, &month, &|day| kept.contains(&day)).map_err(fault)?;
                        NewFile::Bytes { stem, extension: "parquet", bytes }
                    }
                });
            }
        }
        let of = serde_json::to_value(self.of()).map_err(fault)?;
        folder.replace(of, files).map(|replaced| replaced.removed).map_err(fault)
    }
}

/// Days of cells that are kept no longer.
type Forgotten = BTreeMap<CellId, BTreeSet<Day>>;

/// Events of `relation` from before this may leave.
fn latest(relation: &Relation, cutoff: Cutoff<'_>) -> Option<EventTime> {
    relation.schemas.iter().filter_map(|schema| cutoff(schema)).max()
}

impl Engine {
    /// Keeps facts in `folder` from now on, and answers with those that are there. Reads its manifest alone.
    ///
    /// # Errors
    /// When that cannot be used. Then days whose events have left are gaps, and [`Engine::keep_history`] refuses.
    pub fn load_history(&self, folder: Derived) -> Result<(), DerivedDamaged> {
        let read = History::read(&folder);
        let keeping = Keeping {
            history: read.as_ref().map(|history| Arc::new(history.clone())).unwrap_or_default(),
            damaged: read.as_ref().err().map(ToString::to_string),
            folder: Some(folder),
        };
        *self.rollups().keeping() = keeping;
        self.coverage().forget_newest();
        read.map(drop)
    }

    /// Whether anything is kept of events that have left.
    pub fn has_history(&self) -> bool {
        *self.rollups().history() != History::default()
    }

    /// Keeps the facts of the days from which events leave, and what they covered; those from before `from` are kept no
    /// longer. Everything is on disk when it returns.
    ///
    /// # Errors
    /// As of a question; also when what was kept before is damaged, or the disk refuses. Events must not leave then.
    pub async fn keep_history(
        &self,
        cutoff: Cutoff<'_>,
        from: Option<EventTime>,
        tell: Tell<'_>,
    ) -> Result<(), QueryError> {
        let _alone = self.rollups().refreshing.lock().await;
        let Some(folder) = self.folder_of_history()? else { return Ok(()) };
        let mut base = self.brought_up(self.base_of_now(), tell).await?;
        let known = self.known_at_length(&self.snapshot()).await?;
        let former = Arc::clone(&known.past);
        if let Some(id) = former.ids().find(|id| !base.cells.contains_key(id)) {
            return Err(QueryError::Data(format!(
                "there are kept facts of days in a zone '{}' that is unknown",
                id.zone
            )));
        }
        let (mut next, forgotten) = former.next(&base, &known, cutoff, from);
        if next != *former {
            next.generation += u64::from(next.days() != former.days());
            for (id, days) in &forgotten {
                if let Some(cell) = base.cells.get_mut(id) {
                    let nothing = cell.counts();
                    Arc::make_mut(cell).replace(id.rollup, days, nothing);
                }
            }
            base.history = next.generation;
            let (written, cells) = (next.clone(), base.cells.clone());
            let write = move || written.write(&folder, &cells, Some(&former));
            tokio::task::spawn_blocking(write).await.map_err(fault)??;
            self.set_history(next);
        }
        self.rollups().set(Some(Arc::new(base)));
        Ok(())
    }

    /// As [`Engine::refresh_rollups`], lets go of every name that no event has any more, and of those in what is kept
    /// who are to be forgotten. How many starts there were on a day of which only facts are left stays as it is: nobody
    /// is named in it. Returns the files that are gone.
    ///
    /// # Errors
    /// As [`Engine::keep_history`].
    pub async fn forget_in_rollups(&self, until: Until<'_>, tell: Tell<'_>) -> Result<Vec<String>, QueryError> {
        let _alone = self.rollups().refreshing.lock().await;
        let folder = self.folder_of_history()?;
        // A question that began before may yet add names to the former facts, which nobody keeps.
        let mut base = self.brought_up(self.base_of_now(), tell).await?;
        let history = self.rollups().history();
        let mut is_changed = false;
        for (id, cell) in &mut base.cells {
            let mut own = cell.with_own_names();
            if let Some(past) = history.past(id) {
                is_changed |= own.forget(&past.days, until);
                own = own.with_own_names();
            }
            *cell = Arc::new(own);
        }
        let mut removed = Vec::new();
        if let Some(folder) = folder.filter(|_| is_changed) {
            let next = History { generation: history.generation + 1, ..(*history).clone() };
            base.history = next.generation;
            let (written, cells) = (next.clone(), base.cells.clone());
            let write = move || written.write(&folder, &cells, None);
            removed = tokio::task::spawn_blocking(write).await.map_err(fault)??;
            self.set_history(next);
        }
        self.rollups().set(Some(Arc::new(base)));
        self.rollups_not_written();
        Ok(removed)
    }

    /// Reads what is kept from the disk: how many facts there are, and how many of users whom `until` names. Blocks.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn look_through_history(&self, until: Until<'_>) -> Result<(u64, u64), QueryError> {
        let Some(folder) = self.folder_of_history()? else { return Ok((0, 0)) };
        let damaged = |damaged: DerivedDamaged| QueryError::Data(damaged.to_string());
        let Some(manifest) = folder.manifest().map_err(damaged)? else { return Ok((0, 0)) };
        let (mut rows, mut found) = (0, 0);
        for (id, past) in &self.rollups().history().cells {
            let mut cell = cell_of(&folder, &manifest, &past.stem, id.rollup).map_err(damaged)?;
            let before = cell.rows();
            cell.forget(&past.days, until);
            rows += before;
            found += before - cell.rows();
        }
        Ok((rows, found))
    }

    /// The kept days of a cell, to begin it with.
    pub(super) async fn kept_cell(&self, id: &CellId, history: &History) -> Result<Cell, QueryError> {
        let Some(past) = history.past(id).cloned() else { return Ok(Cell::default()) };
        let Some(folder) = self.folder_of_history()? else { return Ok(Cell::default()) };
        let rollup = id.rollup;
        let read = move || match folder.manifest()? {
            Some(manifest) => cell_of(&folder, &manifest, &past.stem, rollup),
            None => Ok(Cell::default()),
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(fault)?;
        read.map_err(|damaged| {
            // From now on everything is answered as if nothing were kept, and nothing is added to it.
            let mut keeping = self.rollups().keeping();
            keeping.damaged = Some(damaged.to_string());
            keeping.history = Arc::default();
            self.coverage().forget_newest();
            QueryError::Data(damaged.to_string())
        })
    }

    /// Where facts are kept, if anywhere.
    fn folder_of_history(&self) -> Result<Option<Derived>, QueryError> {
        let keeping = self.rollups().keeping();
        match &keeping.damaged {
            Some(damaged) => Err(QueryError::Data(format!("what is kept of events that have left: {damaged}"))),
            None => Ok(keeping.folder.clone()),
        }
    }

    fn set_history(&self, history: History) {
        self.rollups().keeping().history = Arc::new(history);
        self.coverage().forget_newest();
    }
}

impl super::Rollups {
    fn keeping(&self) -> std::sync::MutexGuard<'_, Keeping> {
        self.keeping.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What is kept of events that have left.
    pub(crate) fn history(&self) -> Arc<History> {
        Arc::clone(&self.keeping().history)
    }
}
