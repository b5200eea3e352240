//! How many sessions ran at once, and how long, of sessions as they are: `start_low, start, end_low`, the best guess of
//! their end and `end_high`, within a range.
//!
//! - `most_at_once(start_low, start, end_low, end, end_high, from, to)`: a record of the most of all, `low`, `point`
//!   and `high`.
//! - `most_at_once_by_day(…, from, to, zone)`: a list of such records with the day of each as `period`; days on which
//!   nothing ran are not in it.
//! - `time_at_once(…, from, to)`: a list of records of how long (`micros`) how many (`level`) ran, by `bound`: 1 low,
//!   2 point, 3 high.
//! - `time_by_day(…, from, to, zone)`: a list of records of how long they ran on each day in all, `period`, and in
//!   microseconds `low`, `point` and `high`; days on which no session was are not in it.
//!
//! Lists are taken apart with `unnest`. A row without one of its times is no session, but tells the range.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;
use event::{Day, EventTime};
use insight::measure::{Bounds, Edges, Period, Ran, Span};

use super::within::{TIMES, Within, check_days, is_text, is_time, state_fields};
use crate::zone::Days;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Most,
    MostByDay,
    Time,
    TimeByDay,
}

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct AtOnce {
    kind: Kind,
    signature: Signature,
}

/// All of them.
pub(crate) fn all() -> [AggregateUDF; 4] {
    [Kind::Most, Kind::MostByDay, Kind::Time, Kind::TimeByDay].map(|kind| {
        let arguments = if kind.has_days() { TIMES + 1 } else { TIMES };
        AggregateUDF::from(AtOnce { kind, signature: Signature::any(arguments, Volatility::Immutable) })
    })
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Most => "most_at_once",
            Self::MostByDay => "most_at_once_by_day",
            Self::Time => "time_at_once",
            Self::TimeByDay => "time_by_day",
        }
    }

    fn has_days(self) -> bool {
        matches!(self, Self::MostByDay | Self::TimeByDay)
    }

    fn fields(self) -> Fields {
        let number = |name: &str| Field::new(name, DataType::Int64, false);
        match self {
            Self::Most => ["low", "point", "high"].map(number).to_vec().into(),
            Self::MostByDay | Self::TimeByDay => {
                let day = Field::new("period", DataType::Date32, false);
                [day].into_iter().chain(["low", "point", "high"].map(number)).collect()
            }
            Self::Time => ["bound", "level", "micros"].map(number).to_vec().into(),
        }
    }

    fn record(self) -> DataType {
        DataType::Struct(self.fields())
    }
}

impl AggregateUDFImpl for AtOnce {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let (times, zone) = arg_types.split_at(TIMES.min(arg_types.len()));
        if !times.iter().all(is_time) || !zone.iter().all(is_text) {
            let zone = if self.kind.has_days() { ", zone" } else { "" };
            return plan_err!("{} takes start_low, start, end_low, end, end_high, from, to{zone}", self.name());
        }
        match self.kind {
            Kind::Most => Ok(self.kind.record()),
            Kind::MostByDay | Kind::Time | Kind::TimeByDay => {
                Ok(DataType::List(Arc::new(Field::new_list_field(self.kind.record(), true))))
            }
        }
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let (edges, ran) = (Edges::default(), Ran::default());
        Ok(Box::new(Running { kind: self.kind, edges, ran, within: Within::of(self.kind.name()) }))
    }

    fn state_fields(&self, _args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let numbers = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
        let numbers = Arc::new(Field::new("numbers", numbers, true));
        Ok([numbers].into_iter().chain(state_fields()).collect())
    }
}

/// The sessions so far, and what is asked of them.
#[derive(Debug)]
struct Running {
    kind: Kind,
    /// Of all kinds but the last.
    edges: Edges,
    /// Of [`Kind::TimeByDay`].
    ran: Ran,
    within: Within,
}

impl Running {
    /// The days of the zone on which anything begins or ends, or that lie between, and when each begins.
    fn days(&self) -> Result<(Vec<Day>, Vec<EventTime>)> {
        let (Some((first, last)), Some(zone)) = (self.edges.reach(), self.within.zone()?) else {
            return Ok((Vec::new(), Vec::new()));
        };
        let mut days = Days::of(&zone);
        let (first, last) = (days.day(first), days.day(last));
        check_days(self.kind.name(), first, last)?;
        let all: Vec<Day> = (first.number()..=last.number()).map(Day::from_number).collect();
        let starts = all.iter().map(|day| EventTime::from_micros(days.start(*day))).collect();
        Ok((all, starts))
    }

    fn most(&mut self) -> Result<ScalarValue> {
        let always = [EventTime::from_micros(i64::MIN)];
        let peak = std::mem::take(&mut self.edges).peaks(&always).pop().unwrap_or_default();
        let columns = [peak.low, peak.point, peak.high].map(|one| Arc::new(Int64Array::from(vec![one])) as ArrayRef);
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(self.kind.fields(), columns.to_vec(), None)?)))
    }

    fn most_by_day(&mut self) -> Result<ScalarValue> {
        let (days, starts) = self.days()?;
        let peaks = std::mem::take(&mut self.edges).peaks(&starts);
        self.by_day(&days.into_iter().zip(peaks).filter(|(_, peak)| peak.high > 0).collect::<Vec<_>>())
    }

    fn by_day(&self, days: &[(Day, Bounds<i64>)]) -> Result<ScalarValue> {
        let of = |bound: &dyn Fn(&Bounds<i64>) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(days.iter().map(|(_, bounds)| bound(bounds))))
        };
        let period = Date32Array::from_iter_values(days.iter().map(|(day, _)| day.number()));
        let columns = vec![Arc::new(period) as ArrayRef, of(&|day| day.low), of(&|day| day.point), of(&|day| day.high)];
        self.list(columns)
    }

    /// Adds `sessions`, cut where days begin.
    fn cut(&mut self, sessions: Vec<([Span; 3], Period)>) -> Result<()> {
        let Some(zone) = self.within.zone()? else { return Ok(()) };
        let mut days = Days::of(&zone);
        for (spans, range) in sessions {
            let first = spans.iter().map(|span| span.from.max(range.begin)).min().unwrap_or(range.begin);
            let last = spans.iter().map(|span| span.to.min(range.end)).max().unwrap_or(first);
            check_days(self.kind.name(), days.day(first), days.day(last.max(first)))?;
            self.ran.add(spans, range, |at| days.day_and_next(at));
        }
        self.ran.reach().map_or(Ok(()), |(first, last)| check_days(self.kind.name(), first, last))
    }

    fn time(&mut self) -> Result<ScalarValue> {
        let levels = self.within.range.map(|range| std::mem::take(&mut self.edges).levels(range)).unwrap_or_default();
        let (mut bound, mut level, mut micros) = (Vec::new(), Vec::new(), Vec::new());
        for (number, levels) in (1_i64..).zip(levels) {
            for (servers, lasted) in (0_i64..).zip(levels).filter(|(_, lasted)| *lasted > 0) {
                bound.push(number);
                level.push(servers);
                micros.push(lasted);
            }
        }
        self.list([bound, level, micros].map(|column| Arc::new(Int64Array::from(column)) as ArrayRef).to_vec())
    }

    fn list(&self, columns: Vec<ArrayRef>) -> Result<ScalarValue> {
        let records: ArrayRef = Arc::new(StructArray::try_new(self.kind.fields(), columns, None)?);
        Ok(SingleRowListArrayBuilder::new(records).build_list_scalar())
    }
}

impl Accumulator for Running {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if self.kind != Kind::TimeByDay {
            return self.within.take(values, |_, spans, range| {
                self.edges.add(spans, range);
                Ok(())
            });
        }
        // Which zone it is stands in the rows.
        let mut sessions = Vec::with_capacity(values.first().map_or(0, |times| times.len()));
        self.within.take(values, |_, spans, range| {
            sessions.push((spans, range));
            Ok(())
        })?;
        self.cut(sessions)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.kind {
            Kind::Most => self.most(),
            Kind::MostByDay => self.most_by_day(),
            Kind::Time => self.time(),
            Kind::TimeByDay => {
                let days: Vec<_> = std::mem::take(&mut self.ran).by_day().collect();
                self.by_day(&days)
            }
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.edges.bytes() + self.ran.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let numbers = match self.kind {
            Kind::TimeByDay => std::mem::take(&mut self.ran).into_numbers(),
            _ => std::mem::take(&mut self.edges).into_numbers(),
        };
        let numbers: ArrayRef = Arc::new(Int64Array::from(numbers));
        let numbers = SingleRowListArrayBuilder::new(numbers).build_list_scalar();
        Ok([numbers].into_iter().chain(self.within.state()).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some((numbers, asked)) = states.split_first() else {
            return exec_err!("{} has a state of four columns", self.kind.name());
        };
        let numbers = numbers.as_list::<i32>();
        for row in self.within.merge(asked)?.into_iter().filter(|row| numbers.is_valid(*row)) {
            let numbers = numbers.value(row);
            let numbers = numbers.as_primitive::<Int64Type>().values();
            match self.kind {
                Kind::TimeByDay => self.ran.extend(numbers),
                _ => self.edges.extend(numbers),
            }
        }
        Ok(())
    }
}
