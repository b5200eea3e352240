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
