//! Which days are known: on which a source was connected, or of which an event was kept.
//!
//! A day that nobody covered is a gap and not a zero. A source covers a day when one of its events happened on it, or
//! when something of it was received on it, quarantined or not; an import covers the days that it brought, also empty
//! ones, but says nothing of the day on which it was made. One hub's events cover no other hub's days.
//!
//! What parts tell is read once for each part, since parts never change; only the tail is read anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use event::{CollectorId, Day, EventTime};
use store::{Coverage, Quarters, Seen, Snapshot, Source, Store, Table, TableSnapshot};

use crate::engine::Engine;
use crate::error::QueryError;
use crate::rollup::{History, Parts};
use crate::scope::Scope;
use crate::views::Relation;
use crate::zone::{Days, Zone};

/// The hub of rows that came without a token, and of imports that do not say.
const DEFAULT_HUB: &str = "default";

/// What one source told, for a page on the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCoverage {
    /// Whose events.
    pub hub: String,
    /// By which way they came.
    pub door: String,
    /// Of which schema; `None` of quarantined events whose schema could not be read.
    pub schema: Option<String>,
    /// The import that brought them; `None` when they came by themselves.
    pub import: Option<String>,
    /// How many were admitted.
    pub events: u64,
    /// How many were quarantined.
    pub quarantined: u64,
    /// Time of the earliest, suspect ones left out.
    pub first: Option<EventTime>,
    /// Time of the latest, suspect ones left out.
    pub last: Option<EventTime>,
    /// When the newest was received.
    pub received: EventTime,
    /// The days that it covers, in the zone of its hub.
    pub days: Vec<Day>,
}

/// What a snapshot tells of its sources.
#[derive(Debug)]
pub(crate) struct Known {
    coverage: Coverage,
    /// What each part of `events` tells, by path.
    pub(crate) parts: Parts,
    /// What the tail of `events` tells.
    pub(crate) tail: Arc<Coverage>,
    /// The days that each import covers.
    imports: BTreeMap<CollectorId, Imported>,
    /// What is kept of events that have left.
    pub(crate) past: Arc<History>,
}

#[derive(Clone, Debug, Default)]
struct Imported {
    days: Quarters,
    /// Whose rows it brought; when it brought none, those of the hub `default`.
    hubs: BTreeSet<Arc<str>>,
    schemas: BTreeSet<Arc<str>>,
}

impl Known {
    /// When events are there of `relation`, for `hub` or for all hubs together; or when somebody listened for them.
    pub(crate) fn covered(&self, relation: &Relation, hub: Option<&str>) -> Quarters {
        let mut known = Quarters::default();
        let is_asked = |own: &str| hub.is_none_or(|hub| hub == own);
        for (source, seen) in self.coverage.iter().filter(|(source, _)| is_asked(&source.hub)) {
            if tells_of(relation, source) {
                connected(source, seen, &mut known);
            }
        }
        for import in self.imports.values() {
            let is_relevant = match relation.schemas {
                [] => true,
                _ if import.schemas.is_empty() => relation.is_of_archives(),
                schemas => schemas.iter().any(|schema| import.schemas.contains(*schema)),
            };
            if is_relevant && import.hubs.iter().any(|own| is_asked(own)) {
                known.extend(&import.days);
            }
        }
        known
    }

    /// The hubs that told of `relation`.
    pub(crate) fn hubs_of(&self, relation: &Relation) -> BTreeSet<&str> {
        let of_relation = |source: &&Source| source.table == Table::Events && tells_of(relation, source);
        let told = self.coverage.iter().map(|(source, _)| source).filter(of_relation).map(|source| &*source.hub);
        told.chain(self.past.hubs_of(Some(relation))).collect()
    }

    /// Every hub of which anything was kept.
    pub(crate) fn hubs(&self) -> BTreeSet<&str> {
        self.coverage.iter().map(|(source, _)| &*source.hub).chain(self.past.hubs_of(None)).collect()
    }
}

/// Whether events of `source` show that somebody watched for rows of `relation`. What could not be read may have been
/// anything.
fn tells_of(relation: &Relation, source: &Source) -> bool {
    match (&source.schema, relation.schemas) {
        (_, []) | (None, _) => true,
        (Some(schema), schemas) => schemas.contains(&&**schema),
    }
}

/// When `source` was connected, or told of.
fn connected(source: &Source, seen: &Seen, known: &mut Quarters) {
    known.extend(&seen.happened);
    if source.import.is_none() {
        known.extend(&seen.receipts);
    }
}

/// The days of `zone` that have one of `quarters`.
pub(crate) fn days_in(quarters: &Quarters, zone: &Zone) -> BTreeSet<Day> {
    let mut cut = Days::of(zone);
    let mut days = BTreeSet::new();
    for (_, first, last) in quarters.days() {
        for day in (cut.day(first).number()..=cut.day(last).number()).map(Day::from_number) {
            if !days.contains(&day) && quarters.meets(zone.instants(day, day.next())) {
                days.insert(day);
            }
        }
    }
    days
}

/// A part: its table and its path.
type PartKey = (Table, Arc<str>);

/// What is known of each part, and of the newest snapshot asked about.
#[derive(Debug, Default)]
pub(crate) struct CoverageCache {
    parts: Mutex<HashMap<PartKey, Arc<Coverage>>>,
    /// By version of the data.
    newest: Mutex<Option<(String, Arc<Known>)>>,
    /// Held while parts are read, so that questions asked together read each part once.
    reading: tokio::sync::Mutex<()>,
}

impl CoverageCache {
    fn get(&self, data_version: &str) -> Option<Arc<Known>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.as_ref().filter(|(version, _)| version == data_version).map(|(_, known)| Arc::clone(known))
    }

    /// Makes the next question ask anew what its snapshot tells.
    pub(crate) fn forget_newest(&self) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn put(&self, data_version: String, known: &Arc<Known>) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((data_version, Arc::clone(known)));
    }

    /// What `snapshot` tells. Blocks.
    fn read(
        &self,
        store: &Store,
        snapshot: &Snapshot,
        past: Arc<History>,
        deadline: Instant,
    ) -> Result<Option<Known>, store::TableError> {
        let mut coverage = Coverage::default();
        let (mut parts, mut tails) = (Parts::new(), Arc::default());
        for (table, rows) in [(Table::Events, &snapshot.events), (Table::Quarantine, &snapshot.quarantine)] {
            let dir = store.table_dir(table);
            for part in rows.parts.iter() {
                if Instant::now() >= deadline {
                    return Ok(None);
                }
                let key = (table, Arc::clone(&part.path));
                let of_part = self.part(key, || Coverage::of_part(table, dir, rows, part))?;
                coverage.extend(&of_part);
                if table == Table::Events {
                    parts.insert(Arc::clone(&part.path), of_part);
                }
            }
            let tail = TableSnapshot { parts: [].into(), ..rows.clone() };
            let tail = Coverage::read(table, dir, &tail)?;
            coverage.extend(&tail);
            if table == Table::Events {
                tails = Arc::new(tail);
            }
        }
        self.forget_all_but(snapshot);
        let imports = imports(snapshot, &coverage);
        Ok(Some(Known { coverage, parts, tail: tails, imports, past }))
    }

    fn part(
        &self,
        key: PartKey,
        read: impl FnOnce() -> Result<Arc<Coverage>, store::TableError>,
    ) -> Result<Arc<Coverage>, store::TableError> {
        let parts = || self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = parts().get(&key) {
            return Ok(Arc::clone(known));
        }
        let found = read()?;
        parts().insert(key, Arc::clone(&found));
        Ok(found)
    }

    /// Takes over what an earlier life read of parts of `events`, for those that it does not know yet.
    pub(crate) fn remember(&self, known: &Parts) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, coverage) in known {
            parts.entry((Table::Events, Arc::clone(path))).or_insert_with(|| Arc::clone(coverage));
        }
    }

    /// Lets go of parts that are no longer live.
    fn forget_all_but(&self, snapshot: &Snapshot) {
        let live: BTreeSet<(Table, &str)> =
            [(Table::Events, &snapshot.events), (Table::Quarantine, &snapshot.quarantine)]
                .into_iter()
                .flat_map(|(table, rows)| rows.parts.iter().map(move |part| (table, &*part.path)))
                .collect();
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.retain(|(table, path), _| live.contains(&(*table, &**path)));
    }
}

fn imports(snapshot: &Snapshot, coverage: &Coverage) -> BTreeMap<CollectorId, Imported> {
    let mut imports: BTreeMap<CollectorId, Imported> = BTreeMap::new();
    for collector in snapshot.imports() {
        let days = &mut imports.entry(collector.clone()).or_default().days;
        snapshot.import_ledger(&collector).keys().for_each(|day| days.insert_day(*day));
    }
    for (source, _) in coverage.iter() {
        if let Some(import) = source.import.as_ref().and_then(|collector| imports.get_mut(collector)) {
            import.hubs.insert(Arc::clone(&source.hub));
            import.schemas.extend(source.schema.clone().filter(|_| source.table == Table::Events));
        }
    }
    for import in imports.values_mut().filter(|import| import.hubs.is_empty()) {
        import.hubs.insert(DEFAULT_HUB.into());
    }
    imports
}

impl Engine {
    /// What each source told: how much, from when to when, and which days it covers.
    ///
    /// # Errors
    /// When a part cannot be read, or not in time.
    pub async fn sources(&self, scope: &Scope) -> Result<Vec<SourceCoverage>, QueryError> {
        let known = self.known(&self.snapshot(), self.deadline()).await?;
        let mut sources: BTreeMap<Source, (SourceCoverage, Quarters)> = BTreeMap::new();
        for (source, seen) in known.coverage.iter().filter(|(source, _)| scope.allows(&source.hub)) {
            // Admitted or not, it is one source.
            let key = Source { table: Table::Events, ..source.clone() };
            let (told, quarters) = sources.entry(key).or_insert_with(|| (untold(source), Quarters::default()));
            let count = if source.table == Table::Events { &mut told.events } else { &mut told.quarantined };
            *count += seen.events;
            if let Some((first, last)) = seen.times {
                told.first = Some(told.first.map_or(first, |known| known.min(first)));
                told.last = Some(told.last.map_or(last, |known| known.max(last)));
            }
            told.received = told.received.max(seen.received);
            connected(source, seen, quarters);
            if let Some(import) = source.import.as_ref().and_then(|collector| known.imports.get(collector)) {
                quarters.extend(&import.days);
            }
        }
        let days = |(told, quarters): (SourceCoverage, Quarters)| {
            let days = days_in(&quarters, &self.hubs().zone(&told.hub)).into_iter().collect();
            SourceCoverage { days, ..told }
        };
        Ok(sources.into_values().map(days).collect())
    }

    /// The hubs of which anything was kept, in order of their names.
    ///
    /// # Errors
    /// As [`Engine::sources`].
    pub async fn hub_names(&self, scope: &Scope) -> Result<Vec<String>, QueryError> {
        let known = self.known(&self.snapshot(), self.deadline()).await?;
        Ok(known.hubs().into_iter().filter(|hub| scope.allows(hub)).map(str::to_owned).collect())
    }

    /// What `snapshot` tells of its sources.
    pub(crate) async fn known(&self, snapshot: &Arc<Snapshot>, deadline: Instant) -> Result<Arc<Known>, QueryError> {
        let version = snapshot.data_version();
        if let Some(known) = self.coverage().get(&version) {
            return Ok(known);
        }
        let (cache, store, snapshot) = (Arc::clone(self.coverage()), Arc::clone(self.store()), Arc::clone(snapshot));
        let (limit, past) = (self.limits().time_max, self.rollups().history());
        self.run(deadline, async move {
            let _turn = cache.reading.lock().await;
            if let Some(known) = cache.get(&version) {
                return Ok(known);
            }
            let reader = Arc::clone(&cache);
            let read = tokio::task::spawn_blocking(move || reader.read(&store, &snapshot, past, deadline)).await;
            let read = read.map_err(|fault| QueryError::Data(format!("the engine had a fault: {fault}")))?;
            match read.map_err(|error| QueryError::Data(error.to_string()))? {
                Some(known) => {
                    let known = Arc::new(known);
                    cache.put(version, &known);
                    Ok(known)
                }
                None => Err(QueryError::TimedOut { limit }),
            }
        })
        .await
    }
}

fn untold(source: &Source) -> SourceCoverage {
    SourceCoverage {
        hub: source.hub.to_string(),
        door: source.door.to_string(),
        schema: source.schema.as_deref().map(str::to_owned),
        import: source.import.as_ref().map(ToString::to_string),
        events: 0,
        quarantined: 0,
        first: None,
        last: None,
        received: EventTime::from_micros(i64::MIN),
        days: Vec::new(),
    }
}
