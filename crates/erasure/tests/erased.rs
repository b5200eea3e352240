//! A person in every form, through the real door and the real tables: what is theirs goes, nothing else does.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use erasure::{Effort, Erasure, Erasures, Key, Persons, Removal, Struck, strike};
use event::{Batch, CollectorId, EventTime, ManualClock, Position, Quarantined, Reason, Verdict};
use ingest::{Admission, Limits, Method, Request};
use schema::Registry;
use store::{Options, Rows, Store, Table};

const COLLECTOR: &str = "0123456789abcdef0123456789abcdef";
/// 2026-03-05 12:00 UTC.
const NOW: EventTime = EventTime::from_micros(1_772_712_000_000_000);
const HOUR: i64 = 3_600_000_000;

/// Every line is one event; whether it is Zoë's is beside it.
const EVENTS: [(&str, bool); 14] = [
    (ACTION_OF_ZOE, true),
    // JSON as Python escapes it.
    (
        r#"{"__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": 1, "__timestamp__": "2026-03-05T09:00:00Z", "action": "stop", "username": "zo\u00eb", "servername": ""}"#,
        true,
    ),
    // Another's server of that name, and others' names that hold it.
    (
        r#"{"__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": 1, "__timestamp__": "2026-03-05T09:00:00Z", "action": "start", "username": "ann", "servername": "zoë"}"#,
        false,
    ),
    (
        r#"{"__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": 1, "__timestamp__": "2026-03-05T09:00:00Z", "action": "start", "username": "zoë.k", "servername": ""}"#,
        false,
    ),
    // After the request: she came back.
    (
        r#"{"__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": 1, "__timestamp__": "2026-03-05T11:00:00Z", "action": "start", "username": "zoë", "servername": ""}"#,
        false,
    ),
    // Public: an owner of that name.
    (
        r#"{"timestamp": "2026-03-05T09:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 1, "provider": "GitHub", "spec": "zoë/demo/HEAD", "status": "success"}"#,
        false,
    ),
    // A path of hers; and one that only looks so.
    (
        r#"{"__schema__": "https://events.jupyter.org/jupyter_server/contents_service/v1", "__schema_version__": "1", "__timestamp__": "2026-03-05T09:00:00Z", "action": "save", "path": "home/zo\u00eb/a.ipynb"}"#,
        true,
    ),
    (
        r#"{"__schema__": "https://events.jupyter.org/jupyter_server/contents_service/v1", "__schema_version__": "1", "__timestamp__": "2026-03-05T09:00:00Z", "action": "save", "path": "home/zoën/a.ipynb"}"#,
        false,
    ),
    // Quarantined: unknown schema, no JSON, percent-encoded, Python's repr, invalid with a message that quotes her.
    (r#"{"__schema__": "no/such", "__timestamp__": "2026-03-05T09:00:00Z", "who": "zoë"}"#, true),
    (r#"{"__schema__": "no/such", "__timestamp__": "2026-03-05T09:00:00Z", "url": "/user/zo%C3%AB/lab"}"#, true),
    (r#"{"__schema__": "no/such", "__timestamp__": "2026-03-05T09:00:00Z", "msg": "{'username': 'zo\\xeb'}"}"#, true),
    (r#"{"__schema__": "no/such", "__timestamp__": "2026-03-05T11:00:00Z", "who": "zoë"}"#, false),
    (r#"{"__schema__": "no/such", "__timestamp__": "2026-03-05T09:00:00Z", "who": "ann"}"#, false),
    (
        r#"{"__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": 1, "__timestamp__": "2026-03-05T09:00:00Z", "action": "fly", "username": "zoë", "servername": ""}"#,
        true,
    ),
];

const ACTION_OF_ZOE: &str = r#"{"__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": 1, "__timestamp__": "2026-03-05T09:00:00Z", "action": "start", "username": "zoë", "servername": ""}"#;

fn batch(hub: &str) -> Batch {
    let door = Admission::new(Registry::builtin(), Limits::default(), Arc::new(ManualClock::new(NOW)));
    let body = EVENTS.map(|(text, _)| text).join("\n");
    let request = Request {
        method: Method::Post,
        content_type: None,
        content_encoding: None,
        query: None,
        body: Bytes::from(body),
    };
    door.admit(request, hub.into()).unwrap()
}

/// Zoë, forgotten on `lab` at ten o'clock.
fn erasures() -> Erasures {
    let mut erasures = Erasures::new(Key::new([9; 32]));
    let subject = erasures.subject(Some("lab"), "zoë");
    erasures.add(Erasure { subject, asked: EventTime::from_micros(NOW.micros() - 2 * HOUR) });
    erasures
}

fn persons() -> Arc<Persons> {
    Arc::new(Persons::of(&Registry::builtin()))
}

fn positions(expected: bool) -> Vec<i64> {
    (0..).zip(EVENTS).filter(|(_, (_, theirs))| *theirs == expected).map(|(at, _)| at).collect()
}

#[test]
fn what_comes_later_is_blanked_in_its_place() {
    let mut batch = batch("lab");
    let named = positions(true).len();
    assert_eq!(strike(&mut batch, &erasures(), &persons(), Effort::Limited), Struck { named, unsure: 0 });
    for (row, (text, theirs)) in batch.rows.iter().zip(EVENTS) {
        let is_forgotten = |aside: &Quarantined| aside.reason == Reason::Forgotten && aside.schema.is_none();
        let is_blank =
            row.text.is_empty() && matches!(&row.verdict, Verdict::Quarantined(aside) if is_forgotten(aside));
        assert_eq!(is_blank, theirs, "{text}");
        assert!(is_blank || row.text == text);
    }
    let again = strike(&mut batch, &erasures(), &persons(), Effort::Limited);
    assert_eq!(again, Struck::default(), "what is blank stays as it is");
}

#[test]
fn others_hubs_and_nobody_are_left_alone() {
    let nobody = Erasures::new(Key::new([9; 32]));
    for (hub, erasures) in [("other", erasures()), ("lab", nobody)] {
        let mut same = batch(hub);
        assert_eq!(strike(&mut same, &erasures, &persons(), Effort::Whole), Struck::default());
        assert_eq!(same, batch(hub));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn their_rows_leave_the_tables_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let columns = Registry::builtin().columns();
    let store = Store::open(folder.path(), Options::default(), &columns).await.unwrap();
    store.attach(CollectorId::from(COLLECTOR));
    let (lab, other) = (batch("lab"), batch("other"));
    let rows = EVENTS.len() as u64;
    store.acknowledge(Position(0), Rows::build(&lab));
    store.flush().await.unwrap();
    store.acknowledge(Position(rows), Rows::build(&other));
    store.flush().await.unwrap();

    let removal = Removal { erasures: erasures(), persons: persons() };
    let rewritten = store.rewrite(Arc::new(removal)).await.unwrap();
    let theirs = positions(true);
    assert_eq!(rewritten.rows_removed, theirs.len() as u64);

    let mut left = BTreeMap::new();
    let snapshot = store.snapshot();
    for table in [Table::Events, Table::Quarantine] {
        for batch in store.scan(table, &snapshot).columns(&["position", "text"]).read() {
            let batch = batch.unwrap();
            let positions = batch.column_by_name("position").unwrap().as_primitive::<Int64Type>().clone();
            let texts = batch.column_by_name("text").unwrap().as_string::<i32>().clone();
            left.extend((0..batch.num_rows()).map(|row| (positions.value(row), texts.value(row).to_owned())));
        }
    }
    let whole = i64::try_from(rows).unwrap();
    let expected: BTreeMap<i64, String> = (0..2 * whole)
        .filter(|position| !theirs.contains(position))
        .map(|position| (position, EVENTS[usize::try_from(position % whole).unwrap()].0.to_owned()))
        .collect();
    assert_eq!(left, expected);
    assert!(store.verify_positions(&CollectorId::from(COLLECTOR)).await.unwrap().is_sound());

    // Again changes nothing.
    let removal = Removal { erasures: erasures(), persons: persons() };
    assert_eq!(store.rewrite(Arc::new(removal)).await.unwrap().rows_removed, 0);
}
