//! What the server counts of itself; `/metrics` shows it with what the rest of the program knows.
//!
//! Every label value exists from the start, so that a rate can be taken of the first event already.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use event::Reason;
use ingest::{Outcome, Outcomes};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::access::Caller;
use crate::error::{Code, Problem};
use crate::router;

/// Bounds of an acknowledgement's time in seconds: from a fast disk's fsync to a sender that has long given up.
const ACK_SECONDS: [f64; 12] = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 1.0, 4.0];
/// Bounds of an answer's time in seconds: from a cached page to the longest query.
const QUERY_SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Codes with which requests that bring events are refused. One that is not in the list is counted as `other`.
const REFUSALS: [&str; 21] = [
    "bad_encoding",
    "bad_header",
    "bad_idempotency_key",
    "body_broken",
    "body_too_large",
    "body_too_slow",
    "cross_site",
    "disk_full",
    "journal_quota_reached",
    "empty",
    "idempotency_key_busy",
    "idempotency_key_reused",
    "inflates_too_far",
    "journal_poisoned",
    "no_msg",
    "not_json",
    "overloaded",
    "stopping",
    "token_insufficient",
    "token_missing",
    "token_unknown",
];
const OTHER: &str = "other";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByCode {
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

/// How questions end.
const OUTCOMES: [&str; 3] = ["answered", "refused", "failed"];

/// The counters; clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    admitted: Counter,
    quarantined: Family<ByReason, Counter>,
    repeated: Counter,
    refused: Family<ByCode, Counter>,
    acknowledged: Histogram,
    queries: Family<ByOutcome, Counter>,
    query_time: Histogram,
    connections: Gauge,
    connections_refused: Counter,
}

impl Metrics {
    /// Fresh ones, shown by `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            admitted: Counter::default(),
            quarantined: Family::default(),
            repeated: Counter::default(),
            refused: Family::default(),
            acknowledged: Histogram::new(ACK_SECONDS),
            queries: Family::default(),
            query_time: Histogram::new(QUERY_SECONDS),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
        };
        for reason in Reason::ALL {
            drop(metrics.quarantined.get_or_create(&ByReason { reason: reason.code() }));
        }
        for code in REFUSALS.into_iter().chain([OTHER]) {
            drop(metrics.refused.get_or_create(&ByCode { code }));
        }
        for outcome in OUTCOMES {
            drop(metrics.queries.get_or_create(&ByOutcome { outcome }));
        }
        registry.register(
            "events_admitted",
            "Events that came over HTTP and satisfy a schema",
            metrics.admitted.clone(),
        );
        let help = "Events that came over HTTP and are kept aside, by reason";
        registry.register("events_quarantined", help, metrics.quarantined.clone());
        registry.register("requests_repeated", "Retries that were answered again", metrics.repeated.clone());
        let help = "Requests that brought events of which nothing was kept, by the code of the answer";
        registry.register("requests_refused", help, metrics.refused.clone());
        let help = "Time from a request's last byte to its acknowledgement";
        registry.register("request_acknowledged_seconds", help, metrics.acknowledged.clone());
        registry.register("queries", "Questions asked over HTTP, by how they ended", metrics.queries.clone());
        registry.register("query_answered_seconds", "Time that answers took", metrics.query_time.clone());
        registry.register("connections_open", "Connections to the HTTP door", metrics.connections.clone());
        let help = "Connections that were turned away because every place was taken";
        registry.register("connections_refused", help, metrics.connections_refused.clone());
        metrics
    }

    pub(crate) fn kept(&self, outcomes: &Outcomes, took: Duration) {
        self.acknowledged.observe(took.as_secs_f64());
        self.admitted.inc_by(outcomes.admitted() as u64);
        for (count, outcome) in outcomes.runs() {
            if let Outcome::Quarantined { reason, .. } = outcome {
                self.quarantined.get_or_create(&ByReason { reason: reason.code() }).inc_by(u64::from(*count));
            }
        }
    }

    pub(crate) fn repeated(&self) {
        self.repeated.inc();
    }

    fn refused(&self, code: &'static str) {
        let code = if REFUSALS.contains(&code) { code } else { OTHER };
        self.refused.get_or_create(&ByCode { code }).inc();
    }

    pub(crate) fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    pub(crate) fn turned_away(&self) {
        self.connections_refused.inc();
    }
}

/// A connection, counted for as long as this lives.
#[derive(Debug)]
pub(crate) struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Middleware of the routes that take events: counts refusals.
pub(crate) async fn count_refusals(State(state): State<router::State>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if let Some(Code(code)) = response.extensions().get::<Code>() {
        state.app.metrics.refused(code);
    }
    response
}

/// Beginnings of addresses whose answers are questions answered.
const QUESTIONS: [&str; 3] = ["/api/v1/query", "/api/v1/kpis/", "/kpi/"];

/// Middleware of the routes that answer: counts and times questions.
pub(crate) async fn count_questions(State(state): State<router::State>, request: Request, next: Next) -> Response {
    if !QUESTIONS.iter().any(|beginning| request.uri().path().starts_with(beginning)) {
        return next.run(request).await;
    }
    let began = Instant::now();
    let response = next.run(request).await;
    let metrics = &state.app.metrics;
    let outcome = match response.status() {
        status if status.is_server_error() => "failed",
        status if status.is_client_error() => "refused",
        _ => "answered",
    };
    metrics.queries.get_or_create(&ByOutcome { outcome }).inc();
    metrics.query_time.observe(began.elapsed().as_secs_f64());
    response
}

/// `GET /metrics`, in the OpenMetrics text format.
///
/// It tells of all hubs together, so whoever reads only one does not see it.
pub(crate) async fn show(State(state): State<router::State>, caller: Caller) -> Result<Response, Problem> {
    if caller.hub().is_some() {
        return Err(Problem::one_hub("the figures of the program"));
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &state.app.shown_metrics)
        .map_err(|error| Problem::internal(format!("metrics: {error}")))?;
    Ok(crate::format::typed("application/openmetrics-text; version=1.0.0; charset=utf-8", text))
}
