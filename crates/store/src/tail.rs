//! What was acknowledged and is not yet in a table: Arrow batches in order of position.
//!
//! Requests are often of a single event, and a query over ten thousand batches of one row would crawl. So a new batch
//! is joined with the one before it as long as that one is not longer: the number of batches grows with the logarithm
//! of the rows, and a row is copied a logarithmic number of times, up to [`JOINED_ROWS_MAX`].

use arrow::array::{Array, AsArray, RecordBatch, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::error::ArrowError;

/// Batches are not joined beyond this: what a batch costs a query is little beside so many rows, and each join copies
/// all of them, in the way of the next acknowledgement.
const JOINED_ROWS_MAX: usize = 1_024;

/// Nor beyond this in memory, so that joining large events never stalls an acknowledgement.
const JOINED_BYTES_MAX: usize = 4 << 20;

/// The acknowledged rows of one table.
#[derive(Debug)]
pub(crate) struct Tail {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Tail {
    pub(crate) fn new(schema: SchemaRef) -> Self {
        Self { schema, batches: Vec::new() }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Appends a batch of the tail's schema whose positions follow those before.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), ArrowError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let mut newest = batch;
        while let Some(previous) = self.batches.pop_if(|previous| joins(previous, &newest)) {
            newest = concat_batches(&self.schema, [&previous, &newest])?;
        }
        self.batches.push(newest);
        Ok(())
    }

    /// As [`Self::push`], without the rows below `from`.
    pub(crate) fn push_from(&mut self, batch: RecordBatch, from: i64) -> Result<(), ArrowError> {
        let start = first_at_or_above(&batch, from);
        self.push(batch.slice(start, batch.num_rows() - start))
    }

    /// The rows with `from <= position < to`. Shares the memory.
    pub(crate) fn slice(&self, from: i64, to: i64) -> Vec<RecordBatch> {
        let sliced = self.batches.iter().map(|batch| {
            let start = first_at_or_above(batch, from);
            batch.slice(start, first_at_or_above(batch, to).saturating_sub(start))
        });
        sliced.filter(|batch| batch.num_rows() > 0).collect()
    }

    /// Lets go of the rows below `position`.
    pub(crate) fn drop_below(&mut self, position: i64) {
        self.batches = self.slice(position, i64::MAX);
    }

    pub(crate) fn clear(&mut self) {
        self.batches.clear();
    }

    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Brings all rows to `schema`, which has the columns of the old one and more; those are null.
    pub(crate) fn widen(&mut self, schema: SchemaRef) -> Result<(), ArrowError> {
        self.batches = self.batches.iter().map(|batch| conform(batch, &schema)).collect::<Result<_, _>>()?;
        self.schema = schema;
        Ok(())
    }
}

fn joins(previous: &RecordBatch, newest: &RecordBatch) -> bool {
    previous.num_rows() <= newest.num_rows()
        && previous.num_rows() + newest.num_rows() <= JOINED_ROWS_MAX
        && previous.get_array_memory_size() + newest.get_array_memory_size() <= JOINED_BYTES_MAX
}

fn first_at_or_above(batch: &RecordBatch, position: i64) -> usize {
    let positions = batch.column_by_name("position").map(|column| column.as_primitive::<Int64Type>().values());
    positions.map_or(0, |positions| positions.partition_point(|own| *own < position))
}

/// `batch` with the columns of `schema`, in that order; null where it has none of that name and type.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => std::sync::Arc::clone(column),
        _ => new_null_array(field.data_type(), batch.num_rows()),
    });
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(std::sync::Arc::clone(schema), columns.collect(), &options)
}
