//! When nobody listened. A hub that sends its events by itself keeps none for later, so whatever it told while hubscope
//! did not run is lost, and what is derived of it must know.
//!
//! `DATA/state/listening` holds the last instant at which somebody did. A start tells of the time since then in an
//! event of each hub that sends (`schema.hubscope/hub-unheard`).

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use event::{Batch, Clock, Door, EventTime, SystemClock, schemas};
use ingest::Collect as _;
use query::{Engine, Scope};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::pipeline::Pipeline;

/// The instant is written so often; a process that is killed may have listened for as long after it.
const NOTED_EVERY: Duration = Duration::from_secs(30);

/// Hubs that are told of. There are as many as there are tokens.
const HUBS_MAX: usize = 10_000;

/// The instant until which somebody listened.
#[derive(Debug)]
pub(crate) struct Listening {
    path: PathBuf,
}

impl Listening {
    /// Of the folder of data `root`.
    pub(crate) fn of(root: &Path) -> Self {
        Self { path: root.join("state").join("listening") }
    }

    /// Tells of the time since somebody listened last, then notes until `stop` that somebody does.
    pub(crate) async fn keep(self, pipeline: Arc<Pipeline>, engine: Arc<Engine>, stop: CancellationToken) {
        if let Err(error) = self.tell(&pipeline, &engine, SystemClock.now()).await {
            tracing::warn!(error = format!("{error:#}"), "the time in which no hub was heard could not be kept");
        }
        let mut has_failed = false;
        loop {
            match self.note(SystemClock.now()) {
                Ok(()) => has_failed = false,
                Err(error) if !has_failed => {
                    tracing::warn!(%error, path = %self.path.display(), "cannot note that hubs are heard");
                    has_failed = true;
                }
                Err(_) => {}
            }
            if stop.is_cancelled() {
                return;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(NOTED_EVERY) => {}
            }
        }
    }

    async fn tell(&self, pipeline: &Pipeline, engine: &Engine, now: EventTime) -> Result<()> {
        let Some(last) = self.last()?.filter(|last| *last < now) else { return Ok(()) };
        let sources = engine.sources(&Scope::All).await?;
        let sends = |schema: &str| schemas::EMITTED.contains(&schema);
        let hubs: BTreeSet<String> = sources
            .into_iter()
            .filter(|source| source.door == Door::Http.name() && source.schema.as_deref().is_some_and(sends))
            .map(|source| source.hub)
            .collect();
        for hub in hubs.into_iter().take(HUBS_MAX) {
            let text = json!({
                "__timestamp__": last.to_string(), "__schema__": schemas::HUB_UNHEARD, "__schema_version__": "1",
                "__metadata_version__": 1, "to": now.to_string(),
            });
            let row = pipeline.admission.admit_text(Bytes::from(text.to_string()));
            let batch = Batch { received: now, hub: hub.into(), door: Door::Poll, key: None, rows: vec![row] };
            pipeline.collect(batch).await?;
        }
        Ok(())
    }

    /// What stands in the file; nothing if it is not there yet, or no instant.
    fn last(&self) -> io::Result<Option<EventTime>> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => {
                let instant: Option<jiff::Timestamp> = text.trim().parse().ok();
                Ok(instant.map(|instant| EventTime::from_micros(instant.as_microsecond())))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Not synced: after a power cut an older instant is told, and the time since it is as unsure.
    fn note(&self, now: EventTime) -> io::Result<()> {
        let new = self.path.with_extension("new");
        std::fs::write(&new, format!("{now}\n"))?;
        std::fs::rename(&new, &self.path)
    }
}
