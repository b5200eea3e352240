//! `most_starts_by_day(server, time, short, long, from, to, zone)`: a list of records of the most starts within `short`
//! and within `long` seconds, by the day of the last of them, `period`, `short` and `long`, to be taken apart with
//! `unnest`. Days without a start are not in it. A server is a number, as `key_of` gives it; one that is told of again
//! within a second has not started again. Starts before `from` count for stretches that end after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, StructArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;
use event::{Day, EventTime};
use insight::measure::{Starts, within};
use insight::session::Micros;

use super::within::{Within, check_days, is_text, is_time, state_fields};
use crate::zone::Days;

const NAME: &str = "most_starts_by_day";

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct MostStarts(Signature);

/// The function.
pub(crate) fn most_starts_by_day() -> AggregateUDF {
    AggregateUDF::from(MostStarts(Signature::any(7, Volatility::Immutable)))
}

fn fields() -> Fields {
    let number = |name: &str| Field::new(name, DataType::Int64, false);
    [Field::new("period", DataType::Date32, false), number("short"), number("long")].to_vec().into()
}

fn list_of(kind: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(kind, true)))
}

impl AggregateUDFImpl for MostStarts {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let is_number = |kind: &DataType| kind.is_integer() || kind.is_null();
        match arg_types {
            [server, time, short, long, from, to, zone]
                if [server, short, long].into_iter().all(is_number)
                    && [time, from, to].into_iter().all(is_time)
                    && is_text(zone) =>
            {
                Ok(list_of(DataType::Struct(fields())))
            }
            _ => plan_err!("{NAME} takes server, time, short, long, from, to, zone"),
        }
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Running { starts: Starts::default(), widths: None, within: Within::of(NAME) }))
    }

    fn state_fields(&self, _args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let starts = Field::new("starts", list_of(DataType::Int64), true);
        let widths = ["short", "long"].map(|name| Field::new(name, DataType::Int64, true));
        Ok([starts].into_iter().chain(widths).map(Arc::new).chain(state_fields()).collect())
    }
}

/// The starts so far, and what is asked of them.
#[derive(Debug)]
struct Running {
    starts: Starts,
    /// In seconds.
    widths: Option<[i64; 2]>,
    within: Within,
}

impl Running {
    fn ask(&mut self, widths: [i64; 2]) -> Result<()> {
        if widths.iter().any(|width| *width <= 0) {
            return exec_err!("{NAME} takes lengths of more than 0 seconds");
        }
        if self.widths.is_some_and(|known| known != widths) {
            return exec_err!("{NAME} takes the same lengths of all rows");
        }
        self.widths = Some(widths);
        Ok(())
    }

    /// The most within either length, by day.
    fn by_day(&mut self) -> Result<BTreeMap<Day, [u64; 2]>> {
        let mut days = BTreeMap::new();
        let (Some(range), Some(widths), Some(zone)) = (self.within.range, self.widths, self.within.zone()?) else {
            return Ok(days);
        };
        let times = std::mem::take(&mut self.starts).counted();
        let mut day_of = Days::of(&zone);
        let mut asked = times.iter().filter(|at| range.holds(**at));
        if let (Some(first), Some(last)) = (asked.next(), asked.next_back()) {
            check_days(NAME, day_of.day(*first), day_of.day(*last))?;
        }
        let [short, long] = widths.map(|width| within(&times, Micros::from_secs(width)));
        for ((at, short), long) in times.iter().zip(short).zip(long).filter(|((at, _), _)| range.holds(**at)) {
            let most: &mut [u64; 2] = days.entry(day_of.day(*at)).or_default();
            *most = [most[0].max(short), most[1].max(long)];
        }
        Ok(days)
    }
}

impl Accumulator for Running {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [server, time, short, long, from, to, zone] = values else { return exec_err!("{NAME} takes seven values") };
        let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let [server, short, long] =
            [cast(server, &DataType::Int64)?, cast(short, &DataType::Int64)?, cast(long, &DataType::Int64)?];
        let [server, short, long] = [&server, &short, &long].map(|column| column.as_primitive::<Int64Type>());
        let [time, from, to] = [cast(time, &instant)?, cast(from, &instant)?, cast(to, &instant)?];
        let [time, from, to] = [&time, &from, &to].map(|column| column.as_primitive::<TimestampMicrosecondType>());
        let zone = cast(zone, &DataType::Utf8)?;
        let zone = zone.as_string::<i32>();
        for row in 0..server.len() {
            let is_asked = from.is_valid(row) && to.is_valid(row) && short.is_valid(row) && long.is_valid(row);
            if !is_asked || server.is_null(row) || time.is_null(row) {
                continue;
            }
            self.within.ask(from.value(row), to.value(row), zone.is_valid(row).then(|| zone.value(row)))?;
            self.ask([short.value(row), long.value(row)])?;
            self.starts.add(server.value(row), EventTime::from_micros(time.value(row)));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let days = self.by_day()?;
        let most = |which: usize| -> ArrayRef {
            let number = |most: &[u64; 2]| i64::try_from(most[which]).unwrap_or(i64::MAX);
            Arc::new(Int64Array::from_iter_values(days.values().map(number)))
        };
        let period = Date32Array::from_iter_values(days.keys().map(|day| day.number()));
        let columns = vec![Arc::new(period) as ArrayRef, most(0), most(1)];
        let records: ArrayRef = Arc::new(StructArray::try_new(fields(), columns, None)?);
        Ok(SingleRowListArrayBuilder::new(records).build_list_scalar())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.starts.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let starts: ArrayRef = Arc::new(Int64Array::from(std::mem::take(&mut self.starts).into_numbers()));
        let starts = SingleRowListArrayBuilder::new(starts).build_list_scalar();
        let (short, long) = self.widths.map(|[short, long]| (short, long)).unzip();
        let widths = [ScalarValue::Int64(short), ScalarValue::Int64(long)];
        Ok([starts].into_iter().chain(widths).chain(self.within.state()).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [starts, short, long, asked @ ..] = states else { return exec_err!("{NAME} has a state of six columns") };
        let (short, long) = (short.as_primitive::<Int64Type>(), long.as_primitive::<Int64Type>());
        let starts = starts.as_list::<i32>();
        for row in self.within.merge(asked)?.into_iter().filter(|row| starts.is_valid(*row) && short.is_valid(*row)) {
            self.ask([short.value(row), long.value(row)])?;
            self.starts.extend(starts.value(row).as_primitive::<Int64Type>().values());
        }
        Ok(())
    }
}
