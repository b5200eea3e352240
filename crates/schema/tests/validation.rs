//! The schemas built in, and the rules by which their emitters validate.

use schema::{Entry, Event, Found, Hidden, Registry, Visibility};
use sonic_rs::Value;

const LAUNCH: &str = "binderhub.jupyter.org/launch";
const KERNEL: &str = "https://events.jupyter.org/jupyter_server/kernel_actions/v1";

fn value(json: &str) -> Value {
    sonic_rs::from_str(json).unwrap()
}

/// How many revisions of the schema accept `json`, of how many.
fn accepting(schema: &str, version: &str, json: &str) -> (usize, usize) {
    let registry = Registry::builtin();
    let Found::Revisions(revisions) = registry.find(schema, version) else { panic!("{schema} {version}") };
    let event = value(json);
    (revisions.iter().filter(|entry| entry.validate(&event).is_ok()).count(), revisions.len())
}

fn built(text: &str) -> std::sync::Arc<Entry> {
    let registry = Registry::builtin().with(text).unwrap();
    registry.iter().last().unwrap().clone()
}

#[test]
fn every_revision_of_every_version_is_there() {
    let registry = Registry::builtin();
    // 30 of emitters, and hubscope's own for what it asks hubs.
    let own = event::schemas::WATCHED.into_iter().chain(event::schemas::OF_ACCOUNTS).collect::<Vec<_>>();
    assert_eq!(registry.iter().count(), 30 + own.len());
    for schema in own {
        assert_eq!(accepting(schema, "1", "1").1, 1, "{schema}");
    }
    for (schema, versions) in [
        (LAUNCH, vec![("1", 2), ("2", 1), ("3", 5), ("4", 2), ("5", 3), ("6", 2)]),
        ("hub.jupyter.org/server-action", vec![("1", 3)]),
        ("https://schema.jupyter.org/jupyterhub/events/server-action", vec![("1", 2)]),
        ("https://events.jupyter.org/jupyter_server/contents_service/v1", vec![("1", 3)]),
        (KERNEL, vec![("1", 4)]),
        ("https://events.jupyter.org/jupyter_server/gateway_client/v1", vec![("1", 3)]),
    ] {
        for (version, count) in versions {
            assert_eq!(accepting(schema, version, "1").1, count, "{schema} {version}");
        }
    }
}

#[test]
fn texts_that_drifted_under_one_version_are_told_apart() {
    for (version, provider, count, of) in [
        ("1", "Gist", 1, 2),
        ("1", "GitHub", 2, 2),
        ("3", "Hydroshare", 1, 5),
        ("3", "Zenodo", 4, 5),
        ("5", "CKAN", 1, 3),
        ("6", "Bitbucket", 0, 2),
    ] {
        let event = format!(r#"{{"provider": "{provider}", "spec": "a/b/c", "status": "success"}}"#);
        assert_eq!(accepting(LAUNCH, version, &event), (count, of), "{version} {provider}");
    }
}

#[test]
fn a_condition_at_the_root_is_kept() {
    let with = |extra: &str| format!(r#"{{"action": "start", "msg": "m"{extra}}}"#);
    // Only a start that failed may lack a kernel; without a status the condition cannot tell.
    assert_eq!(accepting(KERNEL, "1", &with(r#", "status": "success""#)), (0, 4));
    assert_eq!(accepting(KERNEL, "1", r#"{"action": "interrupt", "msg": "m"}"#), (0, 4));
    assert_eq!(accepting(KERNEL, "1", &with("")), (3, 4));
    assert_eq!(accepting(KERNEL, "1", &with(r#", "status": "error""#)), (3, 4));
    assert_eq!(accepting(KERNEL, "1", &with(r#", "kernel_id": "k""#)), (4, 4));
    assert_eq!(accepting(KERNEL, "1", &with(r#", "kernel_id": "k", "status_code": "200""#)), (0, 4));
}

#[test]
fn formats_are_checked_where_the_emitter_checks_them() {
    let checked = built(
        "$id: https://e.org/x\nversion: '1'\nproperties: {t: {type: string, format: date-time}, m: {format: email}}",
    );
    let unchecked = built("$id: e.org/x\nversion: 1\nproperties: {t: {type: string, format: date-time}}");
    for (json, is_valid) in [
        (r#"{"t": "2026-11-21T00:00:00Z"}"#, true),
        (r#"{"t": "yesterday"}"#, false),
        (r#"{"m": "a@b"}"#, true),
        (r#"{"m": "nobody"}"#, false),
    ] {
        assert_eq!(checked.validate(&value(json)).is_ok(), is_valid, "{json}");
        assert!(unchecked.validate(&value(json)).is_ok(), "{json}");
    }
}

#[test]
fn hidden_fields_are_no_properties_and_repeated_ones_count_once() {
    let strict = built(
        "$id: https://e.org/x\nversion: '1'\nadditionalProperties: false\nminProperties: 1\nmaxProperties: 1\n\
         properties: {a: {type: number}, version: {type: string}}",
    );
    let capsule = r#""__timestamp__": 1, "__schema__": 2, "__schema_version__": 3, "__metadata_version__": 4"#;
    let all = Hidden::CAPSULE.and(Hidden::TASK_NAME).and(Hidden::MESSAGE);
    for (json, hidden, is_valid) in [
        (format!(r#"{{{capsule}, "a": 1, "taskName": null, "message": ""}}"#), all, true),
        (format!(r#"{{{capsule}, "a": 1, "taskName": null}}"#), Hidden::CAPSULE, false),
        (format!(r#"{{{capsule}, "a": 1}}"#), Hidden::NOTHING, false),
        (format!(r#"{{{capsule}}}"#), Hidden::CAPSULE, false),
        (r#"{"version": "x"}"#.to_owned(), Hidden::CAPSULE, true),
        (r#"{"version": 1}"#.to_owned(), Hidden::CAPSULE, false),
        (r#"{"version": 1, "a": 1}"#.to_owned(), Hidden::BINDERHUB, true),
    ] {
        assert_eq!(strict.validate_without(&Event::of(&value(&json)), hidden).is_ok(), is_valid, "{json} {hidden:?}");
    }
    let lenient = built("$id: https://e.org/x\nversion: '1'\nrequired: [a]\nproperties: {a: {type: number}}");
    assert!(lenient.validate(&value(r#"{"a": 1, "a": "x"}"#)).is_err(), "the last value counts");
}

#[test]
fn numbers_enums_and_nested_values_are_read_as_json_schema_has_them() {
    let entry = built(
        "$id: https://e.org/x\nversion: '1'\nproperties:\n  i: {type: integer}\n  n: {type: number, minimum: 0, maximum: 10}\n  \
         e: {enum: [1, a, null, true, [1, {b: 2}]]}\n  c: {const: 2.0}\n  u: {uniqueItems: true}\n  \
         p: {propertyNames: {pattern: '^[a-z]+$'}}\n  l: {maxLength: 2}\n  r: {$ref: '#/$defs/d'}\n$defs: {d: {type: boolean}}",
    );
    for (json, is_valid) in [
        (r#"{"i": 1.0}"#, true),
        (r#"{"i": 1180591620717411303424}"#, true),
        (r#"{"i": 1.5}"#, false),
        (r#"{"i": -9223372036854775808}"#, true),
        (r#"{"n": 10}"#, true),
        (r#"{"n": 10.5}"#, false),
        (r#"{"n": -1}"#, false),
        (r#"{"e": 1.0}"#, true),
        (r#"{"e": "a"}"#, true),
        (r#"{"e": null}"#, true),
        (r#"{"e": true}"#, true),
        (r#"{"e": false}"#, false),
        (r#"{"e": [1, {"b": 2}]}"#, true),
        (r#"{"e": [1, {"b": 3}]}"#, false),
        (r#"{"c": 2}"#, true),
        (r#"{"u": [1, "1", [1]]}"#, true),
        (r#"{"u": [1, 1.0]}"#, false),
        (r#"{"p": {"abc": 1}}"#, true),
        (r#"{"p": {"A": 1}}"#, false),
        (r#"{"l": "🪐é"}"#, true),
        (r#"{"l": "abc"}"#, false),
        (r#"{"r": true}"#, true),
        (r#"{"r": 1}"#, false),
    ] {
        assert_eq!(entry.validate(&value(json)).is_ok(), is_valid, "{json}");
    }
}

#[test]
fn a_long_value_does_not_make_a_long_complaint() {
    let entry = built("$id: https://e.org/x\nversion: '1'\nproperties: {a: {type: number}}");
    let violation = entry.validate(&value(&format!(r#"{{"a": "{}"}}"#, "é".repeat(100_000)))).unwrap_err();
    assert!(violation.message.chars().count() < 420, "{}", violation.message);
    assert!(violation.message.ends_with("is not of type \"number\""));
}

#[test]
fn a_schema_that_names_itself_follows_an_event_down_without_end_of_stack() {
    let entry = built("$id: https://e.org/x\nversion: '1'\nproperties: {child: {$ref: '#'}, n: {type: number}}");
    let nested = |levels: usize, n: &str| {
        let text = format!("{}{{\"n\": {n}}}{}", r#"{"child": "#.repeat(levels), "}".repeat(levels));
        schema::on_deep_stack(|| value(&text)).unwrap()
    };
    for levels in [0, 1, 15, 16, 17, 120, 255] {
        assert!(entry.validate(&nested(levels, "1")).is_ok(), "{levels}");
        let violation = entry.validate(&nested(levels, "\"x\"")).unwrap_err();
        assert_eq!(violation.pointer, format!("{}/n", "/child".repeat(levels)));
    }
    let violation = entry.validate(&nested(256, "1")).unwrap_err();
    assert_eq!(violation.to_string(), "/: it is nested deeper than 256 levels");
}

#[test]
fn of_the_launch_all_is_public_and_the_time_is_cut_and_of_the_others_nothing_is() {
    let registry = Registry::builtin();
    let public = "schema version python_logger provider spec ref status build_token origin request_origin";
    for entry in registry.iter() {
        let policy = &entry.policy;
        if &*entry.revision.schema == LAUNCH {
            assert!(public.split(' ').all(|name| policy.visibility(name) == Visibility::Public));
            assert!(matches!(policy.visibility("timestamp"), Visibility::Coarsened(_)));
            assert_eq!(policy.declared().count(), public.split(' ').count() + 1);
        } else {
            assert_eq!(policy.declared().count(), 0, "{}", entry.revision.schema);
        }
        assert_eq!(policy.visibility("taskName"), Visibility::Private);
        assert_eq!(entry.revision.columns, policy.columns());
        assert_eq!(entry.revision.hash.len(), 16);
    }
}
