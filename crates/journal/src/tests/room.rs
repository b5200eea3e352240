//! Room: the quota, the way back after a full disk, and the room that is kept for later.

use std::path::Path;
use std::sync::Arc;

use super::support::{append, open, replay};
use crate::simulation::SimulatedDisk;
use crate::{AppendError, MaintainError, Options, Reserve};

/// A probe writes this much.
const PROBE: u64 = 256 * 1024;

#[test]
fn beyond_its_quota_a_journal_takes_nothing_until_it_was_trimmed() {
    let disk = SimulatedDisk::new(1);
    let options = Options { segment_bytes_max: 400, disk_bytes_max: 2_000, ..Options::default() };
    let (journal, _) = open(&disk, options);
    let mut kept = 0;
    while append(&journal, &[7; 100], 1).is_ok() {
        kept += 1;
    }
    // Six segments of a header and two records each: 6 × (64 + 2 × 136) = 2,016 are too many, so one record less.
    assert_eq!(kept, 11);
    let status = journal.status();
    assert!(status.quota_reached && !status.disk_full && status.poisoned.is_none() && status.bytes <= 2_000);
    assert_eq!(append(&journal, &[7; 100], 1), Err(AppendError::QuotaReached));
    assert!(matches!(journal.probe(), Err(MaintainError::DiskFull)));
    assert_eq!(replay(&journal, 0).len(), 11, "reads go on");
    journal.trim(4).expect("trimmed");
    journal.probe().expect("there is room again");
    assert!(!journal.status().quota_reached);
    assert_eq!(append(&journal, &[7; 100], 1), Ok(11));
}

#[test]
fn a_probe_finds_the_room_that_came_back_and_leaves_nothing() {
    for cuts in 0..8 {
        let disk = SimulatedDisk::new(cuts);
        let (journal, _) = open(&disk, Options::default());
        append(&journal, &[1; 100], 1).expect("appended");
        let used = journal.status().bytes;
        disk.set_capacity(Some(used + 20));
        assert_eq!(append(&journal, &[2; 100], 1), Err(AppendError::DiskFull));
        assert!(matches!(journal.probe(), Err(MaintainError::DiskFull)));
        disk.set_capacity(Some(used + PROBE - 1));
        assert!(matches!(journal.probe(), Err(MaintainError::DiskFull)), "a little room is none");
        assert!(journal.status().disk_full);
        disk.set_capacity(Some(used + PROBE));
        journal.probe().expect("there is room");
        let status = journal.status();
        assert!(!status.disk_full && status.poisoned.is_none() && status.next == 1);
        let [path] = disk.files().try_into().expect("one segment");
        assert_eq!(disk.contents(&path).map(|bytes| bytes.len() as u64), Some(used), "cut off again");
        assert_eq!(append(&journal, &[3; 100], 1), Ok(1));
        drop(journal);
        disk.power_loss();
        let (journal, recovery) = open(&disk, Options::default());
        assert_eq!((recovery.torn, recovery.damaged), (None, vec![]));
        assert_eq!(replay(&journal, 0), [(0, 1, vec![1; 100]), (1, 1, vec![3; 100])]);
    }
}

/// A machine that stops amid a probe: zeros behind the last record are no record.
#[test]
fn a_probe_that_is_cut_off_costs_nothing() {
    for changes in 1..6 {
        let disk = SimulatedDisk::new(changes);
        let (journal, _) = open(&disk, Options::default());
        append(&journal, &[1; 100], 1).expect("appended");
        disk.stop_after(changes);
        // It fails or not, as far as it came.
        let _ = journal.probe();
        drop(journal);
        disk.power_loss();
        let (journal, recovery) = open(&disk, Options::default());
        assert_eq!(recovery.damaged, [], "{changes}");
        assert_eq!(replay(&journal, 0), [(0, 1, vec![1; 100])], "{changes}");
    }
}

#[test]
fn a_reserve_takes_its_room_for_real_and_gives_it_up() {
    let disk = SimulatedDisk::new(1);
    disk.place(Path::new("/data/other"), &[1; 500]);
    let path = Path::new("/data/reserve");
    let reserve = Reserve::new(Arc::new(disk.clone()), path.to_owned(), 1_000);
    disk.set_capacity(Some(1_499));
    assert!(!reserve.take().expect("asked"), "there is not enough");
    assert_eq!((disk.contents(path), reserve.held_bytes()), (None, 0), "and nothing of it is kept");
    disk.set_capacity(Some(1_500));
    assert!(reserve.take().expect("asked") && reserve.is_held());
    assert_eq!(disk.contents(path).map(|bytes| bytes.len()), Some(1_000));

    let next_life = Reserve::new(Arc::new(disk.clone()), path.to_owned(), 1_000);
    assert!(next_life.take().expect("asked"), "what an earlier life took is good");
    let larger = Reserve::new(Arc::new(disk.clone()), path.to_owned(), 1_001);
    assert!(!larger.take().expect("asked"), "the earlier one was given up, and a larger one does not fit");
    assert_eq!(disk.contents(path), None);
    let smaller = Reserve::new(Arc::new(disk.clone()), path.to_owned(), 10);
    assert!(!smaller.release().expect("asked"), "there is none");
    assert!(smaller.take().expect("asked") && smaller.release().expect("asked") && !smaller.is_held());
    assert_eq!(disk.contents(path), None);

    let none = Reserve::new(Arc::new(disk.clone()), path.to_owned(), 0);
    assert!(none.is_held() && none.take().expect("asked") && none.held_bytes() == 0);
}

/// On the machine's own disk the room is really gone, not only promised: blocks are counted.
#[test]
fn a_reserve_on_the_real_disk_has_blocks() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("reserve");
    let reserve = Reserve::new(Arc::new(crate::RealFs), path.clone(), 1 << 20);
    assert!(reserve.take().expect("there is room for a mebibyte"));
    let metadata = path.metadata().expect("it is there");
    assert_eq!(metadata.len(), 1 << 20);
    assert!(metadata.blocks() * 512 >= 1 << 20, "{} blocks", metadata.blocks());
    assert!(reserve.release().expect("released") && !path.exists());
}
