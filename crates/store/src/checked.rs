//! Files read with their checksums: what comes out is what was written, or an error.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::sums::{BLOCK_BYTES, Recorded, Sum, Sums};

/// Bytes read ahead by [`CheckedRead`].
const READ_BLOCKS: u64 = 4;

/// A file that is not what was written.
#[derive(Debug, thiserror::Error)]
#[error("'{}' is damaged: bytes {} to {} are not those that were written; 'hubscope verify' looks through all files",
    path.display(), bytes.start, bytes.end)]
pub struct Damaged {
    /// Which file.
    pub path: PathBuf,
    /// Where, to the block.
    pub bytes: Range<u64>,
}

/// A file of a table, open for reading. Without a known sum it is read as it is.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    file: Arc<File>,
    path: PathBuf,
    length: u64,
    recorded: Option<Recorded>,
}

impl Checked {
    pub(crate) fn open(path: &Path, sums: Option<&Sums>) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let recorded = sums.and_then(|sums| sums.get(path));
        let this = Self { file: Arc::new(file), path: path.to_owned(), length, recorded };
        match &this.recorded {
            Some(recorded) if recorded.any().all(|sum| sum.bytes != length) => {
                let end = recorded.now.bytes.max(length);
                Err(this.damaged(recorded.now.bytes.min(length)..end))
            }
            _ => Ok(this),
        }
    }

    /// The bytes of `range`, cut off at the end of the file.
    pub(crate) fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let range = range.start.min(self.length)..range.end.min(self.length);
        let Some(recorded) = &self.recorded else { return self.bytes(&range) };
        let start = range.start / BLOCK_BYTES * BLOCK_BYTES;
        let end = range.end.next_multiple_of(BLOCK_BYTES).min(self.length);
        let bytes = self.bytes(&(start..end))?;
        let mut fault = None;
        let is_right = recorded.any().any(|sum| match fault_in(sum, self.length, start, &bytes) {
            None => true,
            Some(place) => {
                fault.get_or_insert(place);
                false
            }
        });
        if let Some(place) = fault.filter(|_| !is_right) {
            return Err(self.damaged(place));
        }
        let skip = usize::try_from(range.start - start).unwrap_or(usize::MAX);
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        Ok(bytes.slice(skip..skip + length))
    }

    fn bytes(&self, range: &Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }

    fn damaged(&self, bytes: Range<u64>) -> io::Error {
        io::Error::new(ErrorKind::InvalidData, Damaged { path: self.path.clone(), bytes })
    }
}

/// The first block of `bytes`, which begin at `start`, that is not that of `sum`.
fn fault_in(sum: &Sum, length: u64, start: u64, bytes: &[u8]) -> Option<Range<u64>> {
    if sum.bytes != length {
        return Some(start..length);
    }
    let block_bytes = usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX);
    let first = usize::try_from(start / BLOCK_BYTES).unwrap_or(usize::MAX);
    for (index, block) in bytes.chunks(block_bytes).enumerate() {
        if sum.blocks.get(first + index) != Some(&crc32c::crc32c(block)) {
            let from = (first + index) as u64 * BLOCK_BYTES;
            return Some(from..from + block.len() as u64);
        }
    }
    None
}

impl Length for Checked {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Checked {
    type T = CheckedRead;

    fn get_read(&self, start: u64) -> Result<CheckedRead, ParquetError> {
        Ok(CheckedRead { file: self.clone(), next: start, held: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.read(start..start.saturating_add(length as u64))?;
        if bytes.len() == length {
            Ok(bytes)
        } else {
            Err(ParquetError::EOF(format!("'{}' ends before byte {}", self.path.display(), start + length as u64)))
        }
    }
}

/// A file read from some place on.
#[derive(Debug)]
pub(crate) struct CheckedRead {
    file: Checked,
    next: u64,
    held: Bytes,
}

impl Read for CheckedRead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.held.is_empty() {
            let end = (self.next / BLOCK_BYTES + READ_BLOCKS) * BLOCK_BYTES;
            self.held = self.file.read(self.next..end)?;
            self.next += self.held.len() as u64;
        }
        let length = into.len().min(self.held.len());
        self.held.copy_to_slice(into.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}
