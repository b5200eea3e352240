//! Retention by schema: what is old leaves, by its own term; what the log settles is not read.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{Batch, EventTime, Position, Row};
use store::{Retention, Rows, Store, Table};
use support::*;

const DAY: i64 = 86_400_000_000;

fn of(schema: &str, text: &str, time: i64) -> Row {
    admitted_under(revision(schema, columns()), text, time, vec![None, None])
}

fn received(at: i64, rows: Vec<Row>) -> Batch {
    Batch { received: EventTime::from_micros(at), ..batch(rows) }
}

async fn keep(store: &Store, batches: Vec<Batch>) {
    let mut first = store.snapshot().position(&journal());
    for batch in batches {
        let count = batch.rows.len() as u64;
        store.acknowledge(first, Rows::build(&batch));
        store.flush().await.unwrap();
        first = first.plus(count);
    }
}

fn shown(store: &Store) -> BTreeSet<String> {
    seen(store, &store.snapshot()).into_values().collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn each_schema_has_its_term_and_mad_clocks_go_by_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let ago = |days: i64| NOON - days * DAY;
    keep(
        &store,
        vec![
            received(ago(200), vec![of("a", "a 200", ago(200)), of("b", "b 200", ago(200)), quarantined("q 200")]),
            received(ago(100), vec![of("a", "a 100", ago(100)), of("c", "c 100", ago(100)), quarantined("q 100")]),
            // Late, far in the future, and absurdly old.
            received(ago(10), vec![of("a", "late", ago(150)), of("a", "future", i64::MAX / 2), of("a", "absurd", 0)]),
            received(ago(200), vec![of("a", "future, long ago", i64::MAX / 2)]),
            received(ago(1), vec![of("b", "b 1", ago(1)), quarantined("q 1")]),
        ],
    )
    .await;
    let retention = Retention {
        events: Some(120),
        by_schema: [("b".into(), None), ("c".into(), Some(30))].into(),
        quarantine: Some(90),
    };
    let now = EventTime::from_micros(NOON);
    let parts: Vec<Arc<str>> = store.snapshot().events.parts.iter().map(|part| Arc::clone(&part.path)).collect();
    let done = store.retain(&retention, now).await.unwrap();
    assert_eq!(shown(&store), set(&["b 200", "a 100", "future", "absurd", "b 1", "q 1"]));
    assert_eq!(done.rows_removed, 6);
    let after: BTreeSet<Arc<str>> = store.snapshot().events.parts.iter().map(|part| Arc::clone(&part.path)).collect();
    let kept: Vec<bool> = parts.iter().map(|path| after.contains(path)).collect();
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 1, "only the part with nothing old in it is untouched");
    let check = store.verify_positions(&journal()).await.unwrap();
    assert_eq!((check.removed, check.is_sound()), (6, true));
    assert_eq!(store.retain(&retention, now).await.unwrap().parts_taken, 0, "once is enough");
    // The boundary is the beginning of a day: an hour later nothing has changed, a day later something may have.
    let later = EventTime::from_micros(ago(-21));
    store.retain(&retention, later).await.unwrap();
    assert_eq!(shown(&store), set(&["b 200", "future", "absurd", "b 1", "q 1"]));
    assert_eq!(store.retain(&Retention::default(), later).await.unwrap().rows_removed, 0, "for ever");
}

#[tokio::test]
async fn a_part_that_is_old_throughout_goes_unread() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let old = NOON - 300 * DAY;
    keep(
        &store,
        vec![received(old, vec![of("a", "x", old), of("a", "y", old)]), received(NOON, vec![of("a", "z", NOON)])],
    )
    .await;
    // Only the collector of the old part is read, to count; the recent one is not even opened.
    let recent = store.snapshot().events.parts[1].path.to_string();
    let path = store.table_dir(Table::Events).join(&recent);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, "unreadable").unwrap();
    let retention = Retention { events: Some(30), ..Retention::default() };
    let done = store.retain(&retention, EventTime::from_micros(NOON)).await.unwrap();
    assert_eq!((done.parts_taken, done.parts_made, done.rows_removed), (1, 0, 2));
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(shown(&store), set(&["z"]));
    assert_eq!(store.committed(&journal()), Position(3));
}

/// A term of 30 days keeps the 30 days before today, to the microsecond, at whatever hour of today it is looked.
#[tokio::test]
async fn a_term_ends_with_the_first_instant_of_a_day() {
    let today = NOON.div_euclid(DAY) * DAY;
    let first = today - 30 * DAY;
    for now in [today, NOON, today + DAY - 1] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await;
        keep(
            &store,
            vec![
                received(today, vec![of("a", "before", first - 1), of("a", "at", first), of("a", "after", first + 1)]),
                received(today, vec![of("a", "whole part before", first - 1)]),
                received(today, vec![of("a", "whole part at", first)]),
                received(first - 1, vec![quarantined("aside before")]),
                received(first, vec![quarantined("aside at")]),
            ],
        )
        .await;
        let retention = Retention { events: Some(30), quarantine: Some(30), ..Retention::default() };
        store.retain(&retention, EventTime::from_micros(now)).await.unwrap();
        assert_eq!(shown(&store), set(&["at", "after", "whole part at", "aside at"]), "at {now}");
    }
}
