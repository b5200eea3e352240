//! What is derived from the table, as files.
//!
//! The facts that are kept ready for questions lie in `DATA/derived/rollups`, the sessions in `DATA/derived/sessions`:
//! read at the start, written beside everything else, and made anew from the table when they are missing, damaged or
//! asked for. What was derived from events that have left lies in `DATA/history`, facts and sessions each in a folder;
//! nothing makes it anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use derive::{DeriveError, Sessions, schemas};
use event::{Clock, EventTime, SystemClock};
use query::{Engine, RollupProgress, Until};
use store::{Derived, Retention, Store, cutoff};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::operations::Progress;

/// Name of the folder.
const FOLDER: &str = "rollups";

/// Name of the folder of facts that outlive their events.
const FACTS_FOLDER: &str = "facts";

/// Name of the folder of sessions, and of that of those that outlive their events.
pub(crate) const SESSIONS_FOLDER: &str = "sessions";

/// Sessions are brought up to date so often although nobody asks, so that whoever asks does not wait.
const SESSIONS_INTERVAL: Duration = Duration::from_secs(60);

/// They are written this often, and when all were made anew: what came since is read again after a start.
const SESSIONS_SAVE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How often it is looked whether the table has changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// After it was followed it is left alone for so many times as long, unless nothing comes in any more: of a day under
/// full load all events are read each time, and whoever sends comes first.
const LOOK_REST: u32 = 19;

/// Files are written at most this often: what is not in them is made again after a start, in seconds.
const SAVE_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// At the end facts are made that were not there yet, of a table of at most so many rows: that takes a second.
const FINISH_ROWS_MAX: u64 = 200_000;

/// After a failure it is tried again after this long.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// The facts of a folder of data.
#[derive(Debug)]
pub(crate) struct Rollups {
    engine: Arc<Engine>,
    sessions: Arc<Sessions>,
    store: Arc<Store>,
    folder: Derived,
    /// Whether the files have been read; held while they are.
    is_read: tokio::sync::Mutex<bool>,
    /// Whether this process follows the table, so that facts may be in the making at any time.
    follows: AtomicBool,
    /// Held by whoever writes the files.
    writing: tokio::sync::Mutex<()>,
}

impl Rollups {
    pub(crate) fn new(engine: Arc<Engine>, sessions: Arc<Sessions>, store: Arc<Store>) -> Self {
        let folder = store.derived(FOLDER);
        if let Err(damaged) = engine.load_history(store.history(FACTS_FOLDER)) {
            tracing::error!(%damaged, "facts of days whose events have left are missing; take them from a backup");
        }
        Self {
            engine,
            sessions,
            store,
            folder,
            is_read: tokio::sync::Mutex::default(),
            follows: AtomicBool::new(false),
            writing: tokio::sync::Mutex::default(),
        }
    }

    /// Reads the files, once; without any, or with damaged ones, everything is made anew in time.
    pub(crate) async fn read(&self) -> Result<()> {
        let mut is_read = self.is_read.lock().await;
        if *is_read {
            return Ok(());
        }
        *is_read = true;
        let (engine, folder) = (Arc::clone(&self.engine), self.folder.clone());
        match tokio::task::spawn_blocking(move || engine.load_rollups(&folder)).await? {
            Ok(_) => {}
            Err(damaged) => tracing::warn!(%damaged, "what is kept ready for questions is made anew from the table"),
        }
        // Without facts nothing could be said of days whose events have left.
        if self.engine.has_history() && !self.follows.load(Ordering::SeqCst) {
            self.engine.refresh_rollups(&|_| {}).await?;
        }
        Ok(())
    }

    /// Writes what has changed. Returns the files that are gone.
    pub(crate) async fn save(&self) -> Result<Vec<String>> {
        let _alone = self.writing.lock().await;
        let (engine, folder) = (Arc::clone(&self.engine), self.folder.clone());
        let write = move || -> Result<Vec<String>> {
            let Some(mut files) = engine.rollup_files()? else { return Ok(Vec::new()) };
            let replaced = folder.replace(std::mem::take(&mut files.of), std::mem::take(&mut files.files));
            if replaced.is_err() {
                // What lies there now is unknown; the next time everything is written.
                engine.rollups_not_written();
            }
            let replaced = replaced.with_context(|| format!("cannot write {}", folder.dir().display()))?;
            engine.rollups_written(files, &replaced.manifest);
            Ok(replaced.removed)
        };
        tokio::task::spawn_blocking(write).await?
    }

    /// Makes everything anew from the table.
    pub(crate) async fn rebuild(&self, tell: &(dyn Fn(Progress) + Send + Sync)) -> Result<()> {
        *self.is_read.lock().await = true;
        self.engine.rebuild_rollups(&told(tell)).await?;
        self.save().await.map(drop)
    }

    /// Keeps what is derived from the events that leave at `now`, on disk; what is older than `derived` days is kept no
    /// longer. Events may leave when it returns.
    pub(crate) async fn keep_history(&self, retention: &Retention, derived: Option<u32>, now: EventTime) -> Result<()> {
        self.read().await?;
        let from = derived.map(|days| cutoff(days, now));
        self.engine.keep_history(&|schema| retention.cutoff(schema, now), from, &|_| {}).await?;
        self.save().await?;
        fail::fail_point!("retain::facts");
        let Some(to) = schemas::ALL.iter().filter_map(|schema| retention.cutoff(schema, now)).max() else {
            return Ok(());
        };
        let (sessions, store) = (Arc::clone(&self.sessions), Arc::clone(&self.store));
        tokio::task::spawn_blocking(move || sessions.keep(&|| store.snapshot(), now, from, to)).await??;
        Ok(())
    }

    /// Brings what is derived up to the table, in memory and on disk, lets go of every name that the table has not any
    /// more, and of those whom `until` names in what outlives the table. Returns the files that are gone.
    pub(crate) async fn forget(&self, until: Until<'_>) -> Result<Vec<String>> {
        self.read().await?;
        let gone = tokio::task::block_in_place(|| self.sessions.forget(until))?;
        let mut removed: Vec<String> =
            gone.history.iter().map(|file| format!("history/{SESSIONS_FOLDER}/{file}")).collect();
        removed.extend(gone.files.iter().map(|file| format!("derived/{SESSIONS_FOLDER}/{file}")));
        let is_used = self.follows.load(Ordering::SeqCst) || self.engine.rollup_figures().is_ready;
        if is_used || self.engine.has_history() {
            let kept = self.engine.forget_in_rollups(until, &|_| {}).await?;
            removed.extend(kept.iter().map(|file| format!("history/{FACTS_FOLDER}/{file}")));
        }
        // Where there is nothing that could be used, what lies there may name anybody.
        let of_table = if self.engine.rollup_figures().rows == 0 { self.clear().await? } else { self.save().await? };
        removed.extend(of_table.iter().map(|file| format!("derived/{FOLDER}/{file}")));
        Ok(removed)
    }

    /// Decodes what outlives the table: how many rows there are, and how many of those whom `until` names.
    pub(crate) fn look_through(&self, until: Until<'_>) -> Result<(u64, u64)> {
        let (facts, sessions) = (self.engine.look_through_history(until)?, self.sessions.look_through(until)?);
        Ok((facts.0 + sessions.0, facts.1 + sessions.1))
    }

    async fn clear(&self) -> Result<Vec<String>> {
        let _alone = self.writing.lock().await;
        let folder = self.folder.clone();
        let cleared = tokio::task::spawn_blocking(move || folder.clear()).await?;
        self.engine.rollups_not_written();
        cleared.with_context(|| format!("cannot empty {}", self.folder.dir().display()))
    }

    /// Makes all sessions anew from the table, and writes them. How many there are.
    pub(crate) async fn rebuild_sessions(&self) -> Result<usize> {
        let (sessions, store) = (Arc::clone(&self.sessions), Arc::clone(&self.store));
        let rebuild = move || {
            let rows = sessions.rebuild(&store.snapshot(), SystemClock.now())?;
            sessions.save(SystemClock.now())?;
            Ok(rows.len())
        };
        tokio::task::spawn_blocking(rebuild).await?
    }

    /// Makes what is known of sessions outlive the process, if that was told already.
    pub(crate) async fn save_sessions(&self) -> Result<()> {
        let sessions = Arc::clone(&self.sessions);
        let saved = tokio::task::spawn_blocking(move || sessions.save(SystemClock.now())).await?;
        match saved {
            Ok(()) | Err(DeriveError::Interrupted) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Follows the table with sessions until `stop`, and writes them now and then. The first time may take a while.
    pub(crate) async fn keep_sessions(self: Arc<Self>, stop: CancellationToken) {
        let mut saved: Option<(Instant, u64)> = None;
        loop {
            let (sessions, snapshot) = (Arc::clone(&self.sessions), self.store.snapshot());
            let derived = tokio::task::spawn_blocking(move || sessions.at(&snapshot, SystemClock.now()));
            let derived = tokio::select! {
                derived = derived => derived,
                () = stop.cancelled() => return self.sessions.interrupt(),
            };
            match derived {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::error!(%error, "sessions cannot be derived; it is tried again"),
                Err(fault) => tracing::error!(%fault, "sessions cannot be derived; it is tried again"),
            }
            let rebuilds = self.sessions.status().rebuilds;
            if saved.is_none_or(|(at, of)| at.elapsed() >= SESSIONS_SAVE_INTERVAL || of != rebuilds) {
                match self.save_sessions().await {
                    Ok(()) => saved = Some((Instant::now(), rebuilds)),
                    Err(error) => tracing::error!(error = format!("{error:#}"), "sessions could not be written"),
                }
            }
            tokio::select! {
                () = stop.cancelled() => return self.sessions.interrupt(),
                () = tokio::time::sleep(SESSIONS_INTERVAL) => {}
            }
        }
    }

    /// Before the end: the last flush is in the files too. Of a large table whose facts were not ready yet nothing is
    /// written.
    pub(crate) async fn finish(&self) {
        if let Err(error) = self.save_sessions().await {
            let error = format!("{error:#}");
            tracing::warn!(error, "sessions could not be written; the next start makes them anew");
        }
        if !self.engine.rollup_figures().is_ready && self.store.status().events.rows > FINISH_ROWS_MAX {
            return;
        }
        let finished = async {
            self.engine.refresh_rollups(&|_| {}).await?;
            self.save().await
        };
        if let Err(error) = finished.await {
            let error = format!("{error:#}");
            tracing::warn!(
                error,
                "what is kept ready for questions could not be written; the next start makes it anew"
            );
        }
    }

    /// Keeps the facts up to date until `stop`: reads them, follows the table, writes them now and then.
    pub(crate) async fn keep(self: Arc<Self>, stop: CancellationToken) {
        self.follows.store(true, Ordering::SeqCst);
        tokio::select! {
            () = stop.cancelled() => return,
            read = self.read() => if let Err(error) = read {
                tracing::error!(error = format!("{error:#}"), "what is kept ready for questions could not be read");
            }
        }
        let mut version = None;
        let mut saved: Option<Instant> = None;
        let (mut reached, mut rests_until) = (None, Instant::now());
        loop {
            let status = self.store.status();
            let newest = status.events.version;
            let is_quiet = reached.replace(status.attached.clone()) == Some(status.attached);
            let mut wait = LOOK_INTERVAL;
            if version != Some(newest) && (is_quiet || rests_until <= Instant::now()) {
                let began = Instant::now();
                tokio::select! {
                    () = stop.cancelled() => return,
                    refreshed = self.engine.refresh_rollups(&|_| {}) => match refreshed {
                        Ok(()) => {
                            version = Some(newest);
                            rests_until = Instant::now() + (began.elapsed() * LOOK_REST).min(SAVE_INTERVAL);
                        }
                        Err(error) => {
                            tracing::error!(%error, "what is kept ready for questions could not be brought up to date");
                            wait = RETRY_AFTER;
                        }
                    }
                }
            }
            if version.is_some() && saved.is_none_or(|saved| saved.elapsed() >= SAVE_INTERVAL) {
                match self.save().await {
                    Ok(_) => saved = Some(Instant::now()),
                    Err(error) => {
                        tracing::error!(error = format!("{error:#}"), "what is kept ready could not be written");
                        wait = RETRY_AFTER;
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

fn told(tell: &(dyn Fn(Progress) + Send + Sync)) -> impl Fn(RollupProgress) + Send + Sync {
    move |step: RollupProgress| tell(Progress { done: step.done, total: step.total, what: step.what })
}
