//! The bytes of a unit's files: read, inflated, hashed, cut into lines.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use event::Day;
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::ReadError;

/// Most bytes of one day, after decompression. Its rows are held in memory until they are stored; the largest day of
/// the largest public archive has 12 MB, the same day as log entries about 40.
pub(super) const DAY_BYTES_MAX: u64 = 1 << 30;

/// Reads `file` as a whole, inflating it when its name ends in `.gz`; `taken` bytes of its day were read before.
///
/// # Errors
///
/// [`ReadError::Io`], also for damaged compression; [`ReadError::TooLarge`].
pub(super) fn read(file: &Path, day: Day, taken: u64) -> Result<Bytes, ReadError> {
    let left = DAY_BYTES_MAX.saturating_sub(taken);
    let contents = inflate(file, left + 1).map_err(|source| ReadError::Io { path: file.to_owned(), source })?;
    // One byte more than is left was asked for, so that a file that fits is told from one that does not.
    if u64::try_from(contents.len()).unwrap_or(u64::MAX) > left {
        return Err(ReadError::TooLarge { path: file.to_owned(), day, limit: DAY_BYTES_MAX });
    }
    Ok(contents.into())
}

fn inflate(file: &Path, most: u64) -> io::Result<Vec<u8>> {
    let source = File::open(file)?;
    // What is not compressed is read into memory of its size; growing would write everything twice.
    let size = usize::try_from(source.metadata()?.len().min(most)).unwrap_or_default();
    let mut contents = Vec::with_capacity(size + 1);
    if file.extension().is_some_and(|extension| extension == "gz") {
        MultiGzDecoder::new(source).take(most).read_to_end(&mut contents)?;
    } else {
        source.take(most).read_to_end(&mut contents)?;
    }
    Ok(contents)
}

/// The hash of a unit: that of its file's bytes after decompression; where it has several files, that of their hashes
/// in order.
#[derive(Debug, Default)]
pub(super) struct UnitHash {
    files: Vec<[u8; 32]>,
}

impl UnitHash {
    pub(super) fn add(&mut self, contents: &[u8]) {
        self.files.push(Sha256::digest(contents).into());
    }

    pub(super) fn finish(self) -> [u8; 32] {
        match self.files.as_slice() {
            [only] => *only,
            several => Sha256::digest(several.concat()).into(),
        }
    }
}

/// The lines of `contents` that are not blank, without their ends; slices, not copies.
pub(super) fn lines(contents: &Bytes) -> Vec<Bytes> {
    let ends = memchr::memchr_iter(b'\n', contents).chain([contents.len()]);
    let mut start = 0;
    let mut lines = Vec::new();
    for end in ends {
        let line = trim(contents.get(start..end).unwrap_or_default());
        if !line.is_empty() {
            lines.push(contents.slice_ref(line));
        }
        start = end + 1;
    }
    lines
}

/// Without the white space that JSON allows around a value, so that a line that ends `\r\n` is the same line.
fn trim(line: &[u8]) -> &[u8] {
    line.trim_ascii()
}
