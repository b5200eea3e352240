//! J2 on a larger journal: bits that flip anywhere, each found, each at the cost of the one record in which it lies.
//!
//! 2,000 of them; 100,000 with `HUBSCOPE_LONG`.

use std::path::PathBuf;

use super::support::{Known, SMALL, append_together, open, replay};
use crate::Options;
use crate::format::SEGMENT_HEADER_BYTES;
use crate::simulation::{Random, SimulatedDisk};

const FLIPS: u64 = 2_000;
const FLIPS_LONG: u64 = 100_000;
const SEED: u64 = 20_261_121;

const OPTIONS: Options = Options { segment_bytes_max: 6_000, ..SMALL };

/// A record of the sample, and the bytes of its file that it takes.
struct Place {
    file: usize,
    bytes: std::ops::Range<usize>,
    record: Known,
}

/// Eight segments or more, with records of 0 to 399 bytes, some of them alike, in groups of 1 to 7.
fn sample(random: &mut Random) -> (Vec<(PathBuf, Vec<u8>)>, Vec<Known>) {
    let disk = SimulatedDisk::new(1);
    let (journal, _) = open(&disk, OPTIONS);
    for _ in 0..48 {
        let records = (0..=random.below(7)).map(|_| {
            let (byte, length) = (random.below(4) as u8, random.below(400) as usize);
            let payload = (0..length).map(|at| if at % 3 == 0 { byte } else { random.bits() as u8 }).collect();
            (payload, 1 + random.below(5) as u32)
        });
        assert!(append_together(&journal, records.collect()).iter().all(Result::is_ok));
    }
    let records = replay(&journal, 0);
    journal.close();
    let read = |path: PathBuf| {
        let bytes = disk.contents(&path).expect("it is there");
        (path, bytes)
    };
    (disk.files().into_iter().map(read).collect(), records)
}

/// Where each record lies: its payload is looked for behind the record before it, which is another way to it than the
/// format's.
fn places(files: &[(PathBuf, Vec<u8>)], records: &[Known]) -> Vec<Place> {
    let header = files.iter().map(|(_, bytes)| bytes.len() - SEGMENT_HEADER_BYTES).sum::<usize>();
    let payloads = records.iter().map(|(.., payload)| payload.len()).sum::<usize>();
    let header = (header - payloads) / records.len();
    let (mut file, mut at, mut found) = (0, SEGMENT_HEADER_BYTES, Vec::new());
    for record in records {
        if at == files[file].1.len() {
            (file, at) = (file + 1, SEGMENT_HEADER_BYTES);
        }
        let end = at + header + record.2.len();
        assert!(files[file].1[at + header..end] == record.2, "a payload lies where it is not expected");
        found.push(Place { file, bytes: at..end, record: record.clone() });
        at = end;
    }
    found
}

#[test]
fn each_of_many_flips_in_many_segments_is_found_and_costs_its_own_record() {
    let mut random = Random::new(SEED);
    let (files, records) = sample(&mut random);
    let places = places(&files, &records);
    assert!(files.len() >= 8 && records.len() > 100, "{} segments, {} records", files.len(), records.len());
    let flips = if std::env::var_os("HUBSCOPE_LONG").is_some() { FLIPS_LONG } else { FLIPS };
    for number in 0..flips {
        let file = random.below(files.len() as u64) as usize;
        let (path, whole) = &files[file];
        let (at, bit) = (random.below(whole.len() as u64) as usize, random.below(8));
        let told = format!("flip {number}: {} byte {at} bit {bit}", path.display());
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << bit;
        let disk = SimulatedDisk::new(number);
        for (other, bytes) in &files {
            disk.place(other, if other == path { &flipped } else { bytes });
        }
        let (journal, recovery) = open(&disk, OPTIONS);

        let hit = places.iter().find(|place| place.file == file && place.bytes.contains(&at));
        let expected: Vec<&Known> = places
            .iter()
            .filter(|place| hit.is_none_or(|hit| hit.record != place.record))
            .map(|place| &place.record)
            .collect();
        let replayed = replay(&journal, 0);
        assert!(replayed.iter().eq(expected), "{told}: {} of {} replayed", replayed.len(), records.len());

        // Found: as damage, or, in the journal's last record, as a write that did not finish.
        let (range, aside) = match (recovery.damaged.as_slice(), &recovery.torn) {
            ([damaged], None) => {
                let positions = hit.map(|hit| hit.record.0..hit.record.0 + u64::from(hit.record.1));
                let missing = Some(damaged.positions.clone()).filter(|positions| !positions.is_empty());
                assert_eq!(missing, positions, "{told}");
                (damaged.bytes.clone(), damaged.set_aside.clone())
            }
            ([], Some(torn)) => {
                let is_last = hit.is_some_and(|hit| Some(&hit.record) == records.last());
                assert!(is_last, "{told}: nothing but the last record can be torn");
                (torn.bytes.clone(), torn.set_aside.clone())
            }
            found => panic!("{told}: {found:?}"),
        };
        let range = usize::try_from(range.start).expect("an offset")..usize::try_from(range.end).expect("an offset");
        let expected = hit.map_or(0..SEGMENT_HEADER_BYTES, |hit| hit.bytes.clone());
        assert_eq!(range, expected, "{told}");
        let aside = aside.and_then(|aside| disk.contents(&aside));
        assert!(aside.as_deref() == Some(&flipped[range]), "{told}: the bytes were not set aside as they are");
    }
}
