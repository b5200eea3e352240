//! Looking changes nothing, and sees what a start would see.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::support::{append, open};
use crate::inspect;
use crate::simulation::SimulatedDisk;
use crate::{Journal, Options, RealFs};

/// Every file below a folder with its bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).expect("readable"));
        }
    }
    found
}

#[test]
fn a_closed_journal_is_read_through_and_not_touched() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options { segment_bytes_max: 400, ..Options::default() };
    let (journal, _) = Journal::open(dir.path(), std::sync::Arc::new(RealFs), options).expect("opened");
    for n in 0..8u8 {
        append(&journal, &[n; 100], 2).expect("appended");
    }
    let id = journal.id();
    drop(journal);
    let sound = inspect(dir.path()).expect("inspected");
    assert_eq!((sound.id, sound.first, sound.next, sound.records()), (Some(id), 0, 16, 8));
    assert_eq!((sound.segments.len(), sound.torn.clone(), sound.is_damaged()), (4, None, false));

    // A flipped bit in the payload of the fourth record, and the last record cut short.
    let paths: Vec<PathBuf> = files(dir.path()).into_keys().collect();
    let mut bytes = std::fs::read(&paths[1]).expect("readable");
    bytes[64 + 136 + 50] ^= 8;
    std::fs::write(&paths[1], &bytes).expect("written");
    let bytes = std::fs::read(&paths[3]).expect("readable");
    std::fs::write(&paths[3], &bytes[..bytes.len() - 1]).expect("written");
    std::fs::write(dir.path().join("notes.txt"), "mine").expect("written");
    let before = files(dir.path());
    let damaged = inspect(dir.path()).expect("inspected");
    assert_eq!(files(dir.path()), before, "looking changed something");
    let [range] = damaged.damaged.as_slice() else { panic!("{damaged:?}") };
    assert_eq!((range.bytes.clone(), range.positions.clone(), range.acknowledged), (200..336, 6..8, true));
    assert!(paths[1].ends_with(&range.segment));
    assert_eq!(damaged.torn.as_ref().map(|torn| torn.bytes.clone()), Some(200..335));
    assert_eq!((damaged.records(), damaged.next, damaged.foreign.as_slice()), (6, 14, &["notes.txt".to_owned()][..]));

    // A start finds the same, and keeps the bytes aside.
    let (journal, recovery) = Journal::open(dir.path(), std::sync::Arc::new(RealFs), options).expect("opened");
    let found: Vec<_> = recovery.damaged.iter().map(|range| (range.bytes.clone(), range.positions.clone())).collect();
    assert_eq!(found, [(200..336, 6..8)]);
    let again = journal.inspect().expect("inspected");
    assert_eq!((again.set_aside.files, again.set_aside.bytes, again.torn), (2, 136 + 135, None));
}

#[test]
fn an_open_journal_shows_what_is_acknowledged() {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk, Options::default());
    append(&journal, b"one", 3).expect("appended");
    journal.renew().expect("renewed");
    append(&journal, b"two", 1).expect("appended");
    let seen = journal.inspect().expect("inspected");
    assert_eq!((seen.id, seen.first, seen.next, seen.records()), (Some(journal.id()), 0, 1, 1));
    assert_eq!((seen.former.files, seen.is_damaged()), (1, false));
}

#[test]
fn an_empty_folder_holds_no_journal_and_a_missing_one_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let empty = inspect(dir.path()).expect("inspected");
    assert_eq!((empty.id, empty.segments.len(), empty.is_damaged()), (None, 0, false));
    let error = inspect(&dir.path().join("nowhere")).expect_err("there is none");
    assert!(error.to_string().contains("nowhere"), "{error}");
}
