//! What programs ask: one file a resource.

pub(crate) mod control;
pub(crate) mod erasures;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod kpis;
pub(crate) mod me;
pub(crate) mod now;
pub(crate) mod quarantine;
pub(crate) mod query;
pub(crate) mod schemas;
pub(crate) mod tables;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::Problem;

/// `value` as a JSON answer.
///
/// # Errors
/// A problem of ours, when `value` cannot be written as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| Problem::internal(format!("answer: {error}")))?;
    Ok(json_bytes(body))
}

/// An answer whose JSON is written already.
pub(crate) fn json_bytes(body: Vec<u8>) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// A browser sends JSON to another site only after asking it, which is never granted: with this, no foreign page can
/// make its reader's browser do anything here.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "content_type",
        "the body is in a form that is not understood",
        "send the body as JSON, with the header content-type: application/json",
    ))
}
