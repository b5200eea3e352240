//! `field(text, '/json/pointer')`: one value of an event's JSON, as text.

use std::sync::Arc;

use datafusion::arrow::array::{Array, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::budget::Budget;
use super::pointer::Pointer;
use super::text::{lengths, views};

/// The value at an RFC 6901 pointer: of a text its characters, of anything else its JSON; NULL where there is none.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Field {
    signature: Signature,
}

impl Field {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::uniform(2, vec![DataType::Utf8View], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Field {
    fn name(&self) -> &'static str {
        "field"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [text, pointer] = super::take_two(&args.args)?;
        if let Some(budget) = Budget::of(&args.config_options) {
            budget.check_time()?;
            budget.check_bytes("field", lengths(text, rows).total)?;
        }
        let (texts, pointers) = (views(text, rows)?, views(pointer, rows)?);
        let mut found = StringBuilder::new();
        // Nearly always one pointer for all rows, so it is read again only when it changes.
        let mut last: Option<(&str, Pointer)> = None;
        for (text, pointer) in texts.iter().zip(pointers.iter()) {
            let (Some(text), Some(pointer)) = (text, pointer) else {
                found.append_null();
                continue;
            };
            if last.as_ref().is_none_or(|(known, _)| *known != pointer) {
                let read = Pointer::parse(pointer).map_err(DataFusionError::Execution)?;
                last = Some((pointer, read));
            }
            found.append_option(last.as_ref().and_then(|(_, pointer)| pointer.find(text)));
        }
        let found: Arc<dyn Array> = Arc::new(found.finish());
        Ok(ColumnarValue::Array(found))
    }
}
