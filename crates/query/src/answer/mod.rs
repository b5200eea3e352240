//! An answer: rows with named, typed columns, in whichever form is wanted.

mod cell;
mod csv;
mod gather;
mod json;
mod markdown;
mod parquet;
mod table;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef};

pub(crate) use cell::Cell;
pub(crate) use gather::Gathered;
pub use parquet::ParquetAnswerError;

/// Rows with named, typed columns.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the columns are, in order.
    pub columns: Vec<AnswerColumn>,
    /// The rows. Texts are plain `Utf8`.
    pub batches: Vec<RecordBatch>,
    /// Whether there were more rows than could be answered.
    pub truncated: bool,
    /// The state of the tables that was asked.
    pub data_version: String,
    schema: SchemaRef,
}

/// What a column is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerColumn {
    /// Its name. Two columns may have the same one; in JSON the later then has a number at its end.
    pub name: String,
    /// Type of its values: text, integer, number, boolean, time, date, list, record, binary or null.
    pub type_name: &'static str,
    /// Unit of its values, where one is known.
    pub unit: Option<String>,
}

impl Answer {
    pub(crate) fn new(gathered: Gathered, data_version: String) -> Self {
        let (schema, batches, truncated) = gathered.finish();
        Self { columns: described(&schema), batches, truncated, data_version, schema }
    }

    /// The Arrow schema of the batches; also there when no batch is.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// What to tell people of rows that were left out, if any were.
    pub fn cut(&self) -> Option<String> {
        let rows = self.rows();
        let told = || format!("the first {rows} rows; there are more (raise the limit, or ask for fewer columns)");
        self.truncated.then(told)
    }

    /// Each row as its cells.
    pub(crate) fn cells(&self) -> impl Iterator<Item = Vec<Cell>> + '_ {
        self.batches.iter().flat_map(|batch| {
            (0..batch.num_rows())
                .map(move |row| batch.columns().iter().map(|column| Cell::of(column.as_ref(), row)).collect())
        })
    }

    /// The same answer with other rows and columns.
    pub(crate) fn with_rows(self, rows: RecordBatch) -> Self {
        let schema = rows.schema();
        let batches = if rows.num_rows() == 0 { Vec::new() } else { vec![rows] };
        Self { columns: described(&schema), batches, schema, ..self }
    }

    /// Adds the rows of `further`, which has the same columns.
    pub(crate) fn extend(&mut self, further: Self) {
        self.batches.extend(further.batches);
        self.truncated |= further.truncated;
    }

    /// Names the unit of the column called `column`.
    pub(crate) fn with_unit(mut self, column: &str, unit: &str) -> Self {
        for found in self.columns.iter_mut().filter(|found| found.name == column) {
            found.unit = Some(unit.to_owned());
        }
        self
    }
}

fn described(schema: &SchemaRef) -> Vec<AnswerColumn> {
    let column = |field: &FieldRef| AnswerColumn {
        name: field.name().clone(),
        type_name: type_name(field.data_type()),
        unit: None,
    };
    schema.fields().iter().map(column).collect()
}

/// The word for an Arrow type.
pub(crate) fn type_name(kind: &DataType) -> &'static str {
    match kind {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Timestamp(..) => "time",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "binary",
        DataType::Dictionary(_, values) => type_name(values),
        DataType::Struct(_) | DataType::Map(..) => "record",
        kind if kind.is_integer() => "integer",
        kind if kind.is_numeric() => "number",
        kind if kind.is_nested() => "list",
        // Durations, intervals and times of day are answered as texts.
        _ => "text",
    }
}
