//! A request as it came, and the answer when nothing of it can be kept.

use std::fmt;

use bytes::Bytes;

/// How it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The events are in the body.
    Post,
    /// The event is in the query string.
    Get,
}

/// What the door needs of an HTTP request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where the events are.
    pub method: Method,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The header `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// The query string without its `?`.
    pub query: Option<String>,
    /// The body as sent.
    pub body: Bytes,
}

/// What kind of mistake a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The request is not understood.
    BadRequest,
    /// A limit was exceeded.
    TooLarge,
    /// The body is encoded in a way that is not understood.
    UnsupportedMedia,
}

/// Nothing of the request was kept, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable name: `empty`, `not_json`, `no_msg`, `bad_encoding`, `unknown_encoding`, `body_too_large`,
    /// `inflates_too_far`, `too_many_events`.
    pub code: &'static str,
    /// What is wrong, where, and what would be right.
    pub detail: String,
    /// What kind of mistake it is.
    pub kind: RefusalKind,
}

impl Refusal {
    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), kind: RefusalKind::BadRequest }
    }

    pub(crate) fn too_large(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), kind: RefusalKind::TooLarge }
    }

    pub(crate) fn unsupported(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), kind: RefusalKind::UnsupportedMedia }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}
