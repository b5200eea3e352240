//! Writes a part: rows in, one synced Parquet file out.
//!
//! The Parquet writer runs on a blocking thread and hands its bytes on in chunks, so that what is held in memory is one
//! row group and one chunk, whatever the size of the part. Row groups know nothing of each other, so several can be
//! encoded at once ([`Encoder`]) and appended in their order.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use deltalake_core::kernel::{Action, Add};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use tokio::runtime::Handle;

use crate::columns::{DELTA_ENCODED, FOOTER_STATISTICS, Table};
use crate::coverage::Coverage;
use crate::error::TableError;
use crate::part::{Part, Statistics};
use crate::sums::Sums;

/// Rows of a row group: small enough that the dictionary of `spec` fits into it (its limit is 1 MiB; measured: 3 bytes
/// an event instead of 5), and that time ranges prune within a part.
pub(crate) const ROW_GROUP_ROWS: usize = 65_536;

/// Bytes that a row group may take in memory while it is written; a group of long rows ends there.
pub(crate) const ROW_GROUP_BYTES_MAX: usize = 64 << 20;

/// How hard a part is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// It is written while senders wait, and compaction writes its rows again.
    Quick,
    /// It is written in the background, to stay.
    Thorough,
}

impl Effort {
    /// The level of zstd: 1 takes half the time of 3 and gives texts that are 4 to 6 % larger; 10 is four times slower
    /// than 3.
    fn zstd_level(self) -> i32 {
        match self {
            Self::Quick => 1,
            Self::Thorough => 3,
        }
    }
}

/// Bytes handed on at once; also the least size of a multipart chunk that object stores take (5 MiB), with room.
const CHUNK_BYTES: usize = 8 << 20;

/// Where the parts of one table go.
#[derive(Clone, Debug)]
pub(crate) struct PartFolder {
    pub(crate) table: Table,
    /// Rooted at the table's folder.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Files that exist without being in the table yet.
    pub(crate) unborn: Arc<Mutex<BTreeSet<String>>>,
    /// With which they are checked when they are read.
    pub(crate) sums: Option<Arc<Sums>>,
}

impl PartFolder {
    /// Files that exist without being in the table yet.
    pub(crate) fn unborn(&self) -> BTreeSet<String> {
        self.unborn.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A part that is on disk, and the action that makes it part of the table.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) part: Part,
    pub(crate) stats: String,
}

impl Written {
    pub(crate) fn add(&self, data_change: bool) -> Action {
        Action::Add(Add {
            path: self.part.path.to_string(),
            size: i64::try_from(self.part.size).unwrap_or(i64::MAX),
            modification_time: now_millis(),
            data_change,
            stats: Some(self.stats.clone()),
            ..Add::default()
        })
    }
}

pub(crate) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// One part being written. Blocks; made and used on a blocking thread of a runtime.
pub(crate) struct PartWriter {
    folder: PartFolder,
    path: String,
    file: SerializedFileWriter<Chunks>,
    encoder: Encoder,
    group: Option<Group>,
    statistics: Statistics,
    coverage: Coverage,
    finished: bool,
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        if !self.finished {
            self.folder.unborn.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
        }
    }
}

impl PartWriter {
    pub(crate) fn new(folder: &PartFolder, schema: &SchemaRef, effort: Effort) -> Result<Self, TableError> {
        fail::fail_point!("store::parquet_write", |_| Err(TableError::write(
            folder.table,
            "",
            io::Error::other("the fail point store::parquet_write")
        )));
        let path = format!("part-{:016x}{:016x}.parquet", random(), random());
        let failed = |source: ParquetError| TableError::write(folder.table, &path, source);
        let chunks = Chunks::new(Arc::clone(&folder.store), Path::from(path.as_str()));
        let columns = ArrowSchemaConverter::new().convert(schema).map_err(failed)?;
        let properties = Arc::new(properties(schema, effort).map_err(failed)?);
        let file = SerializedFileWriter::new(chunks, columns.root_schema_ptr(), properties).map_err(failed)?;
        let factory = Arc::new(ArrowRowGroupWriterFactory::new(&file, Arc::clone(schema)));
        folder.unborn.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
        Ok(Self {
            folder: folder.clone(),
            path,
            file,
            encoder: Encoder { table: folder.table, schema: Arc::clone(schema), factory },
            group: None,
            statistics: Statistics::default(),
            coverage: Coverage::default(),
            finished: false,
        })
    }

    /// Encodes row groups for this part, and for others of its schema.
    pub(crate) fn encoder(&self) -> Encoder {
        self.encoder.clone()
    }

    /// Adds rows, at most [`ROW_GROUP_ROWS`], to the row group under way.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), TableError> {
        let is_full = |group: &Group| group.rows + batch.num_rows() > ROW_GROUP_ROWS;
        if let Some(full) = self.group.take_if(|group| is_full(group)) {
            self.end(full)?;
        }
        let failed = |source: ParquetError| TableError::write(self.folder.table, &self.path, source);
        let mut group = self.group.take().map_or_else(|| self.encoder.begin(), Ok).map_err(failed)?;
        group.write(batch).map_err(failed)?;
        if group.bytes() > ROW_GROUP_BYTES_MAX {
            return self.end(group);
        }
        self.group = Some(group);
        Ok(())
    }

    fn end(&mut self, group: Group) -> Result<(), TableError> {
        let encoded = group.finish().map_err(|source| TableError::write(self.folder.table, &self.path, source))?;
        self.append(encoded)
    }

    /// Adds a row group that is encoded.
    pub(crate) fn append(&mut self, encoded: Encoded) -> Result<(), TableError> {
        let Encoded { chunks, statistics, coverage } = encoded;
        self.statistics.merge(statistics);
        self.coverage.extend(&coverage);
        let appended = self.file.next_row_group().and_then(|mut group| {
            for chunk in chunks {
                chunk.append_to_row_group(&mut group)?;
            }
            group.close()
        });
        appended.map(drop).map_err(|source| TableError::write(self.folder.table, &self.path, source))
    }

    /// Bytes so far, those not yet compressed estimated.
    pub(crate) fn size(&self) -> u64 {
        (self.file.bytes_written() + self.group.as_ref().map_or(0, Group::bytes_encoded)) as u64
    }

    /// Ends the file; it is on disk under its name when this returns.
    pub(crate) fn finish(mut self) -> Result<Written, TableError> {
        if let Some(group) = self.group.take() {
            self.end(group)?;
        }
        let failed = |source: crate::error::Cause| TableError::write(self.folder.table, &self.path, source);
        self.file.finish().map_err(|source| failed(source.into()))?;
        let size = self.file.inner_mut().finish().map_err(|source| failed(source.into()))?;
        let stats = self.statistics.json();
        let mut part = Part::from_log(&self.path, size, Some(&stats));
        part.rows = self.statistics.rows();
        part.coverage = Some(Arc::new(std::mem::take(&mut self.coverage)));
        part.sums.clone_from(&self.folder.sums);
        self.finished = true;
        Ok(Written { part, stats })
    }
}

/// Makes row groups of one schema, on whatever thread.
#[derive(Clone)]
pub(crate) struct Encoder {
    table: Table,
    schema: SchemaRef,
    factory: Arc<ArrowRowGroupWriterFactory>,
}

impl Encoder {
    fn begin(&self) -> Result<Group, ParquetError> {
        Ok(Group {
            table: self.table,
            schema: Arc::clone(&self.schema),
            // The index matters to encrypted files alone.
            columns: self.factory.create_column_writers(0)?,
            rows: 0,
            statistics: Statistics::default(),
            coverage: Coverage::default(),
        })
    }

    /// A row group of `batches`: together at most [`ROW_GROUP_ROWS`].
    pub(crate) fn encode(
        &self,
        batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    ) -> Result<Encoded, ParquetError> {
        let mut group = self.begin()?;
        for batch in batches {
            group.write(&batch?)?;
        }
        group.finish()
    }
}

/// A row group being encoded. All columns are flat, so each is one leaf.
struct Group {
    table: Table,
    schema: SchemaRef,
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
    statistics: Statistics,
    coverage: Coverage,
}

impl Group {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        self.statistics.add(batch);
        self.coverage.add(self.table, batch);
        self.rows += batch.num_rows();
        let fields = self.schema.fields().iter().zip(batch.columns());
        for ((field, column), writer) in fields.zip(&mut self.columns) {
            for leaf in compute_leaves(field, column)? {
                writer.write(&leaf)?;
            }
        }
        Ok(())
    }

    /// Memory that it takes.
    fn bytes(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::memory_size).sum()
    }

    /// Bytes that it will take in the file, about.
    fn bytes_encoded(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
    }

    fn finish(self) -> Result<Encoded, ParquetError> {
        let chunks = self.columns.into_iter().map(ArrowColumnWriter::close).collect::<Result<_, _>>()?;
        Ok(Encoded { chunks, statistics: self.statistics, coverage: self.coverage })
    }
}

/// A row group that is encoded and compressed, to be appended to a part.
pub(crate) struct Encoded {
    chunks: Vec<ArrowColumnChunk>,
    statistics: Statistics,
    coverage: Coverage,
}

fn properties(schema: &SchemaRef, effort: Effort) -> Result<WriterProperties, ParquetError> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(effort.zstd_level())?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_created_by(concat!("hubscope ", env!("CARGO_PKG_VERSION")).to_owned());
    for field in schema.fields() {
        let name = field.name().as_str();
        let column = ColumnPath::from(name);
        if FOOTER_STATISTICS.contains(&name) {
            builder = builder.set_column_statistics_enabled(column.clone(), EnabledStatistics::Chunk);
        }
        if DELTA_ENCODED.contains(&name) {
            builder = builder
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column.clone(), Encoding::DELTA_BINARY_PACKED);
        }
        if name == "text" || name == "detail" {
            builder = builder.set_column_dictionary_enabled(column, false);
        }
    }
    Ok(builder.build())
}

/// 64 bits that no other process has: names of parts must never meet.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Hands the written bytes to the object store, a chunk at a time.
struct Chunks {
    runtime: Handle,
    store: Arc<dyn ObjectStore>,
    path: Path,
    buffer: Vec<u8>,
    upload: Option<Box<dyn MultipartUpload>>,
    size: u64,
}

impl Chunks {
    fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { runtime: Handle::current(), store, path, buffer: Vec::new(), upload: None, size: 0 }
    }

    fn hand_on(&mut self) -> io::Result<()> {
        let chunk = PutPayload::from(std::mem::take(&mut self.buffer));
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(self.runtime.block_on(self.store.put_multipart(&self.path))?),
        };
        self.runtime.block_on(upload.put_part(chunk))?;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<u64> {
        if self.upload.is_none() {
            let all = PutPayload::from(std::mem::take(&mut self.buffer));
            self.runtime.block_on(self.store.put(&self.path, all))?;
            return Ok(self.size);
        }
        if !self.buffer.is_empty() {
            self.hand_on()?;
        }
        if let Some(mut upload) = self.upload.take() {
            self.runtime.block_on(upload.complete())?;
        }
        Ok(self.size)
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        self.size += bytes.len() as u64;
        if self.buffer.len() >= CHUNK_BYTES {
            self.hand_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
