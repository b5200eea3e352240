//! Journals written by earlier versions must open for ever, with the same answers. The samples are never rewritten; a
//! new format version adds its own.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use journal::{Journal, Options, RealFs, Recovery};
use tempfile::TempDir;

/// The samples' journal.
const ID: u128 = 0x592e_1584_0b92_5d5b_ba87_8ab5_b3b4_a6e1;

/// Opening may mend a folder, so a copy is opened.
fn open_copy(sample: &str) -> (TempDir, Journal, Recovery) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/formats").join(sample);
    let copy = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(&sample).unwrap_or_else(|error| panic!("{}: {error}", sample.display())) {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "segment") {
            let to = copy.path().join(path.file_name().expect("a name"));
            std::fs::write(to, std::fs::read(&path).expect("readable")).expect("copied");
        }
    }
    let (journal, recovery) = Journal::open(copy.path(), Arc::new(RealFs), Options::default()).expect("it opens");
    (copy, journal, recovery)
}

/// The samples' records: six, of 1 to 6 positions; the payload is a line of text, the fourth empty, the fifth every
/// byte.
fn written() -> Vec<(u64, u32, Vec<u8>)> {
    let payloads: [Vec<u8>; 6] = [
        b"record 1\n".to_vec(),
        b"record 2\n".to_vec(),
        b"record 3\n".to_vec(),
        Vec::new(),
        (0..=255).collect(),
        b"record 6\n".to_vec(),
    ];
    let mut first = 0;
    let numbered = payloads.into_iter().zip(1..).map(|(payload, count)| {
        first += u64::from(count);
        (first - u64::from(count), count, payload)
    });
    numbered.collect()
}

fn replay(journal: &Journal) -> Vec<(u64, u32, Vec<u8>)> {
    let mut records = Vec::new();
    let mut take = |record: journal::Record<'_>| {
        records.push((record.first, record.count, record.payload.to_vec()));
        Ok::<(), Infallible>(())
    };
    journal.replay(0, &mut take).expect("it replays");
    records
}

#[test]
fn version_1_opens() {
    let (_copy, journal, recovery) = open_copy("journal-v1");
    assert_eq!(journal.id(), ID);
    assert_eq!(replay(&journal), written());
    assert_eq!((recovery.first, recovery.next, recovery.torn, recovery.damaged), (0, 21, None, vec![]));
    assert_eq!(journal.status().segments, 4);
}

/// The same journal, with a bit flipped in the first record and the last one cut short.
#[test]
fn version_1_opens_when_damaged() {
    let (copy, journal, recovery) = open_copy("journal-v1-damaged");
    assert_eq!(journal.id(), ID);
    let mut expected = written();
    expected.pop();
    expected.remove(0);
    assert_eq!(replay(&journal), expected);
    assert_eq!((recovery.first, recovery.next), (0, 15));
    let [damaged] = recovery.damaged.as_slice() else { panic!("{recovery:?}") };
    assert_eq!((damaged.bytes.clone(), damaged.positions.clone(), damaged.acknowledged), (64..109, 0..1, true));
    let torn = recovery.torn.expect("the last record is cut short");
    assert_eq!(torn.bytes, 64..99);
    let aside: Vec<PathBuf> = [damaged.set_aside.clone(), torn.set_aside].into_iter().flatten().collect();
    assert_eq!(aside.len(), 2);
    assert!(aside.iter().all(|path| path.starts_with(copy.path().join("damaged")) && path.is_file()));
}

/// The format as its page describes it, read by hand: bits are counted one by one, nothing of the journal is used.
mod by_hand {
    /// CRC32C, reflected, one bit at a time.
    pub(super) fn crc32c(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
        })
    }

    fn number(bytes: &[u8]) -> u64 {
        bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The records of a segment up to its end or to the first that does not check: position, count, payload.
    pub(super) fn records(segment: &[u8]) -> Vec<(u64, u32, Vec<u8>)> {
        assert_eq!(segment[..12], *b"\x89HSJ\r\n\x1a\n\x01\0\0\0");
        assert_eq!(number(&segment[60..64]), u64::from(crc32c(&segment[..60])), "the header's checksum");
        let mark = &segment[48..56];
        let (mut records, mut at) = (Vec::new(), 64);
        while let Some(header) = segment.get(at..at + 36) {
            let length = usize::try_from(number(&header[20..24])).expect("a length");
            let intact = header[..8] == *mark && number(&header[32..36]) == u64::from(crc32c(&header[..32]));
            let Some(payload) = segment.get(at + 36..at + 36 + length).filter(|_| intact) else { break };
            if number(&header[28..32]) != u64::from(crc32c(&[&header[..28], payload].concat())) {
                break;
            }
            let count = u32::try_from(number(&header[16..20])).expect("a count");
            records.push((number(&header[8..16]), count, payload.to_vec()));
            at += 36 + length;
        }
        records
    }
}

/// The files of a sample, in the order of their names.
fn segments(sample: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/formats").join(sample);
    let entries = std::fs::read_dir(folder).expect("the sample").map(|entry| entry.expect("readable").path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

/// What the journal reads is what a reader made of the page alone reads.
#[test]
fn the_page_of_the_format_says_enough_to_read_it() {
    assert_eq!(by_hand::crc32c(b"123456789"), 0xe306_9283, "the check value of RFC 3720");
    let read: Vec<_> = segments("journal-v1").iter().flat_map(|segment| by_hand::records(segment)).collect();
    assert_eq!(read, written());
    let torn: Vec<_> = segments("journal-v1-torn").iter().flat_map(|segment| by_hand::records(segment)).collect();
    assert_eq!(torn, written()[..5]);
    let renewed: Vec<_> = segments("journal-v1-renewed").iter().flat_map(|segment| by_hand::records(segment)).collect();
    assert_eq!(renewed, [(0, 2, b"after the renewal\n".to_vec())]);
}

/// A journal whose last write did not finish: the tail is kept aside and cut off, nothing else is reported.
#[test]
fn version_1_opens_when_torn() {
    let (copy, journal, recovery) = open_copy("journal-v1-torn");
    assert_eq!(replay(&journal), written()[..5]);
    assert_eq!((recovery.first, recovery.next, recovery.damaged), (0, 15, vec![]));
    let torn = recovery.torn.expect("the last record is cut short");
    assert_eq!(torn.bytes, 64..99);
    assert!(torn.set_aside.is_some_and(|path| path.starts_with(copy.path().join("damaged")) && path.is_file()));
}

/// A journal that was renewed: another id, positions from 0, the old segments in `former/`, untouched.
#[test]
fn version_1_opens_when_renewed() {
    let (_copy, journal, recovery) = open_copy("journal-v1-renewed");
    assert_ne!(journal.id(), ID);
    assert_eq!(replay(&journal), [(0, 2, b"after the renewal\n".to_vec())]);
    assert_eq!((recovery.first, recovery.next, recovery.torn, recovery.damaged), (0, 2, None, vec![]));
    let former = segments("journal-v1-renewed/former");
    assert_eq!(former.iter().flat_map(|segment| by_hand::records(segment)).collect::<Vec<_>>(), written());
}
