//! Wraps every request: an id, headers that keep browsers strict, a refusal of other sites' requests, and an answer
//! also when a handler panics.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::Instrument;

use crate::error::Problem;

/// Nothing runs and nothing loads but our own files; no inline style or script at all.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Numbers requests from the start of the program.
static REQUESTS: AtomicU64 = AtomicU64::new(1);

/// The middleware around all routes.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let id = format!("{:08x}", REQUESTS.fetch_add(1, Ordering::Relaxed));
    // The path alone: query strings carry events and names of people.
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("request", id);
    let started = Instant::now();
    let mut response = if is_cross_site(&request) {
        Problem::cross_site().into_response()
    } else {
        let answering = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone());
        answering.await.unwrap_or_else(|panic| span.in_scope(|| panicked(panic.as_ref())))
    };
    harden(&mut response, &id);
    let millis = started.elapsed().as_millis();
    span.in_scope(|| tracing::debug!(%method, path, status = response.status().as_u16(), millis, "answered"));
    response
}

/// Whether a page of another site made a browser send this. Programs do not send the header; following a link to a page
/// (`navigate` with GET) is what links are for.
fn is_cross_site(request: &Request) -> bool {
    let says = |name: &str, value: &str| request.headers().get(name).is_some_and(|found| found == value);
    let to_a_page = says("sec-fetch-mode", "navigate") && !request.uri().path().contains("/api/");
    says("sec-fetch-site", "cross-site") && !to_a_page
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Problem::internal(format!("panic: {}", text.unwrap_or_default())).into_response()
}

fn harden(response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(CONTENT_SECURITY_POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // What an answer shows changes with every event; assets and archive days say otherwise themselves.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}
