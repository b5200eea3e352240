//! Makes the rows of a time series complete: each period that the data cover has one, 0 when nothing happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, Int64Type};
use datafusion::arrow::error::ArrowError;
use event::Day;

use super::Grain;
use super::range::{TimeRange, period_end, periods};
use crate::answer::Answer;

/// The rows of `answer` (`period`, `value`) with zeros where `covered` says that nothing happened. Periods outside what
/// is covered get no row.
pub(crate) fn zeros(
    answer: Answer,
    grain: Grain,
    range: TimeRange,
    covered: Option<TimeRange>,
) -> Result<Answer, ArrowError> {
    let mut values = values(&answer)?;
    if let Some(covered) = covered {
        for period in periods(grain, range) {
            if covered.from < period_end(grain, period) && period < covered.to {
                values.entry(period).or_insert(0);
            }
        }
    }
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(values.keys().map(|day| day.number())));
    let counts: ArrayRef = Arc::new(Int64Array::from_iter_values(values.values().copied()));
    let schema = Arc::clone(answer.schema());
    let columns = [days, counts]
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    let batch = RecordBatch::try_new(schema, columns)?;
    Ok(answer.with_batches(if batch.num_rows() == 0 { Vec::new() } else { vec![batch] }))
}

/// Value of each period; of a KPI with a grain the first column is the period and the second the value.
pub(crate) fn values(answer: &Answer) -> Result<BTreeMap<Day, i64>, ArrowError> {
    let mut values = BTreeMap::new();
    for batch in &answer.batches {
        let [period, value] = batch.columns() else {
            return Err(ArrowError::SchemaError("a time series has two columns, period and value".to_owned()));
        };
        let (period, value) = (cast(period, &DataType::Date32)?, cast(value, &DataType::Int64)?);
        let (period, value) = (period.as_primitive::<Date32Type>(), value.as_primitive::<Int64Type>());
        for row in (0..batch.num_rows()).filter(|row| period.is_valid(*row) && value.is_valid(*row)) {
            values.insert(Day::from_number(period.value(row)), value.value(row));
        }
    }
    Ok(values)
}

/// The values of a time series to draw; of anything else none.
pub(crate) fn series_values(answer: &super::KpiAnswer) -> BTreeMap<Day, i64> {
    values(&answer.answer).unwrap_or_default()
}
