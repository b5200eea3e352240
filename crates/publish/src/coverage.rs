//! Which days are published, and which of them have to be read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use event::{CollectorId, Day};
use store::{Scan, Snapshot, Store, Table, TableSnapshot};

use crate::PublishError;
use crate::memory::Memory;
use crate::rows::{self, Policies};

/// Days are read together until they have so many events, about 100 MB of them; a longer day is read alone.
const ROWS_AT_ONCE: u64 = 200_000;
/// Days further apart are read apart, so that what lies between is not read for nothing.
const GAP_DAYS: i32 = 31;

/// The covered days, oldest first, each with the number of its events (or more, of days not yet read anew).
pub(crate) type Days = BTreeMap<Day, u64>;

/// The days that imports cover, each with what its unit was.
pub(crate) type Units = BTreeMap<(CollectorId, Day), i64>;

/// An error once nobody waits for the run any more.
pub(crate) type GoOn<'a> = &'a dyn Fn() -> Result<(), PublishError>;

/// What a run has to look at.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    pub(crate) days: Days,
    /// Days that may have changed since the run that is remembered.
    pub(crate) stale: BTreeSet<Day>,
}

impl Coverage {
    /// What `snapshot` covers: every day that an import brought, also without an event, and every day with a live
    /// event.
    ///
    /// With a run remembered of which every part is still there, only what was added since is read: nothing else can
    /// have changed. When a part is gone (compacted, replaced, erased), all of it is read. `go_on` is asked now and
    /// then.
    pub(crate) fn of(
        store: &Store,
        snapshot: &Snapshot,
        policies: &Policies,
        before: Option<&Memory>,
        go_on: GoOn<'_>,
    ) -> Result<Self, PublishError> {
        let units = units(snapshot);
        let Some(memory) = before.filter(|memory| memory.holds_all_parts_in(&snapshot.events)) else {
            let mut days = count(store.scan(Table::Events, snapshot), policies, go_on)?;
            for (_, day) in units.keys() {
                days.entry(*day).or_default();
            }
            return Ok(Self { stale: days.keys().copied().collect(), days });
        };
        let added = memory.added_in(&snapshot.events);
        let counted = count(Scan::new(Table::Events, store.table_dir(Table::Events), &added), policies, go_on)?;
        let mut days = memory.events_by_day();
        let mut stale: BTreeSet<Day> = counted.keys().copied().collect();
        for (day, events) in counted {
            *days.entry(day).or_default() += events;
        }
        for ((_, day), _) in units.iter().filter(|(unit, version)| memory.units.get(unit) != Some(version)) {
            days.entry(*day).or_default();
            stale.insert(*day);
        }
        Ok(Self { days, stale })
    }

    /// Ranges of days to be read together, which hold every stale day.
    pub(crate) fn chunks(&self) -> Vec<Range<Day>> {
        let mut chunks: Vec<(Range<Day>, u64)> = Vec::new();
        for day in &self.stale {
            let events = self.days.get(day).copied().unwrap_or(0);
            match chunks.last_mut() {
                Some((days, sum)) if *sum + events <= ROWS_AT_ONCE && day.number() - days.end.number() < GAP_DAYS => {
                    days.end = day.next();
                    *sum += events;
                }
                _ => chunks.push((*day..day.next(), events)),
            }
        }
        chunks.into_iter().map(|(days, _)| days).collect()
    }
}

/// The days that imports of `snapshot` cover.
pub(crate) fn units(snapshot: &Snapshot) -> Units {
    let mut units = Units::new();
    for import in snapshot.imports() {
        let ledger = snapshot.import_ledger(&import);
        units.extend(ledger.into_iter().map(|(day, version)| ((import.clone(), day), version)));
    }
    units
}

/// The published rows that a scan gives, by day.
fn count(scan: Scan, policies: &Policies, go_on: GoOn<'_>) -> Result<Days, PublishError> {
    let mut days = Days::new();
    for batch in scan.columns(&rows::PLACE).read() {
        go_on()?;
        rows::days(&batch?, policies, |day| *days.entry(day).or_default() += 1)?;
    }
    Ok(days)
}

/// `table` with those of its parts only that `wanted` accepts, and its tail.
pub(crate) fn with_parts(table: &TableSnapshot, wanted: impl Fn(&str) -> bool) -> TableSnapshot {
    let parts = table.parts.iter().filter(|part| wanted(&part.path)).cloned().collect();
    TableSnapshot { parts, ..table.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_every_stale_day_once_and_few_rows() {
        let days = [(1, 150_000), (2, 50_000), (3, 0), (9, 1), (10, 900_000), (11, 0), (40, 1), (80, 200_001), (81, 5)];
        let days: Days = days.map(|(day, events)| (Day::from_number(day), events)).into();
        let fresh = Day::from_number(81);
        let stale: BTreeSet<Day> = days.keys().copied().filter(|day| *day != fresh).collect();
        let coverage = Coverage { days, stale: stale.clone() };
        let chunks: Vec<_> = coverage.chunks().iter().map(|days| (days.start.number(), days.end.number())).collect();
        assert_eq!(chunks, [(1, 4), (9, 10), (10, 11), (11, 41), (80, 81)]);
        let held: usize = coverage.chunks().into_iter().map(|days| stale.range(days).count()).sum();
        assert_eq!(held, stale.len());
        assert!(Coverage::default().chunks().is_empty());
    }
}
