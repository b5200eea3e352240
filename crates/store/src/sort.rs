//! Rows into the order of a part: schema, hub, time, position.
//!
//! All parts have it, so that compaction is a merge, and so that neighbours compress each other.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
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
    Ok(Sorted { batches: batches.to_vec(), starts, order })
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

/// Rows and their order.
#[derive(Debug)]
pub(crate) struct Sorted {
    batches: Vec<RecordBatch>,
    starts: Vec<usize>,
    order: Vec<u32>,
}

impl Sorted {
    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// All rows in order, a batch at a time.
    pub(crate) fn batches(&self) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        self.batches_of(0..self.len())
    }

    /// The rows from `range.start` to `range.end` in order, a batch at a time.
    pub(crate) fn batches_of(&self, range: Range<usize>) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let order = self.order.get(range).unwrap_or_default();
        order.chunks(BATCH_ROWS).map(move |rows| {
            let places: Vec<(usize, usize)> = rows.iter().map(|row| self.place(*row as usize)).collect();
            interleave_record_batch(&batches, &places)
        })
    }

    fn place(&self, row: usize) -> (usize, usize) {
        let batch = self.starts.partition_point(|start| *start <= row) - 1;
        (batch, row - self.starts.get(batch).copied().unwrap_or(0))
    }

    /// Cuts the rows into ranges of at most `rows` rows, and of at most `bytes` of text unless a row alone is longer.
    pub(crate) fn cut(&self, rows: usize, bytes: usize) -> Vec<Range<usize>> {
        let texts: Vec<_> =
            self.batches.iter().map(|batch| Some(batch.column_by_name("text")?.as_string::<i32>())).collect();
        let (mut ranges, mut start, mut held) = (Vec::new(), 0, 0);
        for (index, row) in self.order.iter().enumerate() {
            let (batch, row) = self.place(*row as usize);
            let text = texts.get(batch).copied().flatten();
            let length = text.map_or(0, |text| usize::try_from(text.value_length(row)).unwrap_or(0));
            if index > start && (index - start == rows || held + length > bytes) {
                ranges.push(start..index);
                (start, held) = (index, 0);
            }
            held += length;
        }
        if start < self.len() {
            ranges.push(start..self.len());
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray};
    use proptest::prelude::*;

    use super::*;

    fn batch(rows: &[(i64, usize)]) -> RecordBatch {
        let texts = |texts: Vec<String>| Arc::new(StringArray::from(texts)) as ArrayRef;
        let times: TimestampMicrosecondArray = rows.iter().map(|(time, _)| *time).collect::<Vec<_>>().into();
        RecordBatch::try_from_iter([
            ("schema", texts(rows.iter().map(|(time, _)| (time % 3).to_string()).collect())),
            ("hub", texts(vec!["hub".to_owned(); rows.len()])),
            ("time", Arc::new(times.with_timezone("UTC")) as ArrayRef),
            ("position", Arc::new(Int64Array::from_iter_values(0..rows.len() as i64))),
            ("text", texts(rows.iter().map(|(_, length)| "x".repeat(*length)).collect())),
        ])
        .unwrap()
    }

    proptest! {
        /// The pieces hold every row once, in order, and no more of them than they may.
        #[test]
        fn pieces_are_the_whole(
            rows in prop::collection::vec((0_i64..100, 0_usize..40), 1..200),
            rows_max in 1_usize..20,
            bytes_max in 1_usize..200,
        ) {
            let (first, second) = rows.split_at(rows.len() / 2);
            let sorted = sorted(&[batch(first), batch(second)]).unwrap();
            let cut = sorted.cut(rows_max, bytes_max);
            let mut next = 0;
            for range in &cut {
                prop_assert_eq!(range.start, next);
                next = range.end;
                let lengths: Vec<usize> = sorted
                    .batches_of(range.clone())
                    .flat_map(|batch| {
                        let batch = batch.unwrap();
                        let texts = batch["text"].as_string::<i32>().clone();
                        (0..texts.len()).map(move |row| texts.value(row).len()).collect::<Vec<_>>()
                    })
                    .collect();
                prop_assert_eq!(lengths.len(), range.len());
                prop_assert!(range.len() <= rows_max);
                prop_assert!(range.len() == 1 || lengths.iter().sum::<usize>() <= bytes_max);
            }
            prop_assert_eq!(next, rows.len());
            let key = |(time, length): &(i64, usize)| ((time % 3).to_string(), *time, *length);
            let mut found: Vec<_> = sorted
                .batches()
                .flat_map(|batch| {
                    let batch = batch.unwrap();
                    let times = batch["time"].as_primitive::<TimestampMicrosecondType>().clone();
                    let texts = batch["text"].as_string::<i32>().clone();
                    (0..batch.num_rows()).map(move |row| (times.value(row), texts.value(row).len())).collect::<Vec<_>>()
                })
                .collect();
            prop_assert!(found.is_sorted_by_key(|row| (key(row).0, row.0)));
            let mut expected = rows;
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
