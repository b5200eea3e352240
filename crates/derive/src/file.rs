//! A file of sessions, open for reading: plain Parquet with the columns of [`schema`].
//!
//! It is held open as long as somebody may read it, so that it can be replaced, and what is replaced is gone once the
//! last reader is.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::ColumnPath;
use store::{Derived, DerivedDamaged, Manifest};

use crate::rows::schema;

/// A group has no more rows, so that of a month those days are decoded that a question needs, on several threads.
const GROUP_ROWS_MAX: usize = 32_768;

/// Rows of sessions that began in one month, on disk.
#[derive(Debug)]
pub struct SessionFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    metadata: Arc<ParquetMetaData>,
}

impl SessionFile {
    /// The file `name` of `folder`, compared with its checksum. Blocks.
    pub(crate) fn open(folder: &Derived, manifest: &Manifest, name: &str) -> Result<Self, DerivedDamaged> {
        let file = folder.open(manifest, name)?;
        let damaged = |detail: String| DerivedDamaged { path: folder.path(name), detail };
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file);
        let metadata = Arc::new(metadata.map_err(|error| damaged(error.to_string()))?);
        let bytes = manifest.files.get(name).map_or(0, |listed| listed.bytes);
        let file = Self { path: folder.path(name), file, bytes, metadata };
        file.has_columns().map_err(damaged)?;
        Ok(file)
    }

    /// What it is called; another file never bears the same name.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its footer.
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.metadata
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        usize::try_from(self.metadata.file_metadata().num_rows()).unwrap_or(0)
    }

    /// The bytes of `range`. Blocks.
    ///
    /// # Errors
    /// The disk's; also when the file ends before the range does.
    pub fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }

    /// All its rows, with the columns of [`schema`]. Blocks.
    pub(crate) fn read(self: &Arc<Self>) -> Result<RecordBatch, DerivedDamaged> {
        let damaged = |error: ParquetError| DerivedDamaged { path: self.path.clone(), detail: error.to_string() };
        self.decoded().map_err(damaged)
    }

    fn decoded(self: &Arc<Self>) -> Result<RecordBatch, ParquetError> {
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(&self.metadata), Default::default())?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(Reading(Arc::clone(self)), metadata);
        let batches = reader.build()?.map(|batch| conform(&batch?)).collect::<Result<Vec<_>, ParquetError>>()?;
        Ok(concat_batches(&schema(), &batches)?)
    }

    /// A column more than is known is let be, and one that came later than the file is null in it; one that every row
    /// needs must be there.
    fn has_columns(&self) -> Result<(), String> {
        let columns = self.metadata.file_metadata().schema_descr();
        let has = |name: &str| columns.columns().iter().any(|column| column.name() == name);
        match schema().fields().iter().find(|field| !field.is_nullable() && !has(field.name())) {
            None => Ok(()),
            Some(field) => Err(format!("it has no column '{}'", field.name())),
        }
    }
}

/// The columns of [`schema`], of a batch of a file that may be from before some of them.
fn conform(batch: &RecordBatch) -> Result<RecordBatch, ParquetError> {
    let of = schema();
    let columns = of.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => Ok(cast(column, field.data_type())?),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>, ParquetError>>()?;
    Ok(RecordBatch::try_new(of, columns)?)
}

/// The bytes of a file with `rows`.
///
/// Times stand as differences from row to row. In order of begins these are smaller than what zstd makes of times, and
/// read several times as fast; of names and words the dictionaries are small as they are.
pub(crate) fn bytes_of(rows: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let schema = rows.schema();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_created_by("hubscope".to_owned())
        .set_max_row_group_row_count(Some(GROUP_ROWS_MAX));
    for time in schema.fields().iter().filter(|field| matches!(field.data_type(), DataType::Timestamp(..))) {
        let column = ColumnPath::from(time.name().as_str());
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties.build()))?;
    writer.write(rows)?;
    writer.close()?;
    Ok(bytes)
}

/// A file as its decoder reads it: by place, since others read it at the same time.
struct Reading(Arc<SessionFile>);

impl Length for Reading {
    fn len(&self) -> u64 {
        self.0.bytes
    }
}

impl ChunkReader for Reading {
    type T = Piece;

    fn get_read(&self, start: u64) -> Result<Piece, ParquetError> {
        Ok(Piece { file: Arc::clone(&self.0), next: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        Ok(self.0.read_at(start..start.saturating_add(length as u64))?)
    }
}

/// The bytes of a file from a place on.
struct Piece {
    file: Arc<SessionFile>,
    next: u64,
}

impl Read for Piece {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.file.read_at(into, self.next)?;
        self.next += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use event::EventTime;
    use insight::session::{EndKnownBy, Flags, Server, Session, StartKnownBy};
    use store::{DurableFs, NewFile};

    use super::*;
    use crate::columns::sessions;
    use crate::rows::batch;

    #[test]
    fn a_file_from_before_a_column_opens_and_one_without_a_start_does_not() {
        let at = EventTime::from_micros;
        let session = Session {
            start_low: at(1),
            start: at(1),
            start_known_by: StartKnownBy::Event,
            hub_started: Some(at(0)),
            end_low: at(7),
            end: Some(at(7)),
            end_high: Some(at(7)),
            end_known_by: EndKnownBy::Stop,
            last_activity: Some(at(5)),
            flags: Flags::default(),
            start_id: None,
            end_id: None,
        };
        let server = Server { user: "ada".into(), name: "".into() };
        let whole = batch("lab", None, &[(server.clone(), session)]).unwrap();
        let root = tempfile::tempdir().unwrap();
        let folder = Derived::new(root.path(), "sessions", DurableFs::default());
        let read = |rows: &RecordBatch| {
            let bytes = bytes_of(rows).unwrap();
            let file = NewFile::Bytes { stem: "1970-01".to_owned(), extension: "parquet", bytes };
            let manifest = folder.replace(serde_json::Value::Null, vec![file]).unwrap().manifest;
            let name = manifest.files.keys().next().unwrap();
            Arc::new(SessionFile::open(&folder, &manifest, name)?).read()
        };
        assert_eq!(read(&whole).unwrap(), whole);
        let without = |name: &str| {
            let kept: Vec<usize> =
                (0..whole.num_columns()).filter(|at| whole.schema().field(*at).name() != name).collect();
            read(&whole.project(&kept).unwrap())
        };
        let from_before = without("hub_started").unwrap();
        assert_eq!(sessions(&from_before), [("lab".into(), server, Session { hub_started: None, ..session })]);
        assert_eq!(without("start").unwrap_err().detail, "it has no column 'start'");
    }
}
