//! `/healthz`: the program runs. `/readyz`: it can keep and answer, or why it cannot.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::error::Problem;
use crate::{api, router};

/// `GET /healthz`.
pub(crate) async fn alive() -> Result<Response, Problem> {
    api::json(&json!({"alive": true}))
}

/// `GET /readyz`: 200 when ready, else 503 with every reason.
pub(crate) async fn ready(State(state): State<router::State>) -> Result<Response, Problem> {
    let unready = state.app.status.unready();
    let reasons: Vec<_> = unready.iter().map(|reason| json!({"code": reason.code, "detail": reason.detail})).collect();
    let mut response = api::json(&json!({"ready": reasons.is_empty(), "reasons": reasons}))?;
    if !unready.is_empty() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}
