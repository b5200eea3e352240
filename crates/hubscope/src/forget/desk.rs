//! Where requests to forget somebody are taken, kept and carried out: one after the other, each until it is done.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use erasure::NAME_LETTERS_MAX;
use event::{Clock, SystemClock};
use server::{Erasure, ErasureError, Waiting};
use tokio::sync::{Mutex, Notify, watch};
use tokio_util::sync::CancellationToken;

use super::kept::{ERASURES_MAX, Kept, all, has_room, key, one};
use super::{Certificate, Place, Tell, carry_out};
use crate::hex::hex;
use crate::pipeline::Pipeline;
use crate::rollups::Rollups;
use crate::tokens::check_hub;

/// Random bytes of an id.
const ID_BYTES: usize = 8;
/// After a failure what is left of a request is tried again so often.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// Takes requests to forget somebody.
#[derive(Debug)]
pub(crate) struct Desk {
    pipeline: Arc<Pipeline>,
    rollups: Arc<Rollups>,
    root: PathBuf,
    archive: PathBuf,
    /// Held while a request is kept, so that of two first ones only one makes the key.
    keeping: std::sync::Mutex<()>,
    /// Held while one is carried out.
    carrying_out: Mutex<()>,
    /// There is one to carry out.
    asked: Notify,
    /// Goes up with each that was carried out.
    done: watch::Sender<u64>,
}

impl Desk {
    /// The desk of the folder of data `root`, whose archive lies in `archive`.
    pub(crate) fn new(pipeline: Arc<Pipeline>, rollups: Arc<Rollups>, root: PathBuf, archive: PathBuf) -> Self {
        Self {
            pipeline,
            rollups,
            root,
            archive,
            keeping: std::sync::Mutex::default(),
            carrying_out: Mutex::default(),
            asked: Notify::new(),
            done: watch::Sender::new(0),
        }
    }

    /// Keeps the request and carries it out.
    pub(crate) async fn forget(&self, user: &str, hub: Option<&str>, tell: Tell<'_>) -> Result<Certificate> {
        let request = tokio::task::block_in_place(|| self.keep(user, hub)).map_err(|error| match error {
            ErasureError::Impossible(told) | ErasureError::Full(told) | ErasureError::Internal(told) => anyhow!(told),
        })?;
        let certificate = self.carry_out(&request.id, tell).await;
        if certificate.is_err() {
            self.asked.notify_one();
        }
        certificate
    }

    /// Carries requests out as they come, first those that an earlier life left, until `stop`. What a stop or a failure
    /// leaves is taken up later: a step that was taken may be taken again.
    pub(crate) async fn work(&self, stop: CancellationToken) {
        loop {
            let finished = tokio::select! {
                () = stop.cancelled() => return,
                finished = self.carry_out_all() => finished,
            };
            if let Err(error) = &finished {
                tracing::error!(error = format!("{error:#}"), "somebody cannot be forgotten yet; it is tried again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.asked.notified() => {}
                () = tokio::time::sleep(RETRY_AFTER), if finished.is_err() => {}
            }
        }
    }

    /// Keeps a request, durably.
    fn keep(&self, user: &str, hub: Option<&str>) -> Result<Kept, ErasureError> {
        if user.is_empty() || user.chars().count() > NAME_LETTERS_MAX || user.chars().any(char::is_control) {
            let told = format!("a user's name has 1 to {NAME_LETTERS_MAX} letters, none of them a control character");
            return Err(ErasureError::Impossible(told));
        }
        hub.map_or(Ok(()), check_hub).map_err(|error| ErasureError::Impossible(error.to_string()))?;
        let _alone = self.keeping.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !has_room(&self.root).map_err(internal)? {
            let told = format!("{ERASURES_MAX} requests to forget somebody were kept, which is the most");
            return Err(ErasureError::Full(told));
        }
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id).map_err(|error| ErasureError::Internal(format!("no randomness: {error}")))?;
        let subject = key(&self.root).map_err(internal)?.subject(hub, user);
        let request = Kept::new(hex(&id), subject, hub, SystemClock.now());
        request.write(&self.root).map_err(internal)?;
        fail::fail_point!("forget::kept");
        Ok(request)
    }

    async fn carry_out_all(&self) -> Result<()> {
        let mut failed = Ok(());
        for request in tokio::task::block_in_place(|| all(&self.root))? {
            if !request.finished {
                match self.carry_out(&request.id, &|_| {}).await {
                    Ok(certificate) => tracing::info!(id = certificate.id, "somebody is forgotten"),
                    Err(error) => failed = Err(error.context(format!("the request {}", request.id))),
                }
            }
        }
        failed
    }

    fn place(&self) -> Place<'_> {
        Place { pipeline: &self.pipeline, rollups: &self.rollups, root: &self.root, archive: &self.archive }
    }

    /// Takes every step of the request `id`, unless somebody else did so while this waited.
    async fn carry_out(&self, id: &str, tell: Tell<'_>) -> Result<Certificate> {
        let _alone = self.carrying_out.lock().await;
        let request = tokio::task::block_in_place(|| one(&self.root, id))?;
        if request.finished {
            return Certificate::read(&self.root, id);
        }
        let certificate = carry_out(&self.place(), request, tell).await?;
        self.done.send_modify(|count| *count += 1);
        Ok(certificate)
    }

    /// The certificate of the request `id`, once there is one.
    fn certificate(&self, id: &str) -> Result<Option<serde_json::Value>> {
        if !one(&self.root, id)?.finished {
            return Ok(None);
        }
        Ok(Some(serde_json::to_value(Certificate::read(&self.root, id)?)?))
    }
}

impl server::Erasures for Desk {
    fn ask(&self, user: String, hub: Option<Arc<str>>) -> Waiting<'_, Result<String, ErasureError>> {
        Box::pin(async move {
            let request = tokio::task::block_in_place(|| self.keep(&user, hub.as_deref()))?;
            self.asked.notify_one();
            Ok(request.id)
        })
    }

    fn done<'a>(&'a self, id: &'a str) -> Waiting<'a, Result<serde_json::Value, ErasureError>> {
        Box::pin(async move {
            let mut done = self.done.subscribe();
            loop {
                done.mark_unchanged();
                if let Some(certificate) = tokio::task::block_in_place(|| self.certificate(id)).map_err(internal)? {
                    return Ok(certificate);
                }
                done.changed().await.map_err(|error| ErasureError::Internal(error.to_string()))?;
            }
        })
    }

    fn list(&self) -> Waiting<'_, Result<Vec<Erasure>, ErasureError>> {
        Box::pin(async move {
            let mut requests = tokio::task::block_in_place(|| all(&self.root)).map_err(internal)?;
            requests.sort_by(|one, other| (&other.asked, &other.id).cmp(&(&one.asked, &one.id)));
            let erasure = |request: Kept| Erasure {
                id: request.id,
                hub: request.hub,
                asked: request.asked,
                is_finished: request.finished,
            };
            Ok(requests.into_iter().map(erasure).collect())
        })
    }
}

fn internal(error: anyhow::Error) -> ErasureError {
    ErasureError::Internal(format!("{error:#}"))
}
