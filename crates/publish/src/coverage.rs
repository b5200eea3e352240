//! Which days are published, and how many events each has.

use std::collections::BTreeMap;
use std::ops::Range;

use event::Day;
use store::{Snapshot, Store, Table};

use crate::PublishError;
use crate::rows::{self, Policies};

/// Days are read together until they have so many events, about 100 MB of them; a longer day is read alone.
const ROWS_AT_ONCE: u64 = 200_000;

/// The covered days, oldest first, each with the number of its events.
#[derive(Debug, Default)]
pub(crate) struct Coverage(BTreeMap<Day, u64>);

impl Coverage {
    /// What `snapshot` covers: every day that an import brought, also without an event, and every day with a live event.
    pub(crate) fn of(store: &Store, snapshot: &Snapshot, policies: &Policies) -> Result<Self, PublishError> {
        let mut coverage = Self::default();
        for import in snapshot.imports() {
            for day in snapshot.import_ledger(&import).into_keys() {
                coverage.0.entry(day).or_default();
            }
        }
        for batch in store.scan(Table::Events, snapshot).columns(&rows::PLACE).read() {
            rows::days(&batch?, policies, |day| *coverage.0.entry(day).or_default() += 1)?;
        }
        Ok(coverage)
    }

    /// Ranges of days to be read together, which hold all of them.
    pub(crate) fn chunks(&self) -> Vec<Range<Day>> {
        let mut chunks: Vec<(Range<Day>, u64)> = Vec::new();
        for (day, events) in &self.0 {
            match chunks.last_mut() {
                Some((days, sum)) if *sum + events <= ROWS_AT_ONCE => {
                    days.end = day.next();
                    *sum += events;
                }
                _ => chunks.push((*day..day.next(), *events)),
            }
        }
        chunks.into_iter().map(|(days, _)| days).collect()
    }

    /// The covered days in `days`.
    pub(crate) fn within(&self, days: Range<Day>) -> impl Iterator<Item = Day> {
        self.0.range(days).map(|(day, _)| *day)
    }

    pub(crate) fn contains(&self, day: Day) -> bool {
        self.0.contains_key(&day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_every_day_once_and_few_rows() {
        let days = [(1, 150_000), (2, 50_000), (3, 0), (9, 1), (10, 900_000), (11, 0), (40, 200_001)];
        let coverage = Coverage(days.map(|(day, events)| (Day::from_number(day), events)).into());
        let chunks: Vec<_> = coverage.chunks().iter().map(|days| (days.start.number(), days.end.number())).collect();
        assert_eq!(chunks, [(1, 4), (9, 10), (10, 11), (11, 12), (40, 41)]);
        let within: Vec<_> = coverage.chunks().into_iter().flat_map(|days| coverage.within(days)).collect();
        assert_eq!(within.len(), days.len());
        assert!(within.is_sorted());
        assert!(Coverage::default().chunks().is_empty());
    }
}
