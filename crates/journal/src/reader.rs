//! Reads one segment: records in order, and what is damaged between them.
//!
//! Damage never hides what follows: where a record does not check, the reader looks for the next place where the
//! segment's mark begins a header whose checksum matches, and goes on there. The mark is random for each segment and
//! never leaves the folder, so a payload cannot pretend to be a record.

mod window;

use std::io;
use std::ops::Range;

use crate::format::{RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES};
use crate::fs::FsFile;
#[cfg(test)]
pub(crate) use window::CHUNK_BYTES;
use window::Window;

/// What comes next in a segment.
#[derive(Debug)]
pub(crate) enum Found {
    /// A whole record; its payload: [`Reader::payload`].
    Record(Place),
    /// Bytes that are no record, with intact records after them.
    Damage(Damage),
    /// The end, perhaps after bytes that are no record.
    End(Damage),
}

/// An intact record and where it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) header: RecordHeader,
}

/// A range of bytes that holds no intact record (empty at a clean end), and the positions that are missing there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) bytes: Range<u64>,
    pub(crate) positions: Range<u64>,
}

/// Reads a segment with memory for one record and one chunk.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    window: Window<'a>,
    offset: u64,
    salt: Option<u64>,
    expected: u64,
    limit: u64,
}

enum Verdict {
    Intact(RecordHeader),
    /// The header is intact, the payload is not, or it is cut off: nothing else can lie before this offset.
    Damaged(u64),
    NoRecord,
}

impl<'a> Reader<'a> {
    /// Reads records up to byte `end`, of a segment that holds some of these positions: from the first in its header to
    /// the first of the segment that follows. Without the mark (its header is damaged) it is taken from the first
    /// record that checks.
    pub(crate) fn new(file: &'a dyn FsFile, end: u64, positions: Range<u64>, salt: Option<u64>) -> Self {
        let offset = (SEGMENT_HEADER_BYTES as u64).min(end);
        Self { window: Window::new(file, end), offset, salt, expected: positions.start, limit: positions.end }
    }

    /// The next record, damage or end.
    pub(crate) fn next(&mut self) -> io::Result<Found> {
        let from = self.offset;
        while self.offset < self.window.end() {
            match self.judge(self.offset)? {
                Verdict::Intact(header) => {
                    if from < self.offset || header.first > self.expected {
                        return Ok(Found::Damage(self.damage(from, header.first)));
                    }
                    let place = Place { offset: self.offset, header };
                    self.salt = Some(header.salt);
                    self.expected = header.end();
                    self.offset += header.total();
                    return Ok(Found::Record(place));
                }
                Verdict::Damaged(after) => self.offset = after,
                Verdict::NoRecord => self.offset = self.find_header(self.offset + 1)?,
            }
        }
        Ok(Found::End(self.damage(from, self.expected)))
    }

    /// The payload of the record that [`Reader::next`] just returned.
    pub(crate) fn payload(&mut self, place: &Place) -> io::Result<&[u8]> {
        let start = place.offset + RECORD_HEADER_BYTES as u64;
        self.window.at(start, place.header.length as usize)
    }

    /// What the disk did not give back so far, in order. It is read as zeros, which are no record: a mark of zeros
    /// would take 2^64 segments to come up.
    pub(crate) fn unreadable(&self) -> &[Range<u64>] {
        self.window.unreadable()
    }

    /// Position that the next record should begin with.
    pub(crate) fn expected(&self) -> u64 {
        self.expected
    }

    fn damage(&mut self, from: u64, next: u64) -> Damage {
        let positions = self.expected..next;
        self.expected = next;
        Damage { bytes: from..self.offset, positions }
    }

    fn judge(&mut self, offset: u64) -> io::Result<Verdict> {
        let Some(header) = RecordHeader::decode(self.window.at(offset, RECORD_HEADER_BYTES)?) else {
            return Ok(Verdict::NoRecord);
        };
        if !self.belongs(&header) {
            return Ok(Verdict::NoRecord);
        }
        let after = offset.saturating_add(header.total());
        if after > self.window.end() {
            // Without the mark a header alone proves nothing: it may be the bytes of a payload.
            let cut_off = Verdict::Damaged(self.window.end());
            return Ok(if self.salt.is_some() { cut_off } else { Verdict::NoRecord });
        }
        let total = RECORD_HEADER_BYTES + header.length as usize;
        let (bytes, payload) = match self.window.at(offset, total)?.split_at_checked(RECORD_HEADER_BYTES) {
            Some((bytes, payload)) if bytes.len() + payload.len() == total => (bytes, payload),
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        Ok(match (header.covers(bytes, payload), self.salt) {
            (true, _) => Verdict::Intact(header),
            (false, Some(_)) => Verdict::Damaged(after),
            (false, None) => Verdict::NoRecord,
        })
    }

    /// Whether a header that checks is one of this segment, at its place in the order. A record at or beyond the first
    /// position of the next segment is a ghost: its fsync failed, it was given up, its position was given to another,
    /// and then a crash brought its bytes back.
    fn belongs(&self, header: &RecordHeader) -> bool {
        let ours = self.salt.is_none_or(|salt| salt == header.salt);
        ours && header.first >= self.expected && header.end() <= self.limit
    }

    /// The first place at or after `offset` that may begin a record; the end when there is none.
    fn find_header(&mut self, offset: u64) -> io::Result<u64> {
        match self.salt {
            Some(salt) => self.window.find(offset, &salt.to_le_bytes()),
            // Every byte may begin a record; the caller tries each. Only a damaged segment header leads here.
            None => Ok(offset),
        }
    }
}
