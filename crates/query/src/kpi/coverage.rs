//! Which days the data are about: from the first to the last event of a KPI's table, or day that an import covered.
//!
//! Inside, a day without events is a 0; outside, it is nothing. An outage inside cannot be told from a quiet day here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use event::Day;
use store::Snapshot;

use super::Kpi;
use super::range::TimeRange;
use crate::answer::Answer;
use crate::engine::{Engine, Question};
use crate::error::QueryError;

/// What the parts of one version of the table cover, for each relation asked about. Parts do not change, so only the
/// tail is looked at again.
#[derive(Debug, Default)]
pub(crate) struct CoverageCache(Mutex<Vec<Known>>);

#[derive(Clone, Debug)]
struct Known {
    relation: String,
    version: i64,
    covered: Option<TimeRange>,
}

/// Days of `kpi`'s first table in `snapshot`; `None` when it has no events.
pub(crate) async fn covered(
    engine: &Engine,
    cache: &CoverageCache,
    kpi: &Kpi,
    snapshot: &Arc<Snapshot>,
    deadline: Instant,
) -> Result<Option<TimeRange>, QueryError> {
    let Some(relation) = kpi.needs.first() else { return Ok(None) };
    let version = snapshot.events.version;
    let parts = match cache.get(relation, version) {
        Some(known) => known,
        None => {
            let found = events_of(engine, relation, without_tail(snapshot), deadline).await?;
            cache.put(Known { relation: relation.clone(), version, covered: found });
            found
        }
    };
    let tail = events_of(engine, relation, without_parts(snapshot), deadline).await?;
    Ok(union(union(parts, tail), imported(snapshot)))
}

impl CoverageCache {
    fn get(&self, relation: &str, version: i64) -> Option<Option<TimeRange>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|known| known.relation == relation && known.version == version).map(|known| known.covered)
    }

    fn put(&self, new: Known) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| known.relation != new.relation);
        known.push(new);
    }
}

async fn events_of(
    engine: &Engine,
    relation: &str,
    snapshot: Snapshot,
    deadline: Instant,
) -> Result<Option<TimeRange>, QueryError> {
    if snapshot.events.rows() == 0 {
        return Ok(None);
    }
    // The relation is one of `views::RELATIONS`, which the catalogue checks when it is read.
    let sql = format!(
        "SELECT CAST(min(time) AS DATE) AS first, CAST(max(time) AS DATE) AS last FROM {relation} WHERE NOT time_suspect"
    );
    let question = Question { sql, values: Vec::new(), rows_max: 1 };
    let answer = engine.ask(question, Arc::new(snapshot), deadline).await?;
    Ok(days(&answer))
}

fn days(answer: &Answer) -> Option<TimeRange> {
    let cells = answer.cells().next()?;
    let day = |at: usize| cells.get(at)?.text().parse::<Day>().ok();
    Some(TimeRange { from: day(0)?, to: day(1)?.next() })
}

/// Days that imports covered, with events or without.
fn imported(snapshot: &Snapshot) -> Option<TimeRange> {
    let ledgers = snapshot.imports().into_iter().filter_map(|collector| {
        let ledger = snapshot.import_ledger(&collector);
        let (first, last) = (ledger.keys().next()?, ledger.keys().next_back()?);
        Some(TimeRange { from: *first, to: last.next() })
    });
    ledgers.fold(None, |sum, range| union(sum, Some(range)))
}

fn union(one: Option<TimeRange>, other: Option<TimeRange>) -> Option<TimeRange> {
    match (one, other) {
        (Some(one), Some(other)) => Some(TimeRange { from: one.from.min(other.from), to: one.to.max(other.to) }),
        (one, other) => one.or(other),
    }
}

fn without_tail(snapshot: &Snapshot) -> Snapshot {
    let mut parts = snapshot.clone();
    parts.events.tail = Arc::from([]);
    parts
}

fn without_parts(snapshot: &Snapshot) -> Snapshot {
    let mut tail = snapshot.clone();
    tail.events.parts = Arc::from([]);
    tail
}
