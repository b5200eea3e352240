//! What happens by itself while `serve` runs, as a table: flushing, compaction, retention, publication.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use event::{Clock, EventTime, SystemClock};
use publish::Publisher;
use store::{Retention, Rewritten};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::pipeline::Pipeline;
use crate::rollups::Rollups;

/// After a failure a job tries again after this long, or after its own period if that is shorter.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// While there is no room, it is looked for this often: senders are to be served again within five seconds of room.
const ROOM_INTERVAL: Duration = Duration::from_secs(1);
/// Terms end with days; twice a day is soon enough, and a start at night does not shift it to the next.
const RETENTION_INTERVAL: Duration = Duration::from_secs(12 * 3600);

/// Compaction waits for so long after senders would have been refused, unless parts become too many meanwhile: it
/// would take a fifth of what they get.
const PRESSURE_PASSES_AFTER: Duration = Duration::from_secs(5);

/// Small parts that may gather meanwhile. They are joined many at a time then, so that each row is rewritten once.
const PARTS_UNDER_PRESSURE_MAX: usize = 128;

/// Files that nobody needs any more are looked for at least this often.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);

/// A publication may take this long beside its period before it counts as late.
const PUBLICATION_TIME_MAX: Duration = Duration::from_secs(60);

/// How the jobs fare: readiness, metrics and the page read it.
#[derive(Debug)]
pub(crate) struct Health {
    started: Instant,
    /// How often the archive is to be published, if at all.
    publication_interval: Option<Duration>,
    published: Mutex<Option<Instant>>,
    flush: Mutex<Outcome>,
    publication: Mutex<Outcome>,
}

/// The last end of a job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// When it last succeeded.
    pub(crate) succeeded: Option<EventTime>,
    /// Why it failed since.
    pub(crate) failure: Option<String>,
}

impl Health {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            started: Instant::now(),
            publication_interval: config.archive.enabled.then_some(config.archive.interval.duration()),
            published: Mutex::default(),
            flush: Mutex::default(),
            publication: Mutex::default(),
        }
    }

    /// Whether the publisher has let more than a period go by, for whatever reason (P4).
    pub(crate) fn publication_is_late(&self) -> bool {
        let published = *self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let since = published.unwrap_or(self.started).elapsed();
        self.publication_interval.is_some_and(|interval| since > interval + PUBLICATION_TIME_MAX)
    }

    pub(crate) fn flush(&self) -> Outcome {
        self.flush.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn publication(&self) -> Outcome {
        self.publication.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn note(slot: &Mutex<Outcome>, result: &anyhow::Result<()>, job: &'static str) {
    let mut outcome = slot.lock().unwrap_or_else(PoisonError::into_inner);
    match result {
        Ok(()) => *outcome = Outcome { succeeded: Some(SystemClock.now()), failure: None },
        Err(error) => {
            tracing::error!(job, error = format!("{error:#}"), "a job failed; it will be tried again");
            outcome.failure = Some(format!("{error:#}"));
        }
    }
}

/// Starts every job; they end when `stop` is cancelled.
pub(crate) fn start(
    pipeline: &Arc<Pipeline>,
    rollups: &Arc<Rollups>,
    publisher: &Arc<Publisher>,
    archive: PathBuf,
    config: &Config,
    health: &Arc<Health>,
    stop: &CancellationToken,
) -> TaskTracker {
    let jobs = TaskTracker::new();
    let (flushed, flushes) = watch::channel(Flushed::default());
    jobs.spawn(flush(Arc::clone(pipeline), config.clone(), Arc::clone(health), flushed, stop.clone()));
    jobs.spawn(compact(Arc::clone(pipeline), config.store.compact_parts, flushes, stop.clone()));
    let derived = config.retention.derived.days();
    jobs.spawn(retain(Arc::clone(pipeline), Arc::clone(rollups), config.retention(), derived, stop.clone()));
    jobs.spawn(find_room(Arc::clone(pipeline), Arc::clone(health), stop.clone()));
    if config.archive.enabled {
        let publisher = Arc::clone(publisher);
        jobs.spawn(publish(publisher, archive, config.archive.interval.duration(), Arc::clone(health), stop.clone()));
    }
    jobs.close();
    jobs
}

/// What compaction is told of flushes.
#[derive(Clone, Copy, Debug, Default)]
struct Flushed {
    /// When last a flush came sooner than commits should, because senders would have been refused.
    pressed: Option<Instant>,
}

/// Flushes when the tail is full or old, never more often than commits may come.
async fn flush(
    pipeline: Arc<Pipeline>,
    config: Config,
    health: Arc<Health>,
    flushed: watch::Sender<Flushed>,
    stop: CancellationToken,
) {
    let interval = config.store.flush_interval.duration();
    let mut wait = interval;
    loop {
        let earliest = Instant::now() + config.store.commit_interval.duration().min(wait);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            () = pipeline.tail_full() => {}
        }
        let is_pressed = tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(earliest) => false,
            // Sooner than commits should come, but senders would be refused.
            () = pipeline.tail_pressing() => true,
        };
        let result = if pipeline.store.status().tail_rows > 0 { pipeline.flush().await } else { Ok(()) };
        flushed.send_modify(|flushed| flushed.pressed = is_pressed.then(Instant::now).or(flushed.pressed));
        wait = if result.is_ok() { interval } else { RETRY_AFTER.min(interval) };
        note(&health.flush, &result, "flush");
    }
}

/// Takes events in again as soon as there is room, and writes at once what could not be written meanwhile.
async fn find_room(pipeline: Arc<Pipeline>, health: Arc<Health>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ROOM_INTERVAL) => {}
        }
        match pipeline.look_for_room() {
            Ok(false) => {}
            Ok(true) => note(&health.flush, &pipeline.flush().await, "flush"),
            Err(error) => tracing::warn!(error = format!("{error:#}"), "cannot find out whether there is room"),
        }
    }
}

/// Makes few parts of many, beside flushes; and removes files that nobody needs.
async fn compact(
    pipeline: Arc<Pipeline>,
    parts_max: usize,
    mut flushes: watch::Receiver<Flushed>,
    stop: CancellationToken,
) {
    let mut swept = Instant::now();
    let mut put_off: Option<Instant> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            // The sender lives as long as flushes do.
            told = flushes.changed() => if told.is_err() { return },
            () = tokio::time::sleep_until(put_off.unwrap_or(swept + SWEEP_INTERVAL)) => {}
        }
        let small = pipeline.store.status().small_parts;
        let passes = flushes.borrow_and_update().pressed.map(|pressed| pressed + PRESSURE_PASSES_AFTER);
        put_off = passes.filter(|passes| Instant::now() < *passes && small < PARTS_UNDER_PRESSURE_MAX);
        if put_off.is_some() || (small < parts_max && swept.elapsed() < SWEEP_INTERVAL) {
            continue;
        }
        // What was not committed is as if it had not been, so a stop need not wait.
        tokio::select! {
            () = stop.cancelled() => return,
            compacted = pipeline.store.compact() => match compacted {
                Ok(_) => swept = Instant::now(),
                Err(error) => {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    tracing::error!(error, "parts could not be compacted; it is tried again after the next flush");
                }
            }
        }
    }
}

/// Takes out what is older than its term, at once and then each period.
async fn retain(
    pipeline: Arc<Pipeline>,
    rollups: Arc<Rollups>,
    retention: Retention,
    derived: Option<u32>,
    stop: CancellationToken,
) {
    if retention.is_for_ever() {
        return;
    }
    loop {
        let retained = tokio::select! {
            () = stop.cancelled() => return,
            retained = leave(&pipeline, &rollups, &retention, derived) => retained,
        };
        let wait = match retained {
            Ok(done) => {
                if done.parts_taken > 0 {
                    tracing::info!(
                        rows = done.rows_removed,
                        parts = done.parts_taken,
                        "removed rows at the end of their term"
                    );
                }
                RETENTION_INTERVAL
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "rows at the end of their term could not be removed; it is tried again");
                RETRY_AFTER
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Rows at the end of their term leave the tables once what is derived from them is kept on disk.
async fn leave(
    pipeline: &Pipeline,
    rollups: &Rollups,
    retention: &Retention,
    derived: Option<u32>,
) -> anyhow::Result<Rewritten> {
    let now = SystemClock.now();
    rollups.keep_history(retention, derived, now).await?;
    fail::fail_point!("retain::kept");
    Ok(pipeline.store.retain(retention, now).await?)
}

/// Publishes at once, then each period.
async fn publish(
    publisher: Arc<Publisher>,
    archive: PathBuf,
    interval: Duration,
    health: Arc<Health>,
    stop: CancellationToken,
) {
    loop {
        let result = tokio::select! {
            () = stop.cancelled() => return,
            published = publisher.publish(&archive) => published.map(drop).map_err(anyhow::Error::from),
        };
        let wait = if result.is_ok() { interval } else { RETRY_AFTER.min(interval) };
        if result.is_ok() {
            *health.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        note(&health.publication, &result, "publication");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
