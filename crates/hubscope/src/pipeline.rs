//! The way of an event, whole: door → journal (the acknowledgement) → tail → table.
//!
//! ```text
//! admit (ingest) ─▶ encode ─▶ journal: append, group fsync ─▶ tail (store) ─▶ the answer
//!                                                              └─ flush ─▶ table ─▶ trim the journal
//! ```
//!
//! The journal and the store never meet but here. An answer is sent from one place, [`Pipeline::collect`], after the
//! journal's writer has synced the record and put its rows into the tail.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result, anyhow};
use event::{Batch, CollectorId, EventTime, Position};
use ingest::{Admission, Collect, CollectError, Receipt, record};
use journal::{AppendError, Journal, ReplayError};
use store::{DurableFs, Rows, Store};
use tokio::sync::{Notify, oneshot};

use crate::config::Config;
use crate::folder::Folder;

/// Requests of more events than this are turned into columns on a blocking thread; fewer take less than 500 µs.
const EVENTS_INLINE_MAX: usize = 32;

/// The disks under journal and table; tests put recording ones in their place.
#[derive(Debug)]
pub(crate) struct Disks {
    pub(crate) journal: Arc<dyn journal::Fs>,
    pub(crate) table: DurableFs,
}

impl Default for Disks {
    fn default() -> Self {
        Self { journal: Arc::new(journal::RealFs), table: DurableFs::default() }
    }
}

/// Everything that keeps events, opened and consistent.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) admission: Arc<Admission>,
    pub(crate) store: Arc<Store>,
    pub(crate) collector: CollectorId,
    journal: Journal,
    flush_bytes: usize,
    tail_bytes_max: usize,
    tail_full: Notify,
    /// Received time of the newest event since the start, microseconds.
    newest: AtomicI64,
}

impl Pipeline {
    /// Opens journal and table, and brings the tail back from the journal: every event that was acknowledged and is not
    /// in the table yet.
    pub(crate) async fn open(
        folder: &Folder,
        disks: Disks,
        config: &Config,
        admission: Arc<Admission>,
    ) -> Result<Self> {
        let columns = admission.registry().columns();
        let store = Store::open_on(folder.root(), disks.table, store::Options::default(), &columns);
        let store = store.await.context("cannot open the table")?;
        let journal = open_journal(folder, disks.journal, config)?;
        let collector = own_collector(&journal, &store)?;
        store.attach(collector.clone());
        let pipeline = Self {
            admission,
            store: Arc::new(store),
            collector,
            journal,
            flush_bytes: config.store.flush_size.in_memory(),
            tail_bytes_max: config.store.tail_size.in_memory(),
            tail_full: Notify::new(),
            newest: AtomicI64::new(i64::MIN),
        };
        pipeline.replay().await?;
        Ok(pipeline)
    }

    /// Reads back what the table does not hold, flushing whenever the tail is full, so that memory stays bounded
    /// whatever the backlog.
    async fn replay(&self) -> Result<()> {
        let from = self.store.committed(&self.collector);
        let runtime = tokio::runtime::Handle::current();
        let replayed = tokio::task::block_in_place(|| {
            self.journal.replay(from.0, &mut |record: journal::Record<'_>| -> Result<()> {
                let batch = record::decode(record.payload, &self.admission.registry())
                    .context("a record cannot be understood; it was probably written by a newer version")?;
                // What damage took was reported when the journal was opened; the records after it follow all the same.
                self.store.pass_over(Position(record.first));
                self.newest.fetch_max(batch.received.micros(), Ordering::Relaxed);
                self.store.acknowledge(Position(record.first), Rows::build(&batch));
                if self.store.status().tail_bytes >= self.flush_bytes {
                    runtime.block_on(self.store.flush())?;
                }
                Ok(())
            })
        });
        let replayed = replayed.map_err(|error| match error {
            ReplayError::Stopped { position, error } => error.context(format!("at position {position} of the journal")),
            error => anyhow!("cannot read the journal back: {error}"),
        })?;
        self.store.pass_over(Position(self.journal.status().next));
        if replayed.positions > 0 {
            tracing::info!(events = replayed.positions, "brought acknowledged events back from the journal");
        }
        Ok(())
    }

    /// Writes the tail to the table and trims the journal behind it. Safe to call at any time.
    pub(crate) async fn flush(&self) -> Result<()> {
        let flushed = self.store.flush().await.context("cannot write the tail to the table")?;
        tokio::task::block_in_place(|| self.journal.trim(flushed.through.0)).context("cannot trim the journal")?;
        if flushed.rows > 0 {
            tracing::info!(rows = flushed.rows, version = flushed.version, "wrote the tail to the table");
        }
        Ok(())
    }

    /// Returns when the tail has reached the size at which it is flushed. Cancel safe.
    pub(crate) async fn tail_full(&self) {
        self.tail_full.notified().await;
    }

    /// The journal's figures.
    pub(crate) fn journal_status(&self) -> journal::Status {
        self.journal.status()
    }

    /// When the newest event was received, in the table, in the journal or since.
    pub(crate) fn newest_received(&self) -> Option<EventTime> {
        let snapshot = self.store.snapshot();
        let parts = snapshot.events.parts.iter().chain(snapshot.quarantine.parts.iter());
        let in_table = parts.filter_map(|part| part.received).map(|(_, newest)| newest).max();
        let since = Some(self.newest.load(Ordering::Relaxed)).filter(|micros| *micros > i64::MIN);
        in_table.max(since.map(EventTime::from_micros))
    }

    /// Stops: what is acknowledged goes to the table, then the journal is closed. The doors must be shut before.
    pub(crate) async fn close(&self) -> Result<()> {
        let flushed = self.flush().await;
        tokio::task::block_in_place(|| self.journal.close());
        flushed
    }

    async fn keep(&self, batch: Batch) -> Result<Receipt, CollectError> {
        let status = self.store.status();
        if status.tail_bytes >= self.tail_bytes_max {
            return Err(CollectError::Overloaded);
        }
        let count = u32::try_from(batch.rows.len()).map_err(|_| CollectError::Overloaded)?;
        let received = batch.received;
        let (payload, rows) = if batch.rows.len() <= EVENTS_INLINE_MAX {
            (record::encode(&batch), Rows::build(&batch))
        } else {
            tokio::task::spawn_blocking(move || (record::encode(&batch), Rows::build(&batch)))
                .await
                .map_err(|_| CollectError::Closed)?
        };
        let first = self.append(payload, count, rows).await?;
        self.newest.fetch_max(received.micros(), Ordering::Relaxed);
        if self.store.status().tail_bytes >= self.flush_bytes {
            self.tail_full.notify_one();
        }
        Ok(Receipt { collector: self.collector.clone(), first })
    }

    /// Appends one record; returns once it is on disk and its rows are in the tail.
    async fn append(&self, payload: Vec<u8>, count: u32, rows: Rows) -> Result<Position, CollectError> {
        let (answer, answered) = oneshot::channel();
        let store = Arc::clone(&self.store);
        self.journal.append(
            payload,
            count,
            Box::new(move |outcome| {
                let outcome = outcome.map(|first| {
                    let first = Position(first);
                    store.acknowledge(first, rows);
                    first
                });
                // A sender that has gone away loses its answer, never its events.
                let _ = answer.send(outcome);
            }),
        );
        match answered.await {
            Ok(Ok(first)) => Ok(first),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(CollectError::Closed),
        }
    }
}

impl Collect for Pipeline {
    fn collect(&self, batch: Batch) -> Pin<Box<dyn Future<Output = Result<Receipt, CollectError>> + Send + '_>> {
        Box::pin(self.keep(batch))
    }
}

fn open_journal(folder: &Folder, disk: Arc<dyn journal::Fs>, config: &Config) -> Result<Journal> {
    let options = journal::Options {
        segment_bytes_max: config.journal.segment_size.bytes(),
        queue_bytes_max: config.journal.queue_size.bytes(),
        ..journal::Options::default()
    };
    let (journal, recovery) = Journal::open(&folder.journal(), disk, options).context("cannot open the journal")?;
    if let Some(torn) = &recovery.torn {
        tracing::warn!(?torn, "the journal ended in a torn write; nothing acknowledged lay in it");
    }
    for damaged in &recovery.damaged {
        tracing::error!(?damaged, "a part of the journal is damaged; it was set aside, the records after it were read");
    }
    Ok(journal)
}

/// The collector of this journal. A table that is ahead of it was written by another life of the folder (the journal
/// was restored from a backup): its positions are taken, so the journal starts anew under a new id.
fn own_collector(journal: &Journal, store: &Store) -> Result<CollectorId> {
    let collector = CollectorId::of_journal(journal.id());
    let committed = store.committed(&collector);
    let next = journal.status().next;
    if committed.0 <= next {
        return Ok(collector);
    }
    let renewed = CollectorId::of_journal(journal.renew().context("cannot start the journal anew")?);
    tracing::warn!(
        %collector, %committed, next, %renewed,
        "the table is ahead of the journal, which was probably restored from a backup; it starts anew under a new id"
    );
    Ok(renewed)
}

fn refused(error: &AppendError) -> CollectError {
    match error {
        AppendError::DiskFull => CollectError::DiskFull,
        AppendError::Poisoned => CollectError::Poisoned,
        AppendError::Closed => CollectError::Closed,
        _ => CollectError::Overloaded,
    }
}
