//! Lines of an exported Cloud Logging log: each is a `LogEntry` of which `jsonPayload` is, or holds, the event.

use bytes::Bytes;
use event::pyjson::{Object, SyntaxFault};
use event::{Reason, Repairs};

use super::{Fault, capsule};

/// The event of a log entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudEvent {
    /// Its text: the exact `jsonPayload`, or what is left when nesting is undone.
    pub text: Bytes,
    /// Which nesting was undone.
    pub repairs: Repairs,
}

/// The event in one line of a Cloud Logging export.
///
/// To 2022-10 `jsonPayload.message` is a text that holds the event; the payload's other fields (`python_logger`) come
/// first then. In that event, fields may lie in a nested `event` (2018-10).
///
/// **Source**: `archiver.py` of jupyterhub/mybinder.org-deploy.
///
/// # Errors
/// The line is no log entry, or has no `jsonPayload` object.
pub fn cloud_log_line(line: &Bytes) -> Result<CloudEvent, Fault> {
    let Ok(utf8) = std::str::from_utf8(line) else {
        return Err(Fault::new(Reason::BadUtf8, "the log entry holds bytes that are not UTF-8"));
    };
    let entry = Object::parse(utf8).map_err(|error| match error.fault {
        SyntaxFault::NotAnObject => Fault::new(Reason::NotAnObject, "a log entry is a JSON object"),
        _ => Fault::new(Reason::NotJson, format!("the log entry is not JSON: {error}")),
    })?;
    let payload = entry.get("jsonPayload").filter(|payload| payload.starts_with('{'));
    let Some(payload) = payload else {
        return Err(Fault::new(Reason::NoSchema, "the log entry has no object 'jsonPayload', so it holds no event"));
    };
    let mut event = CloudEvent { text: part(line, payload.as_bytes()), repairs: Repairs::NONE };
    // A message in the payload, then an event in the message: never more.
    for _ in 0..2 {
        let text = std::str::from_utf8(&event.text).unwrap_or_default();
        let Some((inner, repair)) = capsule::unnested(text) else { break };
        event.text = inner.into();
        event.repairs.insert(repair);
    }
    Ok(event)
}

/// `slice` as a part of `whole`, which it is as long as nothing in the object was replaced.
fn part(whole: &Bytes, slice: &[u8]) -> Bytes {
    let (outer, inner) = (whole.as_ptr_range(), slice.as_ptr_range());
    let is_within = outer.start <= inner.start && inner.end <= outer.end;
    if is_within { whole.slice_ref(slice) } else { Bytes::copy_from_slice(slice) }
}
