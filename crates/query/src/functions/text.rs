//! Lengths and values of text arguments, whatever their Arrow type.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;

/// Bytes of all values and of the longest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lengths {
    pub(crate) total: u128,
    pub(crate) longest: u128,
}

/// Measures an argument of `rows` rows; a constant counts once for each row.
pub(crate) fn lengths(value: &ColumnarValue, rows: usize) -> Lengths {
    match value {
        ColumnarValue::Array(array) => array_lengths(array),
        ColumnarValue::Scalar(scalar) => {
            let one = scalar.to_array().map_or_else(|_| Lengths::default(), |array| array_lengths(&array));
            Lengths { total: one.total * rows as u128, longest: one.longest }
        }
    }
}

fn array_lengths(array: &ArrayRef) -> Lengths {
    match array.data_type() {
        DataType::Utf8View => of(array.as_string_view().lengths().map(u128::from)),
        DataType::Utf8 => of(array.as_string::<i32>().offsets().lengths().map(|n| n as u128)),
        DataType::LargeUtf8 => of(array.as_string::<i64>().offsets().lengths().map(|n| n as u128)),
        _ => {
            let total = array.get_array_memory_size() as u128;
            Lengths { total, longest: total }
        }
    }
}

fn of(lengths: impl Iterator<Item = u128>) -> Lengths {
    lengths
        .fold(Lengths::default(), |sum, length| Lengths { total: sum.total + length, longest: sum.longest.max(length) })
}

/// The argument as an array of string views, `rows` long.
pub(crate) fn views(value: &ColumnarValue, rows: usize) -> Result<StringViewArray> {
    let array = value.to_array(rows)?;
    let array = if array.data_type() == &DataType::Utf8View { array } else { cast(&array, &DataType::Utf8View)? };
    Ok(array.as_string_view().clone())
}

/// Whether every argument is a constant, so that one row is enough.
pub(crate) fn all_constant(args: &[ColumnarValue]) -> bool {
    args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
}
