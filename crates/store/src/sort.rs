//! Rows into the order of a part: schema, hub, time, position.
//!
//! All parts have it, so that compaction is a merge, and so that neighbours compress each other.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, concat, interleave_record_batch, lexsort_to_indices};
use arrow::error::ArrowError;

use crate::columns::SORTED_BY;

/// Rows of the batches handed out.
pub(crate) const BATCH_ROWS: usize = 8_192;

/// The rows of `batches` (one schema) in order. Copies only the key columns at once.
pub(crate) fn sorted(batches: &[RecordBatch]) -> Result<Sorted, ArrowError> {
    let keys = SORTED_BY.iter().map(|name| key_column(batches, name)).collect::<Result<Vec<_>, _>>()?;
    let order = lexsort_to_indices(&keys, None)?;
    let mut starts = Vec::with_capacity(batches.len());
    let mut rows = 0;
    for batch in batches {
        starts.push(rows);
        rows += batch.num_rows();
    }
    Ok(Sorted { batches: batches.to_vec(), starts, order, next: 0 })
}

fn key_column(batches: &[RecordBatch], name: &str) -> Result<SortColumn, ArrowError> {
    let columns: Vec<ArrayRef> = batches.iter().filter_map(|batch| batch.column_by_name(name).cloned()).collect();
    let slices: Vec<&dyn Array> = columns.iter().map(Arc::as_ref).collect();
    Ok(SortColumn { values: concat(&slices)?, options: None })
}

/// Sorted rows, handed out a batch at a time.
#[derive(Debug)]
pub(crate) struct Sorted {
    batches: Vec<RecordBatch>,
    starts: Vec<usize>,
    order: UInt32Array,
    next: usize,
}

impl Iterator for Sorted {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = (self.next + BATCH_ROWS).min(self.order.len());
        if self.next == end {
            return None;
        }
        let places: Vec<(usize, usize)> = (self.next..end)
            .map(|index| {
                let row = self.order.value(index) as usize;
                let batch = self.starts.partition_point(|start| *start <= row) - 1;
                (batch, row - self.starts.get(batch).copied().unwrap_or(0))
            })
            .collect();
        self.next = end;
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        Some(interleave_record_batch(&batches, &places))
    }
}
