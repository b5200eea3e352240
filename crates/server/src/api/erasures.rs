//! `/api/v1/erasures`: somebody is to be forgotten. For tokens that may administer; one of a hub forgets on that hub
//! alone.
//!
//! `POST` with `{"user": "zoe", "hub": "lab"}` keeps the request, has it carried out and answers the certificate; when
//! that takes long, `202` with the address where it will be. Names are in no answer but the asker's own, and in no log.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Caller;
use crate::app::Erasure;
use crate::error::Problem;
use crate::{api, body, router};

/// Requests listed when the caller does not say.
const LISTED_DEFAULT: usize = 100;
/// Requests listed at most.
const LISTED_MAX: usize = 1_000;

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    user: String,
    hub: Option<Arc<str>>,
}

/// Parameters of the list.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    limit: Option<usize>,
}

/// `POST /api/v1/erasures`.
pub(crate) async fn ask(
    State(state): State<router::State>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let limits = state.app.limits;
    let (parts, body) = request.into_parts();
    api::require_json(&parts.headers)?;
    let held = body::read(&parts.headers, body, limits.statement_bytes_max, &state.room, &limits).await?;
    let wish: Wish = serde_json::from_slice(&held.bytes).map_err(|error| {
        Problem::bad_request("not_json", format!("the body is not {{\"user\": \"…\", \"hub\": \"…\"}}: {error}"))
    })?;
    let hub = match (caller.hub(), wish.hub) {
        (Some(own), Some(wished)) if **own != *wished => return Err(Problem::of_another_hub(own)),
        (Some(own), _) => Some(Arc::clone(own)),
        (None, wished) => wished,
    };
    let erasures = &state.app.erasures;
    let id = erasures.ask(wish.user, hub.clone()).await?;
    tracing::info!(id, hub = hub.as_deref(), by = caller.told(), "asked to forget somebody");
    let Ok(certificate) = tokio::time::timeout(limits.erasure_wait_time, erasures.done(&id)).await else {
        return accepted(&id);
    };
    api::json(&certificate?)
}

/// It is kept and being carried out. The address is told from this one, so that it is right under any prefix.
fn accepted(id: &str) -> Result<Response, Problem> {
    let location = format!("erasures/{id}");
    let header_value = HeaderValue::from_str(&location).map_err(|error| Problem::internal(error.to_string()))?;
    let body = api::json(&json!({"id": id, "state": "under_way", "certificate_at": location}))?;
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, header_value)], body).into_response())
}

/// `GET /api/v1/erasures?limit=`: `{"total", "erasures": [{"id", "hub", "asked", "state"}]}`, the newest first.
pub(crate) async fn list(
    State(state): State<router::State>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let all = of(&state, &caller).await?;
    let wanted = asked.limit.unwrap_or(LISTED_DEFAULT).min(LISTED_MAX);
    let erasures: Vec<Value> = all.iter().take(wanted).map(told).collect();
    api::json(&json!({"total": all.len(), "erasures": erasures}))
}

/// `GET /api/v1/erasures/{id}`: the same of one, with its certificate once there is one.
pub(crate) async fn one(
    State(state): State<router::State>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let all = of(&state, &caller).await?;
    let erasure = all.iter().find(|erasure| erasure.id == id);
    let erasure = erasure.ok_or_else(|| Problem::not_found("there is no erasure of this id that you may see"))?;
    let mut answer = told(erasure);
    if erasure.is_finished
        && let Some(fields) = answer.as_object_mut()
    {
        fields.insert("certificate".into(), state.app.erasures.done(&erasure.id).await?);
    }
    api::json(&answer)
}

/// The requests that this caller may see: of its hub alone, if it is bound to one.
async fn of(state: &router::State, caller: &Caller) -> Result<Vec<Erasure>, Problem> {
    let mut all = state.app.erasures.list().await?;
    if let Some(own) = caller.hub() {
        all.retain(|erasure| erasure.hub.as_deref() == Some(own));
    }
    Ok(all)
}

fn told(erasure: &Erasure) -> Value {
    let state = if erasure.is_finished { "finished" } else { "under_way" };
    json!({"id": erasure.id, "hub": erasure.hub, "asked": erasure.asked, "state": state})
}
