//! A file stays as long as somebody reads it: queries, publications and backups hold a snapshot, and that is enough.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use event::Position;
use futures::StreamExt;
use store::{Options, Rows, Store, Table};
use support::*;

const PARTS: u64 = 6;
const ROWS: u64 = 50;

/// Files go as soon as nobody reads them.
async fn filled(root: &Path) -> Store {
    let options = Options { removed_file_grace: Duration::ZERO, ..small_options() };
    let store = Store::open(root, options, &columns()).await.unwrap();
    store.attach(journal());
    for part in 0..PARTS {
        let rows = (0..ROWS).map(|row| admitted(&format!("{part} {row}"), NOON)).collect();
        store.acknowledge(Position(part * ROWS), Rows::build(&batch(rows)));
        store.flush().await.unwrap();
    }
    store
}

fn on_disk(store: &Store) -> BTreeSet<String> {
    let files = parquet_files(store.table_dir(Table::Events));
    files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

fn live(store: &Store) -> BTreeSet<String> {
    store.snapshot().events.parts.iter().map(|part| part.path.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_scan_outlives_compaction_and_vacuum() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    let before = live(&store);
    let mut scan = Box::pin(store.scan(Table::Events, &store.snapshot()).columns(&["text"]).stream());
    let mut rows = scan.next().await.unwrap().unwrap().num_rows() as u64;
    let compacted = store.compact().await.unwrap();
    assert_eq!(compacted.parts_taken, PARTS);
    assert_eq!(live(&store).len(), 1);
    // The scan has read some parts and not others; those that it has not read are still there.
    store.compact().await.unwrap();
    assert!(on_disk(&store).intersection(&before).count() >= 2, "read ahead is two batches");
    while let Some(batch) = scan.next().await {
        rows += batch.unwrap().num_rows() as u64;
    }
    assert_eq!(rows, PARTS * ROWS);
    drop(scan);
    store.compact().await.unwrap();
    assert_eq!(on_disk(&store), live(&store), "nobody reads the old ones any more");
}

#[tokio::test]
async fn a_snapshot_that_is_held_keeps_its_files_and_a_clone_of_one_part_keeps_that_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path()).await;
    let held = store.snapshot();
    let texts = seen(&store, &held);
    store.compact().await.unwrap();
    assert_eq!(on_disk(&store).len() as u64, PARTS + 1);
    assert_eq!(seen(&store, &held), texts);
    let part = held.events.parts[2].clone();
    drop(held);
    store.compact().await.unwrap();
    assert_eq!(on_disk(&store), live(&store).into_iter().chain([part.path.to_string()]).collect());
    drop(part);
    store.compact().await.unwrap();
    assert_eq!(on_disk(&store), live(&store));
}

#[tokio::test]
async fn a_backup_is_a_table_of_its_own_whatever_becomes_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("data")).await;
    let texts = seen(&store, &store.snapshot());
    let to = folder.path().join("backup");
    std::fs::create_dir(&to).unwrap();
    let done = store.backup(&to, || Ok(())).await.unwrap();
    assert_eq!((done.rows, done.files_copied), (PARTS * ROWS, 0));
    assert!(done.files_linked > PARTS);
    store.compact().await.unwrap();
    store.expire(Duration::ZERO).await.unwrap();
    let found = store::verify_files(&to.canonicalize().unwrap(), &(std::sync::Arc::new(|_| {}) as _)).unwrap();
    assert!(found.is_sound() && found.adopted.count == 0, "{found:?}");
    let copy = open(&to).await;
    assert_eq!(seen(&copy, &copy.snapshot()), texts);
    // What the copy does is no business of the first, and the other way round.
    copy.acknowledge(Position(PARTS * ROWS), Rows::build(&batch(vec![admitted("new", NOON)])));
    copy.flush().await.unwrap();
    copy.compact().await.unwrap();
    assert_eq!(seen(&store, &store.snapshot()), texts);
    assert!(store.verify(std::sync::Arc::new(|_| {})).await.unwrap().is_sound());
    let taken = store.backup(&to, || Ok(())).await;
    assert!(taken.is_err(), "a backup is not written over");
}
