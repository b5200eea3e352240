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

use std::io::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use axum::response::Response;
use event::{Batch, Repairs};
use ingest::{Method, Outcome, Receipt, request_key};
use serde::Serialize;
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
    let body = answer(&receipt).map_err(|error| Problem::internal(format!("answer: {error}")))?;
    let mut response = api::json_bytes(body);
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

/// What is told of one event, but for its id.
#[derive(Serialize)]
struct Told<'a> {
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

/// An answer takes about so many bytes an event.
const ANSWER_BYTES: usize = 192;

/// The answer's JSON. Events are mostly told the same, so that is written once for each run of them.
fn answer(receipt: &Receipt) -> serde_json::Result<Vec<u8>> {
    let outcomes = &receipt.outcomes;
    let (kept, admitted) = (outcomes.len(), outcomes.admitted());
    let mut out = Vec::with_capacity(ANSWER_BYTES * (kept + 1));
    let quarantined = kept - admitted;
    write!(out, r#"{{"kept":{kept},"admitted":{admitted},"quarantined":{quarantined},"events":["#)
        .map_err(serde_json::Error::io)?;
    let mut id = serde_json::to_vec(&format!("{}:", receipt.collector))?;
    id.pop();
    let mut position = receipt.first;
    for (count, outcome) in outcomes.runs() {
        let told = serde_json::to_vec(&told(outcome))?;
        let members = told.strip_prefix(b"{").unwrap_or(&told);
        for _ in 0..*count {
            out.extend_from_slice(b"{\"id\":");
            out.extend_from_slice(&id);
            write!(out, "{position}\",").map_err(serde_json::Error::io)?;
            out.extend_from_slice(members);
            out.push(b',');
            position = position.plus(1);
        }
    }
    if kept > 0 {
        out.pop();
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

fn told(outcome: &Outcome) -> Told<'_> {
    let names = |repairs: &Repairs| repairs.iter().map(|repair| repair.name()).collect();
    match outcome {
        Outcome::Admitted { revision, repairs } => Told {
            verdict: "admitted",
            schema: Some(&revision.schema),
            version: Some(&revision.version),
            revision: Some(&revision.hash),
            reason: None,
            detail: None,
            repairs: names(repairs),
        },
        Outcome::Quarantined { reason, detail, repairs } => Told {
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

#[cfg(test)]
mod tests {
    use event::{CollectorId, Position, Reason, Repair, Revision};
    use ingest::Outcomes;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_event_is_told_its_id_and_verdict() {
        let revision = Arc::new(Revision {
            schema: "quo\"ted".into(),
            version: "1".into(),
            hash: "ab".into(),
            columns: Vec::new(),
        });
        let mut repairs = Repairs::NONE;
        repairs.insert(Repair::NaiveTime);
        let aside =
            Outcome::Quarantined { reason: Reason::NotJson, detail: "a \"b\"\n".into(), repairs: Repairs::NONE };
        let runs = vec![(2, Outcome::Admitted { revision, repairs }), (1, aside)];
        let receipt = |outcomes| Receipt {
            collector: CollectorId::of_import("x"),
            first: Position(9),
            outcomes,
            is_repeated: false,
        };
        let told: Value = serde_json::from_slice(&answer(&receipt(Outcomes::from_runs(runs))).unwrap()).unwrap();
        let admitted = |id: &str| {
            json!({ "id": id, "verdict": "admitted", "schema": "quo\"ted", "version": "1", "revision": "ab",
                    "repairs": ["naive_time"] })
        };
        let expected = json!({ "kept": 3, "admitted": 2, "quarantined": 1, "events": [
            admitted("import/x:9"), admitted("import/x:10"),
            { "id": "import/x:11", "verdict": "quarantined", "reason": "not_json", "detail": "a \"b\"\n" }] });
        assert_eq!(told, expected);
        let none: Value = serde_json::from_slice(&answer(&receipt(Outcomes::default())).unwrap()).unwrap();
        assert_eq!(none, json!({ "kept": 0, "admitted": 0, "quarantined": 0, "events": [] }));
    }
}
