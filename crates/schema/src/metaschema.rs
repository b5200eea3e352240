//! What a schema must satisfy to be registered.
//!
//! **Source**: the meta-schemas of `jupyter_events` (`event-metaschema.yml`, `property-metaschema.yml`), written as
//! code so that each complaint can say what would be right. Where BinderHub and `jupyter_telemetry` allow more (an id
//! without a scheme), so do we. Two rules are ours: no `$ref` leaves the document, and references must not multiply
//! without bound.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::RegisterError;
use crate::source::each_child;

/// How many schema steps one value of an event may cost, references followed: the largest schema known takes 90.
/// Without a bound twenty lines of references that each name the next twice cost a million.
const STEPS_MAX: u64 = 20_000;

/// What the rest needs to know of a schema that satisfies the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: String,
    pub(crate) version: String,
    /// The version is written as a number, so emitters send a number.
    pub(crate) version_is_integer: bool,
    pub(crate) style: Style,
}

/// Whose rules its emitter validates by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `jupyter_events`: the id is a URI; draft 7, formats are checked.
    Events,
    /// BinderHub and `jupyter_telemetry`: the id has no scheme; the newest draft unless `$schema` says otherwise,
    /// formats are not checked.
    Plain,
}

/// Checks every rule that needs no compiling.
pub(crate) fn check(schema: &Value) -> Result<Identity, RegisterError> {
    let Value::Object(members) = schema else {
        return Err(RegisterError::NotAnObject { found: kind_of(schema) });
    };
    let (id, style) = id_of(members)?;
    let (version, version_is_integer) = version_of(members)?;
    if !members.get("properties").is_some_and(Value::is_object) {
        let expected = "properties must be an object that names the event's fields";
        return Err(RegisterError::Missing { pointer: "/properties", expected });
    }
    check_names(schema, &mut String::new())?;
    check_references(schema, &mut String::new())?;
    check_ends(schema)?;
    check_steps(schema)?;
    Ok(Identity { id, version, version_is_integer, style })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn id_of(members: &Map<String, Value>) -> Result<(String, Style), RegisterError> {
    let expected = "$id must be a text, such as https://example.org/events/thing";
    let id = members.get("$id").and_then(Value::as_str);
    let id = id.ok_or(RegisterError::Missing { pointer: "/$id", expected })?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let bad = || RegisterError::BadId { id: id.to_owned() };
    if !id.bytes().all(allowed) || !percents_are_escapes(id) {
        return Err(bad());
    }
    if let Some((scheme, rest)) = id.split_once("://") {
        let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
        return if is_scheme(scheme) && !authority.is_empty() {
            Ok((id.to_owned(), Style::Events))
        } else {
            Err(bad())
        };
    }
    if let Some((scheme @ ("urn" | "tag"), rest)) = id.split_once(':') {
        return if is_scheme(scheme) && !rest.is_empty() { Ok((id.to_owned(), Style::Events)) } else { Err(bad()) };
    }
    match id.split_once('/') {
        Some((authority, name)) if authority.contains('.') && !authority.starts_with('.') && !name.is_empty() => {
            Ok((id.to_owned(), Style::Plain))
        }
        _ => Err(bad()),
    }
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn percents_are_escapes(id: &str) -> bool {
    id.split('%').skip(1).all(|rest| rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)))
}

fn version_of(members: &Map<String, Value>) -> Result<(String, bool), RegisterError> {
    let expected = "version must be a text such as \"1\" (a whole number is taken as its digits)";
    match members.get("version") {
        Some(Value::String(text)) if !text.is_empty() => Ok((text.clone(), false)),
        Some(Value::Number(number)) if number.is_i64() => Ok((number.to_string(), true)),
        _ => Err(RegisterError::Missing { pointer: "/version", expected }),
    }
}

fn check_names(value: &Value, pointer: &mut String) -> Result<(), RegisterError> {
    each_child(value, pointer, &mut |child, pointer| {
        let name = pointer.rsplit('/').next().unwrap_or_default();
        if value.is_object() && name.starts_with("__") {
            return Err(RegisterError::ReservedName { pointer: pointer.clone() });
        }
        check_names(child, pointer)
    })
}

/// Keywords whose values are data, in which `$ref` means nothing.
const DATA_KEYWORDS: [&str; 4] = ["const", "enum", "default", "examples"];

fn check_references(value: &Value, pointer: &mut String) -> Result<(), RegisterError> {
    let is_root = pointer.is_empty();
    each_child(value, pointer, &mut |child, pointer| {
        let name = pointer.rsplit('/').next().unwrap_or_default();
        if value.is_object() && DATA_KEYWORDS.contains(&name) {
            return Ok(());
        }
        let Value::String(text) = child else { return check_references(child, pointer) };
        let pointer = || pointer.clone();
        match name {
            "$ref" if text == "#" || text.starts_with("#/") => Ok(()),
            "$ref" if !text.starts_with('#') => {
                Err(RegisterError::RemoteReference { pointer: pointer(), reference: text.clone() })
            }
            // By anchor or dynamic: what they lead to, and so what they cost, could not be told beforehand.
            "$ref" | "$dynamicRef" | "$recursiveRef" => {
                Err(RegisterError::UnsupportedReference { pointer: pointer(), reference: text.clone() })
            }
            // It would give another meaning to every reference below.
            "$id" if !is_root => Err(RegisterError::NestedId { pointer: pointer() }),
            _ => Ok(()),
        }
    })
}

/// Keywords whose schemas judge the same value, not a part of it.
const SAME_VALUE_KEYWORDS: [&str; 8] = ["$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"];

/// Refuses references that come round without going deeper into the event: judging by them would never end.
fn check_ends(root: &Value) -> Result<(), RegisterError> {
    let mut done = HashSet::new();
    every_schema(root, &mut String::new(), &mut |schema, pointer| {
        if comes_round(root, schema, &mut HashSet::new(), &mut done) {
            return Err(RegisterError::EndlessReference { pointer: pointer.clone() });
        }
        Ok(())
    })
}

fn every_schema(
    value: &Value,
    pointer: &mut String,
    visit: &mut dyn FnMut(&Value, &mut String) -> Result<(), RegisterError>,
) -> Result<(), RegisterError> {
    if value.is_object() {
        visit(value, pointer)?;
    }
    each_child(value, pointer, &mut |child, pointer| every_schema(child, pointer, visit))
}

/// Whether judging by `schema` leads back to a schema on the way (`path`). `done` holds those known to end.
fn comes_round(
    root: &Value,
    schema: &Value,
    path: &mut HashSet<*const Value>,
    done: &mut HashSet<*const Value>,
) -> bool {
    let Value::Object(members) = schema else { return false };
    let address = std::ptr::from_ref(schema);
    if done.contains(&address) {
        return false;
    }
    if !path.insert(address) {
        return true;
    }
    let dependents = members.get("dependentSchemas").or(members.get("dependencies")).and_then(Value::as_object);
    let mut next: Vec<&Value> = dependents.into_iter().flat_map(Map::values).collect();
    for keyword in SAME_VALUE_KEYWORDS {
        match members.get(keyword) {
            Some(Value::String(reference)) => next.extend(target(root, reference)),
            Some(Value::Array(schemas)) => next.extend(schemas),
            Some(schema) => next.push(schema),
            None => {}
        }
    }
    let round = next.into_iter().any(|schema| comes_round(root, schema, path, done));
    path.remove(&address);
    done.insert(address);
    round
}

/// Counts the steps that one value can cost: every subschema once for each way that leads to it. A cycle costs nothing
/// when it comes round, because it can only go on in a deeper value.
fn check_steps(schema: &Value) -> Result<(), RegisterError> {
    let mut steps = HashMap::new();
    if count(schema, schema, &mut steps) > STEPS_MAX {
        return Err(RegisterError::TooManySteps { max: STEPS_MAX });
    }
    Ok(())
}

fn count<'s>(root: &'s Value, value: &'s Value, known: &mut HashMap<*const Value, u64>) -> u64 {
    if let Some(steps) = known.get(&std::ptr::from_ref(value)) {
        return *steps;
    }
    let steps = match value {
        Value::Object(members) => {
            // What is being counted costs nothing until it is known: see above.
            known.insert(value, 0);
            let mut steps = 1_u64;
            for child in members.values() {
                steps = steps.saturating_add(count(root, child, known));
            }
            let target = members.get("$ref").and_then(Value::as_str).and_then(|reference| target(root, reference));
            target.map_or(steps, |target| steps.saturating_add(count(root, target, known)))
        }
        Value::Array(items) => items.iter().fold(0_u64, |steps, item| steps.saturating_add(count(root, item, known))),
        _ => return 0,
    };
    known.insert(value, steps);
    steps
}

/// What the local reference `reference` points to.
pub(crate) fn target<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    root.pointer(reference.strip_prefix('#')?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(extra: Value) -> Value {
        let mut schema = json!({"$id": "https://e.org/x", "version": "1", "properties": {}});
        schema.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        schema
    }

    #[test]
    fn ids_are_uris_or_authority_and_name() {
        for (id, expected) in [
            ("https://example.org/events/x", Some(Style::Events)),
            ("http://event.jupyter.org/test", Some(Style::Events)),
            ("https://jupyter-ai/jupyter_ai_acp_client/events/acp_telemetry", Some(Style::Events)),
            ("urn:example:x", Some(Style::Events)),
            ("binderhub.jupyter.org/launch", Some(Style::Plain)),
            ("https://e.org/v%C3%A9nements", Some(Style::Events)),
            ("not-a-uri", None),
            ("", None),
            ("https://", None),
            ("://x/y", None),
            ("https://e.org/événements", None),
            ("e.org/a b", None),
            ("https://e.org/%zz", None),
            (".org/x", None),
            ("e.org/", None),
        ] {
            let checked = check(&with(json!({"$id": id})));
            assert_eq!(checked.as_ref().ok().map(|identity| identity.style), expected, "{id}: {checked:?}");
        }
    }

    #[test]
    fn each_rule_complains_where_it_is_broken() {
        for (extra, complaint) in [
            (json!({"$id": 1}), "/$id: $id must be a text"),
            (json!({"version": 1.5}), "/version: version must be a text"),
            (json!({"version": ""}), "/version: version must be a text"),
            (json!({"properties": []}), "/properties: properties must be an object"),
            (
                json!({"properties": {"a": {"items": {"properties": {"__b": {}}}}}}),
                "/properties/a/items/properties/__b: ",
            ),
            (json!({"properties": {"a": {"$ref": "https://e.org/y"}}}), "/properties/a/$ref: 'https://e.org/y'"),
            (json!({"properties": {"a": {"$ref": "other.json#/a"}}}), "points to another document"),
            (json!({"properties": {"a": {"$ref": "#name"}}}), "/properties/a/$ref: '#name' is a reference by anchor"),
            (json!({"properties": {"a": {"$dynamicRef": "#x"}}}), "/properties/a/$dynamicRef: '#x' is a reference"),
            (json!({"properties": {"a": {"$id": "b"}}}), "/properties/a/$id: only the schema itself has an $id"),
            (json!({"allOf": [{"$ref": "#"}]}), "/: its references come round"),
            (json!({"$defs": {"b": {"$ref": "#/$defs/b"}}}), "/$defs/b: its references come round"),
            (
                json!({"$defs": {"b": {"not": {"$ref": "#/$defs/c"}}, "c": {"anyOf": [{}, {"$ref": "#/$defs/b"}]}}}),
                "come round",
            ),
        ] {
            let error = check(&with(extra)).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
        assert_eq!(check(&json!("418")).unwrap_err(), RegisterError::NotAnObject { found: "a text" });
    }

    #[test]
    fn a_reference_in_data_is_data_and_a_local_one_is_fine() {
        let schema = json!({"properties": {"a": {"$ref": "#/$defs/b", "default": {"$ref": "x"}}}, "$defs": {"b": {}}});
        assert!(check(&with(schema)).is_ok());
        assert!(check(&with(json!({"properties": {"child": {"$ref": "#"}}}))).is_ok());
    }

    #[test]
    fn references_that_multiply_are_refused() {
        let mut definitions = Map::new();
        for level in 0..40 {
            let next = format!("#/$defs/d{}", level + 1);
            definitions.insert(format!("d{level}"), json!({"allOf": [{"$ref": next}, {"$ref": next}]}));
        }
        definitions.insert("d40".into(), json!({"type": "string"}));
        let error =
            check(&with(json!({"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": definitions}))).unwrap_err();
        assert_eq!(error, RegisterError::TooManySteps { max: STEPS_MAX });
    }
}
