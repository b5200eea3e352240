use std::io;
use std::ops::Range;

use crate::fs::{FsFile, read_around};

/// Bytes read at a time when less was asked for: large enough that calls do not count, small beside a record's limit.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;

/// A part of a file in memory, moving forward.
#[derive(Debug)]
pub(super) struct Window<'a> {
    file: &'a dyn FsFile,
    end: u64,
    start: u64,
    bytes: Vec<u8>,
    unreadable: Vec<Range<u64>>,
}

impl<'a> Window<'a> {
    /// Shows the file's bytes below `end`.
    pub(super) fn new(file: &'a dyn FsFile, end: u64) -> Self {
        Self { file, end, start: 0, bytes: Vec::new(), unreadable: Vec::new() }
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// What the disk did not give back so far, in order; zeros were seen in its place.
    pub(super) fn unreadable(&self) -> &[Range<u64>] {
        &self.unreadable
    }

    /// The `length` bytes at `offset`; fewer where the window's end (or the file's) comes first.
    pub(super) fn at(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let available = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = length.min(available);
        let behind = offset.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        let held = behind.is_some_and(|skip| skip.checked_add(length).is_some_and(|end| end <= self.bytes.len()));
        if !held {
            self.load(offset, length.max(CHUNK_BYTES.min(available)))?;
        }
        let skip = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let held = self.bytes.get(skip..).unwrap_or_default();
        Ok(held.get(..length).unwrap_or(held))
    }

    /// Offset of the first `needle` at or after `offset`; the end when there is none.
    pub(super) fn find(&mut self, offset: u64, needle: &[u8]) -> io::Result<u64> {
        let mut offset = offset;
        while offset < self.end {
            let chunk = self.at(offset, CHUNK_BYTES)?;
            if let Some(found) = memchr::memmem::find(chunk, needle) {
                return Ok(offset + found as u64);
            }
            // The needle may lie across two chunks.
            let step = chunk.len().saturating_sub(needle.len() - 1);
            if step == 0 {
                break;
            }
            offset += step as u64;
        }
        Ok(self.end)
    }

    fn load(&mut self, offset: u64, length: usize) -> io::Result<()> {
        let keep = offset.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        match keep.filter(|skip| *skip <= self.bytes.len()) {
            Some(skip) => drop(self.bytes.drain(..skip)),
            None => self.bytes.clear(),
        }
        self.start = offset;
        let held = self.bytes.len();
        if length > held {
            self.bytes.resize(length, 0);
            let fresh = self.bytes.get_mut(held..).unwrap_or_default();
            let read = read_around(self.file, offset + held as u64, fresh, &mut self.unreadable)?;
            self.bytes.truncate(held + read);
        }
        Ok(())
    }
}
