//! `local_hour(time, zone)`: the hour of the day, 0 to 23, that a clock in a zone shows.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Int32Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use event::EventTime;

use super::budget::Budget;
use super::local::zone_of;

/// Offsets of zones change on a quarter of an hour, since 2015 everywhere.
const MICROS_A_QUARTER: i64 = 900_000_000;

/// `local_hour`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct LocalHour {
    signature: Signature,
}

impl LocalHour {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for LocalHour {
    fn name(&self) -> &'static str {
        "local_hour"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types {
            // A value that is bound later has no type yet.
            [
                DataType::Timestamp(..) | DataType::Null,
                DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null,
            ] => Ok(DataType::Int32),
            _ => plan_err!("local_hour takes a time and a zone, as in local_hour(time, 'Europe/Berlin')"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(budget) = Budget::of(&args.config_options) {
            budget.check_time()?;
        }
        let [time, zone] = super::take_two(&args.args)?;
        let zone = zone_of("local_hour", zone)?;
        let times =
            cast(&time.to_array(args.number_rows)?, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))?;
        let mut last: Option<(i64, i32)> = None;
        let mut hour = |micros: i64| {
            let quarter = micros.div_euclid(MICROS_A_QUARTER);
            match last {
                Some((known, hour)) if known == quarter => hour,
                _ => {
                    let hour = zone.hour(EventTime::from_micros(micros)).hour;
                    last = Some((quarter, hour));
                    hour
                }
            }
        };
        let hours: Int32Array =
            times.as_primitive::<TimestampMicrosecondType>().iter().map(|time| time.map(&mut hour)).collect();
        Ok(ColumnarValue::Array(Arc::new(hours) as Arc<dyn Array>))
    }
}
