//! `POST|GET /api/v1/events`: the HTTP door.
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
use axum::http::{HeaderMap, HeaderName, Request, header};
use axum::response::Response;
use event::{Batch, Position, Repairs, Revision, Row, Verdict};
use ingest::{Method, Receipt};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use crate::access::Caller;
use crate::error::Problem;
use crate::{api, body, router};

/// `POST`: events in the body.
pub(crate) async fn post(
    State(state): State<router::State>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let limits = state.app.limits;
    let (parts, body) = request.into_parts();
    let held = body::read(&parts.headers, body, limits.body_bytes_max, &state.room, &limits).await?;
    let request = ingest::Request { body: held.bytes.clone(), ..understood(Method::Post, parts)? };
    let answer = take(&state, &caller, request).await;
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
    take(&state, &caller, understood(Method::Get, parts)?).await
}

async fn take(state: &router::State, caller: &Caller, request: ingest::Request) -> Result<Response, Problem> {
    let hub = Arc::clone(caller.hub().unwrap_or(&state.app.hub));
    let batch = admit(state, request, hub).await?;
    let outcomes: Vec<Outcome> = batch.rows.iter().map(Outcome::of).collect();
    let receipt = state.app.collect.collect(batch).await?;
    api::json(&Answer::new(&outcomes, &receipt))
}

/// Bytes to verdicts: here when that is quick, else on a blocking thread, as many at once as there are cores.
async fn admit(state: &router::State, request: ingest::Request, hub: Arc<str>) -> Result<Batch, Problem> {
    let app = &state.app;
    let is_quick = request.body.len() <= app.limits.inline_bytes_max && request.content_encoding.is_none();
    if is_quick {
        return Ok(app.admission.admit(request, hub)?);
    }
    let turn = Arc::clone(&state.admissions).acquire_owned().await;
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

/// What the sender is told of one event.
enum Outcome {
    Admitted { revision: Arc<Revision>, repairs: Repairs },
    Quarantined { reason: &'static str, detail: Box<str>, repairs: Repairs },
}

impl Outcome {
    fn of(row: &Row) -> Self {
        match &row.verdict {
            Verdict::Admitted(admitted) => {
                Self::Admitted { revision: Arc::clone(&admitted.revision), repairs: admitted.repairs }
            }
            Verdict::Quarantined(aside) => {
                Self::Quarantined { reason: aside.reason.code(), detail: aside.detail.clone(), repairs: aside.repairs }
            }
        }
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    kept: usize,
    admitted: usize,
    quarantined: usize,
    events: Verdicts<'a>,
}

impl<'a> Answer<'a> {
    fn new(outcomes: &'a [Outcome], receipt: &'a Receipt) -> Self {
        let admitted = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Admitted { .. })).count();
        let kept = outcomes.len();
        Self { kept, admitted, quarantined: kept - admitted, events: Verdicts { outcomes, receipt } }
    }
}

struct Verdicts<'a> {
    outcomes: &'a [Outcome],
    receipt: &'a Receipt,
}

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
        let mut list = serializer.serialize_seq(Some(self.outcomes.len()))?;
        let mut position = self.receipt.first;
        for outcome in self.outcomes {
            list.serialize_element(&told(outcome, self.receipt, position))?;
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
            reason: Some(reason),
            detail: Some(detail),
            repairs: names(repairs),
        },
    }
}
