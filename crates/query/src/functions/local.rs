//! `local_date(time, zone)`, `local_week(time, zone)`, `local_month(time, zone)`: the day, the Monday of the ISO week,
//! the first of the month in which an instant lies in a zone, as dates.
//!
//! The zone is one for all rows: `local_date(time, 'Europe/Berlin')`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Date32Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{exec_datafusion_err, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;
use event::EventTime;

use super::budget::Budget;
use crate::kpi::{Grain, period_of};
use crate::zone::{Days, Zone};

/// The first day of the period of a zone that holds an instant.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Local {
    name: &'static str,
    grain: Grain,
    signature: Signature,
}

impl Local {
    /// `local_date`.
    pub(crate) fn date() -> Self {
        Self::new("local_date", Grain::Day)
    }

    /// `local_week`.
    pub(crate) fn week() -> Self {
        Self::new("local_week", Grain::Week)
    }

    /// `local_month`.
    pub(crate) fn month() -> Self {
        Self::new("local_month", Grain::Month)
    }

    fn new(name: &'static str, grain: Grain) -> Self {
        Self { name, grain, signature: Signature::any(2, Volatility::Immutable) }
    }
}

/// The one zone that a call of the function `name` was given.
pub(super) fn zone_of(name: &str, zone: &ColumnarValue) -> Result<Zone> {
    let ColumnarValue::Scalar(zone) = zone else {
        return exec_err!("the zone of {name} is one text for all rows");
    };
    let Some(Some(zone)) = zone.try_as_str() else {
        return exec_err!("the zone of {name} is a text, as in Europe/Berlin");
    };
    Zone::named(zone).map_err(|error| exec_datafusion_err!("{error}"))
}

impl ScalarUDFImpl for Local {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types {
            // A value that is bound later has no type yet.
            [DataType::Timestamp(..) | DataType::Null, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8]
            | [DataType::Timestamp(..) | DataType::Null, DataType::Null] => Ok(DataType::Date32),
            _ => plan_err!("{0} takes a time and a zone, as in {0}(time, 'Europe/Berlin')", self.name),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(budget) = Budget::of(&args.config_options) {
            budget.check_time()?;
        }
        let [time, zone] = super::take_two(&args.args)?;
        let zone = zone_of(self.name, zone)?;
        let times = match time {
            ColumnarValue::Array(times) => Arc::clone(times),
            ColumnarValue::Scalar(time) => time.to_array()?,
        };
        let times = cast(&times, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))?;
        let mut days = Days::of(&zone);
        let mut period = |micros: i64| period_of(self.grain, days.day(EventTime::from_micros(micros))).number();
        let found: Date32Array =
            times.as_primitive::<TimestampMicrosecondType>().iter().map(|time| time.map(&mut period)).collect();
        match time {
            ColumnarValue::Array(_) => Ok(ColumnarValue::Array(Arc::new(found) as Arc<dyn Array>)),
            ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?)),
        }
    }
}
