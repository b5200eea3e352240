//! A recording file system: what was done, in which order, next to the answers that were given.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};

use super::support::{DIR, SMALL};
use crate::shared::locked;
use crate::simulation::SimulatedDisk;
use crate::{Fs, FsFile, Journal, Options};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Deed {
    Create(PathBuf),
    Write(PathBuf, u64),
    SyncFile(PathBuf),
    Rename(PathBuf, PathBuf),
    SyncDir(PathBuf),
    Remove(PathBuf),
    /// `done(Ok)` for the record that begins with this position.
    Done(u64),
}

type Deeds = Arc<Mutex<Vec<Deed>>>;

#[derive(Clone, Debug)]
struct Recorder {
    disk: SimulatedDisk,
    deeds: Deeds,
}

impl Recorder {
    fn note<T>(&self, outcome: io::Result<T>, deed: impl FnOnce() -> Deed) -> io::Result<T> {
        outcome.inspect(|_| locked(&self.deeds).push(deed()))
    }
}

#[derive(Debug)]
struct RecordedFile {
    file: Box<dyn FsFile>,
    path: PathBuf,
    recorder: Recorder,
}

impl Fs for Recorder {
    fn create_dir(&self, dir: &Path) -> io::Result<bool> {
        self.disk.create_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let file = self.note(self.disk.create(path), || Deed::Create(path.to_owned()))?;
        Ok(Box::new(RecordedFile { file, path: path.to_owned(), recorder: self.clone() }))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.disk.open(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note(self.disk.rename(from, to), || Deed::Rename(from.to_owned(), to.to_owned()))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.note(self.disk.remove(path), || Deed::Remove(path.to_owned()))
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.note(self.disk.sync_dir(dir), || Deed::SyncDir(dir.to_owned()))
    }
    fn random(&self) -> io::Result<u128> {
        self.disk.random()
    }
}

impl FsFile for RecordedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(offset, bytes);
        self.recorder.note(written, || Deed::Write(self.path.clone(), offset))
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.recorder.note(self.file.sync_data(), || Deed::SyncFile(self.path.clone()))
    }
}

/// Checks that at every `Done` nothing is dirty: no file written since its sync, no folder changed since its sync. As
/// there is one writer and it answers before it writes on, that is what "after its fsync" means. Returns the first
/// offence.
fn first_offence(deeds: &[Deed]) -> Option<String> {
    let (mut dirty_files, mut dirty_dirs) = (Vec::<PathBuf>::new(), Vec::<PathBuf>::new());
    let parent = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
    for (index, deed) in deeds.iter().enumerate() {
        match deed {
            Deed::Create(path) | Deed::Remove(path) => dirty_dirs.push(parent(path)),
            Deed::Write(path, _) => dirty_files.push(path.clone()),
            Deed::SyncFile(path) => dirty_files.retain(|dirty| dirty != path),
            Deed::SyncDir(dir) => dirty_dirs.retain(|dirty| dirty != dir),
            Deed::Rename(from, to) => {
                if dirty_files.contains(from) {
                    return Some(format!("deed {index}: {} is renamed before its bytes are synced", from.display()));
                }
                dirty_dirs.extend([parent(from), parent(to)]);
            }
            Deed::Done(position) if !dirty_files.is_empty() || !dirty_dirs.is_empty() => {
                return Some(format!("deed {index}: {position} is acknowledged before {dirty_files:?} {dirty_dirs:?}"));
            }
            Deed::Done(_) => {}
        }
    }
    None
}

/// J1, as an order of deeds: no answer precedes the fsync that covers it, nor a new segment's name the sync of its
/// folder.
#[test]
fn no_answer_precedes_its_fsync() {
    let recorder = Recorder { disk: SimulatedDisk::new(1), deeds: Deeds::default() };
    let options = Options { segment_bytes_max: 2000, ..SMALL };
    let (journal, _) = Journal::open(Path::new(DIR), Arc::new(recorder.clone()), options).expect("opened");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| append_many(&journal, &recorder.deeds));
        }
    });
    journal.close();
    // The names as they come of record's files: a file is synced under the name it was created with.
    let deeds = locked(&recorder.deeds).clone();
    let answers = deeds.iter().filter(|deed| matches!(deed, Deed::Done(_))).count();
    let segments = deeds.iter().filter(|deed| matches!(deed, Deed::Rename(..))).count();
    assert_eq!(answers, 400);
    assert!(segments > 10, "{segments} segments: the order was tried at their seams too");
    assert_eq!(first_offence(&deeds), None);

    let positions: Vec<u64> =
        deeds.iter().filter_map(|deed| if let Deed::Done(at) = deed { Some(*at) } else { None }).collect();
    assert_eq!(positions, (0..400).map(|n| n * 2).collect::<Vec<_>>(), "answers come in the order of positions");
}

fn append_many(journal: &Journal, deeds: &Deeds) {
    let (answer, answers) = mpsc::channel();
    for n in 0..100u8 {
        let (answer, deeds) = (answer.clone(), Arc::clone(deeds));
        let done = move |outcome: Result<u64, _>| {
            locked(&deeds).push(Deed::Done(outcome.expect("acknowledged")));
            answer.send(()).expect("the test listens");
        };
        journal.append(vec![n; 60], 2, Box::new(done));
        if n % 8 == 0 {
            answers.recv().expect("an answer");
        }
    }
    drop(answer);
    answers.iter().for_each(drop);
}

/// The check above is not blind.
#[test]
fn the_check_sees_each_offence() {
    let (file, unfinished, dir) = (PathBuf::from("/d/f"), PathBuf::from("/d/u"), PathBuf::from("/d"));
    let write = Deed::Write(file.clone(), 0);
    let good = [
        Deed::Create(unfinished.clone()),
        Deed::Write(unfinished.clone(), 0),
        Deed::SyncFile(unfinished.clone()),
        Deed::Rename(unfinished.clone(), file.clone()),
        Deed::SyncDir(dir.clone()),
        write,
        Deed::SyncFile(file),
        Deed::Done(0),
    ];
    assert_eq!(first_offence(&good), None);
    for left_out in [2, 4, 6] {
        let mut deeds = good.to_vec();
        deeds.remove(left_out);
        assert!(first_offence(&deeds).is_some(), "without {:?}", good[left_out]);
    }
}

/// A trimmed segment goes before the folder is synced, one at a time, and only after the segment that keeps the
/// position.
#[test]
fn segments_go_one_by_one_oldest_first() {
    let recorder = Recorder { disk: SimulatedDisk::new(1), deeds: Deeds::default() };
    let (journal, _) = Journal::open(Path::new(DIR), Arc::new(recorder.clone()), SMALL).expect("opened");
    for n in 0..6u8 {
        super::support::append(&journal, &[n; 400], 1).expect("appended");
    }
    locked(&recorder.deeds).clear();
    let trimmed = journal.trim(6).expect("trimmed");
    let deeds = locked(&recorder.deeds).clone();
    let removed: Vec<&PathBuf> =
        deeds.iter().filter_map(|deed| if let Deed::Remove(path) = deed { Some(path) } else { None }).collect();
    assert_eq!(removed.len() as u64, trimmed.segments);
    assert!(removed.is_sorted());
    let first_removal = deeds.iter().position(|deed| matches!(deed, Deed::Remove(_))).expect("one");
    let new_segment = deeds.iter().position(|deed| matches!(deed, Deed::Rename(..))).expect("one");
    assert_eq!(deeds[new_segment + 1], Deed::SyncDir(PathBuf::from(DIR)));
    assert!(new_segment + 1 < first_removal);
    for (index, _) in deeds.iter().enumerate().filter(|(_, deed)| matches!(deed, Deed::Remove(_))) {
        assert_eq!(deeds[index + 1], Deed::SyncDir(PathBuf::from(DIR)));
    }
}
