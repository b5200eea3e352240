//! Takes the rows of a running query until there are enough.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result;

/// Rows so far.
#[derive(Debug)]
pub(crate) struct Gathered {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    rows: usize,
    rows_max: usize,
    bytes: usize,
    bytes_max: usize,
    truncated: bool,
}

impl Gathered {
    /// Nothing yet, of columns `schema`.
    pub(crate) fn new(schema: SchemaRef, rows_max: usize, bytes_max: usize) -> Self {
        let schema = plain(&schema);
        Self { schema, batches: Vec::new(), rows: 0, rows_max, bytes: 0, bytes_max, truncated: false }
    }

    /// Takes a batch; false when no more is wanted.
    pub(crate) fn take(&mut self, batch: RecordBatch) -> Result<bool> {
        let room = self.rows_max - self.rows;
        self.truncated = batch.num_rows() > room;
        let kept = if self.truncated { batch.slice(0, room) } else { batch };
        // Casting also lets go of what the operators' buffers hold beside these rows.
        let columns = kept
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(|(column, field)| cast(column, field.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        let options = datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(kept.num_rows()));
        let kept = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        self.bytes += kept.get_array_memory_size();
        if self.bytes > self.bytes_max {
            self.truncated = true;
            return Ok(false);
        }
        self.rows += kept.num_rows();
        if kept.num_rows() > 0 {
            self.batches.push(kept);
        }
        Ok(!self.truncated)
    }

    /// Schema, rows, and whether there were more.
    pub(crate) fn finish(self) -> (SchemaRef, Vec<RecordBatch>, bool) {
        (self.schema, self.batches, self.truncated)
    }
}

/// Texts as plain `Utf8`, which every reader knows; dictionaries as their values.
fn plain(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> =
        schema.fields().iter().map(|field| Field::new(field.name(), plain_type(field.data_type()), true)).collect();
    Arc::new(Schema::new(fields))
}

fn plain_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => plain_type(values),
        other => other.clone(),
    }
}
