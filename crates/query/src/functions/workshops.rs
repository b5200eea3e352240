//! `workshops(repo, time, repeat, people, from, to)`: a list of when the workshops begin, of `people` launches within
//! an hour or more each, to be taken apart with `unnest`. A repository is a number, as `key_of` gives it, and so is
//! `repeat`, as `repeat_key` does. Launches from 28 hours before the range to 25 hours after it say whether one is.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, TimestampMicrosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;
use event::EventTime;
use insight::measure::Launches;

use super::within::{Within, is_time, state_fields};

const NAME: &str = "workshops";

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Workshops(Signature);

/// The function.
pub(crate) fn workshops() -> AggregateUDF {
    AggregateUDF::from(Workshops(Signature::any(6, Volatility::Immutable)))
}

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn list_of(kind: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(kind, true)))
}

impl AggregateUDFImpl for Workshops {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let is_number = |kind: &DataType| kind.is_integer() || kind.is_null();
        match arg_types {
            [repo, time, repeat, people, from, to]
                if [repo, repeat, people].into_iter().all(is_number) && [time, from, to].into_iter().all(is_time) =>
            {
                Ok(list_of(instant()))
            }
            _ => plan_err!("{NAME} takes repo, time, repeat, people, from, to"),
        }
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Running { launches: Launches::default(), people: None, within: Within::of(NAME) }))
    }

    fn state_fields(&self, _args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let launches = Field::new("launches", list_of(DataType::Int64), true);
        let people = Field::new("people", DataType::Int64, true);
        Ok([launches, people].into_iter().map(Arc::new).chain(state_fields()).collect())
    }
}

/// The launches so far, and what is asked of them.
#[derive(Debug)]
struct Running {
    launches: Launches,
    people: Option<i64>,
    within: Within,
}

impl Running {
    fn ask(&mut self, people: i64) -> Result<()> {
        if self.people.is_some_and(|known| known != people) {
            return exec_err!("{NAME} takes the same number of people of all rows");
        }
        self.people = Some(people);
        Ok(())
    }
}

impl Accumulator for Running {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [repo, time, repeat, people, from, to] = values else { return exec_err!("{NAME} takes six values") };
        let number = |column: &ArrayRef| cast(column, &DataType::Int64);
        let [repo, repeat, people] = [number(repo)?, number(repeat)?, number(people)?];
        let [repo, repeat, people] = [&repo, &repeat, &people].map(|column| column.as_primitive::<Int64Type>());
        let [time, from, to] = [cast(time, &instant())?, cast(from, &instant())?, cast(to, &instant())?];
        let [time, from, to] = [&time, &from, &to].map(|column| column.as_primitive::<TimestampMicrosecondType>());
        for row in (0..repo.len()).filter(|row| repo.is_valid(*row) && time.is_valid(*row)) {
            if from.is_null(row) || to.is_null(row) || people.is_null(row) {
                continue;
            }
            self.within.ask(from.value(row), to.value(row), None)?;
            self.ask(people.value(row))?;
            let repeat = repeat.is_valid(row).then(|| repeat.value(row));
            self.launches.add(repo.value(row), EventTime::from_micros(time.value(row)), repeat);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let launches = std::mem::take(&mut self.launches);
        let begins = match (self.people.map(u64::try_from), self.within.range) {
            (Some(Ok(people)), Some(range)) => launches.workshops(people, range),
            _ => Vec::new(),
        };
        let begins = TimestampMicrosecondArray::from_iter_values(begins.into_iter().map(EventTime::micros));
        Ok(SingleRowListArrayBuilder::new(Arc::new(begins.with_timezone("UTC"))).build_list_scalar())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.launches.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let launches: ArrayRef = Arc::new(Int64Array::from(std::mem::take(&mut self.launches).into_numbers()));
        let launches = SingleRowListArrayBuilder::new(launches).build_list_scalar();
        Ok([launches, ScalarValue::Int64(self.people)].into_iter().chain(self.within.state()).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [launches, people, asked @ ..] = states else { return exec_err!("{NAME} has a state of five columns") };
        let (launches, people) = (launches.as_list::<i32>(), people.as_primitive::<Int64Type>());
        for row in self.within.merge(asked)?.into_iter().filter(|row| launches.is_valid(*row) && people.is_valid(*row))
        {
            self.ask(people.value(row))?;
            self.launches.extend(launches.value(row).as_primitive::<Int64Type>().values());
        }
        Ok(())
    }
}
