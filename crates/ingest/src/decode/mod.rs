//! From bytes to one text per event, and from a text to what the emitter says about it.
//!
//! Pure: bytes in, values out; every decoder takes whatever bytes there are and never panics.

pub mod body;
pub mod capsule;
mod cloud_log;
pub mod form;
pub mod jsonl;
mod parse;
pub mod repr;
mod time;

use std::borrow::Cow;

use bytes::Bytes;
use event::{Reason, Repairs};

pub use cloud_log::{CloudEvent, cloud_log_line};
pub use parse::Parsed;
pub use time::event_time;

use crate::Limits;
use crate::request::{Method, Refusal, Request};

/// One event as it was cut out of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its text: a slice of what was sent, but where a form had to be decoded.
    pub text: Bytes,
    /// What had to be repaired to get at it.
    pub repairs: Repairs,
    /// Set when the text is already known to be no event.
    pub fault: Option<Fault>,
}

/// Why a text is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable code.
    pub reason: Reason,
    /// A sentence for people.
    pub detail: Cow<'static, str>,
}

impl Fault {
    pub(crate) fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl Item {
    pub(crate) fn plain(text: Bytes) -> Self {
        Self { text, repairs: Repairs::NONE, fault: None }
    }

    pub(crate) fn faulty(text: Bytes, fault: Fault) -> Self {
        Self { text, repairs: Repairs::NONE, fault: Some(fault) }
    }
}

/// The events of a request, in order.
///
/// # Errors
/// Nothing of the request can be kept.
pub fn items(request: &Request, limits: &Limits) -> Result<Vec<Item>, Refusal> {
    if request.method == Method::Get {
        let query = request.query.as_deref().unwrap_or_default();
        return form::item(query.as_bytes(), limits).map(|item| vec![item]);
    }
    let body = body::inflated(&request.body, request.content_encoding.as_deref(), limits)?;
    let body = jsonl::trimmed(&body);
    if body.is_empty() {
        return Err(Refusal::bad_request("empty", "the body is empty; send a JSON object, an array or NDJSON"));
    }
    let declared = request.content_type.as_deref().map(media_type).unwrap_or_default();
    let is_form = match &*declared {
        // Programs that say nothing are often taken to send a form although they send JSON.
        _ if matches!(body.first(), Some(b'{' | b'[')) => false,
        "application/x-www-form-urlencoded" => true,
        "application/json" | "application/x-ndjson" | "application/ndjson" | "application/jsonl" => false,
        _ => form::has_msg(&body),
    };
    if is_form {
        return form::item(&body, limits).map(|item| vec![item]);
    }
    let is_lines = declared.ends_with("ndjson") || declared.ends_with("jsonl");
    jsonl::split(&body, is_lines, limits)
}

/// `Application/JSON; charset=utf-8` is `application/json`.
fn media_type(header: &str) -> String {
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
