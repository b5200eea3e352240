//! `POST|GET /api/v1/events`: the HTTP door.
//!
//! A request with the header `Idempotency-Key` can be sent again when its answer was lost: it adds nothing, and gets
//! the first answer again (with `Idempotency-Replayed: true`), also after a restart.
//!
//! The answer has a verdict for every event of the request, in order, however many: a sender of a thousand events gets
//! about 150 KB back. Ids are `<collector>:<position>`. It is sent after the events are on disk.
//!
//! ```json
//! {"kept": 2, "admitted": 1, "quarantined": 1, "events": [
//!   {"id": "…:0", "verdict": "admitted", "schema": "…", "version": "1", "revision": "…", "repairs": ["naive_time"]},
//!   {"id": "…:1", "verdict": "quarantined", "reason": "unknown_schema", "detail": "…"}]}
//! ```

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use axum::response::Response;
use event::{Batch, Position, Repairs};
use ingest::{Method, Outcome, Receipt, request_key};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use tokio::time::{Instant, timeout};

use crate::access::Caller;
use crate::error::Problem;
use crate::{api, body, router};

/// Names a request, so that sending it again adds nothing.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that the answer is that of an earlier request of the same key.
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// `POST`: events in the body.
pub(crate) async fn post(
    State(state): State<router::State>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let limits = state.app.limits;
    let (parts, body) = request.into_parts();
    let held = body::read(&parts.headers, body, limits.body_bytes_max, &state.room, &limits).await?;
    let key = text(&parts.headers, &IDEMPOTENCY_KEY)?;
    let request = ingest::Request { body: held.bytes.clone(), ..understood(Method::Post, parts)? };
    let answer = take(&state, &caller, request, key).await;
    // The room is given back only now: the batch's texts are slices of the body.
    drop(held);
    answer
}

/// `GET`: one event in the query string, as `HTTPHandler` with `method="GET"` sends it.
pub(crate) async fn get(
    State(state): State<router::State>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let key = text(&parts.headers, &IDEMPOTENCY_KEY)?;
    take(&state, &caller, understood(Method::Get, parts)?, key).await
}

async fn take(
    state: &router::State,
    caller: &Caller,
    request: ingest::Request,
    key: Option<String>,
) -> Result<Response, Problem> {
    let hub = Arc::clone(caller.hub().unwrap_or(&state.app.hub));
    let began = Instant::now();
    if state.app.collect.is_overloaded() {
        return Err(Problem::overloaded());
    }
    let mut batch = admit(state, request, hub).await?;
    batch.key = key.map(|header| request_key(&header, &batch.rows)).transpose()?;
    let receipt = state.app.collect.collect(batch).await?;
    let mut response = api::json(&Answer::new(&receipt))?;
    if receipt.is_repeated {
        state.app.metrics.repeated();
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    } else {
        state.app.metrics.kept(&receipt.outcomes, began.elapsed());
    }
    Ok(response)
}

/// Bytes to verdicts: here when that is quick, else on a blocking thread, as many at once as there are cores.
async fn admit(state: &router::State, request: ingest::Request, hub: Arc<str>) -> Result<Batch, Problem> {
    let app = &state.app;
    let is_quick = request.body.len() <= app.limits.inline_bytes_max && request.content_encoding.is_none();
    if is_quick {
        return Ok(app.admission.admit(request, hub)?);
    }
    let turn = timeout(app.limits.admission_wait_time, Arc::clone(&state.admissions).acquire_owned()).await;
    let turn = turn.map_err(|_| Problem::overloaded())?;
    let turn = turn.map_err(|_| Problem::internal("the semaphore of admissions is closed"))?;
    let app = Arc::clone(app);
    let admitting = tokio::task::spawn_blocking(move || {
        let admitted = app.admission.admit(request, hub);
        drop(turn);
        admitted
    });
    Ok(admitting.await.map_err(|error| Problem::internal(format!("admission: {error}")))??)
}

fn understood(method: Method, parts: Parts) -> Result<ingest::Request, Problem> {
    Ok(ingest::Request {
        method,
        content_type: text(&parts.headers, &header::CONTENT_TYPE)?,
        content_encoding: text(&parts.headers, &header::CONTENT_ENCODING)?,
        query: parts.uri.query().map(str::to_owned),
        body: bytes::Bytes::new(),
    })
}

/// The header `name`. Several of one name are a list, as HTTP has it.
fn text(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Problem> {
    let mut values = Vec::new();
    for value in headers.get_all(name) {
        let value = value.to_str();
        values.push(value.map_err(|_| Problem::bad_request("bad_header", format!("the header {name} is not text")))?);
    }
    Ok((!values.is_empty()).then(|| values.join(", ")))
}

#[derive(Serialize)]
struct Answer<'a> {
    kept: usize,
    admitted: usize,
    quarantined: usize,
    events: Verdicts<'a>,
}

impl<'a> Answer<'a> {
    fn new(receipt: &'a Receipt) -> Self {
        let (kept, admitted) = (receipt.outcomes.len(), receipt.outcomes.admitted());
        Self { kept, admitted, quarantined: kept - admitted, events: Verdicts(receipt) }
    }
}

struct Verdicts<'a>(&'a Receipt);

#[derive(Serialize)]
struct Told<'a> {
    id: String,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repairs: Vec<&'static str>,
}

impl Serialize for Verdicts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let receipt = self.0;
        let mut list = serializer.serialize_seq(Some(receipt.outcomes.len()))?;
        let mut position = receipt.first;
        for outcome in receipt.outcomes.iter() {
            list.serialize_element(&told(outcome, receipt, position))?;
            position = position.plus(1);
        }
        list.end()
    }
}

fn told<'a>(outcome: &'a Outcome, receipt: &Receipt, position: Position) -> Told<'a> {
    let id = format!("{}:{position}", receipt.collector);
    let names = |repairs: &Repairs| repairs.iter().map(|repair| repair.name()).collect();
    match outcome {
        Outcome::Admitted { revision, repairs } => Told {
            id,
            verdict: "admitted",
            schema: Some(&revision.schema),
            version: Some(&revision.version),
            revision: Some(&revision.hash),
            reason: None,
            detail: None,
            repairs: names(repairs),
        },
        Outcome::Quarantined { reason, detail, repairs } => Told {
            id,
            verdict: "quarantined",
            schema: None,
            version: None,
            revision: None,
            reason: Some(reason.code()),
            detail: Some(detail),
            repairs: names(repairs),
        },
    }
}
