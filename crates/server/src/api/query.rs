//! `POST /api/v1/query`: `{"sql": "SELECT …", "limit": 100}`, answered in the form of `?format=`.

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::Request;
use axum::response::Response;
use query::SqlOptions;
use serde::Deserialize;

use crate::access::Caller;
use crate::error::Problem;
use crate::format::{Format, formatted};
use crate::{api, body, router};

/// The body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    sql: String,
    limit: Option<usize>,
}

/// Parameters of the address.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    format: Option<String>,
}

/// `POST /api/v1/query`.
pub(crate) async fn answer(
    State(state): State<router::State>,
    caller: Caller,
    Query(asked): Query<Asked>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let limits = state.app.limits;
    let format = Format::named(asked.format.as_deref())?;
    let (parts, body) = request.into_parts();
    api::require_json(&parts.headers)?;
    let held = body::read(&parts.headers, body, limits.statement_bytes_max, &state.room, &limits).await?;
    let statement: Statement = serde_json::from_slice(&held.bytes).map_err(|error| {
        Problem::bad_request("not_json", format!("the body is not {{\"sql\": \"…\", \"limit\": 100}}: {error}"))
    })?;
    let options = SqlOptions { limit: statement.limit, scope: caller.scope() };
    let answer = state.app.engine.sql(&statement.sql, options).await?;
    formatted(answer, format, "query").await
}
