//! Which days differ between the parts that facts were made of and a snapshot.
//!
//! Every part knows when the events in it happened ([`store::Coverage`]). A part that came, one that went, and the tail
//! each touch the days of their events, and no other day can have changed. A compaction changes files and no row: the
//! store says which parts took the place of which.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{Day, EventTime};
use store::{Coverage, Quarters, Rearranged, Table};

use super::cell::CellId;
use super::{Cell, Rollup};
use crate::zone::{Days, Zone};

const MICROS_A_QUARTER: i64 = 900_000_000;

/// Parts of the table `events`, with what each covers.
pub(crate) type Parts = BTreeMap<Arc<str>, Arc<Coverage>>;

/// Facts, and the parts that they were made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Base {
    pub(crate) parts: Parts,
    pub(crate) cells: BTreeMap<CellId, Arc<Cell>>,
    /// Of which generation the kept facts are that they begin with.
    pub(crate) history: u64,
}

/// What changed since, for one question after another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes(Vec<Arc<Coverage>>);

impl Base {
    /// The same facts as made of the parts that took the place of theirs without changing a row.
    pub(crate) fn carried(&mut self, rearranged: &[Rearranged], live: &Parts) {
        for change in rearranged {
            let is_ours = !change.taken.is_empty() && change.taken.iter().all(|path| self.parts.contains_key(path));
            if !is_ours || change.made.iter().any(|path| self.parts.contains_key(path)) {
                continue;
            }
            let taken: Vec<Arc<Coverage>> = change.taken.iter().filter_map(|path| self.parts.remove(path)).collect();
            for path in change.made.iter() {
                // What is gone again by now may hold any of the rows.
                let coverage = live.get(path).cloned().unwrap_or_else(|| {
                    let mut all = Coverage::default();
                    taken.iter().for_each(|coverage| all.extend(coverage));
                    Arc::new(all)
                });
                self.parts.insert(Arc::clone(path), coverage);
            }
        }
    }

    /// What lies in `live` and `tail` and not here, or here and not there.
    pub(crate) fn changes(&self, live: &Parts, tail: &Arc<Coverage>) -> Changes {
        let came = live.iter().filter(|(path, _)| !self.parts.contains_key(*path));
        let went = self.parts.iter().filter(|(path, _)| !live.contains_key(*path));
        let parts = came.chain(went).map(|(_, coverage)| Arc::clone(coverage));
        Changes(parts.chain([Arc::clone(tail)]).collect())
    }
}

impl Changes {
    /// Everything, for facts that are to be made from the beginning.
    pub(crate) fn all(parts: &Parts, tail: &Arc<Coverage>) -> Self {
        Self(parts.values().cloned().chain([Arc::clone(tail)]).collect())
    }

    /// The days of `zone` on which facts of `rollup` may differ, of one hub or of all.
    pub(crate) fn days(&self, rollup: Rollup, hub: Option<&str>, zone: &Zone) -> BTreeSet<Day> {
        let Some(relation) = rollup.relation() else { return BTreeSet::new() };
        let mut quarters = Quarters::default();
        for (source, seen) in self.0.iter().flat_map(|coverage| coverage.iter()) {
            let is_told = source.schema.as_ref().is_some_and(|schema| relation.schemas.contains(&&**schema));
            if is_told && source.table == Table::Events && hub.is_none_or(|hub| hub == &*source.hub) {
                quarters.extend(&seen.happened);
            }
        }
        touched(&quarters, zone, rollup.reach_micros())
    }
}

/// The days of `zone` that hold an instant of `quarters`, or one within `reach` after it.
fn touched(quarters: &Quarters, zone: &Zone, reach: i64) -> BTreeSet<Day> {
    let mut cut = Days::of(zone);
    let mut days = BTreeSet::new();
    for (_, first, last) in quarters.days() {
        let end = last.micros().saturating_add(MICROS_A_QUARTER - 1).saturating_add(reach);
        let (first, last) = (cut.day(first).number(), cut.day(EventTime::from_micros(end)).number());
        days.extend((first..=last).map(Day::from_number));
    }
    days
}

/// Neighbouring days together, up to `days_max` of them at once.
pub(crate) fn stretches(days: &BTreeSet<Day>, days_max: i32) -> Vec<(Day, Day)> {
    let mut stretches: Vec<(Day, Day)> = Vec::new();
    for day in days {
        match stretches.last_mut() {
            Some((from, to)) if *to == *day && day.number() - from.number() < days_max => *to = day.next(),
            _ => stretches.push((*day, day.next())),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn at(text: &str) -> EventTime {
        EventTime::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn days_are_touched_by_what_may_have_happened_in_a_quarter_and_after_it() {
        for (zone, time, reach, expected) in [
            ("UTC", "2024-02-29T12:00:00Z", 0, vec!["2024-02-29"]),
            ("UTC", "2024-02-29T23:59:00Z", 0, vec!["2024-02-29"]),
            ("UTC", "2024-02-29T23:59:00Z", 1_000_000, vec!["2024-02-29", "2024-03-01"]),
            ("Asia/Kathmandu", "2023-12-31T18:14:00Z", 0, vec!["2023-12-31"]),
            ("Asia/Kathmandu", "2023-12-31T18:15:00Z", 0, vec!["2024-01-01"]),
            ("Pacific/Apia", "2011-12-30T09:50:00Z", 1_000_000, vec!["2011-12-29", "2011-12-30", "2011-12-31"]),
        ] {
            let mut quarters = Quarters::default();
            quarters.insert(at(time));
            let found = touched(&quarters, &Zone::named(zone).unwrap(), reach);
            assert_eq!(found, expected.into_iter().map(day).collect(), "{zone} {time}");
        }
    }

    #[test]
    fn neighbouring_days_are_read_together() {
        let days = ["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-03"].map(day).into();
        let told = |days_max: i32| -> Vec<String> {
            stretches(&days, days_max).iter().map(|(from, to)| format!("{from}/{to}")).collect()
        };
        assert_eq!(told(31), ["2024-02-28/2024-03-02", "2024-03-03/2024-03-04"]);
        assert_eq!(told(2), ["2024-02-28/2024-03-01", "2024-03-01/2024-03-02", "2024-03-03/2024-03-04"]);
        assert_eq!(stretches(&BTreeSet::new(), 2), []);
    }
}
