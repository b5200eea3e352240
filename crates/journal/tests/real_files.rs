//! A journal on the machine's own disk, from outside.

use std::path::Path;
use std::sync::{Arc, mpsc};

use journal::{AppendError, Journal, Options, RealFs, Recovery};

fn open(dir: &Path, options: Options) -> (Journal, Recovery) {
    Journal::open(dir, Arc::new(RealFs), options).expect("the journal opens")
}

fn replay(journal: &Journal) -> Vec<(u64, u32, Vec<u8>)> {
    let mut records = Vec::new();
    let mut take = |record: journal::Record<'_>| {
        records.push((record.first, record.count, record.payload.to_vec()));
        Ok::<(), String>(())
    };
    journal.replay(0, &mut take).expect("the journal replays");
    records
}

/// Many threads, several segments, restarts in between: every record once, in order, same bytes; then nothing is left
/// but the position.
#[test]
fn what_was_acknowledged_is_replayed_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path().join("some/journal");
    let options = Options { segment_bytes_max: 64 * 1024, group_bytes_max: 16 * 1024, ..Options::default() };
    let mut known = Vec::new();
    let mut id = None;
    for life in 0..3u8 {
        let (journal, recovery) = open(&dir, options);
        assert_eq!((recovery.created, recovery.torn, recovery.damaged), (life == 0, None, vec![]));
        assert_eq!(*id.get_or_insert(journal.id()), journal.id());
        known.extend(append_from_threads(&journal, life));
        known.sort();
    }
    let (journal, recovery) = open(&dir, options);
    assert_eq!(replay(&journal), known);
    assert!(journal.status().segments > 5, "{:?}", journal.status());
    journal.trim(recovery.next).expect("trimmed");
    drop(journal);
    let (journal, again) = open(&dir, options);
    assert_eq!((Some(journal.id()), again.first, again.next), (id, recovery.next, recovery.next));
    assert_eq!(std::fs::read_dir(&dir).expect("a folder").count(), 1, "one segment, and nothing else");
}

fn append_from_threads(journal: &Journal, life: u8) -> Vec<(u64, u32, Vec<u8>)> {
    let (answer, answers) = mpsc::channel();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let answer = answer.clone();
            scope.spawn(move || {
                for n in 0..50u8 {
                    let (answer, payload) = (answer.clone(), [life, thread, n].repeat(usize::from(n) * 10));
                    let (count, copy) = (u32::from(n % 3) + 1, payload.clone());
                    let done = move |outcome: Result<u64, AppendError>| {
                        answer.send((outcome.expect("acknowledged"), count, copy)).expect("the test listens");
                    };
                    journal.append(payload, count, Box::new(done));
                }
            });
        }
    });
    drop(answer);
    answers.iter().collect()
}

/// A file cut short by hand, as a crash would: the rest is replayed, the tail kept in `damaged/`.
#[test]
fn a_torn_file_opens_and_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let (journal, _) = open(dir.path(), Options::default());
    let (answer, answers) = mpsc::channel();
    for n in 0..3u8 {
        let answer = answer.clone();
        journal.append(vec![n; 100], 1, Box::new(move |outcome| answer.send(outcome).expect("the test listens")));
        answers.recv().expect("an answer").expect("acknowledged");
    }
    drop(journal);
    let segment = std::fs::read_dir(dir.path()).expect("a folder").next().expect("a segment").expect("readable").path();
    let file = std::fs::OpenOptions::new().write(true).open(&segment).expect("opened");
    file.set_len(file.metadata().expect("a length").len() - 7).expect("cut");

    let (journal, recovery) = open(dir.path(), Options::default());
    assert_eq!(replay(&journal).len(), 2);
    let torn = recovery.torn.expect("reported");
    let aside = std::fs::read(torn.set_aside.expect("kept")).expect("readable");
    assert_eq!(aside.len() as u64, torn.bytes.end - torn.bytes.start);
    assert_eq!(aside.len(), 36 + 100 - 7);
}

/// The folder's name is in the error when it cannot be used.
#[test]
fn a_file_in_the_way_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("journal");
    std::fs::write(&path, "not a folder").expect("written");
    let error = Journal::open(&path, Arc::new(RealFs), Options::default()).expect_err("refused");
    assert_eq!(error.to_string(), format!("cannot create {}", path.display()));
}
