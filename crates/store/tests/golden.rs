//! Tables written by earlier versions must open for ever, with the same answers. The samples are never rewritten; a new
//! form of the files adds its own.

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use event::{CollectorId, ColumnKind, EventTime, Position, Value};
use store::{Options, Rows, Store, Table};
use support::*;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/formats").join(name)
}

/// What `table-v1` was made by: flushes, an import whose day changed, a column that came later, a merge, a row that was
/// removed, a checkpoint with nothing before it, and a commit after that.
async fn make(root: &Path) {
    let store = open(root).await;
    for flush in 0..3_u64 {
        let rows = vec![
            admitted(&format!("event {flush}"), NOON + flush as i64),
            quarantined(format!("aside {flush}")),
            admitted(&format!("old {flush}"), NOON - 40 * 86_400_000_000),
        ];
        store.acknowledge(Position(flush * 3), Rows::build(&batch(rows)));
        store.flush().await.unwrap();
    }
    for (hash, text) in [(1, "imported"), (2, "imported anew")] {
        let units = vec![unit(day("2021-11-01"), hash, vec![admitted(text, NOON)]), unit(day("2021-11-02"), 1, vec![])];
        store.import(&CollectorId::of_import("x"), units).await.unwrap();
    }
    store.compact().await.unwrap();
    store
        .retain(&store::Retention { events: Some(30), ..Default::default() }, EventTime::from_micros(NOON))
        .await
        .unwrap();
    store.expire(std::time::Duration::ZERO).await.unwrap();
    let later = revision("https://schema.example/later", vec![column("size", ColumnKind::Integer)]);
    let row = admitted_under(later, "later", NOON, vec![Some(Value::Integer(42))]);
    store.acknowledge(Position(9), Rows::build(&batch(vec![row])));
    store.flush().await.unwrap();
}

#[tokio::test]
async fn version_1_opens() {
    if std::env::var_os("HUBSCOPE_WRITE_SAMPLES").is_some() && !sample("table-v1").exists() {
        make(&sample("table-v1")).await;
    }
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&sample("table-v1"), copy.path());
    let store = Store::open(copy.path(), Options::default(), &[]).await.unwrap();
    store.attach(journal());
    let snapshot = store.snapshot();
    let texts: Vec<String> = seen(&store, &snapshot).into_values().collect();
    assert_eq!(
        texts,
        ["event 0", "aside 0", "event 1", "aside 1", "event 2", "aside 2", "later", "imported anew"],
        "in order of collector and position"
    );
    assert_eq!(store.committed(&journal()), Position(10));
    let days: Vec<String> =
        snapshot.import_ledger(&CollectorId::of_import("x")).keys().map(ToString::to_string).collect();
    assert_eq!(days, ["2021-11-01", "2021-11-02"]);
    let mut sizes = Vec::new();
    for batch in store.scan(Table::Events, &snapshot).columns(&["size"]).read() {
        sizes.extend(batch.unwrap().column(0).as_primitive::<Int64Type>().iter());
    }
    sizes.sort();
    assert_eq!(sizes, [None, None, None, None, Some(42)], "a column that came later is null in older parts");
    let verified = store.verify(Arc::new(|_| {})).await.unwrap();
    assert!(verified.is_sound() && verified.adopted.count == 0, "{verified:?}");
    assert_eq!(verified.journals[journal().as_str()].removed, 3);
    // It goes on.
    store.acknowledge(Position(10), Rows::build(&batch(vec![admitted("new", NOON)])));
    store.flush().await.unwrap();
    store.compact().await.unwrap();
    assert_eq!(store.snapshot().events.rows(), 6);
}
