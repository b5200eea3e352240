//! One event as the public sees it.
//!
//! The event's own text is shown untouched wherever the rules change nothing. Where they do (a time is cut, a field is
//! not declared public, the event was nested), the event is written anew exactly as Python's `json.dumps` would: that
//! is how every line of the archive came to be.

use event::EventTime;
use event::pyjson::{self, Field, Object, SyntaxError};
use schema::{Coarsening, Policy, Visibility};

use crate::minute::to_minute;

/// A line of a day's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The event's time as it is shown; the file is sorted by this text.
    pub(crate) timestamp: String,
    /// JSON, without an end of line.
    pub(crate) text: String,
    /// Fields that were not declared public and stayed inside.
    pub(crate) withheld: u64,
}

/// How emitters of an earlier time wrapped an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nesting {
    /// The fields are JSON text in the field `message`.
    pub(crate) message: bool,
    /// The fields are an object in the field `event`.
    pub(crate) event: bool,
}

/// Shows the event `text`, of which the door read `time`, by the rules of `policy` (P1: what is not declared public
/// never leaves).
///
/// # Errors
///
/// `text` is no JSON object, which no admitted event's is.
pub(crate) fn show(text: &str, time: EventTime, nesting: Nesting, policy: &Policy) -> Result<Line, SyntaxError> {
    let mut object = Object::parse(text)?;
    let mut changed = false;
    if nesting.message {
        changed |= lift(&mut object, "message", pyjson::decode_str)?;
    }
    if nesting.event {
        changed |= lift(&mut object, "event", |value| Some(value.to_owned()))?;
    }
    let before = object.fields().len();
    object.retain(|field| may_leave(policy, field));
    let withheld = before - object.fields().len();
    changed |= withheld > 0;
    let timestamp = cut_times(&mut object, time, policy, &mut changed);
    let text = if !changed && stands_as_it_is(text, &object) { text.trim().to_owned() } else { rewritten(&object)? };
    Ok(Line { timestamp, text, withheld: u64::try_from(withheld).unwrap_or(u64::MAX) })
}

/// Python's `event.update(nested); del event[key]`: fields that are there already are replaced in their place, new ones
/// follow. False when there is nothing to lift.
fn lift(object: &mut Object<'_>, key: &str, decode: impl FnOnce(&str) -> Option<String>) -> Result<bool, SyntaxError> {
    let Some(nested) = object.get(key).and_then(decode) else { return Ok(false) };
    let Ok(inner) = Object::parse(&nested) else { return Ok(false) };
    for field in inner.fields() {
        object.set(&field.key, field.value.clone().into_owned());
    }
    object.remove(key);
    Ok(true)
}

/// Whether a field may be shown, if need be after its rule took precision from it.
///
/// What a policy declares are properties with plain values. An object or array in their place holds properties of its
/// own, of which nothing was declared, so that it stays inside, whatever the outer name.
fn may_leave(policy: &Policy, field: &Field<'_>) -> bool {
    match policy.visibility(&field.key) {
        Visibility::Public => !field.value.starts_with(['{', '[']),
        Visibility::Coarsened(Coarsening::Minute) => field.value.starts_with('"'),
        // No key for pseudonyms exists yet, and without one they would be the names themselves.
        Visibility::Pseudonym | Visibility::Private => false,
    }
}

/// Cuts every field that is shown by the minute; returns the first one's text, or the minute that the door read, in
/// UTC, where none is shown.
fn cut_times(object: &mut Object<'_>, time: EventTime, policy: &Policy, changed: &mut bool) -> String {
    let coarsened = |field: &&Field<'_>| policy.visibility(&field.key) == Visibility::Coarsened(Coarsening::Minute);
    let keys: Vec<String> =
        object.fields().iter().filter(coarsened).map(|field| field.key.clone().into_owned()).collect();
    let mut first = None;
    for key in keys {
        let given = object.get(&key).and_then(pyjson::decode_str).unwrap_or_default();
        let cut = to_minute(&given).unwrap_or_else(|| utc_minute(time));
        if cut != given {
            let mut value = String::with_capacity(cut.len() + 2);
            pyjson::write_str(&mut value, &cut);
            object.set(&key, value);
            *changed = true;
        }
        first.get_or_insert(cut);
    }
    first.unwrap_or_else(|| utc_minute(time))
}

/// The minute of an instant, in the form of [`to_minute`].
fn utc_minute(time: EventTime) -> String {
    to_minute(&time.to_string()).unwrap_or_else(|| time.to_string())
}

/// Whether `text` is one line and holds exactly the fields of `object`, each once. A repeated key is the reason to
/// look: its earlier value is not in `object` and was judged by nobody.
fn stands_as_it_is(text: &str, object: &Object<'_>) -> bool {
    !text.contains(['\n', '\r']) && holds_only(text, object).is_some()
}

fn holds_only(text: &str, object: &Object<'_>) -> Option<()> {
    let mut rest = text.trim().strip_prefix('{')?;
    for (index, field) in object.fields().iter().enumerate() {
        rest = rest.trim_start();
        if index > 0 {
            rest = rest.strip_prefix(',')?.trim_start();
        }
        rest = rest.strip_prefix(&*field.key_text)?.trim_start().strip_prefix(':')?.trim_start();
        rest = rest.strip_prefix(&*field.value)?.trim_start();
    }
    (rest.trim_start() == "}").then_some(())
}

fn rewritten(object: &Object<'_>) -> Result<String, SyntaxError> {
    let mut text = String::new();
    object.write_python(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        let text = "schema = 'a/b'\n[visibility]\ntimestamp = 'coarsened(minute)'\nspec = 'public'\nversion = 'public'\n\
                    python_logger = 'public'\nuser = 'pseudonym'\nip = 'private'\n";
        Policy::parse(text).unwrap()
    }

    fn shown(text: &str) -> String {
        show(text, EventTime::from_micros(0), Nesting::default(), &policy()).unwrap().text
    }

    #[test]
    fn what_the_rules_leave_alone_is_shown_as_it_stands() {
        for text in [
            r#"{"timestamp": "2018-11-03T00:00:00+00:00", "spec": "a/b/c", "version": 1}"#,
            r#"{"version":5.0,"spec":"\u00e9 é \/","timestamp":"2018-11-03T00:00:00+00:00"}"#,
            r#"{ "timestamp" : "2018-11-03T00:00:00" , "version" : 1E2 }"#,
            "{}",
        ] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown("  {\"version\": 1}\t"), "{\"version\": 1}");
    }

    #[test]
    fn what_they_change_is_written_as_python_writes_it() {
        for (text, expected) in [
            (
                r#"{"timestamp":"2018-11-03T00:00:31.5Z","spec":"é🪐/\u2028/\u007f","version":5.0}"#,
                r#"{"timestamp": "2018-11-03T00:00:00+00:00", "spec": "\u00e9\ud83e\ude90/\u2028/\u007f", "version": 5.0}"#,
            ),
            ("{\"version\":\n1}", "{\"version\": 1}"),
            (r#"{"version": 1, "spec": "a", "version": 2}"#, r#"{"version": 2, "spec": "a"}"#),
            (r#"{"timestamp": "yesterday"}"#, r#"{"timestamp": "1970-01-01T00:00:00+00:00"}"#),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    /// P1: the taint stands wherever a private value could hide; it is never shown.
    #[test]
    fn what_is_not_declared_public_never_leaves() {
        for text in [
            r#"{"ip": "TAINT", "spec": "a"}"#,
            r#"{"spec": "a", "undeclared": "TAINT"}"#,
            r#"{"spec": "a", "user": "TAINT"}"#,
            r#"{"spec": "a", "undeclared": {"spec": "TAINT"}}"#,
            r#"{"spec": "a", "python_logger": {"ip": "TAINT"}}"#,
            r#"{"spec": "a", "python_logger": [["TAINT"]]}"#,
            r#"{"spec": "a", "python_logger": {"ip": "TAINT"}, "python_logger": null}"#,
            r#"{"spec": "a", "ip": "TAINT", "ip": null}"#,
            r#"{"spec": "a", "\u0069p": "TAINT"}"#,
            r#"{"spec": "a", "ip\u0000": "TAINT"}"#,
            r#"{"spec": "a", "timestamp": {"ip": "TAINT"}}"#,
            r#"{"spec": "a", "timestamp": "TAINT"}"#,
            r#"{"spec": "a", "event": {"ip": "TAINT"}}"#,
            r#"{"spec": "a", "event": "TAINT"}"#,
            r#"{"spec": "a", "message": "{\"ip\": \"TAINT\"}"}"#,
            r#"{"spec": "a", "message": "TAINT"}"#,
            r#"{"spec": "a", "event": {"event": {"ip": "TAINT"}}}"#,
            r#"{"spec": "a", "event": {"python_logger": {"x": "TAINT"}}}"#,
        ] {
            for nesting in [(false, false), (true, false), (false, true), (true, true)] {
                let nesting = Nesting { message: nesting.0, event: nesting.1 };
                let line = show(text, EventTime::from_micros(0), nesting, &policy()).unwrap();
                assert!(!line.text.contains("TAINT"), "{text} {nesting:?} gave {}", line.text);
                assert!(!line.timestamp.contains("TAINT"));
                assert!(line.text.contains(r#""spec": "a""#), "{}", line.text);
            }
        }
    }

    /// The order that Python's `update` and `del` leave.
    #[test]
    fn nested_events_are_lifted() {
        let nesting = Nesting { message: false, event: true };
        let text = r#"{"timestamp": "2018-11-03T00:00:00+00:00", "event": {"spec": "a", "version": 2}, "version": 1}"#;
        let line = show(text, EventTime::from_micros(0), nesting, &policy()).unwrap();
        assert_eq!(line.text, r#"{"timestamp": "2018-11-03T00:00:00+00:00", "version": 2, "spec": "a"}"#);
        let nesting = Nesting { message: true, event: false };
        let text = r#"{"message": "{\"version\": 1, \"spec\": \"\\u00e9\"}", "python_logger": null}"#;
        let line = show(text, EventTime::from_micros(0), nesting, &policy()).unwrap();
        assert_eq!(line.text, r#"{"python_logger": null, "version": 1, "spec": "\u00e9"}"#);
    }
}
