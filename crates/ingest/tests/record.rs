//! A batch survives the journal, with its verdicts, whatever it holds; damage is told, never a panic.

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::{admit, capture_folders, captures, door, post};
use event::{Admitted, Batch, Door, EventTime, Quarantined, Reason, Repairs, RequestKey, Row, Verdict};
use ingest::record::{self, DecodeError};
use proptest::prelude::*;

fn launch(time: i64, spec: &str, token: Option<bool>) -> String {
    let mut text = format!(
        r#"{{"timestamp": "{}", "schema": "binderhub.jupyter.org/launch", "version": 5, "provider": "Git", "spec": "#,
        EventTime::from_micros(time)
    );
    event::pyjson::write_str(&mut text, spec);
    if let Some(token) = token {
        text.push_str(&format!(r#", "build_token": {token}"#));
    }
    text.push('}');
    text
}

/// Year 1 to 9999.
fn times() -> impl Strategy<Value = i64> {
    -62_135_596_800_000_000..253_402_300_799_999_999_i64
}

fn admitted_rows() -> impl Strategy<Value = Row> {
    (times(), any::<String>(), any::<Option<bool>>())
        .prop_map(|(time, spec, token)| door().admit_text(launch(time, &spec, token).into()))
}

fn quarantined_rows() -> impl Strategy<Value = Row> {
    let claims = (any::<Option<String>>(), any::<Option<String>>(), proptest::option::of(any::<i64>()));
    (any::<Vec<u8>>(), 1..=12_u8, any::<String>(), claims, 0..512_u32).prop_map(
        |(text, reason, detail, (schema, version, time), repairs)| Row {
            text: text.into(),
            verdict: Verdict::Quarantined(Quarantined {
                reason: Reason::from_number(reason).unwrap(),
                detail: detail.into(),
                schema: schema.map(Into::into),
                version: version.map(Into::into),
                time: time.map(EventTime::from_micros),
                repairs: Repairs::from_bits(repairs),
            }),
        },
    )
}

fn batches() -> impl Strategy<Value = Batch> {
    let rows = proptest::collection::vec(prop_oneof![admitted_rows(), quarantined_rows()], 0..12);
    let key = proptest::option::of((any::<String>(), any::<[u8; 32]>()));
    (any::<i64>(), any::<String>(), 0..3_usize, key, rows).prop_map(|(received, hub, door, key, rows)| Batch {
        received: EventTime::from_micros(received),
        hub: hub.into(),
        door: Door::ALL[door],
        key: key.map(|(name, digest)| RequestKey { name: name.into(), digest }),
        rows,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_comes_back_as_it_was(batch in batches()) {
        let payload = record::encode(&batch);
        prop_assert_eq!(record::decode(&payload, &common::registry()).unwrap(), batch);
    }

    #[test]
    fn a_cut_or_lengthened_payload_is_damaged(batch in batches(), cut in any::<prop::sample::Index>()) {
        let registry = common::registry();
        let mut payload = record::encode(&batch);
        let length = cut.index(payload.len());
        prop_assert!(record::decode(&payload[..length], &registry).is_err());
        payload.push(0);
        prop_assert!(record::decode(&payload, &registry).is_err());
    }
}

#[test]
fn what_real_emitters_sent_comes_back_as_it_was() {
    let door = door();
    let registry = common::registry();
    for folder in capture_folders() {
        let text = std::fs::read_to_string(folder.join("expected.jsonl")).unwrap();
        let batch = admit(&door, post(text)).unwrap();
        let payload = record::encode(&batch);
        let texts: usize = batch.rows.iter().map(|row| row.text.len()).sum();
        assert_eq!(record::decode(&payload, &registry).unwrap(), batch);
        let is_admitted = |row: &Row| matches!(row.verdict, Verdict::Admitted(_));
        if batch.rows.iter().all(is_admitted) {
            assert!(payload.len() <= texts + 12 * batch.rows.len() + 420, "{} for {texts}", payload.len());
        }
        for raw in captures(&folder, "http_post_first") {
            let batch = admit(&door, common::parsed(&raw)).unwrap();
            assert_eq!(record::decode(&record::encode(&batch), &registry).unwrap(), batch);
        }
    }
}

#[test]
fn promoted_values_are_read_again_also_through_repairs() {
    let door = door();
    for text in [
        r#"{"timestamp": "2024-01-01T00:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 5, "event": {"provider": "Git"}}"#,
        r#"{"message": "{\"timestamp\": \"2024-01-01T00:00:00Z\", \"schema\": \"binderhub.jupyter.org/launch\", \"version\": 5, \"spec\": \"a\"}"}"#,
        r#"{"timestamp": "2024-01-01T00:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 5, "spec": "a", "n": NaN}"#,
    ] {
        let batch = admit(&door, post(text)).unwrap();
        let Verdict::Admitted(Admitted { promoted, .. }) = &batch.rows[0].verdict else { panic!("{batch:?}") };
        assert!(promoted.iter().any(Option::is_some));
        assert_eq!(record::decode(&record::encode(&batch), &common::registry()).unwrap(), batch);
    }
}

#[test]
fn the_verdict_in_the_record_is_obeyed_not_decided_anew() {
    // Admitted under a text that accepts what the built-in ones do not.
    let lenient =
        r#"{"$id": "binderhub.jupyter.org/launch", "version": 5, "properties": {"provider": {"type": "string"}}}"#;
    let registry = common::registry().with(lenient).unwrap();
    let text = r#"{"timestamp": "2024-01-01T00:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 5, "provider": "Meca"}"#;
    let batch = admit(&common::door_with(registry.clone()), post(text)).unwrap();
    assert!(matches!(batch.rows[0].verdict, Verdict::Admitted(_)));
    let payload = record::encode(&batch);
    let stricter =
        registry.with(r#"{"$id": "binderhub.jupyter.org/launch", "version": 5, "not": {}, "properties": {}}"#).unwrap();
    assert_eq!(record::decode(&payload, &stricter).unwrap(), batch);
    let error = record::decode(&payload, &common::registry()).unwrap_err();
    assert!(matches!(error, DecodeError::UnknownRevision { .. }), "{error}");
}

#[test]
fn the_layouts_of_versions_1_and_2_are_pinned() {
    let row = |text: &'static [u8], verdict| Row { text: Bytes::from_static(text), verdict };
    let batch = Batch {
        received: EventTime::from_micros(1_000_000),
        hub: Arc::from("h"),
        door: Door::Http,
        key: None,
        rows: vec![row(
            b"x",
            Verdict::Quarantined(Quarantined {
                reason: Reason::NotJson,
                detail: "d".into(),
                schema: None,
                version: Some("1".into()),
                time: Some(EventTime::from_micros(999_999)),
                repairs: Repairs::from_bits(3),
            }),
        )],
    };
    let keyed = Batch { key: Some(RequestKey { name: "key".into(), digest: [9; 32] }), ..batch.clone() };
    let expected = [&[2, 1, 0x80, 0x89, 0x7a, 1, b'h', 3, b'k', b'e', b'y'][..], &[9; 32], &[0, 1]].concat();
    let expected = [&expected[..], &[1, 3, 6, 1, b'd', 1, b'1', 1, 1, b'x']].concat();
    assert_eq!(record::encode(&keyed), expected);
    assert_eq!(record::decode(&expected, &common::registry()).unwrap(), keyed);
    assert!(record::has_key(&expected));
    let expected = [&[1, 1, 0x80, 0x89, 0x7a, 1, b'h', 0, 1][..], &[1, 3, 6, 1, b'd', 1, b'1', 1, 1, b'x']].concat();
    assert_eq!(record::encode(&batch), expected);
    assert_eq!(record::decode(&expected, &common::registry()).unwrap(), batch);
    assert!(!record::has_key(&expected));
    assert_eq!(record::decode(&[3], &common::registry()), Err(DecodeError::UnknownVersion { found: 3 }));
    assert!(record::decode(&[], &common::registry()).is_err());
}
