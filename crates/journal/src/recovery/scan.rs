//! Reads every segment through, and deals with what is damaged.

use std::path::{Path, PathBuf};

use super::folder::SegmentFile;
use super::{DAMAGED_DIR, DamagedRange, Opened, TornTail};
use crate::OpenError;
use crate::format::SEGMENT_HEADER_BYTES;
use crate::fs::{Fs, FsFile};
use crate::reader::{Damage, Found, Reader};
use crate::segment::{self, Failed, SYNC, Segment};

/// What reading one segment through found.
struct Scanned {
    segment: Segment,
    damage: Vec<Damage>,
    /// What lies behind the last intact record.
    tail: Damage,
    /// Where the last group begins: bytes before it were synced before it was written.
    last_group: u64,
}

/// Scans all segments of the current journal, in order, and fills `opened`.
pub(super) fn all(fs: &dyn Fs, dir: &Path, files: Vec<SegmentFile>, opened: &mut Opened) -> Result<(), OpenError> {
    let mut files = files.into_iter().peekable();
    opened.recovery.first = files.peek().map_or(0, SegmentFile::first);
    while let Some(file) = files.next() {
        let path = dir.join(&file.file_name);
        let limit = files.peek().map_or(u64::MAX, SegmentFile::first);
        let scanned = scan(&file, limit).map_err(OpenError::io("read", &path))?;
        for damage in &scanned.damage {
            let acknowledged = damage.bytes.start < scanned.last_group;
            opened.recovery.damaged.push(damaged(fs, dir, &file, damage, acknowledged));
        }
        if let Some(following) = files.peek() {
            let damage = behind(&scanned, following.first());
            if !damage.bytes.is_empty() || !damage.positions.is_empty() {
                let acknowledged = !damage.positions.is_empty();
                opened.recovery.damaged.push(damaged(fs, dir, &file, &damage, acknowledged));
            }
        } else {
            if !scanned.tail.bytes.is_empty() {
                opened.recovery.torn = Some(cut_off(fs, dir, &file, &scanned.tail));
            }
            // The cut; and records that are intact but were perhaps never synced: what is replayed now must still be
            // there after the next crash.
            file.file.sync_data().map_err(OpenError::io("sync", &path))?;
        }
        opened.recovery.next = scanned.segment.next;
        opened.segments.push(scanned.segment);
    }
    Ok(())
}

/// What is wrong between the last record of a segment and the first of the one that follows: bytes, positions, or both.
fn behind(scanned: &Scanned, following: u64) -> Damage {
    let next = scanned.segment.next;
    Damage { bytes: scanned.tail.bytes.clone(), positions: next..following.max(next) }
}

fn scan(file: &SegmentFile, limit: u64) -> std::io::Result<Scanned> {
    let salt = file.header.map(|header| header.salt);
    let mut reader = Reader::new(file.file.as_ref(), file.len, file.first()..limit, salt);
    let mut damage = Vec::new();
    if file.header.is_none() {
        let bytes = 0..file.len.min(SEGMENT_HEADER_BYTES as u64);
        damage.push(Damage { bytes, positions: file.first()..file.first() });
    }
    let mut last_group = SEGMENT_HEADER_BYTES as u64;
    let tail = loop {
        match reader.next()? {
            Found::Record(place) => last_group = place.offset.saturating_sub(u64::from(place.header.group)),
            Found::Damage(found) => damage.push(found),
            Found::End(tail) => break tail,
        }
    };
    let (first, next) = (file.first(), reader.expected());
    let segment = Segment { name: file.name, first, next, bytes: tail.bytes.start, salt };
    Ok(Scanned { segment, damage, tail, last_group })
}

fn damaged(fs: &dyn Fs, dir: &Path, file: &SegmentFile, damage: &Damage, acknowledged: bool) -> DamagedRange {
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
        acknowledged,
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
