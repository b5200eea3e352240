//! A Parquet file.

use datafusion::arrow::error::ArrowError;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;

use super::Answer;

/// The answer cannot be written as Parquet: it has a column of a type that Parquet does not know.
#[derive(Debug, thiserror::Error)]
#[error("the answer cannot be written as Parquet: {0}")]
pub struct ParquetAnswerError(String);

impl From<ParquetError> for ParquetAnswerError {
    fn from(error: ParquetError) -> Self {
        Self(error.to_string())
    }
}

impl From<ArrowError> for ParquetAnswerError {
    fn from(error: ArrowError) -> Self {
        Self(error.to_string())
    }
}

impl Answer {
    /// As the bytes of a Parquet file (zstd).
    ///
    /// # Errors
    /// When a column has a type that Parquet does not know (intervals of mixed units, say).
    pub fn parquet(&self) -> Result<Vec<u8>, ParquetAnswerError> {
        let compression = Compression::ZSTD(ZstdLevel::try_new(3)?);
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, self.schema.clone(), Some(properties))?;
        for batch in &self.batches {
            writer.write(batch)?;
        }
        writer.close()?;
        Ok(bytes)
    }
}
