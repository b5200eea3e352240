//! Rows leave the tables, or take another form; what they leave behind goes at once, but for who still reads it.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use event::{CollectorId, Position};
use store::{Cause, Part, Rewrite, Rewritten, Rows, Share, Store, Table};
use support::*;

/// The rows whose text holds a word; `instead` takes the place of their texts, if given.
#[derive(Debug)]
struct Holding {
    word: &'static str,
    instead: Option<&'static str>,
}

impl Rewrite for Holding {
    fn columns(&self, _table: Table) -> Vec<String> {
        vec!["text".into()]
    }

    fn leaves(&self, _table: Table, batch: &RecordBatch) -> Result<BooleanArray, Cause> {
        Ok(texts(batch).iter().map(|text| Some(text.is_some_and(|text| text.contains(self.word)))).collect())
    }

    fn instead(&self, _table: Table, rows: &RecordBatch) -> Result<Option<RecordBatch>, Cause> {
        let Some(instead) = self.instead else { return Ok(None) };
        let mut columns = rows.columns().to_vec();
        let place = rows.schema().index_of("text")?;
        columns[place] = Arc::new(StringArray::from(vec![instead; rows.num_rows()])) as ArrayRef;
        Ok(Some(RecordBatch::try_new(rows.schema(), columns)?))
    }
}

fn texts(batch: &RecordBatch) -> &StringArray {
    batch.column_by_name("text").unwrap().as_string::<i32>()
}

fn holding(word: &'static str) -> Arc<dyn Rewrite> {
    Arc::new(Holding { word, instead: None })
}

/// Four flushes of four rows: of each the first is Ada's, the third is aside, and Ada's in the second flush.
async fn filled(root: &Path) -> Store {
    fill(open(root).await).await
}

async fn fill(store: Store) -> Store {
    for flush in 0..4_u64 {
        let aside = if flush == 1 { "ada, aside" } else { "aside" };
        let rows = vec![
            admitted(&format!("ada {flush}"), NOON),
            admitted(&format!("bob {flush}"), NOON),
            quarantined(aside),
            admitted(&format!("eve {flush}"), NOON - 40 * 86_400_000_000),
        ];
        store.acknowledge(Position(flush * 4), Rows::build(&batch(rows)));
        store.flush().await.unwrap();
    }
    let unit = unit(day("2021-11-01"), 1, vec![admitted("ada, imported", NOON), admitted("kim", NOON)]);
    store.import(&CollectorId::of_import("x"), vec![unit]).await.unwrap();
    store
}

fn shown(store: &Store) -> Vec<String> {
    let mut shown: Vec<String> = seen(store, &store.snapshot()).into_values().collect();
    shown.sort();
    shown
}

async fn is_sound(store: &Store) -> bool {
    store.verify_positions(&journal()).await.unwrap().is_sound()
}

const WITHOUT_ADA: [&str; 12] =
    ["aside", "aside", "aside", "bob 0", "bob 1", "bob 2", "bob 3", "eve 0", "eve 1", "eve 2", "eve 3", "kim"];

#[tokio::test]
async fn rows_leave_both_tables_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    let version = store.snapshot().events.version;
    let rewritten = store.rewrite(holding("ada")).await.unwrap();
    assert_eq!(rewritten, Rewritten { parts_taken: 6, parts_made: 5, rows_removed: 6, rows_replaced: 0 });
    assert_eq!(store.snapshot().events.version, version + 1, "one commit");
    assert_eq!(shown(&store), WITHOUT_ADA);
    let check = store.verify_positions(&journal()).await.unwrap();
    assert_eq!((check.missing, check.removed, check.is_sound()), (5, 5, true));
    let again = store.rewrite(holding("ada")).await.unwrap();
    assert_eq!(again, Rewritten::default(), "nothing left to do, no commit");
    assert_eq!(store.snapshot().events.version, version + 1);
    let more = store.rewrite(holding("eve")).await.unwrap();
    assert_eq!((more.rows_removed, more.parts_taken), (4, 4));
    drop(store);
    let store = open(folder.path()).await;
    assert_eq!(shown(&store).len(), 8);
    let check = store.verify_positions(&journal()).await.unwrap();
    assert_eq!((check.missing, check.removed, check.is_sound()), (9, 9, true));
    assert!(store.import_ledger(&CollectorId::of_import("x")).contains_key(&day("2021-11-01")));
    // A row that goes without being counted is a gap.
    let parts = store.snapshot().events.parts.to_vec();
    let journals: Vec<&Part> = parts.iter().filter(|part| part.rows == 1).collect();
    for part in &journals {
        std::fs::remove_file(store.table_dir(Table::Events).join(&*part.path)).unwrap();
    }
    assert!(!journals.is_empty() && store.verify_positions(&journal()).await.is_err());
}

#[tokio::test]
async fn rows_take_another_form_in_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    let before = seen(&store, &store.snapshot());
    let rewritten = store.rewrite(Arc::new(Holding { word: "ada", instead: Some("gone") })).await.unwrap();
    assert_eq!((rewritten.rows_removed, rewritten.rows_replaced), (0, 6));
    let after = seen(&store, &store.snapshot());
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "every id is still there");
    for (id, text) in &before {
        assert_eq!(after[id], if text.contains("ada") { "gone" } else { text }, "{id:?}");
    }
    assert!(is_sound(&store).await);
    store.compact().await.unwrap();
    assert_eq!(seen(&store, &store.snapshot()), after);
}

/// Says of parts what a test wants, and acts when it is first asked for rows.
struct Acting {
    share: Share,
    asked: AtomicUsize,
    act: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl std::fmt::Debug for Acting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acting")
    }
}

impl Acting {
    fn new(share: Share) -> Self {
        Self { share, asked: AtomicUsize::new(0), act: Mutex::new(None) }
    }
}

impl Rewrite for Acting {
    fn share(&self, table: Table, _part: &Part) -> Share {
        if table == Table::Events { self.share } else { Share::None }
    }

    fn columns(&self, _table: Table) -> Vec<String> {
        vec!["text".into()]
    }

    fn leaves(&self, table: Table, batch: &RecordBatch) -> Result<BooleanArray, Cause> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if let Some(act) = self.act.lock().unwrap().take() {
            act();
        }
        holding("ada").leaves(table, batch)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_flushed_or_replaced_meanwhile_is_looked_at_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(filled(folder.path()).await);
    let acting = Arc::new(Acting::new(Share::Some));
    let (theirs, runtime) = (Arc::clone(&store), tokio::runtime::Handle::current());
    *acting.act.lock().unwrap() = Some(Box::new(move || {
        theirs.acknowledge(Position(16), Rows::build(&batch(vec![admitted("ada 4", NOON), admitted("bob 4", NOON)])));
        runtime.block_on(theirs.flush()).unwrap();
        let changed = unit(day("2021-11-01"), 2, vec![admitted("kim, again", NOON), admitted("ada, again", NOON)]);
        runtime.block_on(theirs.import(&CollectorId::of_import("x"), vec![changed])).unwrap();
    }));
    let rewritten = store.rewrite(acting).await.unwrap();
    assert_eq!(rewritten.rows_removed, 6, "four flushed before, one flushed and one imported meanwhile");
    let shown = shown(&store);
    assert_eq!(shown.iter().filter(|text| text.contains("ada")).collect::<Vec<_>>(), ["ada, aside"]);
    assert_eq!(shown.iter().filter(|text| text.contains("kim")).collect::<Vec<_>>(), ["kim, again"]);
    assert_eq!(shown.len(), 14);
    assert!(is_sound(&store).await);
}

#[tokio::test]
async fn a_part_goes_whole_or_stays_unread_when_the_log_tells_enough() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    let acting = Arc::new(Acting::new(Share::None));
    let none: Arc<dyn Rewrite> = Arc::clone(&acting) as _;
    assert_eq!(store.rewrite(none).await.unwrap(), Rewritten::default());
    let all = Arc::new(Acting::new(Share::All));
    let rewritten = store.rewrite(Arc::clone(&all) as _).await.unwrap();
    assert_eq!((rewritten.rows_removed, rewritten.parts_made), (14, 0));
    assert_eq!([&acting, &all].map(|acting| acting.asked.load(Ordering::SeqCst)), [0, 0]);
    assert_eq!(store.snapshot().events.parts.len(), 0);
    assert!(is_sound(&store).await, "the rows of the journal were counted");
}

/// Every text in every Parquet file under the tables, whether a version names it or not.
fn texts_on_disk(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for table in Table::ALL {
        for file in parquet_files(&root.join("tables").join(table.name())) {
            let file = std::fs::File::open(file).unwrap();
            let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
            for batch in reader.build().unwrap() {
                found.extend(texts(&batch.unwrap()).iter().flatten().map(str::to_owned));
            }
        }
    }
    found
}

fn log_files(root: &Path, table: Table) -> Vec<String> {
    let entries = std::fs::read_dir(root.join("tables").join(table.name()).join("_delta_log")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_expiry_leaves_the_newest_version_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    store.rewrite(holding("ada")).await.unwrap();
    assert!(texts_on_disk(folder.path()).contains("ada 0"), "files stay until they are expired");
    let expired = store.expire(Duration::ZERO).await.unwrap();
    assert_eq!((expired.parts, &expired.held), (6, &vec![]));
    let left = texts_on_disk(folder.path());
    assert!(left.contains("bob 0") && !left.iter().any(|text| text.contains("ada")), "{left:?}");
    for table in Table::ALL {
        let names = log_files(folder.path(), table);
        let version = store.scan(table, &store.snapshot());
        drop(version);
        assert_eq!(names.len(), 3, "{names:?}: one commit, its checkpoint, and the pointer to it");
        assert!(expired.log_files > 0);
    }
    // It goes on as before, in this process and in the next.
    store.acknowledge(Position(16), Rows::build(&batch(vec![admitted("new", NOON)])));
    store.flush().await.unwrap();
    let shown_here = shown(&store);
    assert_eq!(shown_here.len(), 13);
    drop(store);
    let store = open(folder.path()).await;
    assert_eq!(shown(&store), shown_here);
    assert_eq!(store.committed(&journal()), Position(17));
    assert!(is_sound(&store).await);
    assert!(store.import_ledger(&CollectorId::of_import("x")).contains_key(&day("2021-11-01")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expiry_waits_for_readers_but_not_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(filled(folder.path()).await);
    let reader = store.snapshot();
    let before = seen(&store, &reader);
    store.rewrite(holding("ada")).await.unwrap();
    let expired = store.expire(Duration::from_millis(150)).await.unwrap();
    assert_eq!((expired.parts, expired.held.len()), (0, 6), "{expired:?}");
    assert_eq!(seen(&store, &reader), before, "the reader reads on");
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.expire(Duration::from_secs(60)).await.unwrap() }
    });
    // While it waits, events are kept as ever.
    store.acknowledge(Position(16), Rows::build(&batch(vec![admitted("new", NOON)])));
    store.flush().await.unwrap();
    assert!(!waiting.is_finished());
    drop(reader);
    let expired = waiting.await.unwrap();
    assert_eq!((expired.parts, expired.held.len()), (6, 0));
    assert!(!texts_on_disk(folder.path()).iter().any(|text| text.contains("ada")));
}

/// Changes of the disk fail in turn (every one with `HUBSCOPE_LONG`, else every eleventh), before or after they were
/// done: the rows are all there or all gone, and a second attempt in the next process ends the work.
#[tokio::test]
async fn a_disk_that_fails_leaves_all_rows_or_none() {
    let template = tempfile::tempdir().unwrap();
    drop(filled(template.path()).await);
    let before = shown(&open(template.path()).await);
    let mut outcomes = BTreeSet::new();
    let step = if std::env::var_os("HUBSCOPE_LONG").is_some() { 1 } else { 11 };
    for (done_first, first) in [(false, 0), (true, 3 % step)] {
        for after in (first..).step_by(step) {
            let folder = tempfile::tempdir().unwrap();
            copy_folder(template.path(), folder.path());
            let disk = TestDisk::default();
            let store = open_on(folder.path(), &disk).await.unwrap();
            disk.fail_after(after, done_first);
            let rewritten = store.rewrite(holding("ada")).await;
            let failed = rewritten.is_err() | (rewritten.is_ok() && store.expire(Duration::ZERO).await.is_err());
            if disk.failed().is_none() {
                break;
            }
            drop(store);
            let store = open_on(folder.path(), &TestDisk::default()).await.unwrap();
            let told = format!("{after} {done_first} {:?}", disk.failed());
            let found: Vec<String> = shown(&store).into_iter().filter(|text| !text.contains("ada, aside")).collect();
            let all: Vec<String> = before.iter().filter(|text| !text.contains("ada, aside")).cloned().collect();
            assert!(found == all || found == WITHOUT_ADA, "{told}: {found:?}");
            assert!(is_sound(&store).await, "{told}");
            outcomes.insert((failed, found == all));
            store.rewrite(holding("ada")).await.unwrap();
            store.expire(Duration::ZERO).await.unwrap();
            assert_eq!(shown(&store), WITHOUT_ADA, "{told}");
            assert!(is_sound(&store).await, "{told}");
            assert!(!texts_on_disk(folder.path()).iter().any(|text| text.contains("ada")), "{told}");
        }
    }
    assert!(outcomes.contains(&(true, true)) && outcomes.contains(&(true, false)), "{outcomes:?}");
}
