//! What was set aside is counted, and goes on demand.

use std::path::{Path, PathBuf};

use super::support::{DIR, SMALL, append, open};
use crate::simulation::SimulatedDisk;
use crate::{Aside, MaintainError};

fn aside(files: u64, bytes: u64) -> Aside {
    Aside { files, bytes }
}

#[test]
fn unwanted_and_unreadable_files_go_and_are_no_longer_counted() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk, SMALL);
    append(&journal, b"ann in a former journal", 1).expect("appended");
    journal.renew().expect("renewed");
    append(&journal, b"bob", 1).expect("appended");
    let former = journal.status().former;
    assert_eq!(former.files, 1);
    drop(journal);
    let damaged = Path::new(DIR).join("damaged");
    disk.place_dir(&damaged);
    for (name, bytes) in [("1", &b"of ann"[..]), ("2", b"of bob"), ("3", &[b'x'; 5000])] {
        disk.place(&damaged.join(name), bytes);
    }
    disk.lose(&damaged.join("3"), Some(4096..5000));

    let (journal, _) = open(&disk, SMALL);
    assert_eq!((journal.status().damaged, journal.status().former), (aside(3, 5012), former));
    let names = |bytes: &[u8]| bytes.windows(3).any(|window| window == b"ann");
    assert_eq!(journal.remove_aside(&|_| false).expect("removed"), [PathBuf::from("damaged/3")]);
    assert_eq!(journal.status().damaged, aside(2, 12));
    let mut removed = journal.remove_aside(&names).expect("removed");
    removed.sort();
    assert_eq!((removed.len(), &removed[0]), (2, &PathBuf::from("damaged/1")));
    assert!(removed[1].starts_with("former"), "{removed:?}");
    assert_eq!((journal.status().damaged, journal.status().former), (aside(1, 6), Aside::default()));
    assert_eq!(journal.remove_aside(&names).expect("removed"), Vec::<PathBuf>::new());
    drop(journal);

    disk.power_loss();
    let left: Vec<PathBuf> = disk.files().into_iter().filter(|path| path.parent() != Some(Path::new(DIR))).collect();
    assert_eq!(left, [damaged.join("2")], "for ever");
}

#[test]
fn what_went_before_a_failure_is_not_counted() {
    let disk = SimulatedDisk::new(2);
    let (journal, _) = open(&disk, SMALL);
    drop(journal);
    let damaged = Path::new(DIR).join("damaged");
    disk.place_dir(&damaged);
    disk.place(&damaged.join("1"), b"ann");
    let (journal, _) = open(&disk, SMALL);
    assert_eq!(journal.status().damaged, aside(1, 3));
    disk.fail_dir_sync_after(0);
    let failed = journal.remove_aside(&|_| true);
    assert!(matches!(failed, Err(MaintainError::Io { action: "sync", .. })), "{failed:?}");
    assert_eq!(journal.status().damaged, Aside::default());
}
