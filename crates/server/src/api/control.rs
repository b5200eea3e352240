//! `POST /control/{verb}`, on the control socket alone: how other commands of the program reach the running server.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Request, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::Value;

use crate::app::Control;
use crate::error::Problem;
use crate::{body, router};

/// Calls `verb` with the JSON of the body (nothing is `null`) and sends its lines as NDJSON while they come.
pub(crate) async fn call(
    State((state, control)): State<(router::State, Arc<dyn Control>)>,
    Path(verb): Path<String>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let limits = state.app.limits;
    let (parts, body) = request.into_parts();
    let held = body::read(&parts.headers, body, limits.statement_bytes_max, &state.room, &limits).await?;
    let argument = if held.bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&held.bytes) };
    let argument = argument.map_err(|error| Problem::bad_request("not_json", format!("the body: {error}")))?;
    let lines = control.call(&verb, argument);
    let lines = lines.ok_or_else(|| Problem::not_found(format!("there is no control verb '{verb}'")))?;
    let lines = lines.map(|line| Ok::<_, std::convert::Infallible>(format!("{line}\n")));
    let content_type = HeaderValue::from_static("application/x-ndjson");
    Ok(([(header::CONTENT_TYPE, content_type)], Body::from_stream(lines)).into_response())
}
