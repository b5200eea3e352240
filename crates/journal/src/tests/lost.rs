//! Bytes that the disk does not give back: a start goes round them, says so, and throws nothing away.

use std::path::{Path, PathBuf};

use super::support::{DIR, Known, SMALL, append, open, replay};
use crate::format::{RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES};
use crate::simulation::SimulatedDisk;
use crate::{Journal, Options};

const BLOCK: u64 = 4096;

/// Ten records of a block and a half each, in segments of four.
fn sample(seed: u64) -> (SimulatedDisk, Vec<Known>, Vec<PathBuf>) {
    let disk = SimulatedDisk::new(seed);
    let (journal, _) = open(&disk, Options { segment_bytes_max: 26_000, ..Options::default() });
    for n in 0..10u8 {
        append(&journal, &[n + 1; 6_000], 2).expect("appended");
    }
    let records = replay(&journal, 0);
    drop(journal);
    let files = disk.files();
    assert_eq!((records.len(), files.len()), (10, 3));
    (disk, records, files)
}

fn missing(journal: &Journal, records: &[Known]) -> Vec<u64> {
    let found = replay(journal, 0);
    assert!(found.iter().all(|record| records.contains(record)), "something was made up");
    records.iter().filter(|record| !found.contains(record)).map(|record| record.0).collect()
}

/// Each block of the first segment in turn: what costs is the record or the two that lie in it, and nothing else.
#[test]
fn a_block_that_cannot_be_read_costs_the_records_in_it() {
    let record = 6_000 + RECORD_HEADER_BYTES as u64;
    let header = SEGMENT_HEADER_BYTES as u64;
    for block in 0..6 {
        let (disk, records, files) = sample(block);
        let lost = block * BLOCK..(block + 1) * BLOCK;
        disk.lose(&files[0], Some(lost.clone()));
        let (journal, recovery) = open(&disk, SMALL);
        let touched = (0..4u64).filter(|n| {
            let (start, end) = (header + n * record, header + (n + 1) * record);
            start < lost.end && lost.start < end
        });
        let touched: Vec<u64> = touched.map(|n| n * 2).collect();
        assert_eq!(missing(&journal, &records), touched, "block {block}: {recovery:?}");
        let unreadable: u64 = recovery.damaged.iter().map(|range| range.unreadable).sum();
        assert!(unreadable > 0 && recovery.torn.is_none(), "block {block}: {recovery:?}");
        assert!(recovery.damaged.iter().all(|range| range.set_aside.is_some()), "what can be read was copied");
        assert_eq!(recovery.next, 20);
        assert!(append(&journal, b"on", 1).is_ok());

        // Trimming never throws such a segment away.
        journal.trim(20).expect("trimmed");
        let aside = Path::new(DIR).join("damaged").join(files[0].file_name().expect("a name"));
        assert!(disk.files().contains(&aside) && !disk.files().contains(&files[0]), "block {block}");
        assert!(!disk.files().contains(&files[1]), "a sound one goes");
        assert!(journal.status().damaged.files >= 2 && journal.status().invariants_broken == 0);
    }
}

/// A file that cannot even be opened.
#[test]
fn a_segment_that_cannot_be_opened_does_not_stop_a_start() {
    for file in 0..3 {
        let (disk, records, files) = sample(40);
        disk.lose(&files[file], None);
        let (journal, recovery) = open(&disk, SMALL);
        let lost: Vec<u64> = match file {
            0 => vec![0, 2, 4, 6],
            1 => vec![8, 10, 12, 14],
            _ => vec![16, 18],
        };
        assert_eq!(missing(&journal, &records), lost);
        assert!(!recovery.damaged.is_empty(), "{recovery:?}");
        assert!(append(&journal, b"on", 1).is_ok());
        journal.trim(u64::MAX).expect("trimmed");
        let aside = Path::new(DIR).join("damaged").join(files[file].file_name().expect("a name"));
        assert!(disk.files().contains(&aside), "{file}: kept for whoever can read it");
    }
}

/// The end of the last segment may have held what was acknowledged: it is reported so, and not cut off.
#[test]
fn an_unreadable_end_is_no_torn_tail() {
    let (disk, _, files) = sample(50);
    let last = files.last().expect("three");
    let before = disk.contents(last).expect("it is there");
    disk.lose(last, Some(2 * BLOCK..before.len() as u64));
    let (journal, recovery) = open(&disk, SMALL);
    assert_eq!(recovery.torn, None);
    let [damaged] = recovery.damaged.as_slice() else { panic!("{recovery:?}") };
    assert!(damaged.acknowledged && damaged.unreadable > 0, "{damaged:?}");
    assert_eq!(disk.contents(last), Some(before), "left as it was");
    assert!(append(&journal, b"on", 1).is_ok());
}
