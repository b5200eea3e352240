//! `spans_by_day(begin, end, zone)` and `spans_by_hour(begin, end, zone)`: a stretch of time cut where days, or full
//! hours, begin on the clocks of a zone. Each piece is a record: `period` (the day) or `weekday` (1: Monday) and
//! `hour`, and its own `begin` and `end`; to be taken apart with `unnest`.
//!
//! A stretch holds its begin and not its end. One without length is one piece without length; one whose end lies before
//! its begin has no piece.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, Date32Array, Int32Array, ListArray, StructArray, TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{exec_datafusion_err, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use event::EventTime;

use super::budget::Budget;
use crate::zone::{Days, Hours, Zone};

/// Where a stretch is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Cut {
    Days,
    Hours,
}

/// What a piece takes in memory: two instants and two numbers.
const PIECE_BYTES: u128 = 24;

/// The deadline is looked at after so many pieces.
const PIECES_A_LOOK: usize = 10_000;

/// Cuts stretches of time.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spans {
    cut: Cut,
    signature: Signature,
}

impl Spans {
    /// `spans_by_day`.
    pub(crate) fn by_day() -> Self {
        Self { cut: Cut::Days, signature: Signature::any(3, Volatility::Immutable) }
    }

    /// `spans_by_hour`.
    pub(crate) fn by_hour() -> Self {
        Self { cut: Cut::Hours, signature: Signature::any(3, Volatility::Immutable) }
    }

    fn zone(&self, zone: &ColumnarValue) -> Result<Zone> {
        let ColumnarValue::Scalar(zone) = zone else {
            return exec_err!("the zone of {} is one text for all rows", self.name());
        };
        let Some(Some(name)) = zone.try_as_str() else {
            return exec_err!("the zone of {} is a text, as in Europe/Berlin", self.name());
        };
        Zone::named(name).map_err(|error| exec_datafusion_err!("{error}"))
    }
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn fields(cut: Cut) -> Fields {
    let mut fields = match cut {
        Cut::Days => vec![Field::new("period", DataType::Date32, false)],
        Cut::Hours => {
            vec![Field::new("weekday", DataType::Int32, false), Field::new("hour", DataType::Int32, false)]
        }
    };
    fields.extend(["begin", "end"].map(|name| Field::new(name, time_type(), false)));
    fields.into()
}

fn item(cut: Cut) -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Struct(fields(cut)), true))
}

impl ScalarUDFImpl for Spans {
    fn name(&self) -> &str {
        match self.cut {
            Cut::Days => "spans_by_day",
            Cut::Hours => "spans_by_hour",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let is_time = |kind: &DataType| matches!(kind, DataType::Timestamp(..) | DataType::Null);
        match arg_types {
            // A value that is bound later has no type yet.
            [begin, end, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null]
                if is_time(begin) && is_time(end) =>
            {
                Ok(DataType::List(item(self.cut)))
            }
            _ => plan_err!("{0} takes two times and a zone, as in {0}(start, end, 'Europe/Berlin')", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let budget = Budget::of(&args.config_options);
        let [begin, end, zone] = args.args.as_slice() else {
            return exec_err!("{} takes three arguments", self.name());
        };
        let zone = self.zone(zone)?;
        let times = |times: &ColumnarValue| cast(&times.to_array(args.number_rows)?, &time_type());
        let (begin, end) = (times(begin)?, times(end)?);
        let mut pieces = Pieces::default();
        let mut lengths = Vec::with_capacity(args.number_rows);
        let mut valid = Vec::with_capacity(args.number_rows);
        let (mut days, mut hours) = (Days::of(&zone), Hours::of(&zone));
        let rows =
            begin.as_primitive::<TimestampMicrosecondType>().iter().zip(end.as_primitive::<TimestampMicrosecondType>());
        for row in rows {
            let before = pieces.begin.len();
            if let (Some(begin), Some(end)) = row {
                let mut at = begin;
                while at < end || (at == end && at == begin) {
                    if pieces.begin.len().is_multiple_of(PIECES_A_LOOK)
                        && let Some(budget) = budget
                    {
                        budget.check_time()?;
                        budget.check_bytes(self.name(), pieces.begin.len() as u128 * PIECE_BYTES)?;
                    }
                    let next = match self.cut {
                        Cut::Days => pieces.day(&mut days, at),
                        Cut::Hours => pieces.hour(&mut hours, at),
                    };
                    pieces.begin.push(at);
                    pieces.end.push(next.min(end));
                    if next >= end {
                        break;
                    }
                    at = next;
                }
            }
            lengths.push(pieces.begin.len() - before);
            valid.push(row.0.is_some() && row.1.is_some());
        }
        let list = ListArray::try_new(
            item(self.cut),
            OffsetBuffer::from_lengths(lengths),
            pieces.records(self.cut)?,
            Some(NullBuffer::from(valid)),
        )?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

/// The pieces of all rows of a batch, column by column.
#[derive(Debug, Default)]
struct Pieces {
    period: Vec<i32>,
    weekday: Vec<i32>,
    hour: Vec<i32>,
    begin: Vec<i64>,
    end: Vec<i64>,
}

impl Pieces {
    /// Notes the day that holds `at`; when the next one begins.
    fn day(&mut self, days: &mut Days<'_>, at: i64) -> i64 {
        let (day, next) = days.day_and_next(EventTime::from_micros(at));
        self.period.push(day.number());
        next.micros()
    }

    /// Notes the hour that holds `at`; when the next full one begins.
    fn hour(&mut self, hours: &mut Hours<'_>, at: i64) -> i64 {
        let hour = hours.hour(EventTime::from_micros(at));
        self.weekday.push(hour.weekday);
        self.hour.push(hour.hour);
        hour.next.micros().max(at.saturating_add(1))
    }

    fn records(self, cut: Cut) -> Result<ArrayRef> {
        let time =
            |micros: Vec<i64>| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC")) };
        let mut columns: Vec<ArrayRef> = match cut {
            Cut::Days => vec![Arc::new(Date32Array::from(self.period))],
            Cut::Hours => vec![Arc::new(Int32Array::from(self.weekday)), Arc::new(Int32Array::from(self.hour))],
        };
        columns.extend([time(self.begin), time(self.end)]);
        Ok(Arc::new(StructArray::try_new(fields(cut), columns, None)?))
    }
}
