//! Many sorted parts into few: a merge that holds one batch of each, cut by time.
//!
//! Every part is sorted when it is written, so nothing is sorted here. Were one not (another program's), the output
//! would be less well sorted; it would hold the same rows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, interleave_record_batch};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use event::EventTime;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::checked::Checked;
use crate::columns::{SORTED_BY, Table};
use crate::error::TableError;
use crate::part::Part;
use crate::scan::{Selection, open_part};
use crate::tail::conform;
use crate::write::{Effort, PartFolder, PartWriter, Written};

/// Rows held of each part, if they are not long: with 32 parts of 300-byte events, 20 MB.
const INPUT_ROWS: usize = 2_048;

/// Bytes of batches that may wait for their rows to be written, beside the one that each part is in.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Rows written at once.
const OUTPUT_ROWS: usize = 4_096;

/// A merge of `parts` into parts cut by `cuts`.
pub(crate) struct Merge {
    pub(crate) folder: PartFolder,
    pub(crate) dir: PathBuf,
    pub(crate) schema: SchemaRef,
    pub(crate) parts: Vec<Part>,
    pub(crate) cuts: Vec<Range<EventTime>>,
    pub(crate) part_bytes_max: u64,
    /// Nobody waits for it any more: it ends early.
    pub(crate) given_up: Arc<AtomicBool>,
}

/// What a merge made.
pub(crate) struct Merged {
    pub(crate) written: Vec<Written>,
    /// Rows in the footers of the parts read.
    pub(crate) rows_read: u64,
}

impl Merge {
    /// Blocks.
    pub(crate) fn run(&self) -> Result<Merged, TableError> {
        let mut written = Vec::new();
        for (index, cut) in self.cuts.iter().enumerate() {
            // Rows without a time (quarantine) go with the first cut.
            written.extend(self.merge_cut(cut, index == 0)?);
        }
        let mut rows_read = 0;
        for part in &self.parts {
            rows_read += self.rows_of(part)?;
        }
        Ok(Merged { written, rows_read })
    }

    fn merge_cut(&self, cut: &Range<EventTime>, with_nulls: bool) -> Result<Vec<Written>, TableError> {
        let mut inputs = Vec::new();
        let nullable = with_nulls && self.folder.table == Table::Quarantine;
        for part in self.parts.iter().filter(|part| nullable || part.may_hold_time(cut)) {
            inputs.push(self.open(part, cut, nullable)?);
        }
        let mut output = Output { merge: self, writer: None, written: Vec::new() };
        Merging::new(inputs)?.run(&mut output)?;
        output.finish()
    }

    fn open(&self, part: &Part, cut: &Range<EventTime>, nullable: bool) -> Result<Input, TableError> {
        let names: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let selection = if nullable { Selection::All } else { Selection::Time(cut.clone()) };
        let reader = open_part(&self.dir, part, &names, &selection, INPUT_ROWS)
            .map_err(|source| TableError::read(self.folder.table, &part.path, source))?;
        let fields = SORTED_BY
            .iter()
            .filter_map(|name| self.schema.field_with_name(name).ok())
            .map(|field| SortField::new(field.data_type().clone()))
            .collect();
        let converter = RowConverter::new(fields).map_err(TableError::rows(self.folder.table))?;
        Ok(Input {
            table: self.folder.table,
            path: Arc::clone(&part.path),
            schema: Arc::clone(&self.schema),
            reader,
            cut: cut.clone(),
            nullable,
            converter,
            current: None,
        })
    }

    fn rows_of(&self, part: &Part) -> Result<u64, TableError> {
        let unreadable = |source: crate::error::Cause| TableError::read(self.folder.table, &part.path, source);
        let file = Checked::open(&self.dir.join(&*part.path), part.sums.as_deref());
        let file = file.map_err(|source| unreadable(source.into()))?;
        let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file)
            .map_err(|source| unreadable(source.into()))?;
        Ok(u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0))
    }
}

/// One part being read.
struct Input {
    table: Table,
    path: Arc<str>,
    schema: SchemaRef,
    reader: ParquetRecordBatchReader,
    cut: Range<EventTime>,
    nullable: bool,
    converter: RowConverter,
    current: Option<Current>,
}

/// The batch of an input that is being merged.
struct Current {
    keys: Rows,
    next: usize,
    /// Its place in [`Merging::batches`].
    slot: usize,
}

impl Input {
    /// The next batch with a row in the cut, and its keys.
    fn next_batch(&mut self) -> Result<Option<(RecordBatch, Rows)>, TableError> {
        while let Some(batch) = self.reader.next() {
            let batch = batch.map_err(|source| TableError::read(self.table, &self.path, source))?;
            let batch = self.within(&batch).map_err(TableError::rows(self.table))?;
            if batch.num_rows() > 0 {
                let keys: Vec<_> = SORTED_BY.iter().filter_map(|name| batch.column_by_name(name).cloned()).collect();
                let keys = self.converter.convert_columns(&keys).map_err(TableError::rows(self.table))?;
                return Ok(Some((batch, keys)));
            }
        }
        Ok(None)
    }

    fn within(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let batch = conform(batch, &self.schema)?;
        let Some(times) = batch.column_by_name("time") else { return Ok(batch) };
        let (from, to) = (self.cut.start.micros(), self.cut.end.micros());
        // The last cut takes the last instant too.
        let is_in = |time: i64| from <= time && (time < to || to == i64::MAX);
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let mask: BooleanArray = times.iter().map(|time| Some(time.map_or(self.nullable, is_in))).collect();
        filter_record_batch(&batch, &mask)
    }
}

/// The merge of one cut.
struct Merging {
    inputs: Vec<Input>,
    heap: BinaryHeap<Reverse<(OwnedRow, usize)>>,
    /// Batches that `places` points into.
    batches: Vec<RecordBatch>,
    /// Bytes of those loaded since rows were last written.
    waiting_bytes: usize,
    /// Rows of the next output batch: (batch, row).
    places: Vec<(usize, usize)>,
}

impl Merging {
    fn new(inputs: Vec<Input>) -> Result<Self, TableError> {
        let places = Vec::with_capacity(OUTPUT_ROWS);
        let mut this = Self { inputs, heap: BinaryHeap::new(), batches: Vec::new(), waiting_bytes: 0, places };
        for index in 0..this.inputs.len() {
            this.load(index)?;
        }
        Ok(this)
    }

    fn run(mut self, output: &mut Output<'_>) -> Result<(), TableError> {
        while let Some(Reverse((_, index))) = self.heap.pop() {
            self.take_row(index)?;
            if self.places.len() == OUTPUT_ROWS || self.waiting_bytes > WAITING_BYTES_MAX {
                self.hand_on(output)?;
            }
        }
        self.hand_on(output)
    }

    /// Takes the head of input `index`, and puts its next row on the heap.
    fn take_row(&mut self, index: usize) -> Result<(), TableError> {
        let Some(current) = self.inputs.get_mut(index).and_then(|input| input.current.as_mut()) else { return Ok(()) };
        self.places.push((current.slot, current.next));
        current.next += 1;
        if current.next < current.keys.num_rows() {
            self.heap.push(Reverse((current.keys.row(current.next).owned(), index)));
            return Ok(());
        }
        self.load(index)
    }

    fn load(&mut self, index: usize) -> Result<(), TableError> {
        let Some(input) = self.inputs.get_mut(index) else { return Ok(()) };
        input.current = None;
        if let Some((batch, keys)) = input.next_batch()? {
            self.heap.push(Reverse((keys.row(0).owned(), index)));
            input.current = Some(Current { keys, next: 0, slot: self.batches.len() });
            self.waiting_bytes += batch.get_array_memory_size();
            self.batches.push(batch);
        }
        Ok(())
    }

    /// Writes the rows gathered and lets go of the batches that no input is in any more.
    fn hand_on(&mut self, output: &mut Output<'_>) -> Result<(), TableError> {
        if output.merge.given_up.load(Ordering::Relaxed) {
            return Err(TableError::write(output.merge.folder.table, "", io::Error::from(io::ErrorKind::Interrupted)));
        }
        if !self.places.is_empty() {
            let batches: Vec<&RecordBatch> = self.batches.iter().collect();
            let rows = interleave_record_batch(&batches, &self.places);
            output.write(&rows.map_err(TableError::rows(output.merge.folder.table))?)?;
            self.places.clear();
        }
        let mut kept = Vec::with_capacity(self.inputs.len());
        for current in self.inputs.iter_mut().filter_map(|input| input.current.as_mut()) {
            if let Some(batch) = self.batches.get(current.slot) {
                kept.push(batch.clone());
                current.slot = kept.len() - 1;
            }
        }
        self.batches = kept;
        self.waiting_bytes = 0;
        Ok(())
    }
}

/// The parts of one cut being written.
struct Output<'a> {
    merge: &'a Merge,
    writer: Option<PartWriter>,
    written: Vec<Written>,
}

impl Output<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(PartWriter::new(&self.merge.folder, &self.merge.schema, Effort::Thorough)?),
        };
        writer.write(batch)?;
        if writer.size() >= self.merge.part_bytes_max {
            self.written.extend(self.writer.take().map(PartWriter::finish).transpose()?);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Written>, TableError> {
        self.written.extend(self.writer.take().map(PartWriter::finish).transpose()?);
        Ok(self.written)
    }
}
