//! Polls the hubs that the configuration gives a url, and keeps what is seen.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use event::{Batch, Clock, Door, SystemClock, Verdict};
use ingest::Collect as _;
use poll::{Client, Limits, Poller, Refused, Settings, State, Tell, Token};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, HubConfig};
use crate::pipeline::Pipeline;

/// A file with a token is no longer than this.
const TOKEN_BYTES_MAX: u64 = 4 << 10;

/// The hubs that are polled.
#[derive(Debug, Default)]
pub(crate) struct Polling(Vec<(Arc<str>, Arc<Poller>)>);

impl Polling {
    /// Prepares to poll; asks nothing yet.
    ///
    /// # Errors
    /// A token cannot be read, or a hub cannot be known because this machine has no certificates.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let mut pollers = Vec::new();
        for hub in &config.hub {
            let Some(url) = &hub.url else { continue };
            let token = token(hub).with_context(|| format!("the token of the hub '{}'", hub.name))?;
            let client = Client::new(url.0.clone(), token, Limits::default())
                .with_context(|| format!("the hub '{}' cannot be polled", hub.name))?;
            let settings = Settings { interval: hub.poll_interval.duration(), ..Settings::default() };
            pollers.push((hub.name.as_str().into(), Arc::new(Poller::new(client, settings, Arc::new(SystemClock)))));
        }
        Ok(Self(pollers))
    }

    /// Polls until `stop`.
    pub(crate) fn start(&self, pipeline: &Arc<Pipeline>, jobs: &TaskTracker, stop: &CancellationToken) {
        for (hub, poller) in &self.0 {
            let kept = Kept { pipeline: Arc::clone(pipeline), hub: Arc::clone(hub) };
            let (poller, stop) = (Arc::clone(poller), stop.clone());
            jobs.spawn(async move { poller.run(&kept, &stop).await });
        }
    }

    /// How it goes, hub by hub.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&str, State)> {
        self.0.iter().map(|(hub, poller)| (&**hub, poller.state()))
    }
}

fn token(hub: &HubConfig) -> Result<Token> {
    if let Some(token) = &hub.token {
        return Ok(token.token());
    }
    let path = hub.token_file.as_deref().unwrap_or(Path::new(""));
    let length = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    ensure!(length <= TOKEN_BYTES_MAX, "{} is too long to be one", path.display());
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Token::new(&text).ok_or_else(|| anyhow!("{} holds none", path.display()))
}

/// Keeps what a poll saw: one batch, and so one record of the journal.
struct Kept {
    pipeline: Arc<Pipeline>,
    hub: Arc<str>,
}

impl Kept {
    async fn keep(&self, texts: Vec<String>) -> Result<(), Refused> {
        let admission = &self.pipeline.admission;
        let rows: Vec<_> = texts.into_iter().map(|text| admission.admit_text(Bytes::from(text))).collect();
        for row in &rows {
            if let Verdict::Quarantined(aside) = &row.verdict {
                // A name that is longer than an event may be, say: the others are kept.
                tracing::warn!(reason = %aside.reason, "what a poll told of a server is kept aside");
            }
        }
        let (received, hub) = (SystemClock.now(), Arc::clone(&self.hub));
        let batch = Batch { received, hub, door: Door::Poll, key: None, rows };
        self.pipeline.collect(batch).await.map(drop).map_err(|error| Refused(error.to_string()))
    }
}

impl Tell for Kept {
    fn tell(&self, texts: Vec<String>) -> Pin<Box<dyn Future<Output = Result<(), Refused>> + Send + '_>> {
        Box::pin(self.keep(texts))
    }
}
