//! `GET /api/v1/now`: the figures of the moment and the newest launches, by their public fields alone.

use axum::extract::State;
use axum::response::Response;
use query::Scope;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::access::Caller;
use crate::error::Problem;
use crate::pages::words;
use crate::rows::{self, Row};
use crate::{api, router};

/// Launches shown: as many as fit in two lines.
const LAUNCHES_MAX: usize = 5;

/// The answer.
#[derive(Debug, Serialize)]
pub(crate) struct Now {
    pub(crate) events: u64,
    pub(crate) quarantined: u64,
    /// Events of all hubs that are not in the table yet; nobody bound to one hub is told.
    pub(crate) waiting: Option<u64>,
    pub(crate) newest: Option<String>,
    pub(crate) newest_seconds: Option<i64>,
    pub(crate) published_seconds: Option<i64>,
    pub(crate) launches: Vec<Launch>,
}

/// A launch, as anyone may see it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Launch {
    /// RFC 3339, UTC.
    pub(crate) time: String,
    pub(crate) provider: Option<String>,
    pub(crate) repo: Option<String>,
}

/// The newest launches, and when they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Newest(Mutex<Option<(Instant, Vec<Launch>)>>);

/// `GET /api/v1/now`.
pub(crate) async fn now(State(state): State<router::State>, caller: Caller) -> Result<Response, Problem> {
    api::json(&Now::of(&state, &caller.scope()).await?)
}

impl Now {
    /// The figures of the moment. Launches are left out while they cannot be asked for: the figures are worth more.
    pub(crate) async fn of(state: &router::State, scope: &Scope) -> Result<Self, Problem> {
        let vitals = state.app.status.vitals();
        if *scope != Scope::All {
            return Self::of_hub(state, scope).await;
        }
        let moment = state.app.clock.now();
        Ok(Self {
            events: vitals.events,
            quarantined: vitals.quarantined,
            waiting: Some(vitals.waiting),
            newest: vitals.newest.map(|time| time.to_string()),
            newest_seconds: vitals.newest.map(|time| words::age_seconds(moment, time)),
            published_seconds: vitals.published.map(|time| words::age_seconds(moment, time)),
            launches: newest(state).await,
        })
    }

    /// The same of one hub alone.
    async fn of_hub(state: &router::State, scope: &Scope) -> Result<Self, Problem> {
        let sources = state.app.engine.sources(scope).await?;
        let newest = sources.iter().map(|source| source.received).max();
        let moment = state.app.clock.now();
        Ok(Self {
            events: sources.iter().map(|source| source.events).sum(),
            quarantined: sources.iter().map(|source| source.quarantined).sum(),
            waiting: None,
            newest: newest.map(|time| time.to_string()),
            newest_seconds: newest.map(|time| words::age_seconds(moment, time)),
            published_seconds: None,
            launches: ask(state, scope).await?,
        })
    }
}

/// The newest launches. One caller asks, the others of the same second get the same.
async fn newest(state: &router::State) -> Vec<Launch> {
    let mut kept = state.newest.0.lock().await;
    if let Some((asked, launches)) = kept.as_ref()
        && asked.elapsed() < state.app.limits.now_fresh_time
    {
        return launches.clone();
    }
    let launches = match ask(state, &Scope::All).await {
        Ok(launches) => launches,
        Err(problem) => {
            problem.log();
            tracing::debug!(code = problem.code, "the newest launches could not be asked for");
            Vec::new()
        }
    };
    *kept = Some((Instant::now(), launches.clone()));
    launches
}

/// Launches of the last day: the bound lets whole parts be passed over.
async fn ask(state: &router::State, scope: &Scope) -> Result<Vec<Launch>, Problem> {
    let moment = state.app.clock.now();
    let sql = format!(
        "SELECT time, provider, repo FROM launches \
         WHERE time > TIMESTAMP '{moment}' - INTERVAL '1 day' AND time <= TIMESTAMP '{moment}' \
         ORDER BY time DESC LIMIT {LAUNCHES_MAX}"
    );
    let rows = rows::ask(&state.app.engine, &sql, LAUNCHES_MAX, scope).await?;
    let launch = |row: &Row| Launch {
        time: row.text("time").unwrap_or_default(),
        provider: row.text("provider"),
        repo: row.text("repo"),
    };
    Ok(rows.iter().map(launch).collect())
}
