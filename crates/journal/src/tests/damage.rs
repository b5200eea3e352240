//! J2: a flipped bit is found, costs one record at most, and is kept aside.

use std::path::{Path, PathBuf};

use super::support::{DIR, Known, SMALL, append, append_together, open, replay};
use crate::format::{RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES};
use crate::simulation::SimulatedDisk;
use crate::{Options, Recovery};

/// A small journal of three segments, as files.
struct Sample {
    files: Vec<(PathBuf, Vec<u8>)>,
    records: Vec<Known>,
    id: u128,
}

fn sample() -> Sample {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk, Options { segment_bytes_max: 300, ..SMALL });
    for group in 0..4u8 {
        let records = (0..3u8).map(|n| (vec![group * 16 + n; 20 + usize::from(n)], u32::from(n) + 1)).collect();
        assert!(append_together(&journal, records).iter().all(Result::is_ok));
    }
    let (records, id) = (replay(&journal, 0), journal.id());
    journal.close();
    let read = |path: PathBuf| {
        let bytes = disk.contents(&path).expect("it is there");
        (path, bytes)
    };
    let files: Vec<_> = disk.files().into_iter().map(read).collect();
    assert_eq!((files.len(), records.len()), (4, 12));
    Sample { files, records, id }
}

/// Opens the files with one of them changed.
fn reopen(
    sample: &Sample,
    changed: usize,
    change: impl Fn(&mut Vec<u8>),
) -> (SimulatedDisk, Recovery, Vec<Known>, u128) {
    let disk = SimulatedDisk::new(2);
    for (index, (path, bytes)) in sample.files.iter().enumerate() {
        let mut bytes = bytes.clone();
        if index == changed {
            change(&mut bytes);
        }
        disk.place(path, &bytes);
    }
    let (journal, recovery) = open(&disk, SMALL);
    let records = replay(&journal, 0);
    let id = journal.id();
    (disk, recovery, records, id)
}

fn reported(recovery: &Recovery) -> usize {
    recovery.damaged.len() + usize::from(recovery.torn.is_some())
}

/// Every byte, each bit: nothing wrong is replayed, at most one record is missing, and something is reported.
#[test]
fn each_flipped_bit_is_found_and_costs_one_record_at_most() {
    let sample = sample();
    for (file, (path, bytes)) in sample.files.iter().enumerate() {
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let place = format!("{} byte {at} bit {bit}", path.display());
                let (_, recovery, records, id) = reopen(&sample, file, |bytes| bytes[at] ^= 1 << bit);
                assert_eq!(id, sample.id, "{place}");
                assert_eq!(reported(&recovery), 1, "{place}: {recovery:?}");
                let missing: Vec<_> = sample.records.iter().filter(|record| !records.contains(record)).collect();
                assert_eq!(records.len() + missing.len(), sample.records.len(), "{place}: something was made up");
                let in_header = at < SEGMENT_HEADER_BYTES;
                assert_eq!(missing.len(), usize::from(!in_header), "{place}");
            }
        }
    }
}

/// The report names the bytes and the positions, and a copy of the bytes is kept, also after the segment is trimmed.
#[test]
fn damage_amid_is_reported_to_the_byte_and_kept_aside() {
    let sample = sample();
    let (path, bytes) = &sample.files[1];
    let second = SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES + 20;
    let third = second + RECORD_HEADER_BYTES + 21;
    let (disk, recovery, records, _) = reopen(&sample, 1, |bytes| bytes[second + 40] ^= 1);
    let [damaged] = recovery.damaged.as_slice() else { panic!("{recovery:?}") };
    assert_eq!(Some(damaged.segment.as_str()), path.file_name().and_then(|name| name.to_str()));
    assert_eq!((damaged.bytes.clone(), damaged.positions.clone()), (second as u64..third as u64, 7..9));
    assert_eq!(records.len(), sample.records.len() - 1);
    assert_eq!((recovery.first, recovery.next), (0, 24));

    let mut broken = bytes[second..third].to_vec();
    broken[40] ^= 1;
    let aside = damaged.set_aside.clone().expect("a copy");
    assert_eq!(disk.contents(&aside), Some(broken.clone()));
    let (journal, again) = open(&disk, SMALL);
    assert_eq!(again.damaged, recovery.damaged, "it is reported again, and not copied twice");
    journal.trim(24).expect("trimmed");
    assert_eq!(disk.contents(path), None);
    assert_eq!(disk.contents(&aside), Some(broken));
}

/// Positions of records that later ones prove to be acknowledged are told from those of a group that was perhaps torn.
#[test]
fn damage_says_whether_it_was_acknowledged() {
    let sample = sample();
    let last = sample.files.len() - 1;
    let first_record = SEGMENT_HEADER_BYTES + 1;
    let (_, recovery, _, _) = reopen(&sample, last, |bytes| bytes[first_record] ^= 1);
    assert!(!recovery.damaged[0].acknowledged, "the only group of the last segment: {recovery:?}");

    let disk = SimulatedDisk::new(3);
    let (journal, _) = open(&disk, Options::default());
    append(&journal, b"one", 1).expect("appended");
    append(&journal, b"two", 1).expect("appended");
    journal.close();
    let [path] = disk.files().try_into().expect("one segment");
    let mut bytes = disk.contents(&path).expect("it is there");
    bytes[first_record] ^= 1;
    disk.place(&path, &bytes);
    let (_, recovery) = open(&disk, SMALL);
    assert!(recovery.damaged[0].acknowledged, "a later group followed: {recovery:?}");
}

/// Every cut through the last segment: what is whole is replayed, the rest is set aside and cut off.
#[test]
fn a_torn_tail_is_cut_off_after_the_last_whole_record() {
    let sample = sample();
    let last = sample.files.len() - 1;
    let (path, whole) = &sample.files[last];
    let ends = [64, 64 + 56, 64 + 56 + 57, 64 + 56 + 57 + 58];
    assert_eq!(whole.len(), ends[3]);
    for length in SEGMENT_HEADER_BYTES..whole.len() {
        let (disk, recovery, records, _) = reopen(&sample, last, |bytes| bytes.truncate(length));
        let kept = ends.iter().filter(|end| **end <= length).count() - 1;
        assert_eq!(records, sample.records[..9 + kept], "cut at {length}");
        let end = ends[kept];
        assert_eq!(disk.contents(path).map(|bytes| bytes.len()), Some(end), "cut at {length}");
        match recovery.torn {
            None => assert_eq!(length, end),
            Some(torn) => {
                assert_eq!(torn.bytes, end as u64..length as u64);
                let aside = torn.set_aside.and_then(|path| disk.contents(&path));
                assert_eq!(aside.as_deref(), Some(&whole[end..length]));
            }
        }
        let (_, again) = open(&disk, SMALL);
        assert_eq!((again.torn, again.next), (None, recovery.next), "cut at {length}: it is mended");
    }
}

/// A segment that is gone, or whose every byte is, is reported by its positions.
#[test]
fn a_lost_segment_is_missed() {
    let sample = sample();
    let (_, recovery, records, _) = reopen(&sample, 1, Vec::clear);
    assert_eq!(recovery.damaged.len(), 2, "its header, and what it held: {recovery:?}");
    assert_eq!(recovery.damaged[1].positions, 6..12);
    assert!(recovery.damaged[1].acknowledged);
    assert_eq!(records.len(), 9);

    let disk = SimulatedDisk::new(4);
    for (path, bytes) in sample.files.iter().enumerate().filter(|(index, _)| *index != 1).map(|(_, file)| file) {
        disk.place(path, bytes);
    }
    let (journal, recovery) = open(&disk, SMALL);
    let [missing] = recovery.damaged.as_slice() else { panic!("{recovery:?}") };
    assert_eq!((missing.positions.clone(), missing.bytes.is_empty()), (6..12, true));
    let replayed = journal.replay::<()>(0, &mut |_| Ok(())).expect("replayed");
    assert_eq!((replayed.records, replayed.missing.len(), replayed.missing.first()), (9, 1, Some(&(6..12))));
}

/// A payload that contains a whole journal cannot pass for records, however the journal around it is damaged.
#[test]
fn a_payload_cannot_pretend_to_be_records() {
    let sample = sample();
    let forged: Vec<u8> = sample.files.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let disk = SimulatedDisk::new(5);
    let (journal, _) = open(&disk, Options::default());
    for payload in [forged.as_slice(), b"after"] {
        append(&journal, payload, 1).expect("appended");
    }
    journal.close();
    let [path] = disk.files().try_into().expect("one segment");
    let mut bytes = disk.contents(&path).expect("it is there");
    bytes[SEGMENT_HEADER_BYTES + 2] ^= 1;
    disk.place(&path, &bytes);
    let (journal, recovery) = open(&disk, SMALL);
    assert_eq!(replay(&journal, 0), [(1, 1, b"after".to_vec())]);
    assert_eq!(recovery.damaged[0].positions, 0..1);
}

/// A full disk does not stop a start: the tail stays where it is, and what is appended later is found behind it.
#[test]
fn a_torn_tail_that_cannot_be_copied_stays() {
    let sample = sample();
    let last = sample.files.len() - 1;
    let disk = SimulatedDisk::new(6);
    for (index, (path, bytes)) in sample.files.iter().enumerate() {
        let length = if index == last { bytes.len() - 1 } else { bytes.len() };
        disk.place(path, &bytes[..length]);
    }
    disk.set_capacity(Some(0));
    let (journal, recovery) = open(&disk, SMALL);
    assert_eq!(recovery.torn.map(|torn| torn.set_aside), Some(None));
    assert_eq!(append(&journal, b"no", 1), Err(crate::AppendError::DiskFull));
    disk.set_capacity(None);
    assert_eq!(append(&journal, b"later", 1), Ok(21));
    drop(journal);
    let (journal, recovery) = open(&disk, SMALL);
    assert_eq!(replay(&journal, 0).last(), Some(&(21, 1, b"later".to_vec())));
    let [damaged] = recovery.damaged.as_slice() else { panic!("{recovery:?}") };
    assert!(damaged.positions.is_empty() && !damaged.acknowledged && damaged.set_aside.is_some(), "{damaged:?}");
}

/// Written by a newer program: refused with what to do, and nothing is touched.
#[test]
fn an_unknown_version_is_refused_and_left_alone() {
    let sample = sample();
    let disk = SimulatedDisk::new(7);
    let (path, bytes) = &sample.files[0];
    let mut newer = bytes.clone();
    newer[8] = 2;
    let crc = crc32c::crc32c(&newer[..60]).to_le_bytes();
    newer[60..64].copy_from_slice(&crc);
    disk.place(path, &newer);
    let error = crate::Journal::open(Path::new(DIR), std::sync::Arc::new(disk.clone()), SMALL).expect_err("refused");
    assert!(matches!(error, crate::OpenError::UnknownVersion { found: 2, known: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("open it with the program that wrote it"));
    assert_eq!((disk.files().len(), disk.contents(path)), (1, Some(newer)));
}

/// Files that are not ours are named and left; an unfinished segment of ours goes.
#[test]
fn other_files_in_the_folder_are_left_alone() {
    let disk = SimulatedDisk::new(8);
    let unfinished = "0000000001-00000000000000000000-00000000000000000000000000000abc.segment.unfinished";
    for name in ["notes.txt", "README.unfinished", unfinished] {
        disk.place(&Path::new(DIR).join(name), b"x");
    }
    let (_, recovery) = open(&disk, SMALL);
    assert_eq!(recovery.foreign, ["README.unfinished", "notes.txt"]);
    assert!(recovery.created && disk.contents(&Path::new(DIR).join(unfinished)).is_none());
}
