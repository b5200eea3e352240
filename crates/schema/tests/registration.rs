//! What may be registered, what may not, and what is said about it.

use std::path::{Path, PathBuf};

use schema::{Found, RegisterError, Registry};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/schemas")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(fixtures().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn refused(text: &str) -> RegisterError {
    Registry::builtin().with(text).expect_err(text)
}

/// A schema with `extra` lines of YAML at its end.
fn schema_with(extra: &str) -> String {
    format!("$id: https://e.org/x\nversion: '1'\n{extra}")
}

#[test]
fn the_good_examples_of_jupyter_events_are_taken() {
    for name in ["array.yaml", "basic.json", "basic.yaml", "nested-array.yaml", "user.yaml"] {
        let text = read(&format!("event.jupyter.org_meta/tests-good-{name}"));
        let registry = Registry::builtin().with(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(registry.iter().count(), Registry::builtin().iter().count() + 1, "{name}");
    }
}

#[test]
fn the_bad_examples_of_jupyter_events_are_refused_with_the_place() {
    for (name, complaint) in [
        ("bad-id.yaml", "/$id: 'not-a-uri' is neither a URI"),
        ("invalid.yaml", "this is a text"),
        ("nested-reserved-property.yaml", "/properties/users/items/properties/hobbies/items/properties/__badName: "),
        ("reserved-property.yaml", "/properties/__badName: names that begin with '__' are reserved"),
    ] {
        let error = refused(&read(&format!("event.jupyter.org_meta/tests-bad-{name}"))).to_string();
        assert!(error.contains(complaint), "{name}: {error}");
    }
}

#[test]
fn schemas_of_other_packages_are_taken_also_two_texts_of_one_id_and_version() {
    let mut registry = Registry::builtin();
    let mut count = registry.iter().count();
    for folder in std::fs::read_dir(fixtures()).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() || folder.ends_with("event.jupyter.org_meta") {
            continue;
        }
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            let mut text = std::fs::read_to_string(&file).unwrap();
            // Those extracted from Python source stand in a frame that names the source.
            if let Ok(frame) = serde_json::from_str::<serde_json::Value>(&text) {
                text = frame["schema"].to_string();
            }
            registry = registry.with(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            count += 1;
        }
    }
    assert_eq!(registry.iter().count(), count);
    let session = registry.find("https://schema.jupyter.org/jupyter_collaboration/session/v1", "1");
    let Found::Revisions(revisions) = session else { panic!("{session:?}") };
    assert_eq!(revisions.len(), 3);
}

#[test]
fn the_same_text_again_changes_nothing_and_a_new_text_is_asked_first() {
    let first = schema_with("properties: {a: {type: string}}");
    let second = schema_with("properties: {a: {type: number}}");
    let registry = Registry::builtin().with(&first).unwrap();
    assert_eq!(registry.with(&first).unwrap().iter().count(), registry.iter().count());
    let registry = registry.with(&second).unwrap();
    let Found::Revisions(revisions) = registry.find("https://e.org/x", "1") else { panic!() };
    let number = sonic_rs::from_str(r#"{"a": 1}"#).unwrap();
    assert!(revisions[0].validate(&number).is_ok());
    let violation = revisions[1].validate(&number).unwrap_err();
    assert_eq!(violation.to_string(), "/a: 1 is not of type \"string\"");
    for revision in revisions.iter() {
        assert_eq!(registry.revision(&revision.revision.hash).unwrap().revision, revision.revision);
    }
}

#[test]
fn every_refusal_names_the_place_and_what_would_be_right() {
    let deep = format!("{{\"$id\": \"https://e.org/x\", \"a\": {}{}}}", "[".repeat(100), "]".repeat(100));
    let long = schema_with(&format!("properties: {{}}\ndescription: {}", "x".repeat(300_000)));
    for (text, complaint) in [
        ("{", "neither JSON nor YAML"),
        ("a: [", "neither JSON nor YAML"),
        ("", "schema"),
        ("[]", "this is an array"),
        (&deep, "nested deeper than 64 levels at /a/0/0"),
        (&long, "at most 262144 are taken"),
        (&schema_with(""), "/properties: "),
        (&schema_with("properties: {a: {type: strin}}"), "/properties/a/type: \"strin\" is not"),
        (&schema_with("properties: {a: {pattern: '^(?!__)'}}"), "/properties/a/pattern: '^(?!__)' is not a pattern"),
        (&schema_with("properties: {a: {pattern: '(a)\\1'}}"), "linear time"),
        (&schema_with("properties: {a: {pattern: '('}}"), "/properties/a/pattern: '(' is not a pattern"),
        (&schema_with("properties: {a: {patternProperties: {'(?=x)': {}}}}"), "linear time"),
        (&schema_with("properties: {a: {$ref: 'https://e.org/other'}}"), "never fetched"),
        (&schema_with("properties: {a: {$ref: '#/nowhere'}}"), "nowhere"),
    ] {
        let error = refused(text).to_string();
        assert!(error.contains(complaint), "of {:.80}: {error}", text);
    }
}

#[test]
fn anchors_that_multiply_are_refused_quickly() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    let error = refused(&text);
    assert!(matches!(error, RegisterError::Syntax(_)), "{error}");
}

#[test]
fn ids_and_versions_that_are_unknown_get_the_nearest() {
    let registry = Registry::builtin();
    let Found::UnknownSchema { nearest } = registry.find("binderhub.jupyter.io/launch", "1") else { panic!() };
    assert_eq!(nearest, Some("binderhub.jupyter.org/launch"));
    let Found::UnknownVersion { known } = registry.find("binderhub.jupyter.org/launch", "7") else { panic!() };
    assert_eq!(known, ["1", "2", "3", "4", "5", "6"]);
}
