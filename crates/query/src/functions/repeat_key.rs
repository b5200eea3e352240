//! `key_of(…)`: a number that stands for several values at once. `repeat_key(time, …)`: equal for exact repeats of one
//! event, NULL where repeats cannot be told from new events.
//!
//! To sort and to tell apart millions of rows by a number takes a quarter of the memory of doing so by names.
//!
//! Two rows are an exact repeat when the emitter's time and everything else that it said are the same: an admin listed
//! two handlers, or a log was imported that had also been posted. That takes a time finer than a minute. Public
//! archives cut their times to the minute, and there the same repository is launched many times in one: rows on a
//! whole minute have no key, and each counts.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::exec_err;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

const MICROS_A_MINUTE: i64 = 60_000_000;

/// Any fixed number: keys are compared within one query only.
const SEED: u64 = 0x6875_6273_636f_7065;

/// 64 bits of time and values. Two different events of one microsecond share a key once in 10^19.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct RepeatKey {
    signature: Signature,
}

impl RepeatKey {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

/// 64 bits of some values. Two of a million different keys are equal once in thirty million queries.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyOf {
    signature: Signature,
}

impl KeyOf {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for KeyOf {
    fn name(&self) -> &'static str {
        "key_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (_, hashes) = hashed(&args)?;
        let keys: Arc<dyn Array> = Arc::new(Int64Array::from_iter_values(hashes.into_iter().map(u64::cast_signed)));
        Ok(ColumnarValue::Array(keys))
    }
}

/// The arguments as columns, and 64 bits of each row of them.
fn hashed(args: &ScalarFunctionArgs) -> Result<(Vec<ArrayRef>, Vec<u64>)> {
    let columns: Vec<ArrayRef> = args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<_>>()?;
    let mut hashes = vec![0_u64; args.number_rows];
    create_hashes(&columns, &RandomState::with_seed(SEED), &mut hashes)?;
    Ok((columns, hashes))
}

impl ScalarUDFImpl for RepeatKey {
    fn name(&self) -> &'static str {
        "repeat_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types.first() {
            Some(DataType::Timestamp(TimeUnit::Microsecond, _)) => Ok(DataType::Int64),
            _ => datafusion::common::plan_err!("repeat_key takes a time first, as in repeat_key(time, spec)"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (columns, hashes) = hashed(&args)?;
        let Some(times) = columns.first().and_then(|first| first.as_primitive_opt::<TimestampMicrosecondType>()) else {
            return exec_err!("repeat_key takes a time first");
        };
        let keyed = times
            .iter()
            .zip(&hashes)
            .map(|(time, hash)| time.filter(|micros| micros % MICROS_A_MINUTE != 0).map(|_| hash.cast_signed()));
        let keys: Arc<dyn Array> = Arc::new(keyed.collect::<Int64Array>());
        Ok(ColumnarValue::Array(keys))
    }
}
