//! Bounds and failures: overload, sizes, a full disk, a failed fsync, trimming, renewing, closing.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, mpsc};

use super::support::{DIR, SMALL, append, append_together, open, replay};
use crate::shared::locked;
use crate::simulation::SimulatedDisk;
use crate::{AppendError, Fs, FsFile, Journal, MaintainError, Options};

/// A disk whose fsyncs of files wait for a gate.
#[derive(Clone, Debug)]
struct Gated {
    disk: SimulatedDisk,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    open: Mutex<(bool, u64)>,
    changed: Condvar,
}

impl Gate {
    fn set(&self, open: bool) {
        locked(&self.open).0 = open;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut state = locked(&self.open);
        state.1 += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| !state.0));
    }

    /// Waits until somebody stands at the closed gate.
    fn wait_for_arrival(&self, after: u64) {
        drop(self.changed.wait_while(locked(&self.open), |state| state.1 <= after));
    }

    fn arrivals(&self) -> u64 {
        locked(&self.open).1
    }
}

#[derive(Debug)]
struct GatedFile(Box<dyn FsFile>, Arc<Gate>);

impl Fs for Gated {
    fn create_dir(&self, dir: &Path) -> io::Result<bool> {
        self.disk.create_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(GatedFile(self.disk.create(path)?, Arc::clone(&self.gate))))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.disk.open(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn random(&self) -> io::Result<u128> {
        self.disk.random()
    }
}

impl FsFile for GatedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_at(offset, bytes)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.1.pass();
        self.0.sync_data()
    }
}

/// While the disk stands still, the queue fills to its bound and no further, and nobody waits; then all of it is
/// written in one group, answered in order.
#[test]
fn a_full_queue_refuses_at_once_and_loses_nothing() {
    let gated = Gated { disk: SimulatedDisk::new(1), gate: Arc::default() };
    gated.gate.set(true);
    let options = Options { queue_bytes_max: 100_000, record_bytes_max: 50_000, ..Options::default() };
    let (journal, _) = open(&gated, options);
    gated.gate.set(false);
    let before = gated.gate.arrivals();
    let (answer, answers) = mpsc::channel();
    let send = |n: u64| {
        let answer = answer.clone();
        let done = Box::new(move |outcome| answer.send((n, outcome)).expect("the test listens"));
        journal.append(vec![n as u8; 1000], 1, done);
    };
    send(0);
    gated.gate.wait_for_arrival(before);
    (1..200).for_each(send);
    let refused: Vec<_> = answers.try_iter().collect();
    let admitted = 200 - refused.len() as u64;
    assert!(refused.iter().all(|(_, outcome)| *outcome == Err(AppendError::Overloaded)), "{refused:?}");
    assert!((70..100).contains(&admitted), "{admitted} of 1000 bytes and some overhead fit into 100,000");
    let status = journal.status();
    assert!(status.queue_bytes <= options.queue_bytes_max && status.queue_records == admitted, "{status:?}");

    gated.gate.set(true);
    let written: Vec<_> = answers.iter().take(usize::try_from(admitted).expect("few")).collect();
    assert_eq!(written, (0..admitted).map(|n| (n, Ok(n))).collect::<Vec<_>>());
    assert_eq!(journal.status().groups, 2, "one held the disk up, all others waited together");
    journal.close();
    assert_eq!(journal.status().queue_bytes, 0);
    assert_eq!(replay(&journal, 0).len() as u64, admitted);
}

#[test]
fn what_can_never_be_kept_is_refused_by_name() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk, Options { record_bytes_max: 10, ..SMALL });
    assert_eq!(append(&journal, &[0; 11], 1), Err(AppendError::TooLarge { bytes: 11, limit: 10 }));
    assert_eq!(append(&journal, &[0; 10], 0), Err(AppendError::Empty));
    assert_eq!(append(&journal, &[0; 10], 1), Ok(0));
    assert_eq!(append(&journal, &[], u32::MAX), Ok(1), "an empty payload is a payload");
    assert_eq!(journal.status().next, 1 + u64::from(u32::MAX));
    journal.close();
    assert_eq!(append(&journal, &[0; 10], 1), Err(AppendError::Closed));
    assert_eq!(journal.trim(5).map(|trimmed| trimmed.segments).ok(), Some(0));
    assert!(matches!(journal.renew(), Err(MaintainError::Closed)));

    let contradictory = Options { record_bytes_max: 11, queue_bytes_max: 10, ..SMALL };
    let error = Journal::open(Path::new(DIR), Arc::new(disk), contradictory).expect_err("refused");
    assert!(error.to_string().contains("record_bytes_max is larger than queue_bytes_max"), "{error}");
}

/// J3: a failed fsync fails its group and everything after it; nothing is written or synced again; a restart knows all
/// that was acknowledged, also after a power loss.
#[test]
fn a_failed_fsync_poisons_until_restart() {
    for seed in 0..50 {
        let disk = SimulatedDisk::new(seed);
        let (journal, _) = open(&disk, Options::default());
        assert_eq!(append(&journal, b"kept", 2), Ok(0));
        disk.fail_sync_after(0);
        let together = append_together(&journal, vec![(b"a".to_vec(), 1), (b"b".to_vec(), 1)]);
        assert_eq!(together, [Err(AppendError::Poisoned); 2]);
        assert_eq!(append(&journal, b"c", 1), Err(AppendError::Poisoned), "the disk works again, the journal must not");
        let status = journal.status();
        assert!(status.poisoned.is_some_and(|reason| reason.contains("cannot sync") && reason.contains("segment")));
        assert_eq!(status.next, 2);
        assert!(matches!(journal.renew(), Err(MaintainError::Poisoned)));
        assert!(journal.trim(2).is_ok_and(|trimmed| trimmed.segments == 0), "nothing is rolled");
        journal.close();
        assert_eq!(journal.status().queue_bytes, 0);
        disk.power_loss();
        let (journal, _) = open(&disk, Options::default());
        assert_eq!(replay(&journal, 0).first(), Some(&(0, 2, b"kept".to_vec())), "seed {seed}");
        assert!(append(&journal, b"d", 1).is_ok());
    }
}

/// A full disk refuses the group, keeps nothing of it, and needs no restart once there is room.
#[test]
fn a_full_disk_refuses_and_then_goes_on() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk, Options::default());
    assert_eq!(append(&journal, &[1; 100], 1), Ok(0));
    let used: u64 = journal.status().bytes;
    disk.set_capacity(Some(used + 50));
    for _ in 0..3 {
        assert_eq!(append(&journal, &[2; 100], 1), Err(AppendError::DiskFull));
        assert!(journal.status().disk_full);
        assert_eq!(journal.status().poisoned, None);
        let [path] = disk.files().try_into().expect("one segment");
        assert_eq!(disk.contents(&path).map(|bytes| bytes.len() as u64), Some(used), "cut back");
    }
    assert!(replay(&journal, 0).len() == 1, "reads go on");
    disk.set_capacity(None);
    assert_eq!(append(&journal, &[3; 100], 1), Ok(1));
    assert!(!journal.status().disk_full);
    drop(journal);
    disk.power_loss();
    let (journal, _) = open(&disk, Options::default());
    assert_eq!(replay(&journal, 0), [(0, 1, vec![1; 100]), (1, 1, vec![3; 100])]);
}

/// Without room for a new segment, trimming still frees the old ones.
#[test]
fn trimming_works_on_a_full_disk() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk, SMALL);
    for n in 0..10 {
        append(&journal, &[n; 300], 1).expect("appended");
    }
    let segments = journal.status().segments;
    assert!(segments >= 5);
    disk.set_capacity(Some(0));
    assert_eq!(journal.trim(10).map(|trimmed| trimmed.segments).expect("trimmed"), segments - 1);
    disk.set_capacity(None);
    assert_eq!(journal.trim(10).map(|trimmed| trimmed.segments).expect("trimmed"), 1);
}

/// Whole segments go, never one that is needed; when everything goes, id and position stay, over restarts.
#[test]
fn positions_and_id_survive_the_trimming_of_everything() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk, SMALL);
    let id = journal.id();
    for n in 0..10u8 {
        append(&journal, &[n; 300], 3).expect("appended");
    }
    journal.trim(17).expect("trimmed");
    let first = journal.status().first;
    assert!(first <= 17 && first > 10, "{first}");
    assert_eq!(replay(&journal, 17).first().map(|record| record.0), Some(15), "the record that reaches beyond 17");
    journal.trim(u64::MAX).expect("trimmed");
    let status = journal.status();
    assert_eq!((status.first, status.next, status.segments, status.bytes), (30, 30, 1, 64));
    assert_eq!(
        journal.trim(30).map(|trimmed| trimmed.segments).expect("trimmed"),
        0,
        "an empty segment is not replaced"
    );
    assert_eq!(append(&journal, b"x", 1), Ok(30));
    journal.trim(31).expect("trimmed");
    drop(journal);
    for _ in 0..3 {
        disk.power_loss();
        let (journal, recovery) = open(&disk, SMALL);
        assert_eq!((journal.id(), recovery.first, recovery.next), (id, 31, 31));
        assert_eq!(recovery.damaged, []);
        assert_eq!(journal.status().segments, 1);
    }
}

/// A renewed journal begins at 0 under another id, also after a restart; the old segments are kept aside.
#[test]
fn a_renewed_journal_begins_anew() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk, SMALL);
    let old = journal.id();
    for n in 0..4 {
        append(&journal, &[n; 300], 1).expect("appended");
    }
    let segments = journal.status().segments as usize;
    let id = journal.renew().expect("renewed");
    assert_ne!(id, old);
    assert_eq!((journal.id(), journal.status().next, journal.status().segments), (id, 0, 1));
    assert_eq!(append(&journal, b"new", 1), Ok(0));
    drop(journal);
    disk.power_loss();
    let (journal, recovery) = open(&disk, SMALL);
    assert_eq!((journal.id(), recovery.damaged), (id, vec![]));
    assert_eq!(replay(&journal, 0), [(0, 1, b"new".to_vec())]);
    let former = disk.files().into_iter().filter(|path| path.parent().is_some_and(|dir| dir.ends_with("former")));
    assert_eq!(former.count(), segments);
}

/// A `done` that panics costs the journal its writes, never a hanging caller.
#[test]
fn a_panicking_answer_leaves_nobody_waiting() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk, SMALL);
    journal.append(vec![1], 1, Box::new(|_| panic!("a bug of the caller")));
    journal.close();
    let status = journal.status();
    assert!(status.poisoned.is_some_and(|reason| reason.contains("panicked")));
    assert_eq!(status.queue_bytes, 0);
    assert_eq!(append(&journal, b"x", 1), Err(AppendError::Poisoned));
}

/// Closing writes what waits.
#[test]
fn closing_drains_the_queue() {
    let gated = Gated { disk: SimulatedDisk::new(1), gate: Arc::default() };
    gated.gate.set(true);
    let (journal, _) = open(&gated, Options::default());
    gated.gate.set(false);
    let (answer, answers) = mpsc::channel();
    for n in 0..20u8 {
        let answer = answer.clone();
        journal.append(vec![n], 1, Box::new(move |outcome| answer.send(outcome).expect("the test listens")));
    }
    drop(answer);
    std::thread::scope(|scope| {
        scope.spawn(|| journal.close());
        gated.gate.set(true);
    });
    assert_eq!(answers.iter().collect::<Vec<_>>(), (0..20).map(Ok).collect::<Vec<_>>());
}

/// The caller's error stops a replay and comes back with the position.
#[test]
fn a_replay_stops_where_its_taker_says() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk, SMALL);
    for n in 0..5 {
        append(&journal, &[n], 2).expect("appended");
    }
    let error =
        journal.replay(3, &mut |record| if record.first < 6 { Ok(()) } else { Err("enough") }).expect_err("stopped");
    assert!(matches!(error, crate::ReplayError::Stopped { position: 6, error: "enough" }), "{error:?}");
}
