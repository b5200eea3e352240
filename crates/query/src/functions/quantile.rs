//! `length_percentiles(micros, is_censored)`: a list of the lengths in seconds that 1, 2, … 99 of 100 of the lengths do
//! not exceed (`[50]`: the median), by the estimate of Kaplan and Meier. A censored length is one that still went on
//! when it was last watched. NULL where too few were seen to end.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::exec_err;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, AggregateUDF, Volatility, create_udaf};
use datafusion::scalar::ScalarValue;
use insight::measure::{Length, Quantile, quantiles};

/// The function.
pub(crate) fn length_percentiles() -> AggregateUDF {
    let list = |of: DataType| DataType::List(Arc::new(Field::new_list_field(of, true)));
    create_udaf(
        "length_percentiles",
        vec![DataType::Int64, DataType::Boolean],
        Arc::new(list(DataType::Float64)),
        Volatility::Immutable,
        Arc::new(|_| Ok(Box::new(Lengths::default()))),
        Arc::new(vec![list(DataType::Int64)]),
    )
}

/// The lengths so far: each twice, and one more if it is censored.
#[derive(Debug, Default)]
struct Lengths(Vec<i64>);

impl Accumulator for Lengths {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [micros, censored] = values else { return exec_err!("length_percentiles takes two arguments") };
        let (micros, censored) = (micros.as_primitive::<Int64Type>(), censored.as_boolean());
        for row in (0..micros.len()).filter(|row| micros.is_valid(*row) && censored.is_valid(*row)) {
            self.0.push(micros.value(row).saturating_mul(2) | i64::from(censored.value(row)));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let length = |packed: i64| Length { micros: packed >> 1, is_censored: packed & 1 == 1 };
        let lengths = std::mem::take(&mut self.0).into_iter().map(length).collect();
        let parts: Vec<u32> = (1..100).collect();
        let found = quantiles(lengths, &parts, 100).into_iter().map(|found| found.map(Quantile::seconds));
        let found: ArrayRef = Arc::new(found.collect::<Float64Array>());
        Ok(SingleRowListArrayBuilder::new(found).build_list_scalar())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.capacity() * size_of::<i64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let packed: ArrayRef = Arc::new(Int64Array::from(std::mem::take(&mut self.0)));
        Ok(vec![SingleRowListArrayBuilder::new(packed).build_list_scalar()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [packed] = states else { return exec_err!("length_percentiles has a state of one column") };
        for lengths in packed.as_list::<i32>().iter().flatten() {
            self.0.extend(lengths.as_primitive::<Int64Type>().values());
        }
        Ok(())
    }
}
