//! Random histories against a plain model, and readers beside writers.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use event::{Batch, CollectorId, Position, Row};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use store::{Rows, Store};
use support::*;

/// What can happen.
#[derive(Clone, Debug)]
enum Step {
    /// A request is acknowledged: true for each event that is admitted.
    Acknowledge(Vec<bool>),
    Flush,
    Compact,
    /// A day is imported, with so many rows, under a hash.
    Import {
        day: i32,
        hash: u8,
        rows: u8,
    },
    /// The process dies and comes back.
    Crash,
    /// A flush or a compaction during which the disk fails once; then the process dies and comes back.
    FailAndCrash {
        compacting: bool,
        after: usize,
        done_first: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(prop::bool::weighted(0.8), 1..6).prop_map(Step::Acknowledge),
        4 => Just(Step::Flush),
        2 => Just(Step::Compact),
        3 => (18_000..18_003, 0..3_u8, 0..4_u8).prop_map(|(day, hash, rows)| Step::Import { day, hash, rows }),
        1 => Just(Step::Crash),
        2 => (any::<bool>(), 0..26_usize, any::<bool>())
            .prop_map(|(compacting, after, done_first)| Step::FailAndCrash { compacting, after, done_first }),
    ]
}

/// The oracle: lists.
#[derive(Default)]
struct Model {
    journal: Vec<Batch>,
    imported: BTreeMap<i32, (u8, Vec<String>)>,
    events: usize,
}

impl Model {
    fn seen(&self) -> Seen {
        let rows = self.journal.iter().flat_map(|batch| &batch.rows);
        let mut seen: Seen = (0..)
            .zip(rows)
            .map(|(position, row)| ((journal().to_string(), position), row.text_utf8().unwrap().to_owned()))
            .collect();
        for (day, (_, texts)) in &self.imported {
            for (line, text) in (0..).zip(texts) {
                let position = Position::imported(event::Day::from_number(*day), line).0;
                seen.insert(("import/x".to_owned(), i64::try_from(position).unwrap()), text.clone());
            }
        }
        seen
    }

    /// Times wander over months, so that compaction has something to cut.
    fn row(&mut self, admits: bool, text: String) -> Row {
        self.events += 1;
        let time = NOON + (self.events as i64 % 7) * 20 * 86_400_000_000;
        if admits { admitted(&text, time) } else { quarantined(text) }
    }

    fn replay(&self, store: &Store) {
        let mut first = Position(0);
        for batch in &self.journal {
            let end = first.plus(batch.rows.len() as u64);
            if end > store.committed(&journal()) {
                store.acknowledge(first, Rows::build(batch));
            }
            first = end;
        }
    }
}

async fn reopen(root: &Path, model: &Model) -> (Store, TestDisk) {
    let disk = TestDisk::default();
    let store = open_on(root, &disk).await.unwrap();
    model.replay(&store);
    (store, disk)
}

async fn run(template: &Path, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(template, folder.path());
    let mut model = Model::default();
    let (mut store, mut disk) = reopen(folder.path(), &model).await;
    for step in steps {
        match step.clone() {
            Step::Acknowledge(admits) => {
                let first = Position(model.journal.iter().map(|batch| batch.rows.len() as u64).sum());
                let rows = admits.iter().map(|admits| {
                    let text = format!("live {}", model.events);
                    model.row(*admits, text)
                });
                let batch = batch(rows.collect());
                store.acknowledge(first, Rows::build(&batch));
                model.journal.push(batch);
            }
            Step::Flush => {
                let rows: usize = model.journal.iter().map(|batch| batch.rows.len()).sum();
                prop_assert_eq!(store.flush().await.unwrap().through, Position(rows as u64));
            }
            Step::Compact => {
                let before = store.snapshot().events.rows() + store.snapshot().quarantine.rows();
                store.compact().await.unwrap();
                prop_assert_eq!(store.snapshot().events.rows() + store.snapshot().quarantine.rows(), before);
            }
            Step::Import { day, hash, rows } => {
                let texts: Vec<String> = (0..rows).map(|line| format!("day {day} hash {hash} line {line}")).collect();
                let rows =
                    texts.iter().enumerate().map(|(line, text)| model.row(line % 3 != 2, text.clone())).collect();
                // The hash stands for the content, so the number of rows is part of it.
                let hash = hash * 8 + u8::try_from(texts.len()).unwrap();
                let unit = unit(event::Day::from_number(day), hash, rows);
                let imported = store.import(&CollectorId::of_import("x"), vec![unit]).await.unwrap();
                let before = model.imported.insert(day, (hash, texts));
                prop_assert_eq!(imported.unchanged == 1, before.as_ref().is_some_and(|(old, _)| *old == hash));
                prop_assert_eq!(imported.added == 1, before.is_none());
            }
            Step::Crash => {
                drop(store);
                (store, disk) = reopen(folder.path(), &model).await;
            }
            Step::FailAndCrash { compacting, after, done_first } => {
                disk.fail_after(after, done_first);
                if compacting {
                    let _ = store.compact().await;
                } else {
                    let _ = store.flush().await;
                }
                prop_assert_eq!(seen(&store, &store.snapshot()), model.seen(), "meanwhile, after {:?}", step);
                drop(store);
                (store, disk) = reopen(folder.path(), &model).await;
            }
        }
        prop_assert_eq!(seen(&store, &store.snapshot()), model.seen(), "after {:?}", step);
        let check = store.verify_positions(&journal()).await.unwrap();
        prop_assert!(check.is_sound(), "after {step:?}: {check:?}");
    }
    let ledger = store.import_ledger(&CollectorId::of_import("x"));
    let days: Vec<i32> = ledger.keys().map(|day| day.number()).collect();
    prop_assert_eq!(days, model.imported.keys().copied().collect::<Vec<_>>());
    prop_assert_eq!(store.status().positions_broken, 0);
    Ok(())
}

#[test]
fn any_history_keeps_every_event_once() {
    // A case is about a hundred commits with their syncs; `PROPTEST_CASES` asks for more.
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(12);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let template = tempfile::tempdir().unwrap();
    drop(runtime.block_on(open(template.path())));
    let config = ProptestConfig { cases, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let histories = prop::collection::vec(step(), 8..24);
    runner.run(&histories, |steps| runtime.block_on(run(template.path(), steps))).unwrap();
}

/// One process acknowledges, flushes and compacts while another part of it reads: at every moment a reader sees the
/// positions from 0 to where its snapshot says it reaches, each once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_never_sees_a_gap_or_a_double() {
    const EVENTS: u64 = 600;
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()).await);
    let done = Arc::new(AtomicBool::new(false));
    let flushes = Arc::new(AtomicUsize::new(0));
    let flusher = tokio::spawn({
        let (store, done, flushes) = (Arc::clone(&store), Arc::clone(&done), Arc::clone(&flushes));
        async move {
            while !done.load(Ordering::SeqCst) {
                store.flush().await.unwrap();
                flushes.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let compacter = tokio::spawn({
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        async move {
            let mut taken = 0;
            while !done.load(Ordering::SeqCst) {
                taken += store.compact().await.unwrap().parts_taken;
                tokio::task::yield_now().await;
            }
            taken
        }
    });
    let reader = tokio::task::spawn_blocking({
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        move || {
            let mut looks = 0;
            while !done.load(Ordering::SeqCst) {
                let snapshot = store.snapshot();
                let reached = i64::try_from(snapshot.position(&journal()).0).unwrap();
                let positions: Vec<i64> = seen(&store, &snapshot).into_keys().map(|(_, position)| position).collect();
                assert_eq!(positions, (0..reached).collect::<Vec<_>>());
                looks += 1;
            }
            looks
        }
    });
    for position in 0..EVENTS {
        let row = if position % 5 == 0 { quarantined("q") } else { admitted("e", NOON) };
        store.acknowledge(Position(position), Rows::build(&batch(vec![row])));
        assert_eq!(store.snapshot().position(&journal()), Position(position + 1), "S3");
        // Acknowledgements are spread over at least a dozen flushes.
        while flushes.load(Ordering::SeqCst) < usize::try_from(position / 50).unwrap() {
            tokio::task::yield_now().await;
        }
    }
    done.store(true, Ordering::SeqCst);
    flusher.await.unwrap();
    let (taken, looks) = (compacter.await.unwrap(), reader.await.unwrap());
    assert!(taken > 0 && looks > 5, "{taken} parts compacted, {looks} looks");
    store.flush().await.unwrap();
    assert_eq!(seen(&store, &store.snapshot()).len() as u64, EVENTS);
    assert!(store.verify_positions(&journal()).await.unwrap().is_sound());
}
