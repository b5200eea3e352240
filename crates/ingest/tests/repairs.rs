//! Each known fault of an emitter: named, overlooked, and the text left as it was.

mod common;

use common::{admit, admitted, door, door_with, only, post, quarantined};
use event::{Reason, Repair, Value};

const LAUNCH: &str = r#""schema": "binderhub.jupyter.org/launch", "version": 5"#;
const FIELDS: &str = r#""provider": "GitHub", "spec": "a/b/c", "status": "success""#;

/// Schemas with rules that the built-in ones lack.
fn strict() -> ingest::Admission {
    let text = "$id: https://e.org/strict\nversion: '1'\nadditionalProperties: false\nproperties:\n  n: {type: number}\n  \
                i: {type: integer}\n  message: {type: string, minLength: 1}\n";
    let silent =
        "$id: https://e.org/silent\nversion: '1'\nadditionalProperties: false\nproperties: {n: {type: number}}\n";
    door_with(common::registry().with(text).unwrap().with(silent).unwrap())
}

fn strict_event(schema: &str, fields: &str) -> String {
    format!(
        r#"{{"__timestamp__": "2026-11-21T00:00:00Z", "__schema__": "https://e.org/{schema}", "__schema_version__": "1", "__metadata_version__": 1{fields}}}"#
    )
}

fn names(repairs: event::Repairs) -> String {
    repairs.to_string()
}

#[test]
fn every_fault_of_an_envelope_is_repaired_by_name() {
    let door = door();
    let action = r#""action": "start", "username": "u", "servername": """#;
    let hub = |time: &str, schema: &str, version: &str| {
        format!(
            r#"{{"__timestamp__": "{time}", "__schema__": "{schema}", "__schema_version__": {version}, "__metadata_version__": 1, {action}}}"#
        )
    };
    let new = "https://schema.jupyter.org/jupyterhub/events/server-action";
    let old = "hub.jupyter.org/server-action";
    for (text, repairs) in [
        (format!(r#"{{"timestamp": "2024-01-01T00:00:00Z", {LAUNCH}, {FIELDS}}}"#), ""),
        (format!(r#"{{"timestamp": "2024-01-01T00:00:00", {LAUNCH}, {FIELDS}}}"#), "naive_time"),
        (format!(r#"{{"timestamp": "2024-01-01T00:00:00+00:00Z", {LAUNCH}, {FIELDS}}}"#), "offset_before_z"),
        (format!(r#"{{"timestamp": "2024-01-01T00:00:00Z", {LAUNCH}, {FIELDS}, "taskName": "Task-1"}}"#), "task_name"),
        (format!(r#"{{"timestamp": "2024-01-01T00:00:00Z", {LAUNCH}, "taskName": null, {FIELDS}}}"#), ""),
        (format!(r#"{{"message": "", "timestamp": "2024-01-01T00:00:00Z", {LAUNCH}, {FIELDS}}}"#), "empty_message"),
        (format!(r#"{{"timestamp": "2024-01-01T00:00:00Z", {LAUNCH}.0, {FIELDS}}}"#), "version_type"),
        (
            format!(
                r#"{{"timestamp": "2024-01-01T00:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": "5", {FIELDS}}}"#
            ),
            "version_type",
        ),
        (format!(r#"{{"timestamp": "2024-01-01T00:00:00Z", {LAUNCH}, "event": {{{FIELDS}}}}}"#), "nested_event"),
        (
            format!(
                r#"{{"python_logger": null, "message": "{{\"timestamp\": \"2024-01-01T00:00:00\", {}, \"event\": {{{}}}}}"}}"#,
                LAUNCH.replace('"', "\\\""),
                FIELDS.replace('"', "\\\"")
            ),
            "naive_time,nested_event,nested_message",
        ),
        (hub("2024-01-01T00:00:00+05:45Z", new, "\"1\""), "offset_before_z"),
        (hub("2024-01-01T00:00:00Z", new, "1"), "version_type"),
        (hub("2024-01-01T00:00:00Z", old, "1"), ""),
        (hub("2024-01-01T00:00:00Z", old, "\"1\""), "version_type"),
        (hub("1969-07-20T20:17:40Z", old, "1"), ""),
    ] {
        let row = only(&door, text.clone());
        assert_eq!(names(admitted(&row).repairs), repairs, "{text}");
        assert_eq!(row.text, text, "a repair never changes the text");
    }
}

#[test]
fn nested_fields_are_judged_and_promoted() {
    let door = door();
    let bad =
        format!(r#"{{"timestamp": "2024-01-01T00:00:00Z", {LAUNCH}, "event": {{"provider": "GitHub", "status": 1}}}}"#);
    assert_eq!(quarantined(&only(&door, bad)).reason, Reason::Invalid);
    let good = format!(r#"{{"timestamp": "2024-01-01T00:00:00Z", {LAUNCH}, "event": {{{FIELDS}}}}}"#);
    let row = only(&door, good);
    assert_eq!(admitted(&row).promoted[0], Some(Value::Text("GitHub".into())));
}

#[test]
fn what_the_formatter_added_is_not_judged() {
    let door = strict();
    for (schema, fields, expected) in [
        ("silent", r#", "n": 1"#, Ok("")),
        ("silent", r#", "n": 1, "taskName": null"#, Ok("task_name")),
        ("silent", r#", "taskName": null, "n": 1"#, Err(Reason::Invalid)),
        ("silent", r#", "message": "", "n": 1"#, Ok("empty_message")),
        ("silent", r#", "message": null, "n": 1, "taskName": "Task-1""#, Ok("task_name,empty_message")),
        ("silent", r#", "message": "x", "n": 1"#, Err(Reason::Invalid)),
        ("silent", r#", "other": 1"#, Err(Reason::Invalid)),
        ("strict", r#", "message": "x""#, Ok("")),
        ("strict", r#", "message": """#, Ok("empty_message")),
        ("strict", r#", "message": null"#, Ok("empty_message")),
        ("strict", r#", "message": 1"#, Err(Reason::Invalid)),
        ("strict", r#", "message": "", "n": "x""#, Err(Reason::Invalid)),
    ] {
        let row = only(&door, strict_event(schema, fields));
        match expected {
            Ok(repairs) => assert_eq!(names(admitted(&row).repairs), repairs, "{schema} {fields}"),
            Err(reason) => assert_eq!(quarantined(&row).reason, reason, "{schema} {fields}"),
        }
    }
}

#[test]
fn numbers_that_are_not_json_and_numbers_beyond_64_bits_keep_their_text() {
    let door = strict();
    for (fields, expected) in [
        (r#", "n": NaN"#, Ok("bare_nan")),
        (r#", "n": -Infinity"#, Ok("bare_nan")),
        (r#", "n": 1180591620717411303424"#, Ok("")),
        (r#", "i": 1180591620717411303424"#, Ok("")),
        (r#", "i": NaN"#, Err(Reason::Invalid)),
        (r#", "i": Infinity"#, Err(Reason::Invalid)),
        (r#", "n": 1e400"#, Err(Reason::NumberOutOfRange)),
        (r#", "n": NaN, "i": 1e400"#, Err(Reason::NumberOutOfRange)),
        (r#", "n": "NaN""#, Err(Reason::Invalid)),
    ] {
        let text = strict_event("strict", fields);
        let row = only(&door, text.clone());
        assert_eq!(row.text, text);
        match expected {
            Ok(repairs) => assert_eq!(names(admitted(&row).repairs), repairs, "{fields}"),
            Err(reason) => assert_eq!(quarantined(&row).reason, reason, "{fields}"),
        }
    }
}

#[test]
fn a_python_repr_becomes_the_json_that_python_would_have_written() {
    let door = door();
    for (repr, json) in [
        (r"{'a': 1}", r#"{"a": 1}"#),
        (r#"{"o'brien": 'say "hi"'}"#, r#"{"o'brien": "say \"hi\""}"#),
        (r"{'a': True, 'b': None, 'c': False}", r#"{"a": true, "b": null, "c": false}"#),
        (
            r"{'a': [1, -2.5, 1e+300, 1e-05, 5.0, -0.0, 1180591620717411303424]}",
            r#"{"a": [1, -2.5, 1e+300, 1e-05, 5.0, -0.0, 1180591620717411303424]}"#,
        ),
        (
            r"{'a': (), 'b': (1,), 'c': (1, 2), 'd': {}, 'e': []}",
            r#"{"a": [], "b": [1], "c": [1, 2], "d": {}, "e": []}"#,
        ),
        (r"{1: 'a', True: 'b', None: 'c', 2.5: 'd'}", r#"{"1": "a", "true": "b", "null": "c", "2.5": "d"}"#),
        (
            r"{'a': 'é 🪐 \n\t\x00\x7f\u2028\U0001fa90 \\ \' \101\0'}",
            r#"{"a": "\u00e9 \ud83e\ude90 \n\t\u0000\u007f\u2028\ud83e\ude90 \\ ' A\u0000"}"#,
        ),
        (r"{'a': nan, 'b': inf, 'c': -inf}", r#"{"a": NaN, "b": Infinity, "c": -Infinity}"#),
        (r"{'a': '\d'}", r#"{"a": "\\d"}"#),
        (r"{'a': '\ud800'}", r#"{"a": "\ud800"}"#),
    ] {
        assert_eq!(ingest::decode::repr::to_json(repr, 128).as_deref(), Ok(json), "{repr}");
        // The same through the door; none names a schema, so each is kept aside, whole.
        let escaped: String = repr.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let row = only(&door, format!("name=x&msg={escaped}&args=%28%29"));
        assert_eq!(row.text, json);
        assert!(quarantined(&row).repairs.contains(Repair::PythonRepr));
    }
}

#[test]
fn what_is_no_literal_is_refused_by_the_decoder_and_kept_by_the_door() {
    let door = door();
    for repr in [
        "",
        "{",
        "{'a'",
        "{'a':",
        "{'a': 1",
        "{'a': 1]",
        "{'a' 1}",
        "{'a': }",
        "{'a': b'x'}",
        "{'a': datetime.datetime(2024, 1, 1)}",
        "{'a': {1, 2}}",
        "{'a': 1_000}",
        "{'a': 0x10}",
        "{'a': 01}",
        "{'a': 1j}",
        "{'a': (1)}",
        "{'a': '\\N{DASH}'}",
        "{'a': '\\x4'}",
        "{'a': '\\u12g4'}",
        "{'a': '\\U00110000'}",
        "{'a': 'x\ny'}",
        "{'a': Truex}",
        "{'a': True} x",
        "{(1,): 2}",
        "{'a': [1 2]}",
        "{'a': 1.e}",
        "{'a': -}",
        "{'a': 'x' 'y'}",
        "{'a': 'x",
        "{'a': '\\",
        "nano",
        "infinity",
        "[,]",
    ] {
        assert!(ingest::decode::repr::to_json(repr, 128).is_err(), "{repr}");
        let escaped: String = repr.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let row = only(&door, format!("msg={escaped}&args=%28%29"));
        assert_eq!(quarantined(&row).reason, Reason::NotJson, "{repr}");
        assert_eq!(row.text, repr.trim());
    }
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(ingest::decode::repr::to_json(&deep, 128).unwrap_err().is_too_deep());
}

#[test]
fn forms_are_read_as_python_writes_them() {
    let door = door();
    let query = |query: &str| ingest::Request { method: ingest::Method::Get, query: Some(query.into()), ..post("") };
    let batch = admit(&door, query("k=v&msg=%7B%22a%22%3A+1%7D&message=")).unwrap();
    assert_eq!(batch.rows[0].text, r#"{"a": 1}"#);
    assert_eq!(admit(&door, query("k=v")).unwrap_err().code, "no_msg");
    assert_eq!(admit(&door, ingest::Request { method: ingest::Method::Get, ..post("") }).unwrap_err().code, "no_msg");
    // A program that says that it sends a form, and sends JSON.
    let request =
        ingest::Request { content_type: Some("application/x-www-form-urlencoded".into()), ..post(r#"{"a": 1}"#) };
    assert_eq!(admit(&door, request).unwrap().rows[0].text, r#"{"a": 1}"#);
    let row = only(&door, "msg=%ff%fe&args=");
    assert_eq!(quarantined(&row).reason, Reason::BadUtf8);
    assert_eq!(&row.text[..], b"\xff\xfe");
    let row = only(&door, "msg=100%&args=");
    assert_eq!(row.text, "100%");
}

#[test]
fn the_last_of_repeated_fields_counts() {
    let door = door();
    let text = format!(
        r#"{{"timestamp": "nonsense", {LAUNCH}, "timestamp": "2024-01-01T00:00:00Z", "provider": "Git", {FIELDS}}}"#
    );
    let row = only(&door, text);
    assert_eq!(admitted(&row).time.to_string(), "2024-01-01T00:00:00.000000Z");
    assert_eq!(admitted(&row).promoted[0], Some(Value::Text("GitHub".into())));
}
