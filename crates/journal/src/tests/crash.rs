//! J1 and J2 on a disk that loses, tears and reorders whatever was not synced, against a plain model.
//!
//! `JOURNAL_SIMULATION_SEED=n` runs one seed, `JOURNAL_SIMULATION_SEEDS=n` that many.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::support::{DIR, Known, SMALL, append_together, replay};
use crate::simulation::{Random, SimulatedDisk};
use crate::{AppendError, Fs, FsFile, Journal, Recovery};

/// What a journal must still know.
#[derive(Default)]
struct Model {
    id: u128,
    renewing: bool,
    /// Acknowledged, or replayed after a start (a table may have taken it): by first position.
    kept: BTreeMap<u64, (u32, Vec<u8>)>,
    trimmed: u64,
    /// Payloads whose fate is open: the answer was that, or there was none.
    unsure: HashSet<Vec<u8>>,
}

type Check = Result<(), String>;

fn ensure(holds: bool, complaint: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(complaint()) }
}

impl Model {
    /// Compares what a fresh start found with what it must have found.
    fn check(&mut self, journal: &Journal, recovery: &Recovery, syncs: Syncs) -> Check {
        if journal.id() != self.id {
            ensure(self.renewing || self.kept.is_empty(), || "the id changed by itself".into())?;
            *self = Self { id: journal.id(), unsure: std::mem::take(&mut self.unsure), ..Self::default() };
        }
        self.renewing = false;
        let records = replay(journal, 0);
        self.check_records(&records)?;
        check_positions(&records, recovery)?;
        let status = journal.status();
        ensure(status.next == recovery.next && status.first == recovery.first, || format!("{status:?}"))?;
        // What was replayed from a page cache that an fsync had given up may vanish later, and is missed then.
        if syncs == Syncs::NeverFailed {
            let false_alarm = recovery.damaged.iter().find(|range| range.acknowledged);
            ensure(false_alarm.is_none(), || format!("reported as acknowledged and damaged: {false_alarm:?}"))?;
        }
        if syncs != Syncs::FailedSincePowerLoss {
            self.kept.extend(records.into_iter().map(|(first, count, payload)| (first, (count, payload))));
        }
        Ok(())
    }

    fn check_records(&self, records: &[Known]) -> Check {
        let mut end = 0;
        for (first, count, payload) in records {
            ensure(*first >= end, || format!("position {first} is replayed twice"))?;
            end = first + u64::from(*count);
            let known = self.kept.get(first).is_some_and(|kept| (kept.0, &kept.1) == (*count, payload));
            ensure(known || self.unsure.contains(payload), || format!("position {first} holds what it should not"))?;
        }
        for (first, (count, payload)) in &self.kept {
            let trimmed = first + u64::from(*count) <= self.trimmed;
            let found = records.iter().any(|record| (record.0, record.1, &record.2) == (*first, *count, payload));
            ensure(trimmed || found, || format!("position {first} was acknowledged and is gone"))?;
        }
        Ok(())
    }

    fn take_answers(&mut self, sent: Vec<(Vec<u8>, u32)>, answers: Vec<Result<u64, AppendError>>) -> Check {
        ensure(sent.len() == answers.len(), || "a record without an answer".into())?;
        for ((payload, count), answer) in sent.into_iter().zip(answers) {
            match answer {
                Ok(first) => drop(self.kept.insert(first, (count, payload))),
                // "Nothing was kept": it must never be replayed.
                Err(AppendError::DiskFull) => {}
                Err(AppendError::Poisoned) => drop(self.unsure.insert(payload)),
                Err(other) => return Err(format!("unexpected answer: {other}")),
            }
        }
        Ok(())
    }
}

/// Whether the disk has kept its word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Syncs {
    NeverFailed,
    FailedBefore,
    FailedSincePowerLoss,
}

impl Syncs {
    fn now(self, disk: &SimulatedDisk) -> Self {
        match self {
            _ if disk.failed_syncs() > 0 => Self::FailedSincePowerLoss,
            Self::NeverFailed => Self::NeverFailed,
            Self::FailedBefore | Self::FailedSincePowerLoss => Self::FailedBefore,
        }
    }
}

/// Every position between the first and the next is in a record or reported as missing.
fn check_positions(records: &[Known], recovery: &Recovery) -> Check {
    let held = records.iter().map(|(first, count, _)| *first..first + u64::from(*count));
    let mut ranges: Vec<_> = held.chain(recovery.damaged.iter().map(|range| range.positions.clone())).collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut covered = recovery.first;
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        ensure(range.start == covered, || {
            format!("positions {covered}..{} are neither held nor reported", range.start)
        })?;
        covered = range.end;
    }
    ensure(covered == recovery.next, || format!("positions end at {covered}, the next is {}", recovery.next))
}

/// One history: a few lives of a journal, each ended by a crash somewhere.
fn history(seed: u64, disk: &SimulatedDisk, fs: Arc<dyn Fs>) -> Check {
    let mut random = Random::new(seed ^ 0x5eed);
    let mut model = Model::default();
    let mut serial = 0u64;
    let mut syncs = Syncs::NeverFailed;
    for _life in 0..6 {
        if random.one_in(3) {
            disk.stop_after(1 + random.below(60));
        }
        if random.one_in(8) {
            disk.fail_sync_after(random.below(6));
        }
        syncs = syncs.now(disk);
        if let Ok((journal, recovery)) = Journal::open(Path::new(DIR), Arc::clone(&fs), SMALL) {
            if !disk.stopped() {
                model.check(&journal, &recovery, syncs.now(disk))?;
            }
            for _step in 0..random.below(14) {
                step(&journal, disk, &mut random, &mut model, &mut serial)?;
            }
            let clean = random.one_in(4);
            if clean {
                journal.close();
            }
        }
        disk.set_capacity(None);
        syncs = syncs.now(disk);
        if random.one_in(3) { disk.process_end() } else { disk.power_loss() }
    }
    let (journal, recovery) = Journal::open(Path::new(DIR), fs, SMALL).map_err(|error| format!("{error:?}"))?;
    model.check(&journal, &recovery, syncs.now(disk))
}

fn step(journal: &Journal, disk: &SimulatedDisk, random: &mut Random, model: &mut Model, serial: &mut u64) -> Check {
    match random.below(16) {
        0..=9 => {
            let group: Vec<_> = (0..=random.below(4)).map(|_| record(random, serial)).collect();
            let answers = append_together(journal, group.clone());
            model.take_answers(group, answers)?;
        }
        10 | 11 => {
            let next = journal.status().next;
            let through = if random.one_in(2) { next } else { random.below(next + 1) };
            model.trimmed = model.trimmed.max(through);
            // A disk that stops amid it: what is left is checked at the next start.
            let _ = journal.trim(through);
        }
        12 => {
            let used: u64 = disk.files().iter().map(|path| disk.contents(path).map_or(0, |c| c.len() as u64)).sum();
            disk.set_capacity(Some(used + random.below(600)));
        }
        13 => disk.set_capacity(None),
        // It may find no room, or a disk that fails: what was acknowledged stays.
        14 => drop(journal.probe()),
        _ if random.one_in(4) => {
            model.renewing = true;
            if let Ok(id) = journal.renew() {
                let unsure = std::mem::take(&mut model.unsure);
                *model = Model { id, unsure, ..Model::default() };
            }
        }
        _ => {}
    }
    Ok(())
}

fn record(random: &mut Random, serial: &mut u64) -> (Vec<u8>, u32) {
    *serial += 1;
    let mut payload = serial.to_le_bytes().to_vec();
    let length = if random.one_in(12) { 1500 } else { 120 };
    let filling = random.below(length);
    payload.extend(random.bytes(filling));
    (payload, 1 + random.below(4) as u32)
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// J1, J2: thousands of histories, none of which loses, doubles, reorders or alters what was acknowledged.
#[test]
fn no_crash_loses_what_was_acknowledged() {
    let seeds = match from_environment("JOURNAL_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("JOURNAL_SIMULATION_SEEDS").unwrap_or(3000),
    };
    for seed in seeds {
        let disk = SimulatedDisk::new(seed);
        if let Err(complaint) = history(seed, &disk, Arc::new(disk.clone())) {
            panic!("seed {seed}: {complaint} (replay it with JOURNAL_SIMULATION_SEED={seed})");
        }
    }
}

/// A disk whose syncs do less than they say.
#[derive(Clone, Debug)]
struct Liar {
    disk: SimulatedDisk,
    about_files: bool,
}

#[derive(Debug)]
struct LyingFile(Box<dyn FsFile>, bool);

impl Fs for Liar {
    fn create_dir(&self, dir: &Path) -> std::io::Result<bool> {
        self.disk.create_dir(dir)
    }
    fn list(&self, dir: &Path) -> std::io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn create(&self, path: &Path) -> std::io::Result<Box<dyn FsFile>> {
        Ok(Box::new(LyingFile(self.disk.create(path)?, self.about_files)))
    }
    fn open(&self, path: &Path) -> std::io::Result<Box<dyn FsFile>> {
        Ok(Box::new(LyingFile(self.disk.open(path)?, self.about_files)))
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.disk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> std::io::Result<()> {
        if self.about_files { self.disk.sync_dir(dir) } else { Ok(()) }
    }
    fn random(&self) -> std::io::Result<u128> {
        self.disk.random()
    }
}

impl FsFile for LyingFile {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write_at(offset, bytes)
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        if self.1 { Ok(()) } else { self.0.sync_data() }
    }
}

/// The test above would notice a journal that skips its fsyncs, of files or of folders.
#[test]
fn the_model_notices_missing_syncs() {
    for about_files in [true, false] {
        let noticed = (0..200).filter(|seed| {
            let disk = SimulatedDisk::new(*seed);
            history(*seed, &disk, Arc::new(Liar { disk: disk.clone(), about_files })).is_err()
        });
        assert!(noticed.count() > 20, "about_files: {about_files}");
    }
}
