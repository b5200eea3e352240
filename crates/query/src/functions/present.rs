//! `people_by_day(start_low, start, end_low, end, end_high, from, to, zone, person)`: a list of records of how many
//! different people had a session on each day, `period`, `low`, `point` and `high`, to be taken apart with `unnest`.
//! Days on which nobody had are not in it. A person is a number, as `key_of` gives it.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, StructArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{HashMap, exec_datafusion_err, exec_err, plan_err, resources_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;
use event::EventTime;
use insight::measure::{Bounds, Present};

use super::within::{TIMES, Within, check_days, is_text, is_time, state_fields};
use crate::zone::Days;

const NAME: &str = "people_by_day";

/// What one call may gather between two looks at the memory of all.
const BYTES_MAX: usize = 256 << 20;

/// What a person takes: two numbers, and the room that a map leaves.
const PERSON_BYTES: usize = 32;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct PeopleByDay(Signature);

/// The function.
pub(crate) fn people_by_day() -> AggregateUDF {
    AggregateUDF::from(PeopleByDay(Signature::any(TIMES + 2, Volatility::Immutable)))
}

fn fields() -> Fields {
    let number = |name: &str| Field::new(name, DataType::Int64, false);
    let day = Field::new("period", DataType::Date32, false);
    [day].into_iter().chain(["low", "point", "high"].map(number)).collect()
}

fn list_of(kind: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(kind, true)))
}

impl AggregateUDFImpl for PeopleByDay {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let (times, rest) = arg_types.split_at(TIMES.min(arg_types.len()));
        let is_right = |zone: &DataType, person: &DataType| is_text(zone) && (person.is_integer() || person.is_null());
        if !times.iter().all(is_time) || !matches!(rest, [zone, person] if is_right(zone, person)) {
            return plan_err!("{NAME} takes start_low, start, end_low, end, end_high, from, to, zone, person");
        }
        Ok(list_of(DataType::Struct(fields())))
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(People { numbers: Numbers::default(), present: Present::default(), within: Within::of(NAME) }))
    }

    fn state_fields(&self, _args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let lists = ["people", "numbers"].map(|name| Arc::new(Field::new(name, list_of(DataType::Int64), true)));
        Ok(lists.into_iter().chain(state_fields()).collect())
    }
}

/// The people so far, each with a small number, from 0.
#[derive(Debug, Default)]
struct Numbers(HashMap<i64, u32>);

impl Numbers {
    fn of(&mut self, person: i64) -> Result<u32> {
        let next = u32::try_from(self.0.len()).map_err(|_| exec_datafusion_err!("{NAME} has too many people"))?;
        Ok(*self.0.entry(person).or_insert(next))
    }

    fn in_order(self) -> Vec<i64> {
        let mut people: Vec<(u32, i64)> = self.0.into_iter().map(|(person, number)| (number, person)).collect();
        people.sort_unstable();
        people.into_iter().map(|(_, person)| person).collect()
    }
}

/// Who was there so far.
#[derive(Debug)]
struct People {
    numbers: Numbers,
    present: Present,
    within: Within,
}

impl Accumulator for People {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some((person, values)) = values.split_last() else { return exec_err!("{NAME} takes a person") };
        let person = cast(person, &DataType::Int64)?;
        let person = person.as_primitive::<Int64Type>();
        // Which zone it is stands in the rows.
        let mut taken = Vec::with_capacity(person.len());
        self.within.take(values, |row, spans, range| {
            taken.push((row, spans, range));
            Ok(())
        })?;
        let Some(zone) = self.within.zone()? else { return Ok(()) };
        let mut days = Days::of(&zone);
        for (row, spans, range) in taken.into_iter().filter(|(row, ..)| person.is_valid(*row)) {
            let number = self.numbers.of(person.value(row))?;
            let first = spans.iter().map(|span| span.from.max(range.begin)).min().unwrap_or(range.begin);
            let last = spans.iter().map(|span| span.to.min(range.end)).max().unwrap_or(first);
            check_days(NAME, days.day(first), days.day(last.max(first)))?;
            self.present.add(number, spans, range, |at: EventTime| days.day(at));
            if self.present.bytes() > BYTES_MAX {
                return resources_err!("{NAME} needs more than {} MiB", BYTES_MAX >> 20);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let days = std::mem::take(&mut self.present).by_day();
        let of = |bound: &dyn Fn(&Bounds<i64>) -> i64| -> ArrayRef {
            Arc::new(days.iter().map(|(_, people)| Some(bound(people))).collect::<Int64Array>())
        };
        let period: Date32Array = days.iter().map(|(day, _)| Some(day.number())).collect();
        let columns = vec![
            Arc::new(period) as ArrayRef,
            of(&|people| people.low),
            of(&|people| people.point),
            of(&|people| people.high),
        ];
        let records: ArrayRef = Arc::new(StructArray::try_new(fields(), columns, None)?);
        Ok(SingleRowListArrayBuilder::new(records).build_list_scalar())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.present.bytes() + self.numbers.0.capacity() * PERSON_BYTES
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let people: ArrayRef = Arc::new(Int64Array::from(std::mem::take(&mut self.numbers).in_order()));
        let numbers: ArrayRef = Arc::new(Int64Array::from(std::mem::take(&mut self.present).into_numbers()));
        let lists = [people, numbers].map(|column| SingleRowListArrayBuilder::new(column).build_list_scalar());
        Ok(lists.into_iter().chain(self.within.state()).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [people, numbers, asked @ ..] = states else { return exec_err!("{NAME} has a state of five columns") };
        let (people, numbers) = (people.as_list::<i32>(), numbers.as_list::<i32>());
        for row in self.within.merge(asked)?.into_iter().filter(|row| people.is_valid(*row) && numbers.is_valid(*row)) {
            let people = people.value(row);
            let own = people.as_primitive::<Int64Type>().values().iter().map(|person| self.numbers.of(*person));
            let own = own.collect::<Result<Vec<u32>>>()?;
            let person = |theirs: u32| own.get(theirs as usize).copied().unwrap_or(theirs);
            self.present.extend(numbers.value(row).as_primitive::<Int64Type>().values(), person);
        }
        Ok(())
    }
}
