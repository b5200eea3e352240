//! Imports: each day once, anew when it has changed, covered also without an event.

mod support;

use event::{CollectorId, Day, Position};
use store::{ImportError, Imported, Rows, Selection, Table, unit_version};
use support::*;

fn source() -> CollectorId {
    CollectorId::of_import("mybinder")
}

fn texts(seen: &Seen) -> Vec<(Day, i64, &str)> {
    let entry = |((_, position), text): (&(String, i64), &'static str)| {
        let position = Position(u64::try_from(*position).unwrap());
        (position.imported_day(), i64::try_from(position.0 & 0xffff_ffff).unwrap(), text)
    };
    seen.iter().map(|(id, text)| entry((id, Box::leak(text.clone().into_boxed_str())))).collect()
}

#[tokio::test]
async fn a_day_is_added_once_and_an_empty_day_is_covered() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (first, second) = (day("2021-11-01"), day("2021-11-02"));
    let units =
        || vec![unit(first, 1, vec![admitted("a", NOON), quarantined("b"), admitted("c", 1)]), unit(second, 2, vec![])];
    let imported = store.import(&source(), units()).await.unwrap();
    assert_eq!(imported, Imported { added: 2, rows: 2, quarantined: 1, ..Imported::default() });
    let version = store.snapshot().events.version;
    let again = store.import(&source(), units()).await.unwrap();
    assert_eq!(again, Imported { unchanged: 2, ..Imported::default() });
    assert_eq!(store.snapshot().events.version, version, "nothing to do, no commit");
    let snapshot = store.snapshot();
    assert_eq!(texts(&seen(&store, &snapshot)), [(first, 0, "a"), (first, 1, "b"), (first, 2, "c")]);
    let ledger = snapshot.import_ledger(&source());
    assert_eq!(ledger.keys().copied().collect::<Vec<_>>(), [first, second]);
    assert_eq!(ledger[&second], unit_version(&units()[1].sha256));
    assert_eq!(snapshot.imports(), [source()]);
    assert_eq!(store.import_ledger(&CollectorId::of_import("my")).len(), 0, "a prefix of a name is another name");
    drop(store);
    let store = open(folder.path()).await;
    assert_eq!(store.import_ledger(&source()), ledger);
    assert_eq!(store.import(&source(), units()).await.unwrap().unchanged, 2);
}

#[tokio::test]
async fn a_changed_day_is_replaced_and_its_neighbours_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.acknowledge(Position(0), Rows::build(&batch(vec![admitted("live", NOON)])));
    let (first, second) = (day("2021-11-01"), day("2021-11-02"));
    let units = vec![
        unit(first, 1, vec![admitted("a", NOON), quarantined("b")]),
        unit(second, 2, vec![admitted("c", NOON), quarantined("d")]),
    ];
    store.import(&source(), units).await.unwrap();
    store.flush().await.unwrap();
    store.import(&CollectorId::of_import("other"), vec![unit(first, 1, vec![admitted("z", NOON)])]).await.unwrap();
    let held = store.snapshot();
    let changed = vec![unit(first, 3, vec![admitted("a2", NOON), admitted("e", NOON), admitted("f", NOON)])];
    let imported = store.import(&source(), changed).await.unwrap();
    assert_eq!(imported, Imported { replaced: 1, rows: 3, ..Imported::default() });
    let now = seen(&store, &store.snapshot());
    let mut all: Vec<&str> = now.values().map(String::as_str).collect();
    all.sort_unstable();
    assert_eq!(all, ["a2", "c", "d", "e", "f", "live", "z"]);
    assert_eq!(seen(&store, &held).len(), 6, "who read the old rows still does");
    let none = store.import(&source(), vec![unit(first, 4, vec![])]).await.unwrap();
    assert_eq!(none.replaced, 1);
    assert_eq!(seen(&store, &store.snapshot()).len(), 4);
    assert!(store.import_ledger(&source()).contains_key(&first));
}

#[tokio::test]
async fn ten_thousand_days_in_one_import_are_one_part_and_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let version = store.snapshot().events.version;
    let units = (0..10_000).map(|number| {
        let day = Day::from_number(10_000 + number);
        unit(day, 1, vec![admitted("e", day.start().micros())])
    });
    let imported = store.import(&source(), units.collect()).await.unwrap();
    assert_eq!((imported.added, imported.rows), (10_000, 10_000));
    let snapshot = store.snapshot();
    assert_eq!((snapshot.events.parts.len(), snapshot.events.version), (1, version + 1));
    let days = Selection::Days(Day::from_number(10_005)..Day::from_number(10_008));
    let rows: usize = store.scan(Table::Events, &snapshot).select(days).read().map(|b| b.unwrap().num_rows()).sum();
    assert_eq!(rows, 3);
    let times = store.scan(Table::Events, &snapshot).columns(&["time"]).read().map(|b| b.unwrap());
    let times: Vec<i64> = times
        .flat_map(|b| {
            use arrow::array::AsArray;
            b.column(0).as_primitive::<arrow::datatypes::TimestampMicrosecondType>().values().to_vec()
        })
        .collect();
    assert!(times.is_sorted());
}

#[tokio::test]
async fn only_an_import_imports() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let error = store.import(&journal(), vec![]).await.unwrap_err();
    assert!(matches!(error, ImportError::NotAnImport(_)), "{error}");
}
