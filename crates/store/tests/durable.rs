//! Bytes before names, names before answers; and what a failure of the disk at any single point leaves.

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use event::{Batch, CollectorId, Position};
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use store::{DurableFs, Rows, Store, Table};
use support::*;

/// Checks the order of `changes`: whatever gets its name was synced after its last write; whatever the log of Delta
/// then names was itself named durably; and nothing that was named is left without a sync of its directory.
fn assert_ordered(changes: &[Change]) {
    for (index, change) in changes.iter().enumerate() {
        if let Change::Link(from, to) | Change::Rename(from, to) = change {
            let before = &changes[..index];
            let written = before.iter().rposition(|change| *change == Change::Write(from.clone()));
            let synced = before.iter().rposition(|change| *change == Change::Sync(from.clone()));
            let is_name = |change: &Change| matches!(change, Change::Link(_, to) | Change::Rename(_, to) if to == from);
            assert!(
                written < synced || before.iter().any(is_name),
                "'{}' was named before its bytes were synced",
                to.display()
            );
            let parent = Change::SyncDir(to.parent().unwrap().to_owned());
            assert!(changes[index..].contains(&parent), "the name '{}' was never synced", to.display());
        }
        if let Change::Link(_, to) = change
            && to.parent().unwrap().ends_with("_delta_log")
        {
            assert_named_durably(&changes[..index], to);
        }
    }
}

/// Every name given in `before` was followed by a sync of its directory.
fn assert_named_durably(before: &[Change], commit: &Path) {
    for (index, change) in before.iter().enumerate() {
        let named = match change {
            Change::Link(_, to) | Change::Rename(_, to) | Change::CreateDir(to) => to,
            _ => continue,
        };
        let parent = Change::SyncDir(named.parent().unwrap().to_owned());
        assert!(before[index..].contains(&parent), "'{}' names '{}' too early", commit.display(), named.display());
    }
}

fn commits(changes: &[Change], table: Table) -> usize {
    let log = format!("tables/{}/_delta_log", table.name());
    let is_commit = |change: &&Change| matches!(change, Change::Link(_, to) if to.parent().unwrap().ends_with(&log));
    changes.iter().filter(is_commit).count()
}

#[tokio::test]
async fn no_commit_is_linked_before_everything_it_needs_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = open_on(folder.path(), &disk).await.unwrap();
    assert_eq!(commits(&disk.changes(), Table::Events), 1, "the table itself");
    for position in 0..4 {
        let rows = vec![admitted("a", NOON), quarantined("b")];
        store.acknowledge(Position(position * 2), Rows::build(&batch(rows)));
        store.flush().await.unwrap();
    }
    let unit = unit(day("2021-11-01"), 1, vec![admitted("c", NOON)]);
    store.import(&CollectorId::of_import("x"), vec![unit]).await.unwrap();
    store.compact().await.unwrap();
    let changes = disk.changes();
    assert_eq!((commits(&changes, Table::Events), commits(&changes, Table::Quarantine)), (7, 6));
    assert_ordered(&changes);
    let order: Vec<&str> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Link(_, to) if to.to_string_lossy().contains("quarantine") => Some("quarantine"),
            Change::Link(_, _) => Some("events"),
            _ => None,
        })
        .collect();
    assert_eq!(order[2..10], ["quarantine", "events"].repeat(4), "quarantine first, events last");
}

#[tokio::test]
async fn a_large_part_that_arrives_in_pieces_is_synced_before_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = DurableFs::new(Arc::new(disk.clone()));
    let path = object_store::path::Path::from_absolute_path(folder.path().join("deep/er/file")).unwrap();
    let mut upload = store.put_multipart(&path).await.unwrap();
    let parts: Vec<_> = (0..5_u8).map(|n| upload.put_part(vec![n; 1_000].into())).collect();
    // The last part first: the order of the calls counts, not of the futures.
    for part in parts.into_iter().rev() {
        part.await.unwrap();
    }
    upload.complete().await.unwrap();
    assert_ordered(&disk.changes());
    let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes.to_vec(), (0..5_u8).flat_map(|n| vec![n; 1_000]).collect::<Vec<_>>());

    let mut aborted = store.put_multipart(&path).await.unwrap();
    aborted.put_part(vec![9].into()).await.unwrap();
    aborted.abort().await.unwrap();
    assert!(aborted.complete().await.is_err());
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap().len(), 5_000);
    assert_eq!(std::fs::read_dir(folder.path().join("deep/er")).unwrap().count(), 1, "no temporary file is left");
}

#[tokio::test]
async fn the_store_of_objects_keeps_its_contract() {
    let folder = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = DurableFs::new(Arc::new(disk.clone()));
    let path = |name: &str| object_store::path::Path::from_absolute_path(folder.path().join(name)).unwrap();
    store.put(&path("a"), "one".into()).await.unwrap();
    store.put(&path("a"), "two".into()).await.unwrap();
    let taken = store.put_opts(&path("a"), "three".into(), PutMode::Create.into()).await.unwrap_err();
    assert!(matches!(taken, object_store::Error::AlreadyExists { .. }));
    store.copy(&path("a"), &path("b")).await.unwrap();
    assert!(store.copy_if_not_exists(&path("a"), &path("b")).await.is_err());
    store.rename(&path("b"), &path("new/c")).await.unwrap();
    assert!(store.rename_if_not_exists(&path("a"), &path("new/c")).await.is_err());
    store.rename_if_not_exists(&path("new/c"), &path("d")).await.unwrap();
    let missing = store.delete(&path("new/c")).await.unwrap_err();
    assert!(matches!(missing, object_store::Error::NotFound { .. }));
    assert_eq!(store.get(&path("d")).await.unwrap().bytes().await.unwrap(), "two");
    store.delete(&path("a")).await.unwrap();
    std::fs::write(folder.path().join("half#17"), "written").unwrap();
    let root = object_store::path::Path::from_absolute_path(folder.path()).unwrap();
    let listed: Vec<_> = futures::TryStreamExt::try_collect(store.list(Some(&root))).await.unwrap();
    assert_eq!(listed.iter().map(|meta| meta.location.clone()).collect::<Vec<_>>(), [path("d")]);
    assert_ordered(&disk.changes());
    assert_eq!(store.remove_temporaries(folder.path()).unwrap(), 1);
}

#[tokio::test]
async fn after_a_failed_sync_of_a_directory_nothing_is_promised_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = open_on(folder.path(), &disk).await.unwrap();
    store.acknowledge(Position(0), Rows::build(&batch(vec![admitted("a", NOON)])));
    disk.forget();
    let log = "tables/events/_delta_log";
    // The changes of a flush end with the link of the commit, the removal of its temporary name, the directory's sync,
    // and the line with its sum.
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), copy.path());
    let rehearsal = TestDisk::default();
    let other = open_on(copy.path(), &rehearsal).await.unwrap();
    rehearsal.forget();
    other.acknowledge(Position(0), Rows::build(&batch(vec![admitted("a", NOON)])));
    other.flush().await.unwrap();
    let synced = rehearsal.changes().iter().rposition(|change| matches!(change, Change::SyncDir(_))).unwrap();
    disk.fail_after(synced, false);
    let error = store.flush().await.unwrap_err();
    assert!(matches!(disk.failed(), Some(Change::SyncDir(dir)) if dir.ends_with(log)), "{error}");
    assert!(store.status().poisoned.is_some());
    assert!(store.flush().await.is_err(), "the commit can be read, but not relied upon");
    assert_eq!(seen(&store, &store.snapshot()).len(), 1, "reading goes on");
    drop(store);
    let store = open_on(folder.path(), &disk).await.unwrap();
    assert_eq!(store.committed(&journal()), Position(1));
}

/// What was acknowledged and imported, as the oracle knows it.
fn acknowledged() -> Vec<Batch> {
    vec![
        batch(vec![admitted("a", NOON), quarantined("b"), admitted("c", NOON)]),
        batch(vec![admitted("d", NOON)]),
        batch(vec![quarantined("e")]),
    ]
}

fn replay(store: &Store) {
    let mut first = 0;
    for batch in acknowledged() {
        let rows = Rows::build(&batch);
        let end = first + u64::from(rows.count());
        if end > store.committed(&journal()).0 {
            store.acknowledge(Position(first), rows);
        }
        first = end;
    }
}

async fn import(store: &Store, hash: u8) -> Result<store::Imported, store::ImportError> {
    let rows = vec![admitted("i", NOON), quarantined(format!("k{hash}")), admitted("l", NOON)];
    store.import(&CollectorId::of_import("x"), vec![unit(day("2021-11-01"), hash, rows)]).await
}

/// Flush, import of a day that had changed, compaction.
async fn work(store: &Store) -> Result<(), Box<dyn std::error::Error>> {
    store.flush().await?;
    import(store, 2).await?;
    store.compact().await?;
    Ok(())
}

async fn template(root: &Path) {
    let store = open(root).await;
    import(&store, 1).await.unwrap();
    for other in ["y", "z"] {
        let unit = unit(day("2021-11-01"), 1, vec![admitted("m", NOON)]);
        store.import(&CollectorId::of_import(other), vec![unit]).await.unwrap();
    }
}

fn expected(hash: u8) -> Vec<String> {
    let mut texts: Vec<String> = ["a", "b", "c", "d", "e", "i", "l", "m", "m"].map(str::to_owned).into();
    texts.push(format!("k{hash}"));
    texts.sort();
    texts
}

fn texts(store: &Store) -> Vec<String> {
    let mut texts: Vec<String> = seen(store, &store.snapshot()).into_values().collect();
    texts.sort();
    texts
}

/// Fails change `at` of the work, takes the process away, comes back, and does the work again.
async fn fail_at(template: &Path, at: usize, done_first: bool) -> Option<Change> {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(template, folder.path());
    let disk = TestDisk::default();
    let store = open_on(folder.path(), &disk).await.unwrap();
    replay(&store);
    disk.fail_after(at, done_first);
    let outcome = work(&store).await;
    let failed = disk.failed()?;
    let told = format!("change {at} ({failed:?}), done {done_first}, outcome {outcome:?}");
    // A reader meanwhile: every acknowledged event once, whatever failed.
    let meanwhile = texts(&store);
    assert!(
        meanwhile.len() >= 10 && ["a", "b", "c", "d", "e"].iter().all(|text| meanwhile.contains(&(*text).to_owned())),
        "{told}: {meanwhile:?}"
    );
    drop(store);
    let store = open(folder.path()).await;
    replay(&store);
    work(&store).await.unwrap();
    assert_eq!(texts(&store), expected(2), "{told}");
    assert_eq!(store.committed(&journal()), Position(5));
    assert!(store.verify_positions(&journal()).await.unwrap().is_sound(), "{told}");
    assert!(import(&store, 2).await.unwrap().unchanged == 1, "{told}");
    Some(failed)
}

async fn fail_everywhere(done_first: bool, step: usize) {
    let folder = tempfile::tempdir().unwrap();
    template(folder.path()).await;
    let mut failed: Vec<Change> = Vec::new();
    let mut at = 0;
    while let Some(change) = fail_at(folder.path(), at, done_first).await {
        failed.push(change);
        at += step;
    }
    assert!(failed.len() * step > 60, "{} points", failed.len());
    let links = failed.iter().filter(|change| matches!(change, Change::Link(..))).count();
    assert!(links >= 3, "{links} commits failed");
}

#[tokio::test]
async fn a_failure_at_any_change_of_the_disk_loses_and_doubles_nothing() {
    fail_everywhere(false, 1).await;
}

#[tokio::test]
async fn an_answer_lost_at_any_change_of_the_disk_loses_and_doubles_nothing() {
    fail_everywhere(true, 1).await;
}

fn is_events_commit(change: &Change) -> bool {
    matches!(change, Change::Link(_, to) if to.to_string_lossy().contains("events/_delta_log"))
}

fn is_events_part(change: &Change) -> bool {
    matches!(change, Change::Create(path) if path.to_string_lossy().contains("events/part-"))
}

/// Writes what another program would commit next.
fn foreign_commit(log: &Path, actions: &str) {
    let next = (0..).map(|n| log.join(format!("{n:020}.json"))).find(|path| !path.exists()).unwrap();
    std::fs::write(next, format!("{{\"commitInfo\":{{\"operation\":\"WRITE\"}}}}\n{actions}")).unwrap();
}

#[tokio::test]
async fn the_lost_answer_of_a_commit_that_arrived_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = open_on(folder.path(), &disk).await.unwrap();
    store.acknowledge(Position(0), Rows::build(&batch(vec![admitted("a", NOON)])));
    let armed = disk.clone();
    disk.before(is_events_commit, move || armed.fail_after(0, true));
    let flushed = store.flush().await.unwrap();
    assert!(is_events_commit(&disk.failed().unwrap()));
    assert_eq!((flushed.through, flushed.rows), (Position(1), 1));
    assert_eq!(store.snapshot().events.parts.len(), 1);
    assert_eq!(texts(&store), ["a"]);
}

#[tokio::test]
async fn another_writers_commit_in_between_is_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = open_on(folder.path(), &disk).await.unwrap();
    store.acknowledge(Position(0), Rows::build(&batch(vec![admitted("a", NOON)])));
    let log: PathBuf = store.table_dir(Table::Events).join("_delta_log");
    disk.before(is_events_part, move || foreign_commit(&log, r#"{"txn":{"appId":"another","version":4}}"#));
    let before = store.snapshot().events.version;
    assert_eq!(store.flush().await.unwrap().version, before + 2);
    assert_eq!(texts(&store), ["a"]);
    assert_eq!(store.committed(&CollectorId::from("another")), Position(4));
}

#[tokio::test]
async fn the_same_rows_committed_by_another_process_are_not_committed_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk = TestDisk::default();
    let store = open_on(folder.path(), &disk).await.unwrap();
    store.acknowledge(Position(0), Rows::build(&batch(vec![admitted("a", NOON), admitted("b", NOON)])));
    let log: PathBuf = store.table_dir(Table::Events).join("_delta_log");
    let txn = format!(r#"{{"txn":{{"appId":"{}","version":1}}}}"#, journal());
    disk.before(is_events_part, move || foreign_commit(&log, &txn));
    let flushed = store.flush().await.unwrap();
    assert_eq!((flushed.through, flushed.rows), (Position(2), 1), "only what the other did not commit");
    assert_eq!(texts(&store), ["b"], "the row that the other committed is its own affair (here, it wrote none)");
}

#[tokio::test]
async fn a_table_that_another_process_moved_on_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).await;
    let second = open(folder.path()).await;
    for store in [&first, &second] {
        store.acknowledge(Position(0), Rows::build(&batch(vec![admitted("a", NOON), quarantined("b")])));
    }
    assert_eq!(first.flush().await.unwrap().rows, 2);
    assert_eq!(second.flush().await.unwrap().rows, 0, "a replay");
    assert_eq!(texts(&second), ["a", "b"]);
    assert_eq!(second.snapshot().events.parts.len(), 1);
}
