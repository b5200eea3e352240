//! Cuts a body into events: one object, an array of objects, or an object a line. Every event keeps its exact bytes.

use bytes::Bytes;
use event::pyjson::{Elements, inspect};
use memchr::memchr;

use super::Item;
use crate::Limits;
use crate::request::Refusal;

/// `bytes` without the space that JSON allows around a value, and without a byte order mark.
pub fn trimmed(bytes: &Bytes) -> Bytes {
    let inside = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.slice_ref(trim(inside))
}

fn trim(bytes: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = bytes.iter().position(|byte| !is_space(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// The events of `body`, which is [`trimmed`] and not empty. `is_lines`: the sender says that it is NDJSON.
///
/// # Errors
/// It is an array that is not JSON, an empty one, or has more events than a request may have.
pub fn split(body: &Bytes, is_lines: bool, limits: &Limits) -> Result<Vec<Item>, Refusal> {
    if body.first() == Some(&b'[') && !is_lines {
        return elements(body, limits);
    }
    let Some(first_end) = memchr(b'\n', body) else {
        return Ok(vec![Item::plain(body.clone())]);
    };
    // Lines that are events, or one event over several lines: the first line alone tells, for no line of a value that
    // goes on is a value itself (but for a scalar on a line of its own, which no object begins with).
    let first_is_whole = || inspect(&body[..first_end], usize::MAX, |_| {}).is_ok();
    if !is_lines && !first_is_whole() && inspect(body, usize::MAX, |_| {}).is_ok() {
        return Ok(vec![Item::plain(body.clone())]);
    }
    lines(body, limits)
}

fn lines(body: &Bytes, limits: &Limits) -> Result<Vec<Item>, Refusal> {
    let mut items = Vec::with_capacity(memchr::memchr_iter(b'\n', body).take(limits.events_max).count() + 1);
    let mut rest = &body[..];
    while !rest.is_empty() {
        let (line, after) = match memchr(b'\n', rest) {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = after;
        let line = trim(line);
        if !line.is_empty() {
            push(&mut items, body.slice_ref(line), limits)?;
        }
    }
    Ok(items)
}

fn elements(body: &Bytes, limits: &Limits) -> Result<Vec<Item>, Refusal> {
    let mut items = Vec::new();
    for element in Elements::new(body, usize::MAX) {
        let element = element.map_err(|error| {
            Refusal::bad_request("not_json", format!("the body begins like an array but is not JSON: {error}"))
        })?;
        push(&mut items, body.slice(element), limits)?;
    }
    if items.is_empty() {
        return Err(Refusal::bad_request("empty", "the array is empty; send at least one event"));
    }
    Ok(items)
}

fn push(items: &mut Vec<Item>, text: Bytes, limits: &Limits) -> Result<(), Refusal> {
    if items.len() >= limits.events_max {
        let detail = format!("the body has more than {} events; send fewer at once", limits.events_max);
        return Err(Refusal::too_large("too_many_events", detail));
    }
    items.push(Item::plain(text));
    Ok(())
}
