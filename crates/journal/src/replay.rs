//! Reading a journal back.

use std::ops::Range;

use crate::fs::FsFile;
use crate::reader::{Found, Reader};
use crate::segment::Segment;
use crate::shared::locked;
use crate::{Journal, ReplayError};

/// A record as it was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Position of the first thing it holds.
    pub first: u64,
    /// How many positions it holds.
    pub count: u32,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// What a replay went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// Records handed out.
    pub records: u64,
    /// Positions in them.
    pub positions: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Positions that no intact record holds, at or after the position replayed from. All of them were reported when
    /// the journal was opened, unless the disk went bad since.
    pub missing: Vec<Range<u64>>,
}

impl Journal {
    /// Hands out every record that reaches beyond position `from`, oldest first, each once; a record that begins before
    /// `from` is handed out whole. Memory: one record and one read buffer. Meant for before the first append; later it
    /// shows what was acknowledged when it was called.
    ///
    /// # Errors
    /// [`ReplayError::Io`]; or [`ReplayError::Stopped`] with the error of `take`, after which nothing more is read.
    pub fn replay<E>(
        &self,
        from: u64,
        take: &mut dyn FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<Replayed, ReplayError<E>> {
        // Trimming waits, so that no segment goes while it is read.
        let _alone = locked(&self.trimming);
        let (segments, end) = {
            let state = locked(&self.shared.state);
            (state.segments.iter().cloned().collect::<Vec<_>>(), state.next)
        };
        let mut replayed = Replayed::default();
        let mut expected = from.max(segments.first().map_or(end, |segment| segment.first));
        let holds = |segment: &&Segment| segment.next > from && segment.next > segment.first;
        for segment in segments.iter().filter(holds) {
            let path = segment.path(&self.dir);
            let io = |source| ReplayError::Io { path: path.clone(), source };
            let file = self.fs.open(&path).map_err(io)?;
            expected =
                read(file.as_ref(), segment, from, expected, &mut replayed, take).map_err(|error| match error {
                    Stop::Io(source) => io(source),
                    Stop::Caller { position, error } => ReplayError::Stopped { position, error },
                })?;
        }
        note_missing(expected..end, &mut replayed);
        Ok(replayed)
    }
}

enum Stop<E> {
    Io(std::io::Error),
    Caller { position: u64, error: E },
}

/// Reads one segment; returns the position after its last record.
fn read<E>(
    file: &dyn FsFile,
    segment: &Segment,
    from: u64,
    expected: u64,
    replayed: &mut Replayed,
    take: &mut dyn FnMut(Record<'_>) -> Result<(), E>,
) -> Result<u64, Stop<E>> {
    let mut expected = expected;
    let mut reader = Reader::new(file, segment.bytes, segment.first..segment.next, segment.salt);
    loop {
        let place = match reader.next().map_err(Stop::Io)? {
            Found::Record(place) => place,
            Found::Damage(_) => continue,
            Found::End(_) => return Ok(expected),
        };
        let header = place.header;
        if header.end() <= from {
            continue;
        }
        note_missing(expected..header.first, replayed);
        expected = expected.max(header.end());
        let payload = reader.payload(&place).map_err(Stop::Io)?;
        take(Record { first: header.first, count: header.count, payload })
            .map_err(|error| Stop::Caller { position: header.first, error })?;
        replayed.records += 1;
        replayed.positions += u64::from(header.count);
        replayed.bytes += u64::from(header.length);
    }
}

fn note_missing(positions: Range<u64>, replayed: &mut Replayed) {
    if !positions.is_empty() {
        replayed.missing.push(positions);
    }
}
