//! The one mapping from errors to answers: problem documents (RFC 9457).
//!
//! A document has `type` (`urn:hubscope:problem:<code>`), `title` (which kind of problem it is, in words), `status`,
//! `detail` (what, where, what would be right) and `code`, which is stable. What only the operator should read goes to
//! the log, with the id that the answer carries in `x-request-id`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::{CollectError, Refusal, RefusalKind};
use query::QueryError;
use serde::Serialize;

use crate::access::Verb;
use crate::app::ErasureError;

/// How to present a token. A browser asks its user for name and password; the password is the token.
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="hubscope", charset="UTF-8""#);

/// The code of a problem, left with the answer for whoever counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code(pub(crate) &'static str);

/// An error as a caller over HTTP sees it.
#[derive(Debug)]
pub(crate) struct Problem {
    /// What the connection and programs act on.
    pub(crate) status: StatusCode,
    /// Stable name.
    pub(crate) code: &'static str,
    /// What kind of problem it is, in words.
    pub(crate) title: &'static str,
    /// This one, in a sentence.
    pub(crate) detail: String,
    retry_after_seconds: Option<u32>,
    /// For the log alone.
    internal: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, title, detail: detail.into(), retry_after_seconds: None, internal: None }
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "the request cannot be understood", detail)
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address", what)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "this address exists, but does not take this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the method is not allowed here", detail)
    }

    pub(crate) fn cross_site() -> Self {
        let detail = "a page of another site made the browser send this; send it from a program or from this site";
        Self::new(StatusCode::FORBIDDEN, "cross_site", "requests from other sites are refused", detail)
    }

    pub(crate) fn body_too_large(limit: usize) -> Self {
        let detail = format!("the body is longer than {limit} bytes; send fewer events at once");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is too large", detail)
    }

    pub(crate) fn body_too_slow(seconds: u64) -> Self {
        let detail = format!("the body did not arrive within {seconds} s; nothing of it was kept");
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "the body came too slowly", detail)
    }

    pub(crate) fn body_broken() -> Self {
        Self::bad_request("body_broken", "the connection broke before the body was complete; nothing of it was kept")
    }

    pub(crate) fn overloaded() -> Self {
        let detail = "more arrives than can be written; nothing of this request was kept, send it again";
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "too much at once", detail);
        problem.retry_after_seconds = Some(1);
        problem
    }

    /// Nobody was named, and this needs somebody. `some_exist` tells whether any token could be presented.
    pub(crate) fn no_token(wanted: Verb, some_exist: bool) -> Self {
        let verb = wanted.name();
        let detail = if some_exist {
            format!(
                "present a token that may {verb}: as 'Authorization: Bearer TOKEN', as the password of Basic \
                 authentication, or as the query parameter 'token'"
            )
        } else {
            format!(
                "no token exists, so only programs on the server's own machine may {verb}; make one there with \
                 'hubscope token create --hub NAME --may {verb}' and present it"
            )
        };
        Self::new(StatusCode::UNAUTHORIZED, "token_missing", "a token is needed", detail)
    }

    pub(crate) fn unknown_token() -> Self {
        let detail = "the token that was presented does not exist, or was revoked; 'hubscope token list' lists those \
                      that there are";
        Self::new(StatusCode::UNAUTHORIZED, "token_unknown", "the token is not known", detail)
    }

    /// `what` is of all hubs, and the caller reads one.
    pub(crate) fn one_hub(what: &str) -> Self {
        let detail = format!("{what} are of all hubs together, and the token that was presented reads one hub");
        Self::new(StatusCode::FORBIDDEN, "token_of_one_hub", "the token does not allow this", detail)
    }

    /// The caller acts on one hub, and this is about another or about all.
    pub(crate) fn of_another_hub(hub: &str) -> Self {
        let detail = format!("the token that was presented is of the hub '{hub}' alone; name that hub, or none");
        Self::new(StatusCode::FORBIDDEN, "token_of_one_hub", "the token does not allow this", detail)
    }

    pub(crate) fn forbidden(may: Verb, wanted: Verb) -> Self {
        let (may, wanted) = (may.name(), wanted.name());
        let detail = format!("the token that was presented may {may}, and this needs one that may {wanted}");
        Self::new(StatusCode::FORBIDDEN, "token_insufficient", "the token does not allow this", detail)
    }

    /// An error that is ours. `internal` goes to the log and to nobody else.
    pub(crate) fn internal(internal: impl Into<String>) -> Self {
        let detail = "the cause is in the server's log, beside the id that stands in x-request-id";
        let mut problem =
            Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed to answer", detail);
        problem.internal = Some(internal.into());
        problem
    }

    /// Writes what only the operator should read to the log; once, where the answer is made.
    pub(crate) fn log(&self) {
        if let Some(internal) = &self.internal {
            tracing::error!(code = self.code, cause = internal, "request failed");
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.log();
        let document = Document {
            r#type: format!("urn:hubscope:problem:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
        };
        // A struct of texts and a number always serialises.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        response.extensions_mut().insert(Code(self.code));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, title) = match refusal.kind {
            RefusalKind::BadRequest => (StatusCode::BAD_REQUEST, "the request cannot be understood"),
            RefusalKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the request is too large"),
            RefusalKind::UnsupportedMedia => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is in a form that is not understood")
            }
        };
        Self::new(status, refusal.code, title, refusal.detail)
    }
}

impl From<ErasureError> for Problem {
    fn from(error: ErasureError) -> Self {
        match error {
            ErasureError::Impossible(detail) => Self::bad_request("name_impossible", detail),
            ErasureError::Full(detail) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "erasures_full",
                "no more requests to forget somebody can be kept",
                detail,
            ),
            ErasureError::Internal(internal) => Self::internal(internal),
        }
    }
}

impl From<CollectError> for Problem {
    fn from(error: CollectError) -> Self {
        match error {
            CollectError::Overloaded => Self::overloaded(),
            CollectError::DiskFull => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "disk_full",
                "the disk is full",
                "the server's disk is full; nothing of this request was kept: send it again once there is room",
            ),
            CollectError::QuotaReached => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "journal_quota_reached",
                "the journal's quota is used up",
                "what waits to be written to the table takes as much of the disk as it may (journal.quota); nothing of \
                 this request was kept: send it again once the table was written",
            ),
            CollectError::Closed => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "stopping",
                "the server is stopping",
                "nothing of this request was kept; send it again once the server is back",
            ),
            CollectError::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "the body is too large",
                "the request is longer than the journal takes; send fewer events at once",
            ),
            CollectError::KeyBusy => {
                let detail =
                    "a request with this Idempotency-Key is being kept at this moment; ask again for its answer";
                let mut problem = Self::new(
                    StatusCode::CONFLICT,
                    "idempotency_key_busy",
                    "the first request is not done yet",
                    detail,
                );
                problem.retry_after_seconds = Some(1);
                problem
            }
            CollectError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "the key belongs to other events",
                "other events came with this Idempotency-Key before; nothing of this request was kept: give every \
                 request a key of its own, and the same one only to its retries",
            ),
            // Poisoned, and whatever else may come: nothing can be kept.
            _ => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "journal_poisoned",
                "nothing can be kept until the server is restarted",
                "a write to disk failed and the journal takes no more; whether this request was kept shows after a \
                 restart: send it again then, with the same Idempotency-Key if it has one",
            ),
        }
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        let (status, title) = match &error {
            QueryError::UnknownKpi { .. } => (StatusCode::NOT_FOUND, "there is no such KPI"),
            QueryError::TimedOut { .. } | QueryError::TooMuchMemory { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "the query asks for more than one query may use")
            }
            QueryError::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, "too much at once"),
            QueryError::Making { .. } => (StatusCode::SERVICE_UNAVAILABLE, "not ready yet"),
            QueryError::Data(cause) => return Self::internal(format!("query: {cause}")),
            _ => (StatusCode::BAD_REQUEST, "the query cannot be answered"),
        };
        let mut problem = Self::new(status, error.code(), title, error.to_string());
        if status == StatusCode::SERVICE_UNAVAILABLE {
            problem.retry_after_seconds = Some(1);
        }
        problem
    }
}
