//! The operator `||` between texts: NULL when either side is, and bounded like every function that makes text.

use datafusion::arrow::array::{Array, StringViewBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

use super::budget::Budget;
use super::text::{lengths, views};

/// `text || text`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Joined {
    signature: Signature,
}

impl Joined {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::uniform(2, vec![DataType::Utf8View], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &'static str {
        "text_concat"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        if let Some(budget) = Budget::of(&args.config_options) {
            budget.check_bytes("||", args.args.iter().map(|arg| lengths(arg, rows).total).sum())?;
        }
        let [left, right] = super::take_two(&args.args)?;
        let (left, right) = (views(left, rows)?, views(right, rows)?);
        let mut joined = StringViewBuilder::with_capacity(rows);
        let mut text = String::new();
        for (left, right) in left.iter().zip(right.iter()) {
            match (left, right) {
                (Some(left), Some(right)) => {
                    text.clear();
                    text.push_str(left);
                    text.push_str(right);
                    joined.append_value(&text);
                }
                _ => joined.append_null(),
            }
        }
        let joined: Arc<dyn Array> = Arc::new(joined.finish());
        Ok(ColumnarValue::Array(joined))
    }
}
