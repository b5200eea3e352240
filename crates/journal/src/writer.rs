//! Writes groups of records: the one place that decides when a record is durable.
//!
//! A group is one write and one fsync. Before the first record of a new segment is written, the segment's header and
//! its name in the folder are durable ([`segment::create`]). A segment found at start is never written to again.
//!
//! What an error means is decided here, once: no room → the group is refused, the file cut back to what was synced, and
//! the next group tries again. Anything else, and any failed fsync → poisoned: nothing is retried, nothing written
//! again.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::fault;
use crate::format::{RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentName};
use crate::fs::{Fs, FsFile, is_full, write_fully};
use crate::recovery::folder::move_aside;
use crate::recovery::{FORMER_DIR, Opened, fold};
use crate::segment::{self, Failed, SYNC, Segment};
use crate::shared::{Shared, locked};
use crate::{AppendError, Options};

/// A record that waits to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending<'a> {
    pub(crate) payload: &'a [u8],
    pub(crate) count: u32,
}

/// The segment that is being written.
#[derive(Debug)]
pub(crate) struct Active {
    file: Box<dyn FsFile>,
    header: SegmentHeader,
    /// Bytes that an fsync covered.
    synced: u64,
    /// Bytes beyond `synced` may be there and must go before anything is written.
    frayed: bool,
}

impl Active {
    /// A segment that holds only its header, durably.
    pub(crate) fn new(file: Box<dyn FsFile>, header: &SegmentHeader) -> Self {
        Self { file, header: *header, synced: SEGMENT_HEADER_BYTES as u64, frayed: false }
    }

    /// How it enters the list of segments.
    pub(crate) fn segment(&self) -> Segment {
        let SegmentHeader { id, sequence, first, salt } = self.header;
        let name = SegmentName { sequence, first, id };
        Segment { name, first, next: first, bytes: self.synced, salt: Some(salt), unreadable: false }
    }

    fn is_empty(&self) -> bool {
        self.synced == SEGMENT_HEADER_BYTES as u64
    }
}

/// The writing end of a journal. Not shared: one thread owns it.
#[derive(Debug)]
pub(crate) struct Writer {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    options: Options,
    shared: Arc<Shared>,
    id: u128,
    next: u64,
    sequence_next: u64,
    active: Option<Active>,
    buffer: Vec<u8>,
    /// A write or an fsync of this writer failed: it never writes again.
    failed: bool,
}

/// Positions stay below this, so that a table may keep them as signed numbers.
const POSITION_LIMIT: u64 = i64::MAX as u64;

/// Written and cut off again to find out whether there is room: about what a busy hub's group takes.
const PROBE_BYTES: u64 = 256 * 1024;

impl Writer {
    pub(crate) fn new(fs: Arc<dyn Fs>, dir: PathBuf, options: Options, shared: Arc<Shared>, opened: Opened) -> Self {
        let Opened { id, sequence_next, active, recovery, .. } = opened;
        Self {
            fs,
            dir,
            options,
            shared,
            id,
            next: recovery.next,
            sequence_next,
            active,
            buffer: Vec::new(),
            failed: false,
        }
    }

    /// Writes and syncs a group. Returns the position of its first record; nothing is kept on error, but for
    /// [`AppendError::Poisoned`], when it is unknown.
    pub(crate) fn commit(&mut self, group: &[Pending<'_>]) -> Result<u64, AppendError> {
        self.refuse_if_poisoned()?;
        let first = self.next;
        let positions: u64 = group.iter().map(|record| u64::from(record.count)).sum();
        let Some(next) = first.checked_add(positions).filter(|next| *next < POSITION_LIMIT) else {
            return Err(self.poison("every position is used up".into()));
        };
        let bytes = group.iter().map(|record| (RECORD_HEADER_BYTES + record.payload.len()) as u64).sum();
        self.refuse_beyond_quota(bytes)?;
        self.make_room(bytes).map_err(|failed| self.judge(failed))?;
        self.write(group).map_err(|failed| self.judge(failed))?;
        self.publish(next, group.len());
        Ok(first)
    }

    /// Begins a new segment when everything in the current one is below `through`. Returns whether it did.
    pub(crate) fn roll(&mut self, through: u64) -> Result<bool, AppendError> {
        self.refuse_if_poisoned()?;
        let holds_records = locked(&self.shared.state).segments.back().is_some_and(|last| {
            // Damaged bytes without a record are a reason too: they were set aside, and may go.
            last.next > last.first || last.bytes > SEGMENT_HEADER_BYTES as u64 || last.salt.is_none()
        });
        if self.next > through || !holds_records {
            return Ok(false);
        }
        self.begin_segment(self.id, self.next).map_err(|failed| self.judge(failed))?;
        Ok(true)
    }

    /// Finds out whether a group would find room now.
    pub(crate) fn probe(&mut self) -> Result<(), AppendError> {
        self.refuse_if_poisoned()?;
        self.refuse_beyond_quota(PROBE_BYTES.min(self.options.segment_bytes_max))?;
        self.write_and_cut_off().map_err(|failed| self.judge(failed))?;
        let mut state = locked(&self.shared.state);
        (state.disk_full, state.quota_reached) = (false, false);
        Ok(())
    }

    fn write_and_cut_off(&mut self) -> Result<(), Failed> {
        self.make_room(0)?;
        if let Some(active) = self.active.as_mut() {
            let path = active.segment().path(&self.dir);
            active.frayed = true;
            let length = PROBE_BYTES.min(self.options.segment_bytes_max);
            let zeros = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
            write_fully(active.file.as_ref(), active.synced, &zeros).map_err(Failed::at("write", &path))?;
        }
        self.mend()
    }

    /// Begins a new journal in the same folder, at position 0, and moves the old one's segments out of the way.
    pub(crate) fn renew(&mut self) -> Result<u128, AppendError> {
        self.refuse_if_poisoned()?;
        self.replace_journal().map_err(|failed| self.judge(failed))
    }

    fn replace_journal(&mut self) -> Result<u128, Failed> {
        let id = self.fs.random().map_err(Failed::at("get randomness for", &self.dir))?;
        // Durable first: should the move be interrupted, the next start finds the newest id and finishes it.
        self.begin_segment(id, 0)?;
        let mut former: Vec<Segment> = Vec::new();
        {
            let mut state = locked(&self.shared.state);
            let keep = state.segments.pop_back();
            former.extend(state.segments.drain(..));
            state.segments.extend(keep);
            (state.id, state.next) = (id, 0);
        }
        (self.id, self.next) = (id, 0);
        let names: Vec<String> = former.iter().map(|segment| segment.name.to_string()).collect();
        move_aside(self.fs.as_ref(), &self.dir, FORMER_DIR, &names)?;
        let mut state = locked(&self.shared.state);
        state.former.files += former.len() as u64;
        state.former.bytes += former.iter().map(|segment| segment.bytes).sum::<u64>();
        Ok(id)
    }

    fn refuse_if_poisoned(&self) -> Result<(), AppendError> {
        match locked(&self.shared.state).poisoned {
            Some(_) => Err(AppendError::Poisoned),
            None => Ok(()),
        }
    }

    fn refuse_beyond_quota(&self, bytes: u64) -> Result<(), AppendError> {
        let mut state = locked(&self.shared.state);
        let held: u64 = state.segments.iter().map(|segment| segment.bytes).sum();
        if held.saturating_add(bytes) <= self.options.disk_bytes_max {
            return Ok(());
        }
        if !state.quota_reached {
            tracing::warn!(
                held,
                limit = self.options.disk_bytes_max,
                "the journal takes as much of the disk as it may"
            );
        }
        state.quota_reached = true;
        Err(AppendError::QuotaReached)
    }

    /// Makes sure that there is a segment, that it is not full, and that it ends where its last synced record ends.
    fn make_room(&mut self, bytes: u64) -> Result<(), Failed> {
        let full = self.active.as_ref().is_none_or(|active| {
            !active.is_empty() && active.synced.saturating_add(bytes) > self.options.segment_bytes_max
        });
        if full {
            return self.begin_segment(self.id, self.next);
        }
        self.mend()
    }

    /// Cuts off what a refused group left, durably: neither the next group nor the next segment may find it behind
    /// them.
    fn mend(&mut self) -> Result<(), Failed> {
        if let Some(active) = self.active.as_mut().filter(|active| active.frayed) {
            let path = active.segment().path(&self.dir);
            active.file.set_len(active.synced).map_err(Failed::at("shorten", &path))?;
            active.file.sync_data().map_err(Failed::at(SYNC, &path))?;
            active.frayed = false;
        }
        Ok(())
    }

    fn begin_segment(&mut self, id: u128, first: u64) -> Result<(), Failed> {
        self.mend()?;
        let salt = fold(self.fs.random().map_err(Failed::at("get randomness for", &self.dir))?);
        let header = SegmentHeader { id, sequence: self.sequence_next, first, salt };
        let file = segment::create(self.fs.as_ref(), &self.dir, &header)?;
        self.sequence_next += 1;
        let active = self.active.insert(Active::new(file, &header));
        locked(&self.shared.state).segments.push_back(active.segment());
        Ok(())
    }

    fn write(&mut self, group: &[Pending<'_>]) -> Result<(), Failed> {
        let Some(active) = self.active.as_mut() else {
            return Err(Failed::at("find the active segment of", &self.dir)(io::ErrorKind::NotFound.into()));
        };
        let path = active.segment().path(&self.dir);
        encode(group, active.header.salt, self.next, &mut self.buffer);
        if self.failed {
            self.shared.broken("J3", "a group is written after a write or an fsync failed");
        }

        active.frayed = true;
        fault::pass(fault::APPEND).map_err(Failed::at("write", &path))?;
        write_fully(active.file.as_ref(), active.synced, &self.buffer).map_err(Failed::at("write", &path))?;

        let started = Instant::now();
        fault::pass(fault::FSYNC).map_err(Failed::at(SYNC, &path))?;
        active.file.sync_data().map_err(Failed::at(SYNC, &path))?;
        fault::pass(fault::FSYNCED).map_err(Failed::at(SYNC, &path))?;
        locked(&self.shared.state).fsync.add(started.elapsed());

        active.frayed = false;
        active.synced += self.buffer.len() as u64;
        // A file that is shorter than what was synced has lost records that are about to be acknowledged.
        if active.file.len().is_ok_and(|len| len != active.synced) {
            self.shared.broken("J1", "a segment does not end where its last synced record ends");
        }
        // One large record must not hold its memory for ever.
        self.buffer.clear();
        self.buffer.shrink_to(usize::try_from(self.options.group_bytes_max).unwrap_or(usize::MAX));
        Ok(())
    }

    /// Shows the group to [`crate::Journal::status`], replay and trim.
    fn publish(&mut self, next: u64, records: usize) {
        self.next = next;
        let mut state = locked(&self.shared.state);
        state.next = next;
        (state.disk_full, state.quota_reached) = (false, false);
        state.groups += 1;
        state.records += records as u64;
        if let (Some(segment), Some(active)) = (state.segments.back_mut(), self.active.as_ref()) {
            (segment.next, segment.bytes) = (next, active.synced);
        }
    }

    /// Decides what a failure means for the journal. The only place.
    fn judge(&mut self, failed: Failed) -> AppendError {
        if failed.sync || !is_full(&failed.source) {
            self.forsake();
            return self.poison(failed.to_string());
        }
        // Durably, before anybody is told that nothing was kept. A file system that has no room for that either is
        // tried again before the next write.
        match self.mend() {
            Err(mending) if mending.sync || !is_full(&mending.source) => return self.poison(mending.to_string()),
            Ok(()) | Err(_) => {}
        }
        let mut state = locked(&self.shared.state);
        if !state.disk_full {
            tracing::warn!(%failed, "no room on the journal's disk");
        }
        state.disk_full = true;
        AppendError::DiskFull
    }

    /// After a failed fsync nobody knows whether the group's bytes are on disk, although a read may show them. Cut off,
    /// they are not taken for records after a restart. No retry: whether this works changes nothing.
    fn forsake(&mut self) {
        if let Some(active) = self.active.as_ref().filter(|active| active.frayed) {
            let _ = active.file.set_len(active.synced);
        }
    }

    fn poison(&mut self, reason: String) -> AppendError {
        self.failed = true;
        self.shared.poison(reason);
        AppendError::Poisoned
    }
}

fn encode(group: &[Pending<'_>], salt: u64, first: u64, into: &mut Vec<u8>) {
    into.clear();
    let mut first = first;
    for record in group {
        // Both fit: `Options::check` bounds a record and a group far below 4 GiB.
        let (length, group) = (record.payload.len() as u32, into.len() as u32);
        RecordHeader { salt, first, count: record.count, length, group, crc: 0 }.encode(record.payload, into);
        first += u64::from(record.count);
    }
}
