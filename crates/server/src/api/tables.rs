//! `GET /api/v1/tables`: the data dictionary.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::error::Problem;
use crate::{api, router};

/// `{"tables": [{"name", "description", "columns": [{"name", "type", "description"}]}]}`.
pub(crate) async fn list(State(state): State<router::State>) -> Result<Response, Problem> {
    let tables = state.app.engine.tables().await?;
    api::json(&json!({"tables": tables}))
}
