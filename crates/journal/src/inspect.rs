//! Looking at a journal without changing it: what an operator wants to know before anything is decided.

use std::path::Path;

use crate::fs::{Fs, ReadOnly};
use crate::recovery::folder::{self, SegmentFile};
use crate::recovery::scan::{Finding, examine};
use crate::recovery::{DAMAGED_DIR, FORMER_DIR};
use crate::shared::locked;
use crate::status::Aside;
use crate::{DamagedRange, Journal, OpenError, TornTail};

/// What lies in a journal's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The journal's id; `None` when there is no segment.
    pub id: Option<u128>,
    /// First position still kept.
    pub first: u64,
    /// Position after the last intact record.
    pub next: u64,
    /// The segments, oldest first.
    pub segments: Vec<InspectedSegment>,
    /// As [`crate::Recovery::torn`]; nothing was cut off.
    pub torn: Option<TornTail>,
    /// As [`crate::Recovery::damaged`]; nothing was set aside by this, and it does not say what was earlier.
    pub damaged: Vec<DamagedRange>,
    /// What lies in `damaged/`.
    pub set_aside: Aside,
    /// What lies in `former/`.
    pub former: Aside,
    /// Segments of other ids, that the next start moves to `former/`.
    pub superseded: Vec<String>,
    /// Segments that were being created when the process ended.
    pub unfinished: Vec<String>,
    /// Names of files that are not the journal's.
    pub foreign: Vec<String>,
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedSegment {
    /// Its file name.
    pub file: String,
    /// First position that it may hold.
    pub first: u64,
    /// Position after its last intact record.
    pub next: u64,
    /// Intact records.
    pub records: u64,
    /// Bytes up to the end of the last one.
    pub bytes: u64,
    /// Whether its header is intact; without it the file's name tells the same.
    pub has_header: bool,
}

impl Inspection {
    /// Whether anything is damaged. A torn tail is none: nothing in it was acknowledged.
    pub fn is_damaged(&self) -> bool {
        !self.damaged.is_empty()
    }

    /// Intact records of all segments.
    pub fn records(&self) -> u64 {
        self.segments.iter().map(|segment| segment.records).sum()
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }
}

/// Reads the journal in `dir`, of which no process is the owner at this moment, and changes nothing. Memory is bounded
/// by one record and by what there is to report.
///
/// # Errors
/// [`OpenError`], as [`Journal::open`].
pub fn inspect(dir: &Path) -> Result<Inspection, OpenError> {
    inspect_on(&ReadOnly, dir, u64::MAX)
}

impl Journal {
    /// Reads the segments of this open journal, up to what is acknowledged at this moment. Segments are not trimmed
    /// meanwhile.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub fn inspect(&self) -> Result<Inspection, OpenError> {
        let _alone = locked(&self.trimming);
        let synced = locked(&self.shared.state).segments.back().map_or(u64::MAX, |segment| segment.bytes);
        inspect_on(self.fs.as_ref(), &self.dir, synced)
    }
}

/// Of the last segment, the bytes below `synced` are looked at.
fn inspect_on(fs: &dyn Fs, dir: &Path, synced: u64) -> Result<Inspection, OpenError> {
    let listing = folder::list(fs, dir)?;
    let count = |name| {
        let aside = dir.join(name);
        folder::count(fs, &aside).map_err(OpenError::io("list", &aside))
    };
    let mut inspection = Inspection {
        set_aside: count(DAMAGED_DIR)?,
        former: count(FORMER_DIR)?,
        unfinished: listing.unfinished,
        foreign: listing.foreign,
        ..Inspection::default()
    };
    let Some(id) = listing.segments.last().map(SegmentFile::id) else { return Ok(inspection) };
    inspection.id = Some(id);
    let (mut current, superseded): (Vec<_>, Vec<_>) = listing.segments.into_iter().partition(|file| file.id() == id);
    inspection.superseded = superseded.into_iter().map(|file| file.file_name).collect();
    if let Some(last) = current.last_mut() {
        last.len = last.len.min(synced);
    }
    inspection.first = current.first().map_or(0, SegmentFile::first);
    let mut files = current.iter().peekable();
    while let Some(file) = files.next() {
        let path = dir.join(&file.file_name);
        let examined = examine(file, files.peek().copied()).map_err(OpenError::io("read", &path))?;
        inspection.damaged.extend(examined.damaged.iter().map(|finding| damaged(file, finding)));
        let torn =
            examined.torn.map(|tail| TornTail { segment: file.file_name.clone(), bytes: tail.bytes, set_aside: None });
        inspection.torn = torn;
        inspection.next = examined.segment.next;
        inspection.segments.push(InspectedSegment {
            file: file.file_name.clone(),
            first: examined.segment.first,
            next: examined.segment.next,
            records: examined.records,
            bytes: examined.segment.bytes,
            has_header: examined.has_header,
        });
    }
    Ok(inspection)
}

fn damaged(file: &SegmentFile, finding: &Finding) -> DamagedRange {
    DamagedRange {
        segment: file.file_name.clone(),
        bytes: finding.damage.bytes.clone(),
        positions: finding.damage.positions.clone(),
        acknowledged: finding.acknowledged,
        unreadable: finding.unreadable,
        set_aside: None,
    }
}
