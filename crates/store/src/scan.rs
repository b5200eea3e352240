//! Reads the rows of a table snapshot: parts and tail, some columns, some rows.
//!
//! Row groups are left out by the footers' bounds of `collector`, `position` and `time`; what is read is then filtered
//! exactly. Blocks: call it where blocking is allowed, or take [`Scan::stream`].

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use event::{CollectorId, Day, EventTime, Position};
use futures::Stream;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use crate::checked::Checked;
use crate::columns::Table;
use crate::error::TableError;
use crate::part::Part;
use crate::snapshot::TableSnapshot;
use crate::tail::conform;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// Bytes of a batch, about: rows are fewer where they are long. Of one part being merged this is what is held, so
/// thirty-two take 64 MiB.
const BATCH_BYTES: usize = 2 << 20;

/// Batches that a stream reads ahead.
const READ_AHEAD: usize = 2;

/// Which rows a scan gives.
#[derive(Clone, Debug, Default)]
pub enum Selection {
    /// All of them.
    #[default]
    All,
    /// Those of one collector, with positions in a half-open range.
    Positions(CollectorId, Range<Position>),
    /// Those with `time` in a half-open range. Rows without a time are left out.
    Time(Range<EventTime>),
    /// Those that belong to one of the days `start <= day < end`: a row of an import to the day whose file held it, a
    /// row of a journal to the UTC day of its `time`.
    Days(Range<Day>),
}

/// A scan to be run.
#[derive(Clone, Debug)]
pub struct Scan {
    dir: PathBuf,
    table: Table,
    snapshot: TableSnapshot,
    columns: Option<Vec<String>>,
    selection: Selection,
    schemas: Option<Vec<String>>,
}

impl Scan {
    /// All rows and columns of `snapshot`, whose parts lie in `dir` ([`crate::Store::table_dir`]).
    pub fn new(table: Table, dir: &Path, snapshot: &TableSnapshot) -> Self {
        let (dir, snapshot) = (dir.to_owned(), snapshot.clone());
        Self { dir, table, snapshot, columns: None, selection: Selection::All, schemas: None }
    }

    /// Only these columns, in this order. Names that the table lacks are left out.
    #[must_use]
    pub fn columns(mut self, names: &[&str]) -> Self {
        self.columns = Some(names.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// Only these rows.
    #[must_use]
    pub fn select(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Of these rows, only events of the schemas of these ids. Parts and row groups without any are not read.
    #[must_use]
    pub fn schemas(mut self, ids: &[&str]) -> Self {
        self.schemas = Some(ids.iter().map(|id| (*id).to_owned()).collect());
        self
    }

    /// Schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        let Some(names) = &self.columns else { return Arc::clone(&self.snapshot.schema) };
        let fields = names.iter().filter_map(|name| self.snapshot.schema.field_with_name(name).ok().cloned());
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    fn may_be_in(&self, part: &Part) -> bool {
        let of_schema = || self.schemas.iter().flatten().any(|id| part.may_hold_schema(id));
        self.selection.may_be_in(part) && (self.schemas.is_none() || of_schema())
    }

    fn may_be_in_group(&self, group: &RowGroupMetaData) -> bool {
        let bounds = || texts(group, "schema");
        let of_schema = |id: &String| bounds().is_none_or(|(low, high)| low <= id.as_bytes() && id.as_bytes() <= high);
        self.selection.may_be_in_group(group) && self.schemas.as_ref().is_none_or(|ids| ids.iter().any(of_schema))
    }

    fn filter(&self, batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
        let batch = match &self.schemas {
            None => batch.clone(),
            Some(ids) => {
                let column = batch.column_by_name("schema").map(|column| column.as_string::<i32>());
                let wanted = |own: Option<&str>| own.is_some_and(|own| ids.iter().any(|id| id == own));
                let mask: BooleanArray = column.into_iter().flatten().map(|own| Some(wanted(own))).collect();
                filter_record_batch(batch, &mask)?
            }
        };
        self.selection.filter(&batch)
    }

    /// The rows, batch by batch: parts in their order, then the tail. No batch is empty.
    pub fn read(self) -> Batches {
        let schema = self.schema();
        let parts: Vec<Part> = self.snapshot.parts.iter().filter(|part| self.may_be_in(part)).cloned().rev().collect();
        let tail: Vec<RecordBatch> = self.snapshot.tail.iter().cloned().rev().collect();
        Batches { scan: self, schema, parts, tail, open: None }
    }

    /// The same rows, read on a blocking thread. Must be called within a runtime; to drop the stream ends the reading.
    pub fn stream(self) -> impl Stream<Item = Result<RecordBatch, TableError>> + Send + use<> {
        let (sender, receiver) = tokio::sync::mpsc::channel(READ_AHEAD);
        tokio::task::spawn_blocking(move || {
            for batch in self.read() {
                if sender.blocking_send(batch).is_err() {
                    return;
                }
            }
        });
        futures::stream::unfold(
            receiver,
            |mut receiver| async move { receiver.recv().await.map(|item| (item, receiver)) },
        )
    }
}

/// The batches of a [`Scan`].
#[derive(Debug)]
pub struct Batches {
    scan: Scan,
    schema: SchemaRef,
    /// Parts still to be read, the next one last; each keeps its file on disk.
    parts: Vec<Part>,
    tail: Vec<RecordBatch>,
    open: Option<Open>,
}

struct Open {
    part: Part,
    reader: ParquetRecordBatchReader,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("part", &self.part.path).finish_non_exhaustive()
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let batch = match self.next_unfiltered()? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(error)),
            };
            let selected = self.scan.filter(&batch).and_then(|batch| conform(&batch, &self.schema));
            match selected {
                Ok(batch) if batch.num_rows() == 0 => {}
                Ok(batch) => return Some(Ok(batch)),
                Err(source) => return Some(Err(TableError::rows(self.scan.table)(source))),
            }
        }
    }
}

impl Batches {
    fn next_unfiltered(&mut self) -> Option<Result<RecordBatch, TableError>> {
        loop {
            if let Some(open) = &mut self.open {
                match open.reader.next() {
                    Some(Ok(batch)) => return Some(Ok(batch)),
                    Some(Err(source)) => {
                        let path = Arc::clone(&open.part.path);
                        self.open = None;
                        return Some(Err(TableError::read(self.scan.table, &path, source)));
                    }
                    None => self.open = None,
                }
            } else if let Some(part) = self.parts.pop() {
                match self.open(part) {
                    Ok(open) => self.open = Some(open),
                    Err(error) => return Some(Err(error)),
                }
            } else {
                return self.tail.pop().map(Ok);
            }
        }
    }

    fn open(&self, part: Part) -> Result<Open, TableError> {
        let wanted: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let of_group = |group: &RowGroupMetaData| self.scan.may_be_in_group(group);
        let mut wanted: Vec<&str> = wanted.into_iter().chain(self.scan.selection.columns().iter().copied()).collect();
        wanted.extend(self.scan.schemas.iter().map(|_| "schema"));
        let reader = open_groups(&self.scan.dir, &part, &wanted, of_group, BATCH_ROWS)
            .map_err(|source| TableError::read(self.scan.table, &part.path, source))?;
        Ok(Open { part, reader })
    }
}

/// A reader of the columns `wanted` (and those that `selection` looks at) of the row groups that can hold a row of it.
/// Its batches have `batch_rows` rows, or as many as make [`BATCH_BYTES`].
pub(crate) fn open_part(
    dir: &Path,
    part: &Part,
    wanted: &[&str],
    selection: &Selection,
    batch_rows: usize,
) -> Result<ParquetRecordBatchReader, parquet::errors::ParquetError> {
    let names: Vec<&str> = wanted.iter().chain(selection.columns()).copied().collect();
    open_groups(dir, part, &names, |group| selection.may_be_in_group(group), batch_rows)
}

/// A reader of the columns `wanted` of the row groups of which `of_group` says so.
fn open_groups(
    dir: &Path,
    part: &Part,
    wanted: &[&str],
    of_group: impl Fn(&RowGroupMetaData) -> bool,
    batch_rows: usize,
) -> Result<ParquetRecordBatchReader, parquet::errors::ParquetError> {
    let file = Checked::open(&dir.join(&*part.path), part.sums.as_deref())?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let metadata = Arc::clone(builder.metadata());
    let groups: Vec<usize> =
        (0..metadata.num_row_groups()).filter(|index| of_group(metadata.row_group(*index))).collect();
    let mask = ProjectionMask::columns(builder.parquet_schema(), wanted.iter().copied());
    let row_bytes = groups.iter().map(|index| row_bytes(metadata.row_group(*index), &mask)).max().unwrap_or(1).max(1);
    let batch_rows = batch_rows.min(BATCH_BYTES / row_bytes).max(1);
    builder.with_projection(mask).with_row_groups(groups).with_batch_size(batch_rows).build()
}

/// Bytes of a row of `group` in the columns of `mask`, on average.
fn row_bytes(group: &RowGroupMetaData, mask: &ProjectionMask) -> usize {
    let columns = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
    let bytes: i64 = columns.map(|(_, column)| column.uncompressed_size()).sum();
    usize::try_from(bytes / group.num_rows().max(1)).unwrap_or(usize::MAX)
}

impl Selection {
    /// The columns that it looks at.
    fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::All => &[],
            Self::Positions(..) => &["collector", "position"],
            Self::Time(_) => &["time"],
            Self::Days(_) => &["collector", "position", "time"],
        }
    }

    /// By what the Delta log says of a part.
    fn may_be_in(&self, part: &Part) -> bool {
        match self {
            Self::Time(range) => part.may_hold_time(range),
            // Which days an import's rows belong to stands in their positions, of which the log says nothing.
            Self::All | Self::Positions(..) | Self::Days(_) => true,
        }
    }

    /// By what a part's footer says of a row group.
    pub(crate) fn may_be_in_group(&self, group: &RowGroupMetaData) -> bool {
        match self {
            Self::All => true,
            Self::Time(range) => meets(integers(group, "time"), &times(range)),
            Self::Positions(collector, range) => {
                let named = texts(group, "collector").is_none_or(|(low, high)| {
                    low <= collector.as_str().as_bytes() && collector.as_str().as_bytes() <= high
                });
                named && meets(integers(group, "position"), &positions(range))
            }
            Self::Days(days) => {
                meets(integers(group, "time"), &times(&time_of(days)))
                    || meets(integers(group, "position"), &positions(&imported(days)))
            }
        }
    }

    fn filter(&self, batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
        match self.mask(batch) {
            None => Ok(batch.clone()),
            Some(mask) => filter_record_batch(batch, &mask),
        }
    }

    /// Which rows of `batch` are selected; `None`: all.
    pub(crate) fn mask(&self, batch: &RecordBatch) -> Option<BooleanArray> {
        let position = || batch.column_by_name("position").map(|column| column.as_primitive::<Int64Type>());
        let time = || batch.column_by_name("time").map(|column| column.as_primitive::<TimestampMicrosecondType>());
        let collector = || batch.column_by_name("collector").map(|column| column.as_string::<i32>());
        match self {
            Self::All => None,
            Self::Time(range) => {
                let range = times(range);
                Some(time()?.iter().map(|time| Some(time.is_some_and(|time| range.contains(&time)))).collect())
            }
            Self::Positions(wanted, range) => {
                let range = positions(range);
                let rows = collector()?.iter().zip(position()?.iter());
                Some(
                    rows.map(|(own, at)| {
                        Some(own == Some(wanted.as_str()) && at.is_some_and(|at| range.contains(&at)))
                    })
                    .collect(),
                )
            }
            Self::Days(days) => {
                let (of_import, of_time) = (positions(&imported(days)), times(&time_of(days)));
                let rows = collector()?.iter().zip(position()?.iter()).zip(time()?.iter());
                let selected = rows.map(|((own, at), time)| {
                    if own.is_some_and(|own| own.starts_with("import/")) {
                        at.is_some_and(|at| of_import.contains(&at))
                    } else {
                        time.is_some_and(|time| of_time.contains(&time))
                    }
                });
                Some(selected.map(Some).collect())
            }
        }
    }
}

fn times(range: &Range<EventTime>) -> Range<i64> {
    range.start.micros()..range.end.micros()
}

fn time_of(days: &Range<Day>) -> Range<EventTime> {
    days.start.start()..days.end.start()
}

fn imported(days: &Range<Day>) -> Range<Position> {
    Position::imported(days.start, 0)..Position::imported(days.end, 0)
}

fn positions(range: &Range<Position>) -> Range<i64> {
    crate::rows::position_value(range.start)..crate::rows::position_value(range.end)
}

fn meets(bounds: Option<(i64, i64)>, range: &Range<i64>) -> bool {
    bounds.is_none_or(|(least, greatest)| least < range.end && range.start <= greatest)
}

fn statistics<'a>(group: &'a RowGroupMetaData, name: &str) -> Option<&'a Statistics> {
    group.columns().iter().find(|column| column.column_path().string() == name)?.statistics()
}

fn integers(group: &RowGroupMetaData, name: &str) -> Option<(i64, i64)> {
    match statistics(group, name)? {
        Statistics::Int64(bounds) => Some((*bounds.min_opt()?, *bounds.max_opt()?)),
        _ => None,
    }
}

fn texts<'a>(group: &'a RowGroupMetaData, name: &str) -> Option<(&'a [u8], &'a [u8])> {
    match statistics(group, name)? {
        Statistics::ByteArray(bounds) if bounds.min_is_exact() && bounds.max_is_exact() => {
            Some((bounds.min_bytes_opt()?, bounds.max_bytes_opt()?))
        }
        _ => None,
    }
}
