//! What an aggregate over sessions is asked of: a range, and the zone in which days are cut. Both are the same in all
//! rows.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{exec_datafusion_err, exec_err};
use datafusion::error::Result;
use datafusion::scalar::ScalarValue;
use event::{Day, EventTime};
use insight::measure::{Period, Span};

use crate::zone::Zone;

/// Times of a row: those of a session, and the two of the range.
pub(super) const TIMES: usize = 7;

/// Days from the first to the last that may be told of one by one: a thousand years.
const DAYS_MAX: i32 = 366_000;

/// Refuses days of which there are too many to be told of one by one.
pub(super) fn check_days(name: &str, first: Day, last: Day) -> Result<()> {
    if last.number().saturating_sub(first.number()) > DAYS_MAX {
        return exec_err!("{name} tells of {DAYS_MAX} days at most; ask for a shorter range");
    }
    Ok(())
}

/// What is asked so far, by rows of the function `name`.
#[derive(Debug)]
pub(super) struct Within {
    name: &'static str,
    pub(super) range: Option<Period>,
    zone: Option<String>,
}

/// How it stands in the state of an accumulator.
pub(super) fn state_fields() -> [FieldRef; 3] {
    [("from", DataType::Int64), ("to", DataType::Int64), ("zone", DataType::Utf8)]
        .map(|(name, kind)| Field::new(name, kind, true).into())
}

/// Whether an argument may be a time. A value that is bound later has no type yet.
pub(super) fn is_time(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(..) | DataType::Null)
}

/// The same of a text.
pub(super) fn is_text(kind: &DataType) -> bool {
    kind.is_string() || kind.is_null()
}

impl Within {
    pub(super) fn of(name: &'static str) -> Self {
        Self { name, range: None, zone: None }
    }

    /// Takes the range and the zone that a row asks for.
    pub(super) fn ask(&mut self, from: i64, to: i64, zone: Option<&str>) -> Result<Period> {
        let range = Period { begin: EventTime::from_micros(from), end: EventTime::from_micros(to) };
        if self.range.is_some_and(|known| known != range) {
            return exec_err!("{} asks for one range of all rows", self.name);
        }
        self.range = Some(range);
        match (&self.zone, zone) {
            (Some(known), Some(zone)) if known != zone => {
                return exec_err!("the zone of {} is one text for all rows", self.name);
            }
            (None, Some(zone)) => self.zone = Some(zone.to_owned()),
            _ => {}
        }
        Ok(range)
    }

    /// Takes rows of `start_low, start, end_low, end, end_high, from, to` and perhaps `zone`: gives the number of each
    /// that is a session, and its spans by low, point and high. One without one of its times is none.
    pub(super) fn take(
        &mut self,
        columns: &[ArrayRef],
        mut session: impl FnMut(usize, [Span; 3], Period) -> Result<()>,
    ) -> Result<()> {
        let kind = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let times = columns.iter().take(TIMES).map(|times| cast(times, &kind));
        let times = times.collect::<Result<Vec<ArrayRef>, _>>()?;
        let times: Vec<_> = times.iter().map(|times| times.as_primitive::<TimestampMicrosecondType>()).collect();
        let [start_low, start, end_low, end, end_high, from, to] = times.as_slice() else {
            return exec_err!("{} takes seven times", self.name);
        };
        let zones = columns.get(TIMES).map(|zones| cast(zones, &DataType::Utf8)).transpose()?;
        let zones = zones.as_ref().map(|zones| zones.as_string::<i32>());
        for row in (0..start.len()).filter(|row| from.is_valid(*row) && to.is_valid(*row)) {
            let zone = zones.filter(|zones| zones.is_valid(row)).map(|zones| zones.value(row));
            let range = self.ask(from.value(row), to.value(row), zone)?;
            if times.iter().any(|times| times.is_null(row)) {
                continue;
            }
            let at = EventTime::from_micros;
            let span = |from: i64, to: i64| Span { from: at(from), to: at(to) };
            let (start_low, start) = (start_low.value(row), start.value(row));
            let spans =
                [span(start, end_low.value(row)), span(start, end.value(row)), span(start_low, end_high.value(row))];
            session(row, spans, range)?;
        }
        Ok(())
    }

    /// The zone, if it was asked for.
    pub(super) fn zone(&self) -> Result<Option<Zone>> {
        let named = |name: &String| Zone::named(name).map_err(|error| exec_datafusion_err!("{error}"));
        self.zone.as_ref().map(named).transpose()
    }

    pub(super) fn state(&mut self) -> [ScalarValue; 3] {
        let (from, to) = self.range.map(|range| (range.begin.micros(), range.end.micros())).unzip();
        [ScalarValue::Int64(from), ScalarValue::Int64(to), ScalarValue::Utf8(self.zone.take())]
    }

    /// Takes what [`Self::state`] gave: which of the rows had been asked anything.
    pub(super) fn merge(&mut self, states: &[ArrayRef]) -> Result<Vec<usize>> {
        let [from, to, zone] = states else { return exec_err!("a state of {} lacks columns", self.name) };
        let (from, to) = (from.as_primitive::<Int64Type>(), to.as_primitive::<Int64Type>());
        let zone = zone.as_string::<i32>();
        let asked: Vec<usize> = (0..from.len()).filter(|row| from.is_valid(*row) && to.is_valid(*row)).collect();
        for row in &asked {
            self.ask(from.value(*row), to.value(*row), zone.is_valid(*row).then(|| zone.value(*row)))?;
        }
        Ok(asked)
    }
}
