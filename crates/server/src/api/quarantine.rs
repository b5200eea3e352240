//! `GET /api/v1/quarantine?limit=`: the newest events that were kept aside, and why.

use axum::extract::{Query, State};
use axum::response::Response;
use query::Scope;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Caller;
use crate::error::Problem;
use crate::rows::{self, Row};
use crate::{api, router};

/// Events answered when the caller does not say: a screen or two.
const ROWS_DEFAULT: usize = 100;
/// Events answered at most; for more there is SQL over the table `quarantine`.
const ROWS_MAX: usize = 1_000;
/// Letters of an event's text that are answered. A whole one can have megabytes; SQL gives it.
const TEXT_LETTERS_MAX: usize = 2_000;

/// Parameters.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    limit: Option<usize>,
}

/// `GET /api/v1/quarantine`.
pub(crate) async fn newest(
    State(state): State<router::State>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let wanted = asked.limit.unwrap_or(ROWS_DEFAULT).min(ROWS_MAX);
    let rows = ask(&state, wanted, &caller.scope()).await?;
    let total = count(&state, &caller.scope()).await?;
    let events: Vec<Value> = rows.into_iter().map(Row::into_value).collect();
    api::json(&json!({"total": total, "events": events}))
}

/// The newest `wanted` events in quarantine.
pub(crate) async fn ask(state: &router::State, wanted: usize, scope: &Scope) -> Result<Vec<Row>, Problem> {
    let sql = format!(
        "SELECT collector || ':' || CAST(position AS VARCHAR) AS id, received, hub, door, schema, version, time, \
         repairs, reason, detail, substr(text, 1, {TEXT_LETTERS_MAX}) AS text, text_base64 \
         FROM quarantine ORDER BY received DESC, position DESC LIMIT {wanted}"
    );
    rows::ask(&state.app.engine, &sql, wanted, scope).await
}

/// How many events are in quarantine, of those that `scope` allows.
pub(crate) async fn count(state: &router::State, scope: &Scope) -> Result<u64, Problem> {
    if *scope == Scope::All {
        return Ok(state.app.status.vitals().quarantined);
    }
    let sources = state.app.engine.sources(scope).await?;
    Ok(sources.iter().map(|source| source.quarantined).sum())
}
