//! Asks one hub again and again.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use event::{Clock, EventTime};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Problem};
use crate::watch::{Watch, texts_of_failure};

/// How often what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Active servers and metrics.
    pub interval: Duration,
    /// All users.
    pub users_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(60), users_interval: Duration::from_secs(3_600) }
    }
}

/// What was to be kept was not; it is told again with the next poll.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what a poll saw could not be kept: {0}")]
pub struct Refused(pub String);

/// Keeps the events of one poll, all or none.
pub trait Tell: Send + Sync {
    /// Keeps `texts`; when it returns, they are durable.
    fn tell(&self, texts: Vec<String>) -> Pin<Box<dyn Future<Output = Result<(), Refused>> + Send + '_>>;
}

/// How polling goes: metrics, readiness and the page read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// When the list of servers was last read whole and kept.
    pub succeeded: Option<EventTime>,
    /// How many servers it had.
    pub servers: usize,
    /// Polls that were read whole.
    pub complete: u64,
    /// Polls that were not.
    pub incomplete: u64,
    /// What is wrong at present, in words; the token is not in it.
    pub problem: Option<String>,
}

/// Polls one hub.
pub struct Poller {
    client: Client,
    settings: Settings,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

impl Poller {
    /// Of the hub of `client`.
    pub fn new(client: Client, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self { client, settings, clock, state: Arc::default() }
    }

    /// How it goes at present.
    pub fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Polls until `stop`. A poll under way at that time is given up.
    pub async fn run(&self, tell: &dyn Tell, stop: &CancellationToken) {
        let mut watch = Watch::default();
        let mut users_due = Instant::now();
        loop {
            let next = Instant::now() + self.settings.interval;
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.once(&mut watch, &mut users_due, tell) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    async fn once(&self, watch: &mut Watch, users_due: &mut Instant, tell: &dyn Tell) {
        let of_restart = self.restart(watch, tell).await.err();
        let mut problem = self.servers(watch, tell).await.err();
        if *users_due <= Instant::now() && problem.is_none() {
            *users_due = Instant::now() + self.settings.users_interval;
            problem = self.users(watch, tell).await.err();
        }
        problem = problem.or(of_restart);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if problem != state.problem {
            match &problem {
                Some(problem) => tracing::warn!(problem, "a hub cannot be polled as it should; it is tried again"),
                None => tracing::info!("a hub can be polled again"),
            }
        }
        state.problem = problem;
    }

    /// Whether the hub's process is another one; before the servers, so that a poll after a restart is known as one.
    async fn restart(&self, watch: &mut Watch, tell: &dyn Tell) -> Result<(), String> {
        let metrics = self.client.metrics().await;
        watch.gauge(metrics.as_ref().map_or([None; 3], |metrics| metrics.active));
        let process = metrics.map_err(|problem| problem.to_string())?.process;
        if let Some(text) = watch.process(process) {
            tell.tell(vec![text]).await.map_err(|refused| refused.to_string())?;
            watch.kept();
        }
        Ok(())
    }

    async fn servers(&self, watch: &mut Watch, tell: &dyn Tell) -> Result<(), String> {
        let now = || self.clock.now();
        let read = self.client.servers(&now).await;
        let (texts, problem, servers) = match &read {
            Ok(reading) => (watch.servers(reading), reading.problem.clone(), reading.servers.len()),
            Err(problem) => (texts_of_failure(now(), problem), Some(problem.clone()), 0),
        };
        let kept = tell.tell(texts).await;
        if kept.is_ok() && read.is_ok() {
            watch.kept();
        }
        self.note(problem.as_ref(), servers, kept.is_ok());
        match (problem, kept) {
            (Some(problem), _) => Err(problem.to_string()),
            (None, Err(refused)) => Err(refused.to_string()),
            (None, Ok(())) => Ok(()),
        }
    }

    fn note(&self, problem: Option<&Problem>, servers: usize, is_kept: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if problem.is_some() {
            state.incomplete += 1;
        } else if is_kept {
            state.complete += 1;
            state.servers = servers;
            state.succeeded = Some(self.clock.now());
        }
    }

    async fn users(&self, watch: &mut Watch, tell: &dyn Tell) -> Result<(), String> {
        let now = || self.clock.now();
        let list = self.client.users(&now).await.map_err(|problem| problem.to_string())?;
        let texts = watch.users(&list);
        tell.tell(texts).await.map_err(|refused| refused.to_string())?;
        watch.kept();
        list.problem.map_or(Ok(()), |problem| Err(problem.to_string()))
    }
}

impl std::fmt::Debug for Poller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poller").field("client", &self.client).field("settings", &self.settings).finish_non_exhaustive()
    }
}
