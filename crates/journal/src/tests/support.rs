//! Journals on any disk, and their answers.

use std::path::Path;
use std::sync::{Arc, mpsc};

use crate::queue::Entry;
use crate::{AppendError, Fs, Journal, Options, Recovery};

/// Where simulated journals lie.
pub(super) const DIR: &str = "/data/journal";

/// Limits so small that every few records begin a segment.
pub(super) const SMALL: Options = Options {
    segment_bytes_max: 600,
    group_bytes_max: 1500,
    queue_bytes_max: 1 << 20,
    disk_bytes_max: u64::MAX,
    record_bytes_max: 1 << 16,
};

pub(super) fn open(fs: &(impl Fs + Clone + 'static), options: Options) -> (Journal, Recovery) {
    Journal::open(Path::new(DIR), Arc::new(fs.clone()), options).expect("the journal opens")
}

/// A record as a test knows it: first position, count, payload.
pub(super) type Known = (u64, u32, Vec<u8>);

/// Everything that a journal replays from `from`.
pub(super) fn replay(journal: &Journal, from: u64) -> Vec<Known> {
    let mut records = Vec::new();
    let mut take = |record: crate::Record<'_>| {
        records.push((record.first, record.count, record.payload.to_vec()));
        Ok::<(), std::convert::Infallible>(())
    };
    journal.replay(from, &mut take).expect("the journal replays");
    records
}

/// Appends records so that they are queued before the writer takes any, and waits for all answers, in order of arrival.
pub(super) fn append_together(journal: &Journal, records: Vec<(Vec<u8>, u32)>) -> Vec<Result<u64, AppendError>> {
    let (answer, answers) = mpsc::channel();
    let entries = records.into_iter().map(|(payload, count)| {
        let answer = answer.clone();
        let done = Box::new(move |outcome| answer.send(outcome).expect("the test listens"));
        Entry { payload, count, done }
    });
    journal.queue.push_together(entries.collect());
    drop(answer);
    answers.iter().collect()
}

/// Appends one record and waits.
pub(super) fn append(journal: &Journal, payload: &[u8], count: u32) -> Result<u64, AppendError> {
    let (answer, answers) = mpsc::channel();
    journal.append(payload.to_vec(), count, Box::new(move |outcome| answer.send(outcome).expect("the test listens")));
    answers.recv().expect("an answer")
}
