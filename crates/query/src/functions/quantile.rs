//! `length_quantile(micros, is_censored, part, whole)`: the length in seconds that `part` of `whole` of the lengths do
//! not exceed (1 of 2: the median), by the estimate of Kaplan and Meier. A censored length is one that still went on
//! when it was last watched. NULL where too few were seen to end.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::exec_err;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::error::Result;
use datafusion::logical_expr::{Accumulator, AggregateUDF, Volatility, create_udaf};
use datafusion::scalar::ScalarValue;
use insight::measure::{Length, SHARE_MAX, quantile};

/// The function.
pub(crate) fn length_quantile() -> AggregateUDF {
    let lengths = DataType::List(Arc::new(datafusion::arrow::datatypes::Field::new_list_field(DataType::Int64, true)));
    create_udaf(
        "length_quantile",
        vec![DataType::Int64, DataType::Boolean, DataType::Int64, DataType::Int64],
        Arc::new(DataType::Float64),
        Volatility::Immutable,
        Arc::new(|_| Ok(Box::new(Lengths::default()))),
        Arc::new(vec![lengths, DataType::Int64, DataType::Int64]),
    )
}

/// The lengths so far, and which share is asked for.
#[derive(Debug, Default)]
struct Lengths {
    /// Twice the length, and one more if it is censored.
    packed: Vec<i64>,
    share: Option<(i64, i64)>,
}

impl Lengths {
    fn ask(&mut self, part: i64, whole: i64) -> Result<()> {
        if !(0 <= part && part < whole && whole <= i64::from(SHARE_MAX)) {
            return exec_err!("length_quantile asks for part of whole, with 0 <= part < whole <= {SHARE_MAX}");
        }
        if self.share.is_some_and(|share| share != (part, whole)) {
            return exec_err!("length_quantile asks for one share of all rows");
        }
        self.share = Some((part, whole));
        Ok(())
    }
}

impl Accumulator for Lengths {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [micros, censored, part, whole] = values else {
            return exec_err!("length_quantile takes four arguments");
        };
        let (micros, censored) = (micros.as_primitive::<Int64Type>(), censored.as_boolean());
        let (part, whole) = (part.as_primitive::<Int64Type>(), whole.as_primitive::<Int64Type>());
        for row in 0..micros.len() {
            if micros.is_null(row) || censored.is_null(row) || part.is_null(row) || whole.is_null(row) {
                continue;
            }
            self.ask(part.value(row), whole.value(row))?;
            self.packed.push(micros.value(row).saturating_mul(2) | i64::from(censored.value(row)));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let lengths = self.packed.iter().map(|packed| Length { micros: packed >> 1, is_censored: packed & 1 == 1 });
        let share = self.share.and_then(|(part, whole)| Some((u32::try_from(part).ok()?, u32::try_from(whole).ok()?)));
        let found = share.and_then(|(part, whole)| quantile(lengths.collect(), part, whole));
        Ok(ScalarValue::Float64(found.map(insight::measure::Quantile::seconds)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.packed.capacity() * size_of::<i64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let packed: ArrayRef = Arc::new(datafusion::arrow::array::Int64Array::from(std::mem::take(&mut self.packed)));
        let packed = SingleRowListArrayBuilder::new(packed).build_list_scalar();
        let (part, whole) = self.share.unzip();
        Ok(vec![packed, ScalarValue::Int64(part), ScalarValue::Int64(whole)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [packed, part, whole] = states else { return exec_err!("length_quantile has a state of three columns") };
        let (part, whole) = (part.as_primitive::<Int64Type>(), whole.as_primitive::<Int64Type>());
        for (row, lengths) in packed.as_list::<i32>().iter().enumerate() {
            if part.is_null(row) || whole.is_null(row) {
                continue;
            }
            self.ask(part.value(row), whole.value(row))?;
            self.packed
                .extend(lengths.iter().flat_map(|lengths| lengths.as_primitive::<Int64Type>().values().to_vec()));
        }
        Ok(())
    }
}
