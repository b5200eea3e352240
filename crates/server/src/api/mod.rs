//! What programs ask: one file a resource.

pub(crate) mod control;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod kpis;
pub(crate) mod me;
pub(crate) mod now;
pub(crate) mod quarantine;
pub(crate) mod query;
pub(crate) mod schemas;
pub(crate) mod tables;

use axum::http::{HeaderValue, header};
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
