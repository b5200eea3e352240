//! The table of contents: every address that is served.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use crate::access::{identify, permit_admin, permit_ingest, permit_query};
use crate::api::{control, erasures, events, health, kpis, me, now, quarantine, query, schemas, tables};
use crate::app::{App, Control};
use crate::body::Room;
use crate::error::Problem;
use crate::guard::guard;
use crate::metrics::{count_questions, count_refusals};
use crate::{archive, assets, metrics, pages};

/// What handlers share.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) app: Arc<App>,
    /// The memory of all bodies.
    pub(crate) room: Room,
    /// Turns on the blocking threads.
    pub(crate) admissions: Arc<Semaphore>,
    pub(crate) newest: Arc<now::Newest>,
}

impl State {
    pub(crate) fn new(app: Arc<App>) -> Self {
        let room = Room::new(app.limits.bodies_bytes_max);
        let admissions = Arc::new(Semaphore::new(app.limits.admissions_max));
        Self { app, room, admissions, newest: Arc::default() }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("app", &self.app).finish_non_exhaustive()
    }
}

/// The routes that are served on the network.
pub(crate) fn public(state: &State) -> Router {
    finish(state, routes(state))
}

/// The same, and the operator's own.
pub(crate) fn control(state: &State, control: Arc<dyn Control>) -> Router {
    let own = Router::new().route("/control/{verb}", post(control::call)).with_state((state.clone(), control));
    finish(state, routes(state).merge(own))
}

fn finish(state: &State, routes: Router) -> Router {
    let method_not_allowed = async || Problem::method_not_allowed();
    routes
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(state.clone(), identify))
        .layer(from_fn(guard))
}

fn routes(state: &State) -> Router {
    let sending = emitters()
        .route_layer(from_fn_with_state(state.clone(), permit_ingest))
        .route_layer(from_fn_with_state(state.clone(), count_refusals));
    let reading = readers()
        .route_layer(from_fn_with_state(state.clone(), permit_query))
        .route_layer(from_fn_with_state(state.clone(), count_questions));
    let changing = administrators().route_layer(from_fn_with_state(state.clone(), permit_admin));
    Router::new().merge(sending).merge(reading).merge(changing).merge(open()).with_state(state.clone())
}

/// Those who send.
fn emitters() -> Router<State> {
    Router::new().route("/api/v1/events", post(events::post).get(events::get))
}

/// Those who read.
fn readers() -> Router<State> {
    Router::new()
        // programs that ask
        .route("/api/v1/kpis", get(kpis::list))
        .route("/api/v1/kpis/{id}", get(kpis::answer))
        .route("/api/v1/query", post(query::answer))
        .route("/api/v1/tables", get(tables::list))
        .route("/api/v1/schemas", get(schemas::list))
        .route("/api/v1/quarantine", get(quarantine::newest))
        .route("/api/v1/now", get(now::now))
        .route("/metrics", get(metrics::show))
        // people
        .route("/", get(pages::home::page))
        .route("/kpi/", get(pages::catalogue::page))
        .route("/kpi/{id}", get(pages::question::page))
        .route("/data", get(pages::data::page))
        .route("/quarantine", get(pages::quarantine::page))
}

/// Those who change what is kept.
fn administrators() -> Router<State> {
    Router::new()
        .route("/api/v1/erasures", post(erasures::ask).get(erasures::list))
        .route("/api/v1/erasures/{id}", get(erasures::one))
}

/// Everyone: what is public anyway, and what tells nothing of the data.
fn open() -> Router<State> {
    Router::new()
        .route("/archive/", get(archive::index))
        .route("/archive/{file}", get(archive::file))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/api/v1/me", get(me::who))
        .route("/assets/{version}/{name}", get(assets::get))
        // browsers ask for it on pages that name no icon, such as the archive's, whose files are the same everywhere
        .route("/favicon.ico", get(assets::icon))
        .fallback(pages::nowhere)
}
