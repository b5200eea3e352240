//! `items(json)`: the texts of a JSON array, to be taken apart with `unnest`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ListBuilder, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::budget::Budget;
use super::text::{lengths, views};

/// The texts of an array of texts; NULL of anything else.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Items {
    signature: Signature,
}

impl Items {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::uniform(1, vec![DataType::Utf8View], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Items {
    fn name(&self) -> &'static str {
        "items"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [json] = super::take_one(&args.args)?;
        if let Some(budget) = Budget::of(&args.config_options) {
            budget.check_time()?;
            // An empty text takes three bytes in an array, and an offset of four in a list.
            budget.check_bytes("items", lengths(json, rows).total * 2)?;
        }
        let texts = views(json, rows)?;
        let mut lists = ListBuilder::new(StringBuilder::new());
        for text in &texts {
            match text.and_then(|text| serde_json::from_str::<Vec<String>>(text).ok()) {
                Some(items) => lists.append_value(items.into_iter().map(Some)),
                None => lists.append_null(),
            }
        }
        let lists: Arc<dyn Array> = Arc::new(lists.finish());
        Ok(ColumnarValue::Array(lists))
    }
}
