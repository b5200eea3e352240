//! Opening a folder: which segments there are, what in them is intact, where the next record goes.
//!
//! Every byte is read once. The last segment's torn tail is copied to `damaged/`, then cut off. Damage elsewhere is
//! copied there too, but stays where it is until its segment is trimmed. Neither stops a start, nor does a disk so full
//! that nothing can be copied: then the tail simply stays, behind the last intact record.

pub(crate) mod folder;
pub(crate) mod scan;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::OpenError;
use crate::format::SegmentHeader;
use crate::fs::Fs;
use crate::segment::{self, Failed, Segment};
use crate::status::Aside;
use crate::writer::Active;

/// Folder beside the segments that keeps bytes which were no record.
pub(crate) const DAMAGED_DIR: &str = "damaged";
/// Folder beside the segments that keeps those of a journal that was renewed.
pub(crate) const FORMER_DIR: &str = "former";

/// What opening a journal found. Nothing in here is fatal; all of it deserves to be shown to the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// First position still kept.
    pub first: u64,
    /// Position that the next record will get.
    pub next: u64,
    /// The folder held no journal: a new one was created.
    pub created: bool,
    /// Bytes after the last intact record, left by a write that did not finish.
    pub torn: Option<TornTail>,
    /// Ranges that hold no intact record, in order, with intact records or segments after them.
    pub damaged: Vec<DamagedRange>,
    /// Names of files in the folder that are not the journal's; left alone.
    pub foreign: Vec<String>,
}

/// The unfinished end of the last segment. No acknowledged record was in it, as far as the disk kept its promises.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TornTail {
    /// The segment's file name.
    pub segment: String,
    /// The bytes that are no record.
    pub bytes: Range<u64>,
    /// Where they were copied before they were cut off; `None` when that failed (no room), and they were left in place.
    pub set_aside: Option<PathBuf>,
}

/// Bytes amid the journal that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedRange {
    /// The segment's file name.
    pub segment: String,
    /// The bytes; empty when bytes (or whole segments) are missing there rather than damaged.
    pub bytes: Range<u64>,
    /// The positions that are missing; empty when none is, as in a damaged segment header.
    pub positions: Range<u64>,
    /// What follows proves that an fsync covered these bytes: whatever was there had been acknowledged. Otherwise they
    /// lie in the last group of their segment, which a crash may have torn before anybody was told.
    pub acknowledged: bool,
    /// How many of the bytes the disk did not give back; the copy has zeros in their place.
    pub unreadable: u64,
    /// Where the bytes were copied; `None` when there are none, or when that failed.
    pub set_aside: Option<PathBuf>,
}

/// A folder made ready.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) id: u128,
    pub(crate) sequence_next: u64,
    pub(crate) segments: Vec<Segment>,
    /// Only when the journal was created just now: a segment of an earlier run is never written to again.
    pub(crate) active: Option<Active>,
    pub(crate) recovery: Recovery,
    /// Positions in intact records.
    pub(crate) held: u64,
    pub(crate) damaged: Aside,
    pub(crate) former: Aside,
}

/// Opens or creates the journal in `dir`.
pub(crate) fn open(fs: &Arc<dyn Fs>, dir: &Path) -> Result<Opened, OpenError> {
    folder::make(fs.as_ref(), dir)?;
    let listing = folder::list(fs.as_ref(), dir)?;
    for name in &listing.unfinished {
        let path = dir.join(name);
        fs.remove(&path).map_err(OpenError::io("remove", &path))?;
    }
    // The last run may have ended between a rename and the sync of its folder.
    fs.sync_dir(dir).map_err(OpenError::io("sync", dir))?;
    let Some(newest) = listing.segments.last() else {
        return create(fs.as_ref(), dir, listing.foreign);
    };
    let (id, sequence_next) = (newest.id(), newest.sequence() + 1);
    let (current, former): (Vec<_>, Vec<_>) = listing.segments.into_iter().partition(|file| file.id() == id);
    let former: Vec<String> = former.into_iter().map(|file| file.file_name).collect();
    if !former.is_empty() {
        folder::move_aside(fs.as_ref(), dir, FORMER_DIR, &former).map_err(failed)?;
    }
    let mut opened = Opened { sequence_next, ..Opened::empty(id, listing.foreign) };
    scan::all(fs.as_ref(), dir, current, &mut opened)?;
    opened.damaged = count(fs.as_ref(), dir, DAMAGED_DIR)?;
    opened.former = count(fs.as_ref(), dir, FORMER_DIR)?;
    Ok(opened)
}

fn count(fs: &dyn Fs, dir: &Path, aside: &str) -> Result<Aside, OpenError> {
    let aside = dir.join(aside);
    folder::count(fs, &aside).map_err(OpenError::io("list", &aside))
}

impl Opened {
    fn empty(id: u128, foreign: Vec<String>) -> Self {
        let recovery = Recovery { foreign, ..Recovery::default() };
        Self {
            id,
            sequence_next: 2,
            segments: Vec::new(),
            active: None,
            recovery,
            held: 0,
            damaged: Aside::default(),
            former: Aside::default(),
        }
    }
}

impl Recovery {
    /// J2: every position is in an intact record (`held` of them are) or reported as missing.
    pub(crate) fn accounts_for(&self, held: u64) -> bool {
        let missing: u64 = self.damaged.iter().map(|range| range.positions.end - range.positions.start).sum();
        held + missing == self.next - self.first
    }
}

fn create(fs: &dyn Fs, dir: &Path, foreign: Vec<String>) -> Result<Opened, OpenError> {
    folder::sync_parents(fs, dir)?;
    let random = || fs.random().map_err(OpenError::io("get randomness for", dir));
    let header = SegmentHeader { id: random()?, sequence: 1, first: 0, salt: fold(random()?) };
    let file = segment::create(fs, dir, &header).map_err(failed)?;
    let active = Active::new(file, &header);
    let mut opened = Opened::empty(header.id, foreign);
    opened.recovery.created = true;
    opened.segments.push(active.segment());
    opened.active = Some(active);
    Ok(opened)
}

/// 64 of 128 random bits.
pub(crate) fn fold(random: u128) -> u64 {
    (random >> 64) as u64
}

fn failed(failed: Failed) -> OpenError {
    OpenError::Io { action: failed.action, path: failed.path, source: failed.source }
}
