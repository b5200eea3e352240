//! Makes the rows of a time series complete: each period has its row, 0 when nothing happened and without a value when
//! nobody watched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, RecordBatch, StringArray, StringViewArray,
};
use datafusion::arrow::compute::{cast, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, Float64Type, Schema};
use datafusion::arrow::error::ArrowError;
use event::Day;
use insight::measure::Bounds;

use super::Shape;
use super::range::TimeRange;
use crate::answer::Answer;

/// Series that a split shows; the rest are added up. More cannot be told apart on a chart, and each has a row for each
/// period.
pub(crate) const SERIES_MAX: usize = 12;

/// The name of what is beyond [`SERIES_MAX`].
const OTHER: &str = "other";

/// Least denominator of a percentage; below it a percentage says more than the figures do.
pub(crate) const DENOMINATOR_MIN: f64 = 20.0;

/// A period that has a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    /// Its first day.
    pub(crate) start: Day,
    /// Whether any of its days is covered.
    pub(crate) is_covered: bool,
}

/// A complete time series.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Its rows.
    pub(crate) answer: Answer,
    /// What it was made of: the rows of the statement.
    pub(crate) told: Answer,
    /// Names of the series of a split, largest first.
    pub(crate) names: Vec<String>,
    /// How many further ones are added up in the last of them.
    pub(crate) folded: usize,
}

impl Series {
    /// Rows that are no periods, as they are.
    pub(crate) fn of(told: Answer) -> Self {
        Self { answer: told.clone(), told, names: Vec::new(), folded: 0 }
    }

    /// The rows of `told`, one for each of `periods` (and, of a split, each series).
    pub(crate) fn complete(told: Answer, shape: &Shape, periods: &[Period]) -> Result<Self, ArrowError> {
        let answer = told.clone();
        let (answer, (names, folded)) = match shape {
            Shape::Plain => (plain(answer, periods)?, Default::default()),
            Shape::Split(_) => split(answer, periods)?,
            Shape::Ratio => (ratio(answer, periods)?, Default::default()),
            Shape::Bounds => (bounds(answer, periods)?, Default::default()),
        };
        Ok(Self { answer, told, names, folded })
    }

    /// What the statement told of the periods that begin in `range`; of no periods, all.
    pub(crate) fn told_of(&self, range: TimeRange) -> Result<Answer, ArrowError> {
        let mut told = self.told.clone();
        for batch in &mut told.batches {
            let Some(periods) = batch.column_by_name("period") else { continue };
            let periods = cast(periods, &DataType::Date32)?;
            let periods = periods.as_primitive::<Date32Type>().iter();
            let is_asked: BooleanArray =
                periods.map(|day| Some(day.is_some_and(|day| range.holds(Day::from_number(day))))).collect();
            *batch = filter_record_batch(batch, &is_asked)?;
        }
        Ok(told)
    }
}

fn plain(answer: Answer, periods: &[Period]) -> Result<Answer, ArrowError> {
    let mut values: BTreeMap<Day, Option<f64>> = periods.iter().map(|period| (period.start, empty(*period))).collect();
    let gaps: BTreeSet<Day> = periods.iter().filter(|period| !period.is_covered).map(|period| period.start).collect();
    for (day, [value]) in numbers(&answer, ["value"])? {
        // Of a window that ends with a day nobody watched a number is known, but nothing of the day.
        if !gaps.contains(&day) {
            values.insert(day, value);
        }
    }
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(values.keys().map(|day| day.number())));
    let column: ArrayRef = Arc::new(values.values().copied().collect::<Float64Array>());
    replaced(answer, vec![days, column])
}

/// Its rows, and the names of its series with how many further ones the last of them stands for.
fn split(answer: Answer, periods: &[Period]) -> Result<(Answer, (Vec<String>, usize)), ArrowError> {
    let mut rows: BTreeMap<Day, BTreeMap<String, f64>> = BTreeMap::new();
    let mut totals: BTreeMap<String, f64> = BTreeMap::new();
    for batch in &answer.batches {
        let [period, name, value] = batch.columns() else {
            return Err(wrong("a split has the columns period, the split and value"));
        };
        let names = cast(name, &DataType::Utf8)?;
        let (periods, values) = (cast(period, &DataType::Date32)?, cast(value, &DataType::Float64)?);
        let (periods, values) = (periods.as_primitive::<Date32Type>(), values.as_primitive::<Float64Type>());
        let names: &StringArray = names.as_string();
        for row in (0..batch.num_rows()).filter(|row| periods.is_valid(*row)) {
            let name = if names.is_valid(row) { names.value(row) } else { "" };
            let value = values.value(row);
            *totals.entry(name.to_owned()).or_default() += value;
            *rows.entry(Day::from_number(periods.value(row))).or_default().entry(name.to_owned()).or_default() += value;
        }
    }
    let (names, folded) = largest(totals);
    let shown: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut days = Vec::new();
    let mut series = Vec::new();
    let mut values = Vec::new();
    let known: BTreeMap<Day, Option<f64>> = periods.iter().map(|period| (period.start, empty(*period))).collect();
    let all: BTreeSet<Day> = known.keys().chain(rows.keys()).copied().collect();
    for day in all {
        let of_day = rows.remove(&day).unwrap_or_default();
        let rest: f64 = of_day.iter().filter(|(name, _)| !shown.contains(name.as_str())).map(|(_, value)| value).sum();
        for name in &names {
            let own = of_day.get(name).copied();
            let value = if folded > 0 && name == OTHER { Some(own.unwrap_or(0.0) + rest) } else { own };
            // A period nobody watched has no rows, so that no part of it can be a number.
            let is_gap = of_day.is_empty() && known.get(&day).is_some_and(Option::is_none);
            days.push(day.number());
            series.push(name.as_str());
            values.push(if is_gap { None } else { Some(value.unwrap_or(0.0)) });
        }
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(days)),
        Arc::new(StringViewArray::from_iter_values(series)),
        Arc::new(Float64Array::from(values)),
    ];
    Ok((replaced(answer, columns)?, (names, folded)))
}

/// Names by size, and how many further ones there are, for which `other` then stands last.
fn largest(totals: BTreeMap<String, f64>) -> (Vec<String>, usize) {
    let mut sorted: Vec<(String, f64)> = totals.into_iter().collect();
    sorted.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    let folded = match sorted.len() {
        len if len > SERIES_MAX => len - (SERIES_MAX - 1),
        _ => 0,
    };
    let mut names: Vec<String> = sorted.into_iter().map(|(name, _)| name).collect();
    if folded > 0 {
        names.truncate(SERIES_MAX - 1);
        names.retain(|name| name != OTHER);
        names.push(OTHER.to_owned());
    }
    (names, folded)
}

/// Columns of a number between two others.
const BOUNDS: [&str; 3] = ["value_low", "value", "value_high"];

fn bounds(answer: Answer, periods: &[Period]) -> Result<Answer, ArrowError> {
    let mut found: BTreeMap<Day, [Option<f64>; 3]> =
        periods.iter().map(|period| (period.start, [empty(*period); 3])).collect();
    for (day, values) in numbers(&answer, BOUNDS)? {
        found.insert(day, values);
    }
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(found.keys().map(|day| day.number())));
    let side = |at: usize| -> ArrayRef {
        Arc::new(found.values().map(|values| values.get(at).copied().flatten()).collect::<Float64Array>())
    };
    replaced(answer, vec![days, side(0), side(1), side(2)])
}

/// Percent of a numerator in a denominator, with both; without a percentage where the denominator is small.
fn ratio(answer: Answer, periods: &[Period]) -> Result<Answer, ArrowError> {
    let mut found: BTreeMap<Day, [Option<f64>; 2]> =
        periods.iter().filter(|period| !period.is_covered).map(|period| (period.start, [None, None])).collect();
    let is_gap: BTreeSet<Day> = found.keys().copied().collect();
    let zeros = periods.iter().filter(|period| period.is_covered).map(|period| (period.start, [Some(0.0), Some(0.0)]));
    found.extend(zeros);
    for (day, both) in numbers(&answer, ["numerator", "denominator"])? {
        // Of a day that nobody watched the denominator is known, but nothing of the day; of tomorrow nothing is said.
        if found.contains_key(&day) && !is_gap.contains(&day) {
            found.insert(day, both);
        }
    }
    let percent = |[numerator, denominator]: &[Option<f64>; 2]| match (numerator, denominator) {
        (Some(numerator), Some(denominator)) if *denominator >= DENOMINATOR_MIN => {
            Some(100.0 * numerator / denominator)
        }
        _ => None,
    };
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(found.keys().map(|day| day.number())));
    let percents: ArrayRef = Arc::new(found.values().map(percent).collect::<Float64Array>());
    let side = |at: usize| -> Result<ArrayRef, ArrowError> {
        let values: Float64Array = found.values().map(|both| both.get(at).copied().flatten()).collect();
        cast(&values, &DataType::Int64)
    };
    let schema = Arc::new(Schema::new(vec![
        Field::new("period", DataType::Date32, false),
        Field::new("value", DataType::Float64, true),
        Field::new("numerator", DataType::Int64, true),
        Field::new("denominator", DataType::Int64, true),
    ]));
    let batch = RecordBatch::try_new(schema, vec![days, percents, side(0)?, side(1)?])?;
    Ok(answer.with_rows(batch))
}

/// The rows of `answer`, of numbers between two others, with those that are foretold in the place of their own, and a
/// column that says which are.
pub(crate) fn with_foretold(answer: Answer, foretold: &BTreeMap<Day, Bounds<f64>>) -> Result<Answer, ArrowError> {
    let mut found: BTreeMap<Day, [Option<f64>; 3]> = numbers(&answer, BOUNDS)?.into_iter().collect();
    found.extend(foretold.iter().map(|(day, week)| (*day, [Some(week.low), Some(week.point), Some(week.high)])));
    let side = |at: usize| -> ArrayRef {
        Arc::new(found.values().map(|values| values.get(at).copied().flatten()).collect::<Float64Array>())
    };
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(found.keys().map(|day| day.number())));
    let is_foretold: BooleanArray = found.keys().map(|day| Some(foretold.contains_key(day))).collect();
    let mut fields = vec![Field::new("period", DataType::Date32, false)];
    fields.extend(BOUNDS.map(|name| Field::new(name, DataType::Float64, true)));
    fields.push(Field::new("foretold", DataType::Boolean, false));
    let columns = vec![days, side(0), side(1), side(2), Arc::new(is_foretold)];
    Ok(answer.with_rows(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?))
}

fn empty(period: Period) -> Option<f64> {
    period.is_covered.then_some(0.0)
}

/// The answer with these columns instead of its own, of its own types.
fn replaced(answer: Answer, columns: Vec<ArrayRef>) -> Result<Answer, ArrowError> {
    let fields = answer.schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    if columns.len() != schema.fields().len() {
        return Err(wrong("a time series has the columns period and value, and its bounds if it has any"));
    }
    let columns = columns
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(answer.with_rows(RecordBatch::try_new(schema, columns)?))
}

/// Some numbers of each period.
type Numbers<const N: usize> = Vec<(Day, [Option<f64>; N])>;

/// The numbers of each period: a column called `period` and those called `names`.
fn numbers<const N: usize>(answer: &Answer, names: [&str; N]) -> Result<Numbers<N>, ArrowError> {
    let mut found = Vec::new();
    for batch in &answer.batches {
        let column =
            |name: &str| batch.column_by_name(name).ok_or_else(|| wrong(&format!("the column {name} is missing")));
        let periods = cast(column("period")?, &DataType::Date32)?;
        let periods = periods.as_primitive::<Date32Type>();
        let mut columns = Vec::with_capacity(N);
        for name in names {
            columns.push(cast(column(name)?, &DataType::Float64)?);
        }
        for row in (0..batch.num_rows()).filter(|row| periods.is_valid(*row)) {
            let mut values = [None; N];
            for (value, column) in values.iter_mut().zip(&columns) {
                *value = column.is_valid(row).then(|| column.as_primitive::<Float64Type>().value(row));
            }
            found.push((Day::from_number(periods.value(row)), values));
        }
    }
    Ok(found)
}

fn wrong(problem: &str) -> ArrowError {
    ArrowError::SchemaError(problem.to_owned())
}

/// The value of each period of a time series, those of a split added up; periods without one are left out.
pub(crate) fn values(answer: &Answer) -> BTreeMap<Day, f64> {
    let mut values = BTreeMap::new();
    for (day, [value]) in numbers(answer, ["value"]).unwrap_or_default() {
        if let Some(value) = value {
            *values.entry(day).or_default() += value;
        }
    }
    values
}

/// Lower and upper bound of each period that has both.
pub(crate) fn outer(answer: &Answer) -> BTreeMap<Day, (f64, f64)> {
    let found = numbers(answer, ["value_low", "value_high"]).unwrap_or_default();
    found.into_iter().filter_map(|(day, [low, high])| Some((day, (low?, high?)))).collect()
}

/// Numerator and denominator of each period of a ratio that has both.
pub(crate) fn ratios(answer: &Answer) -> BTreeMap<Day, (f64, f64)> {
    let found = numbers(answer, ["numerator", "denominator"]).unwrap_or_default();
    found.into_iter().filter_map(|(day, [numerator, denominator])| Some((day, (numerator?, denominator?)))).collect()
}

/// Which series of a split has most, and how much.
pub(crate) fn leader(answer: &Answer, split: &str) -> Option<(String, f64)> {
    let mut totals: BTreeMap<String, f64> = BTreeMap::new();
    let places = |name: &str| answer.columns.iter().position(|column| column.name == name);
    let (name_at, value_at) = (places(split)?, places("value")?);
    for cells in answer.cells() {
        if let (Some(name), Some(value)) = (cells.get(name_at), cells.get(value_at).and_then(|value| value.number())) {
            *totals.entry(name.text()).or_default() += value;
        }
    }
    let mut sorted: Vec<(String, f64)> = totals.into_iter().filter(|(name, _)| name != OTHER).collect();
    sorted.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    sorted.into_iter().next().filter(|(_, value)| *value > 0.0)
}
