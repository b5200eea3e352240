//! The form that Python's `logging.handlers.HTTPHandler` sends: a `LogRecord`, url-encoded, of which `msg` is the
//! event: the Python repr of a dict, or JSON text when a queue stood between.
//!
//! The handler never looks at the answer, so an event that cannot be decoded is kept aside rather than refused.

use bytes::Bytes;
use event::{Reason, Repair, Repairs};

use super::{Fault, Item, jsonl, repr};
use crate::Limits;
use crate::request::Refusal;

/// Whether `form` has a field `msg`.
pub fn has_msg(form: &[u8]) -> bool {
    value_of(form).is_some()
}

/// The event in the field `msg` of the form (the last one, because the handler appends its own to those of its url).
///
/// # Errors
/// The form has no `msg`.
pub fn item(form: &[u8], limits: &Limits) -> Result<Item, Refusal> {
    let Some(value) = value_of(form) else {
        let detail = "the form has no field 'msg'; logging.handlers.HTTPHandler sends the event there (one that overrides \
                      mapLogRecord does not, and loses types)";
        return Err(Refusal::bad_request("no_msg", detail));
    };
    Ok(event_of(jsonl::trimmed(&Bytes::from(unescaped(value))), limits))
}

fn value_of(form: &[u8]) -> Option<&[u8]> {
    form.split(|byte| *byte == b'&').rev().find_map(|field| field.strip_prefix(b"msg="))
}

/// Undoes `+` and `%xx`; a `%` without two hexadecimal digits stands for itself, as in Python.
fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, beyond @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(nibble(*high) << 4 | nibble(*low));
                rest = beyond;
            }
            _ => out.push(*first),
        }
    }
    out
}

/// The value of an ASCII hexadecimal digit.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

fn event_of(text: Bytes, limits: &Limits) -> Item {
    let Ok(utf8) = std::str::from_utf8(&text) else {
        return Item::faulty(text, Fault::new(Reason::BadUtf8, "the field 'msg' is not UTF-8"));
    };
    if event::pyjson::inspect(text.as_ref(), usize::MAX, |_| {}).is_ok() {
        return Item::plain(text);
    }
    match repr::to_json(utf8, limits.depth_max) {
        Ok(json) => {
            let mut repairs = Repairs::NONE;
            repairs.insert(Repair::PythonRepr);
            Item { text: json.into(), repairs, fault: None }
        }
        Err(error) => {
            let reason = if error.is_too_deep() { Reason::TooDeep } else { Reason::NotJson };
            let detail = format!("the field 'msg' is neither JSON nor the Python repr of a dict: {error}");
            Item::faulty(text, Fault::new(reason, detail))
        }
    }
}
