//! `GET /api/v1/schemas`: every schema text that events are checked against.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::error::Problem;
use crate::{api, router};

/// `{"schemas": [{"id", "version", "revision", "columns": [{"name", "property"}]}]}`.
pub(crate) async fn list(State(state): State<router::State>) -> Result<Response, Problem> {
    let registry = state.app.admission.registry();
    let schemas: Vec<_> = registry
        .iter()
        .map(|entry| {
            let revision = &entry.revision;
            let columns: Vec<_> = revision
                .columns
                .iter()
                .map(|column| json!({"name": column.name, "property": column.property}))
                .collect();
            json!({"id": revision.schema, "version": revision.version, "revision": revision.hash, "columns": columns})
        })
        .collect();
    api::json(&json!({"schemas": schemas}))
}
