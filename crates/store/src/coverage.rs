//! Which sources told of which times: what tells a quiet day from one that nobody watched.
//!
//! A [`Coverage`] says of each source in which quarters of an hour its events happened, and in which they were
//! received. Every zone's days begin on a quarter of an hour (UTC), so days of any zone can be read from it. A part
//! never changes and neither does its coverage; those of several parts are merged.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::TimestampMicrosecondType;
use event::{CollectorId, Day, EventTime};

use crate::columns::Table;
use crate::error::TableError;
use crate::part::Part;
use crate::scan::Scan;
use crate::snapshot::TableSnapshot;

const MICROS_A_QUARTER: i64 = 900_000_000;

/// Quarters of an hour in a day.
const QUARTERS_A_DAY: i64 = 96;

/// Sources told apart in one coverage. What quarantined events claim as their schema is whatever was sent; beyond this
/// number they are counted as if they had claimed none.
const SOURCES_MAX: usize = 10_000;

/// What is read of each row.
const COLUMNS: [&str; 7] = ["hub", "door", "schema", "collector", "time", "received", "time_suspect"];

/// A set of quarters of an hour, UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quarters(BTreeMap<i32, u128>);

impl Quarters {
    /// Adds the quarter of an hour that holds `time`.
    pub fn insert(&mut self, time: EventTime) {
        let day = time.day();
        *self.0.entry(day.number()).or_default() |= 1 << quarter_of_day(time, day);
    }

    /// Adds all of the UTC day `day`.
    pub fn insert_day(&mut self, day: Day) {
        self.0.insert(day.number(), (1 << QUARTERS_A_DAY) - 1);
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        for (day, quarters) in &other.0 {
            *self.0.entry(*day).or_default() |= quarters;
        }
    }

    /// Those that begin at `from` or later.
    #[must_use]
    pub fn since(&self, from: EventTime) -> Self {
        let later = |(number, quarters): (&i32, &u128)| {
            let later = quarters & !below(quarters_before(Day::from_number(*number), from));
            (later != 0).then_some((*number, later))
        };
        Self(self.0.iter().filter_map(later).collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|quarters| *quarters == 0)
    }

    /// Of each UTC day that has one, its number and which of its quarters, the first lowest.
    pub(crate) fn masks(&self) -> impl Iterator<Item = (i32, u128)> + '_ {
        self.0.iter().map(|(day, mask)| (*day, *mask))
    }

    /// From what [`Self::masks`] gave; `None` if a day has more quarters than there are.
    pub(crate) fn of_masks(masks: Vec<(i32, u128)>) -> Option<Self> {
        masks.iter().all(|(_, mask)| mask >> QUARTERS_A_DAY == 0).then(|| Self(masks.into_iter().collect()))
    }

    /// Whether one of them begins in `range`.
    pub fn meets(&self, range: Range<EventTime>) -> bool {
        if range.start >= range.end {
            return false;
        }
        let days = range.start.day().number()..=range.end.day().number();
        self.0.range(days).any(|(day, quarters)| {
            let day = Day::from_number(*day);
            quarters & below(quarters_before(day, range.end)) & !below(quarters_before(day, range.start)) != 0
        })
    }

    /// The UTC days that have one, each with the beginning of its first and of its last.
    pub fn days(&self) -> impl Iterator<Item = (Day, EventTime, EventTime)> + '_ {
        self.0.iter().filter(|(_, quarters)| **quarters != 0).map(|(number, quarters)| {
            let day = Day::from_number(*number);
            let at =
                |quarter: u32| EventTime::from_micros(day.start().micros() + i64::from(quarter) * MICROS_A_QUARTER);
            (day, at(quarters.trailing_zeros()), at(127 - quarters.leading_zeros()))
        })
    }
}

fn quarter_of_day(time: EventTime, day: Day) -> i64 {
    // Within a day, so from 0 to 95; days at the end of time have instants beyond theirs.
    time.micros().saturating_sub(day.start().micros()).div_euclid(MICROS_A_QUARTER).clamp(0, QUARTERS_A_DAY - 1)
}

/// How many quarters of `day` begin before `time`.
fn quarters_before(day: Day, time: EventTime) -> i64 {
    let since = time.micros().saturating_sub(day.start().micros());
    since.saturating_add(MICROS_A_QUARTER - 1).div_euclid(MICROS_A_QUARTER).clamp(0, QUARTERS_A_DAY)
}

/// The first `quarters` of a day.
fn below(quarters: i64) -> u128 {
    (1_u128 << quarters) - 1
}

/// Where events come from: one stream of one hub by one way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Whose events.
    pub hub: Arc<str>,
    /// By which way.
    pub door: Arc<str>,
    /// Of which schema; of quarantined events the one that they claim, if that could be read.
    pub schema: Option<Arc<str>>,
    /// Which table they are in.
    pub table: Table,
    /// The import that brought them; `None` when they came by themselves.
    pub import: Option<CollectorId>,
}

/// What a source told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How many events.
    pub events: u64,
    /// Times of the earliest and the latest of them, suspect ones left out; of quarantined events none.
    pub times: Option<(EventTime, EventTime)>,
    /// When the newest was received.
    pub received: EventTime,
    /// When they happened, suspect times left out; of quarantined events nothing.
    pub happened: Quarters,
    /// When they were received.
    pub receipts: Quarters,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            events: 0,
            times: None,
            received: EventTime::from_micros(i64::MIN),
            happened: Quarters::default(),
            receipts: Quarters::default(),
        }
    }
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.received = self.received.max(other.received);
        self.times = match (self.times, other.times) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            (one, other) => one.or(other),
        };
        self.happened.extend(&other.happened);
        self.receipts.extend(&other.receipts);
    }
}

/// What each source told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<Source, Seen>);

impl Coverage {
    /// What the rows of `snapshot` tell, whose parts lie in `dir` ([`crate::Store::table_dir`]). Blocks, for some
    /// tens of nanoseconds a row.
    ///
    /// # Errors
    /// When a part cannot be read.
    pub fn read(table: Table, dir: &Path, snapshot: &TableSnapshot) -> Result<Self, TableError> {
        let mut coverage = Self::default();
        for batch in Scan::new(table, dir, snapshot).columns(&COLUMNS).read() {
            coverage.add(table, &batch?);
        }
        Ok(coverage)
    }

    /// What the rows of `part` tell, which lies in `dir`. Costs nothing for a part that this process wrote; blocks for
    /// others, as [`Self::read`].
    ///
    /// # Errors
    /// When the part cannot be read.
    pub fn of_part(table: Table, dir: &Path, snapshot: &TableSnapshot, part: &Part) -> Result<Arc<Self>, TableError> {
        if let Some(known) = &part.coverage {
            return Ok(Arc::clone(known));
        }
        let alone = TableSnapshot { parts: [part.clone()].into(), tail: [].into(), ..snapshot.clone() };
        Self::read(table, dir, &alone).map(Arc::new)
    }

    /// Adds what `other` tells.
    pub fn extend(&mut self, other: &Self) {
        for (source, seen) in &other.0 {
            self.entry(source.clone()).add(seen);
        }
    }

    /// Every source and what it told, in order of hubs.
    pub fn iter(&self) -> impl Iterator<Item = (&Source, &Seen)> {
        self.0.iter()
    }

    /// Puts in what `source` told.
    pub(crate) fn put(&mut self, source: Source, seen: Seen) {
        self.0.insert(source, seen);
    }

    fn entry(&mut self, mut source: Source) -> &mut Seen {
        if self.0.len() >= SOURCES_MAX && !self.0.contains_key(&source) {
            source.schema = None;
        }
        self.0.entry(source).or_default()
    }

    pub(crate) fn add(&mut self, table: Table, batch: &RecordBatch) {
        let Some(rows) = Rows::of(batch) else { return };
        let mut from = 0;
        while from < batch.num_rows() {
            // Rows of one source lie together, since parts are sorted by schema and hub.
            let to =
                (from + 1..batch.num_rows()).find(|row| !rows.is_same_source(from, *row)).unwrap_or(batch.num_rows());
            let seen = self.entry(rows.source(table, from));
            for row in from..to {
                rows.see(row, seen);
            }
            from = to;
        }
    }
}

/// The columns of a batch.
struct Rows<'a> {
    hub: &'a StringArray,
    door: &'a StringArray,
    schema: &'a StringArray,
    collector: &'a StringArray,
    received: &'a arrow::array::TimestampMicrosecondArray,
    /// Of `events`: times, and whether each is suspect.
    times: Option<(&'a arrow::array::TimestampMicrosecondArray, &'a BooleanArray)>,
}

impl<'a> Rows<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let time = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>();
        let suspect = batch.column_by_name("time_suspect").and_then(|column| column.as_boolean_opt());
        Some(Self {
            hub: text("hub")?,
            door: text("door")?,
            schema: text("schema")?,
            collector: text("collector")?,
            received: time("received")?,
            times: time("time").zip(suspect),
        })
    }

    fn is_same_source(&self, one: usize, other: usize) -> bool {
        [self.hub, self.door, self.schema, self.collector].iter().all(|column| {
            column.is_null(one) == column.is_null(other)
                && (column.is_null(one) || column.value(one) == column.value(other))
        })
    }

    fn source(&self, table: Table, row: usize) -> Source {
        let collector = CollectorId::from(self.collector.value(row));
        Source {
            hub: self.hub.value(row).into(),
            door: self.door.value(row).into(),
            schema: self.schema.is_valid(row).then(|| self.schema.value(row).into()),
            table,
            import: Some(collector).filter(CollectorId::is_import),
        }
    }

    fn see(&self, row: usize, seen: &mut Seen) {
        let received = EventTime::from_micros(self.received.value(row));
        seen.events += 1;
        seen.received = seen.received.max(received);
        seen.receipts.insert(received);
        let Some((times, suspect)) = self.times else { return };
        if times.is_null(row) || suspect.value(row) {
            return;
        }
        let time = EventTime::from_micros(times.value(row));
        let (first, last) = seen.times.unwrap_or((time, time));
        seen.times = Some((first.min(time), last.max(time)));
        seen.happened.insert(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> EventTime {
        EventTime::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn quarters_are_found_by_when_they_begin() {
        let mut quarters = Quarters::default();
        quarters.insert(at("2024-02-29T23:59:59.999999Z"));
        quarters.insert(at("2024-03-01T12:07:00Z"));
        for (from, to, meets) in [
            ("2024-02-29T23:45:00Z", "2024-03-01T00:00:00Z", true),
            ("2024-02-29T23:46:00Z", "2024-03-01T00:00:00Z", false),
            ("2024-02-29T00:00:00Z", "2024-02-29T23:45:00Z", false),
            ("2024-02-29T00:00:00Z", "2024-02-29T23:46:00Z", true),
            ("2024-03-01T00:00:00Z", "2024-03-01T12:00:00Z", false),
            ("2024-03-01T12:00:00Z", "2024-03-01T12:15:00Z", true),
            ("2024-03-01T12:15:00Z", "2024-03-09T00:00:00Z", false),
            ("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z", true),
            ("2030-01-01T00:00:00Z", "2020-01-01T00:00:00Z", false),
        ] {
            assert_eq!(quarters.meets(at(from)..at(to)), meets, "{from} {to}");
        }
        let days: Vec<String> = quarters.days().map(|(day, first, last)| format!("{day} {first} {last}")).collect();
        assert_eq!(
            days,
            [
                "2024-02-29 2024-02-29T23:45:00.000000Z 2024-02-29T23:45:00.000000Z",
                "2024-03-01 2024-03-01T12:00:00.000000Z 2024-03-01T12:00:00.000000Z",
            ]
        );
        let mut whole = Quarters::default();
        whole.insert_day("2024-02-29".parse().unwrap());
        assert!(whole.meets(at("2024-02-29T23:45:00Z")..at("2024-03-01T00:00:00Z")));
        assert!(!whole.meets(at("2024-03-01T00:00:00Z")..at("2024-03-02T00:00:00Z")));
    }

    #[test]
    fn quarters_are_cut_where_they_begin() {
        let mut quarters = Quarters::default();
        let all = ["2024-02-29T23:45:00Z", "2024-03-01T00:00:00Z", "2024-03-01T12:00:00Z", "2024-03-02T00:00:00Z"];
        all.iter().for_each(|time| quarters.insert(at(time)));
        for (cut, before) in [
            ("2024-02-29T23:45:00Z", 0),
            ("2024-02-29T23:45:01Z", 1),
            ("2024-03-01T00:00:00Z", 1),
            ("2024-03-01T11:59:00Z", 2),
            ("2024-03-01T12:00:01Z", 3),
            ("2030-01-01T00:00:00Z", 4),
        ] {
            let told = |times: &[&str]| {
                let mut quarters = Quarters::default();
                times.iter().for_each(|time| quarters.insert(at(time)));
                quarters
            };
            assert_eq!(quarters.since(at(cut)), told(&all[before..]), "{cut}");
            assert_eq!(quarters.since(at(cut)).is_empty(), before == all.len());
        }
        assert_eq!(Quarters::from_json(&quarters.to_json()), Some(quarters));
    }

    #[test]
    fn instants_at_the_ends_of_time_do_no_harm() {
        let mut quarters = Quarters::default();
        for micros in [i64::MIN, i64::MAX, 0] {
            quarters.insert(EventTime::from_micros(micros));
        }
        assert!(quarters.meets(EventTime::from_micros(i64::MIN)..EventTime::from_micros(i64::MAX)));
        assert_eq!(quarters.days().count(), 3);
    }
}
