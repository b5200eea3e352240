//! One value, as every form of an answer writes it.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Date64Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use event::{Day, EventTime};
use serde_json::Value;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number; also not finite ones.
    Number(f64),
    /// Text, and what is written as text: times, dates, decimals, intervals.
    Text(String),
    /// Several values.
    List(Vec<Cell>),
    /// Named values.
    Record(Vec<(String, Cell)>),
}

impl Cell {
    /// The value of `array` at `row`, which is inside it.
    pub(crate) fn of(array: &dyn Array, row: usize) -> Self {
        if array.is_null(row) {
            return Self::Null;
        }
        match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean().value(row)),
            DataType::Int8 => Self::Integer(array.as_primitive::<Int8Type>().value(row).into()),
            DataType::Int16 => Self::Integer(array.as_primitive::<Int16Type>().value(row).into()),
            DataType::Int32 => Self::Integer(array.as_primitive::<Int32Type>().value(row).into()),
            DataType::Int64 => Self::Integer(array.as_primitive::<Int64Type>().value(row).into()),
            DataType::UInt8 => Self::Integer(array.as_primitive::<UInt8Type>().value(row).into()),
            DataType::UInt16 => Self::Integer(array.as_primitive::<UInt16Type>().value(row).into()),
            DataType::UInt32 => Self::Integer(array.as_primitive::<UInt32Type>().value(row).into()),
            DataType::UInt64 => Self::Integer(array.as_primitive::<UInt64Type>().value(row).into()),
            DataType::Float32 => Self::Number(array.as_primitive::<Float32Type>().value(row).into()),
            DataType::Float64 => Self::Number(array.as_primitive::<Float64Type>().value(row)),
            DataType::Utf8 => Self::Text(array.as_string::<i32>().value(row).to_owned()),
            DataType::LargeUtf8 => Self::Text(array.as_string::<i64>().value(row).to_owned()),
            DataType::Utf8View => Self::Text(array.as_string_view().value(row).to_owned()),
            DataType::Date32 => date(i64::from(array.as_primitive::<Date32Type>().value(row))),
            DataType::Date64 => date(array.as_primitive::<Date64Type>().value(row).div_euclid(86_400_000)),
            DataType::Timestamp(unit, zone) => Self::Text(timestamp(array, row, *unit, zone.is_some())),
            DataType::List(_) => list(array.as_list::<i32>().value(row).as_ref()),
            DataType::LargeList(_) => list(array.as_list::<i64>().value(row).as_ref()),
            DataType::FixedSizeList(..) => list(array.as_fixed_size_list().value(row).as_ref()),
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                let named = fields.iter().zip(columns);
                Self::Record(named.map(|(field, column)| (field.name().clone(), Self::of(column, row))).collect())
            }
            _ => Self::Text(displayed(array, row)),
        }
    }

    /// As JSON. A number that is not finite has no JSON and becomes a text, as does nothing else.
    pub(crate) fn json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => value.into(),
            Self::Integer(value) => i64::try_from(value)
                .map(Value::from)
                .or_else(|_| u64::try_from(value).map(Value::from))
                .unwrap_or_else(|_| value.to_string().into()),
            Self::Number(value) if value.is_finite() => value.into(),
            Self::Number(value) => value.to_string().into(),
            Self::Text(text) => text.into(),
            Self::List(cells) => cells.into_iter().map(Self::json).collect(),
            Self::Record(named) => Value::Object(named.into_iter().map(|(name, cell)| (name, cell.json())).collect()),
        }
    }

    /// As one line of text for people; nothing for NULL.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(_) | Self::Record(_) => self.clone().json().to_string(),
        }
    }

    /// Whether it is a number, which people like to see aligned to the right.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Number(_))
    }

    /// As a number, if it is one.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "a figure on a chart")]
            Self::Integer(value) => Some(*value as f64),
            Self::Number(value) if value.is_finite() => Some(*value),
            _ => None,
        }
    }
}

fn date(days: i64) -> Cell {
    let day = Day::from_number(i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX }));
    Cell::Text(day.to_string())
}

fn list(array: &dyn Array) -> Cell {
    Cell::List((0..array.len()).map(|row| Cell::of(array, row)).collect())
}

/// ISO 8601, with `Z` when it has a zone (all of ours are UTC) and as many digits as it needs.
fn timestamp(array: &dyn Array, row: usize, unit: TimeUnit, zoned: bool) -> String {
    let nanos = match unit {
        TimeUnit::Second => i128::from(array.as_primitive::<TimestampSecondType>().value(row)) * 1_000_000_000,
        TimeUnit::Millisecond => i128::from(array.as_primitive::<TimestampMillisecondType>().value(row)) * 1_000_000,
        TimeUnit::Microsecond => i128::from(array.as_primitive::<TimestampMicrosecondType>().value(row)) * 1_000,
        TimeUnit::Nanosecond => i128::from(array.as_primitive::<TimestampNanosecondType>().value(row)),
    };
    let Ok(instant) = jiff::Timestamp::from_nanosecond(nanos) else {
        let micros = i64::try_from(nanos / 1_000).unwrap_or(i64::MAX);
        return EventTime::from_micros(micros).to_string();
    };
    let text = instant.to_string();
    if zoned { text } else { text.trim_end_matches('Z').to_owned() }
}

fn displayed(array: &dyn Array, row: usize) -> String {
    ArrayFormatter::try_new(array, &FormatOptions::default())
        .and_then(|formatter| formatter.value(row).try_to_string())
        .unwrap_or_default()
}
