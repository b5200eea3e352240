//! Reads every segment through, and deals with what is damaged.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::folder::SegmentFile;
use super::{DAMAGED_DIR, DamagedRange, Opened, TornTail};
use crate::OpenError;
use crate::format::SEGMENT_HEADER_BYTES;
use crate::fs::{Fs, FsFile};
use crate::reader::{Damage, Found, Reader};
use crate::segment::{self, Failed, SYNC, Segment};

/// What reading one segment through found.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) segment: Segment,
    pub(crate) records: u64,
    /// Positions in them.
    pub(crate) held: u64,
    pub(crate) has_header: bool,
    /// Ranges that are damaged, with what is missing between this segment and the one that follows.
    pub(crate) damaged: Vec<Finding>,
    /// An unfinished write behind the last record of the last segment.
    pub(crate) torn: Option<Damage>,
}

/// A damaged range and what is known of it.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) damage: Damage,
    /// An fsync had covered it.
    pub(crate) acknowledged: bool,
    /// How many of its bytes the disk did not give back.
    pub(crate) unreadable: u64,
}

/// Scans all segments of the current journal, in order, sets damaged bytes aside and fills `opened`.
pub(super) fn all(fs: &dyn Fs, dir: &Path, files: Vec<SegmentFile>, opened: &mut Opened) -> Result<(), OpenError> {
    let mut files = files.into_iter().peekable();
    opened.recovery.first = files.peek().map_or(0, SegmentFile::first);
    while let Some(file) = files.next() {
        let path = dir.join(&file.file_name);
        let examined = examine(&file, files.peek()).map_err(OpenError::io("read", &path))?;
        for finding in &examined.damaged {
            opened.recovery.damaged.push(damaged(fs, dir, &file, finding));
        }
        if let Some(tail) = &examined.torn {
            opened.recovery.torn = Some(cut_off(fs, dir, &file, tail));
        }
        if files.peek().is_none() {
            // The cut; and records that are intact but were perhaps never synced: what is replayed now must still be
            // there after the next crash. (Where an earlier life died between a failed fsync and its cut, this sync
            // saves nothing. Writing those bytes again would, but it puts acknowledged ones at risk that may lie beside
            // them.)
            file.file.sync_data().map_err(OpenError::io("sync", &path))?;
        }
        opened.recovery.next = examined.segment.next;
        opened.held += examined.held;
        opened.segments.push(examined.segment);
    }
    Ok(())
}

/// Reads a segment through; changes nothing. `following` is the one after it.
pub(crate) fn examine(file: &SegmentFile, following: Option<&SegmentFile>) -> std::io::Result<Examined> {
    let salt = file.header.map(|header| header.salt);
    let limit = following.map_or(u64::MAX, SegmentFile::first);
    let mut reader = Reader::new(file.file.as_ref(), file.len, file.first()..limit, salt);
    let mut found = Vec::new();
    if file.header.is_none() {
        let bytes = 0..file.len.min(SEGMENT_HEADER_BYTES as u64);
        found.push(Damage { bytes, positions: file.first()..file.first() });
    }
    let (mut records, mut held, mut last_group) = (0, 0, SEGMENT_HEADER_BYTES as u64);
    let tail = loop {
        match reader.next()? {
            Found::Record(place) => {
                // Bytes before the last group were synced before it was written.
                last_group = place.offset.saturating_sub(u64::from(place.header.group));
                records += 1;
                held += u64::from(place.header.count);
            }
            Found::Damage(damage) => found.push(damage),
            Found::End(tail) => break tail,
        }
    };
    let (first, next) = (file.first(), reader.expected());
    let unreadable = |bytes: &Range<u64>| -> u64 {
        let lost = reader.unreadable().iter();
        lost.map(|range| range.end.min(bytes.end).saturating_sub(range.start.max(bytes.start))).sum()
    };
    let finding =
        |damage: Damage, acknowledged| Finding { unreadable: unreadable(&damage.bytes), damage, acknowledged };
    let mut damaged: Vec<_> = found
        .into_iter()
        .map(|damage| {
            let acknowledged = damage.bytes.start < last_group;
            finding(damage, acknowledged)
        })
        .collect();
    let mut torn = None;
    let bytes = tail.bytes.start;
    match following {
        Some(following) => {
            let damage = Damage { bytes: tail.bytes, positions: next..following.first().max(next) };
            if !damage.bytes.is_empty() || !damage.positions.is_empty() {
                let acknowledged = !damage.positions.is_empty();
                damaged.push(finding(damage, acknowledged));
            }
        }
        // What cannot be read may have been acknowledged, and may be read again some day: it is not cut off.
        None if unreadable(&tail.bytes) > 0 => damaged.push(finding(tail, true)),
        None => torn = Some(tail).filter(|tail| !tail.bytes.is_empty()),
    }
    let is_lost = file.is_lost();
    let segment =
        Segment { name: file.name, first, next, bytes, salt, unreadable: is_lost || !reader.unreadable().is_empty() };
    Ok(Examined { segment, records, held, has_header: file.header.is_some(), damaged, torn })
}

fn damaged(fs: &dyn Fs, dir: &Path, file: &SegmentFile, finding: &Finding) -> DamagedRange {
    let Finding { damage, acknowledged, unreadable } = finding;
    let set_aside = match set_aside(fs, dir, file, damage) {
        Ok(path) => path,
        Err(failed) => {
            tracing::warn!(%failed, "cannot set damaged bytes aside");
            None
        }
    };
    DamagedRange {
        segment: file.file_name.clone(),
        bytes: damage.bytes.clone(),
        positions: damage.positions.clone(),
        acknowledged: *acknowledged,
        unreadable: *unreadable,
        set_aside,
    }
}

/// Copies the bytes to `damaged/<segment>.<start>-<end>`, whole and durable, unless they are there.
fn set_aside(fs: &dyn Fs, dir: &Path, file: &SegmentFile, damage: &Damage) -> Result<Option<PathBuf>, Failed> {
    if damage.bytes.is_empty() {
        return Ok(None);
    }
    let aside = dir.join(DAMAGED_DIR);
    let created = fs.create_dir(&aside).map_err(Failed::at("create", &aside))?;
    if created {
        fs.sync_dir(dir).map_err(Failed::at(SYNC, dir))?;
    }
    let name = format!("{}.{}-{}", file.file_name, damage.bytes.start, damage.bytes.end);
    let path = aside.join(&name);
    let held = fs.list(&aside).map_err(Failed::at("list", &aside))?;
    if !held.contains(&name) {
        let copy = |to: &dyn FsFile| segment::copy_range(file.file.as_ref(), damage.bytes.clone(), to);
        segment::commit_file(fs, &aside, &name, copy)?;
    }
    Ok(Some(path))
}

/// Sets the tail aside, then cuts it off. Where there is no room for the copy it stays: the next record goes to a new
/// segment, and the tail is void once that exists.
fn cut_off(fs: &dyn Fs, dir: &Path, file: &SegmentFile, tail: &Damage) -> TornTail {
    let kept = set_aside(fs, dir, file, tail).and_then(|aside| {
        let path = dir.join(&file.file_name);
        file.file.set_len(tail.bytes.start).map_err(Failed::at("shorten", &path)).map(|()| aside)
    });
    let set_aside = kept.unwrap_or_else(|failed| {
        tracing::warn!(%failed, "cannot cut a torn tail off");
        None
    });
    TornTail { segment: file.file_name.clone(), bytes: tail.bytes.clone(), set_aside }
}
