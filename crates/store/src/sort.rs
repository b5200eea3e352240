//! Rows into the order of a part: schema, hub, time, position.
//!
//! All parts have it, so that compaction is a merge, and so that neighbours compress each other.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{concat, interleave_record_batch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use crate::columns::SORTED_BY;

/// Rows of the batches handed out.
pub(crate) const BATCH_ROWS: usize = 8_192;

/// The rows of `batches` (one schema) in order, nulls first. Copies only the key columns at once.
pub(crate) fn sorted(batches: &[RecordBatch]) -> Result<Sorted, ArrowError> {
    let [schema, hub, time, position] = SORTED_BY;
    let (schemas, hubs) = (ranks(&column(batches, schema)?), ranks(&column(batches, hub)?));
    let (times, positions) = (column(batches, time)?, column(batches, position)?);
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let positions = positions.as_primitive::<Int64Type>();
    let rows = u32::try_from(positions.len()).map_err(|_| ArrowError::ComputeError("too many rows".into()))?;
    let key = |row: u32| {
        let at = row as usize;
        let rank = |ranks: &[u32]| u64::from(ranks.get(at).copied().unwrap_or_default());
        let time = if times.is_null(at) { i64::MIN } else { times.value(at) };
        (rank(&schemas) << u32::BITS | rank(&hubs), time, positions.value(at), row)
    };
    // Mostly in order already, as it came: a sort that finds runs has little to do.
    let mut order: Vec<_> = (0..rows).map(key).collect();
    order.sort();
    let order = order.into_iter().map(|(.., row)| row).collect();
    let mut starts = Vec::with_capacity(batches.len());
    let mut rows = 0;
    for batch in batches {
        starts.push(rows);
        rows += batch.num_rows();
    }
    Ok(Sorted { batches: batches.to_vec(), starts, order, next: 0 })
}

fn column(batches: &[RecordBatch], name: &str) -> Result<ArrayRef, ArrowError> {
    let columns: Vec<&dyn Array> =
        batches.iter().filter_map(|batch| batch.column_by_name(name)).map(Arc::as_ref).collect();
    concat(&columns)
}

/// The place of each text among the distinct ones, which are few: numbers compare faster. A null is 0.
fn ranks(column: &ArrayRef) -> Vec<u32> {
    let texts = column.as_string::<i32>();
    let distinct: BTreeSet<&str> = texts.iter().flatten().collect();
    let ranks: HashMap<&str, u32> = distinct.into_iter().zip(1..).collect();
    texts.iter().map(|text| text.and_then(|text| ranks.get(text)).copied().unwrap_or(0)).collect()
}

/// Sorted rows, handed out a batch at a time.
#[derive(Debug)]
pub(crate) struct Sorted {
    batches: Vec<RecordBatch>,
    starts: Vec<usize>,
    order: Vec<u32>,
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
                let row = self.order.get(index).copied().unwrap_or_default() as usize;
                let batch = self.starts.partition_point(|start| *start <= row) - 1;
                (batch, row - self.starts.get(batch).copied().unwrap_or(0))
            })
            .collect();
        self.next = end;
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        Some(interleave_record_batch(&batches, &places))
    }
}
