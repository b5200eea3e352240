//! The way of an event, whole: door → journal (the acknowledgement) → tail → table.
//!
//! ```text
//! admit (ingest) ─▶ encode ─▶ journal: append, group fsync ─▶ tail (store) ─▶ the answer
//!                                                              └─ flush ─▶ table ─▶ trim the journal
//! ```
//!
//! The journal and the store never meet but here. An answer is sent from one place, [`Pipeline::collect`], after the
//! journal's writer has synced the record and put its rows into the tail.

mod room;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use erasure::{Effort, Erasure, Erasures, Persons, Removal};
use event::{Batch, Clock, CollectorId, EventTime, Position, RequestKey, SystemClock};
use ingest::{Admission, Collect, CollectError, Outcomes, Receipt, record};
use journal::{AppendError, Journal, ReplayError};
use store::{DurableFs, Rows, Store};
use tokio::sync::{Notify, RwLock, oneshot};

use crate::config::Config;
use crate::folder::{Folder, keys_in};
use crate::forget;
use crate::keys::{Keys, Remembered};
use crate::operations::Reply;
use crate::output::Format;
use crate::verification;

pub(crate) use room::Shortage;
use room::{Room, is_full};

/// Requests of more events than this are turned into columns on a blocking thread; of fewer, many together.
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
    keys: Arc<Keys>,
    /// Who was forgotten; held for reading while a request is kept, so that none is on its way when somebody is added.
    forgotten: RwLock<Option<Erasures>>,
    /// Held while rows are imported, for the same reason: that takes longer than a request may wait.
    importing: Arc<tokio::sync::Mutex<()>>,
    journal: Journal,
    room: Room,
    /// Held by the one flush at a time: of two that write the keys of an hour, the later must come last.
    flushing: tokio::sync::Mutex<()>,
    flush_bytes: usize,
    tail_bytes_max: usize,
    tail_full: Notify,
    tail_pressing: Notify,
    /// When the tail got its first row since it was last empty.
    tail_began: Mutex<Option<Instant>>,
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
        let options = store::Options { parts_small_max: config.store.compact_parts, ..store::Options::default() };
        let store = Store::open_on(folder.root(), disks.table.clone(), options, &columns);
        let store = store.await.context("cannot open the table")?;
        let room = Room::new(Arc::clone(&disks.journal), folder.root(), config.store.reserve.bytes());
        let journal = open_journal(folder, disks.journal, config)?;
        let keep = config.idempotency.keep.duration();
        let keys = Keys::new(disks.table, keys_in(folder.root()), keep, config.idempotency.keys_max);
        keys.read(&admission.registry()).context("cannot read the keys of earlier requests")?;
        let forgotten = forget::read(folder.root()).context("cannot read who was forgotten")?;
        let collector = own_collector(&journal, &store)?;
        store.attach(collector.clone());
        let pipeline = Self {
            admission,
            store: Arc::new(store),
            collector,
            keys: Arc::new(keys),
            forgotten: RwLock::new(forgotten),
            importing: Arc::default(),
            journal,
            room,
            flushing: tokio::sync::Mutex::default(),
            flush_bytes: config.store.flush_size.in_memory(),
            tail_bytes_max: config.store.tail_size.in_memory(),
            tail_full: Notify::new(),
            tail_pressing: Notify::new(),
            tail_began: Mutex::default(),
            newest: AtomicI64::new(i64::MIN),
        };
        if pipeline.replay().await? == Replay::Unstruck {
            pipeline.take_out().await?;
        }
        Ok(pipeline)
    }

    /// Reads back what the table does not hold, flushing whenever the tail is full, so that memory stays bounded
    /// whatever the backlog. Of records that the table does hold, the keys alone: their file may not have been written.
    async fn replay(&self) -> Result<Replay> {
        let from = self.store.committed(&self.collector);
        // Of what lies before this, the quarantine has its rows already and takes no more: a row that was blanked, and
        // so belonged there, would be nowhere.
        let aside = self.store.committed_aside(&self.collector);
        let mut replay = Replay::Done;
        let runtime = tokio::runtime::Handle::current();
        let mut replayed_rows = 0;
        let oldest = self.journal.status().first.min(from.0);
        let forgotten = self.forgotten.read().await;
        let replayed = tokio::task::block_in_place(|| {
            self.journal.replay(oldest, &mut |record: journal::Record<'_>| -> Result<()> {
                let is_flushed = record.first < from.0;
                if is_flushed && !record::has_key(record.payload) {
                    return Ok(());
                }
                let mut batch = record::decode(record.payload, &self.admission.registry())
                    .context("a record cannot be understood; it was probably written by a newer version")?;
                match forgotten.as_ref() {
                    Some(_) if !is_flushed && record.first < aside.0 => replay = Replay::Unstruck,
                    Some(forgotten) => self.strike(&mut batch, forgotten, Effort::Whole),
                    None => {}
                }
                self.remember(&batch, Position(record.first));
                if is_flushed {
                    return Ok(());
                }
                replayed_rows += batch.rows.len();
                // What damage took was reported when the journal was opened; the records after it follow all the same.
                self.store.pass_over(Position(record.first));
                self.newest.fetch_max(batch.received.micros(), Ordering::Relaxed);
                Shown::of(batch).show(&self.store, Position(record.first));
                if self.store.tail_bytes() >= self.flush_bytes {
                    runtime.block_on(self.flush_replayed())?;
                }
                Ok(())
            })
        });
        replayed.map_err(|error| match error {
            ReplayError::Stopped { position, error } => error.context(format!("at position {position} of the journal")),
            error => anyhow!("cannot read the journal back: {error}"),
        })?;
        self.store.pass_over(Position(self.journal.status().next));
        if replayed_rows > 0 {
            tracing::info!(events = replayed_rows, "brought acknowledged events back from the journal");
        }
        Ok(replay)
    }

    /// Takes what is of people who were forgotten out of the tables, where it came by a crash between the two commits
    /// of a flush. A full disk stops no start: then it stays until the erasure is finished or asked for again.
    async fn take_out(&self) -> Result<()> {
        let Some(erasures) = self.forgotten.read().await.clone() else { return Ok(()) };
        let persons = Arc::new(Persons::of(&self.admission.registry()));
        let removal = Arc::new(Removal { erasures, persons });
        let taken = async || -> Result<()> {
            self.flush().await?;
            let rewritten = self.store.rewrite(removal).await?;
            self.store.expire(Duration::ZERO).await?;
            tracing::info!(rows = rewritten.rows_removed, "of somebody who was forgotten: taken out of the tables");
            Ok(())
        };
        match taken().await {
            Err(error) if is_full(&error) => {
                tracing::error!("the disk is full: what is left of people who were forgotten is not taken out yet");
                Ok(())
            }
            outcome => outcome.context("cannot take out what is of people who were forgotten"),
        }
    }

    /// Makes room in memory amid a replay. A full disk does not stop a start as long as the tail may grow.
    async fn flush_replayed(&self) -> Result<()> {
        let flushed = async || self.store.flush().await.map(drop).context("cannot write the tail to the table");
        let Err(error) = flushed().await else { return Ok(()) };
        if !is_full(&error) {
            return Err(error);
        }
        if self.room.give_up()? && flushed().await.is_ok() || self.store.status().tail_bytes < self.tail_bytes_max {
            return Ok(());
        }
        Err(error)
    }

    /// Writes the tail to the table and trims the journal behind it. Where the disk is full, what was kept free for
    /// this is used. Safe to call at any time.
    pub(crate) async fn flush(&self) -> Result<()> {
        let _alone = self.flushing.lock().await;
        let flushed = self.flush_and_trim().await;
        if !flushed.as_ref().is_err_and(is_full) {
            return flushed;
        }
        if !tokio::task::block_in_place(|| self.room.give_up())? {
            return flushed;
        }
        tracing::warn!("the disk is full: the table is written into the room that was kept free");
        let flushed = self.flush_and_trim().await;
        tokio::task::block_in_place(|| self.room.hold())?;
        flushed
    }

    async fn flush_and_trim(&self) -> Result<()> {
        let begins_anew = Instant::now();
        let flushed = self.store.flush().await.context("cannot write the tail to the table")?;
        // What came while it was written is at most as old as the flush.
        *self.tail_began.lock().unwrap_or_else(PoisonError::into_inner) = Some(begins_anew);
        tokio::task::block_in_place(|| {
            self.keys.persist(SystemClock.now()).context("cannot write the keys of requests")?;
            self.journal.trim(flushed.through.0).context("cannot trim the journal")
        })?;
        if flushed.rows > 0 {
            tracing::info!(rows = flushed.rows, version = flushed.version, "wrote the tail to the table");
        }
        Ok(())
    }

    /// Returns when the tail has reached the size at which it is flushed. Cancel safe.
    pub(crate) async fn tail_full(&self) {
        self.tail_full.notified().await;
    }

    /// Returns when the tail has reached half of the size at which senders are refused. Cancel safe.
    pub(crate) async fn tail_pressing(&self) {
        self.tail_pressing.notified().await;
    }

    /// Looks at what lies in the journal, up to what is acknowledged.
    pub(crate) fn inspect_journal(&self) -> Result<journal::Inspection> {
        self.journal.inspect().context("cannot read the journal")
    }

    /// Looks through tables and journal.
    pub(crate) async fn verify(&self, format: Format, progress: store::Progress) -> Result<Reply> {
        verification::beside(&self.store, &self.journal, format, progress).await
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

    /// Age of the oldest event that the table does not hold yet.
    pub(crate) fn tail_age(&self) -> Option<Duration> {
        let began = *self.tail_began.lock().unwrap_or_else(PoisonError::into_inner);
        began.filter(|_| self.store.status().tail_rows > 0).map(|began| began.elapsed())
    }

    /// Stops: what is acknowledged goes to the table, then the journal is closed. The doors must be shut before.
    pub(crate) async fn close(&self) -> Result<()> {
        let flushed = self.flush().await;
        tokio::task::block_in_place(|| self.journal.close());
        flushed
    }

    /// Blanks what `batch` holds of people who were forgotten. Hashes each word of a text, so it blocks.
    fn strike(&self, batch: &mut Batch, forgotten: &Erasures, effort: Effort) {
        let struck = erasure::strike(batch, forgotten, &Persons::of(&self.admission.registry()), effort);
        if struck.named > 0 {
            tracing::info!(events = struck.named, "of somebody who was forgotten: blanked");
        }
        if struck.unsure > 0 {
            tracing::warn!(
                events = struck.unsure,
                hub = &*batch.hub,
                "a request of too many different words to tell whether they name somebody who was forgotten: blanked"
            );
        }
    }

    /// Obeys `erasure` from now on: when it returns, nothing on its way is older than it.
    pub(crate) async fn obey(&self, key: erasure::Key, erasure: Erasure) {
        let _importing = self.importing.lock().await;
        self.forgotten.write().await.get_or_insert_with(|| Erasures::new(key)).add(erasure);
    }

    /// Brings everything acknowledged so far to the table, and nothing of it stays in the journal.
    pub(crate) async fn renew_segments(&self) -> Result<()> {
        tokio::task::block_in_place(|| self.journal.rotate()).context("cannot begin a new segment of the journal")?;
        self.flush().await
    }

    /// Forgets the answers kept for retries that quote what `names` (text, hub) knows; returns how many.
    pub(crate) fn forget_answers(&self, names: &dyn Fn(&[u8], &str) -> bool) -> Result<u64> {
        tokio::task::block_in_place(|| self.keys.forget_named(SystemClock.now(), names))
    }

    /// Removes what the journal set aside and of whose bytes `names` says so: it is in no table. Returns the files,
    /// below the journal's folder.
    pub(crate) fn forget_aside(&self, names: &dyn Fn(&[u8]) -> bool) -> Result<Vec<PathBuf>> {
        let removed = tokio::task::block_in_place(|| self.journal.remove_aside(names));
        removed.context("cannot look through what the journal set aside")
    }

    /// Begins to import: until the result is dropped, nobody is added to those who were forgotten.
    pub(crate) async fn begin_import(&self) -> Importing {
        let alone = Arc::clone(&self.importing).lock_owned().await;
        Importing { _alone: alone, forgotten: Arc::new(self.forgotten.read().await.clone()) }
    }

    /// The columns of rows that were read, without those who were `forgotten`. Blocks.
    pub(crate) fn imported(&self, mut batch: Batch, forgotten: Option<&Erasures>) -> Rows {
        if let Some(forgotten) = forgotten {
            self.strike(&mut batch, forgotten, Effort::Whole);
        }
        Rows::build(&batch)
    }

    async fn keep(&self, mut batch: Batch) -> Result<Receipt, CollectError> {
        let forgotten = self.forgotten.read().await;
        if let Some(forgotten) = forgotten.as_ref() {
            tokio::task::block_in_place(|| self.strike(&mut batch, forgotten, Effort::Limited));
        }
        let name = batch.key.clone().map(|key| (Arc::clone(&batch.hub), key));
        let Some((hub, key)) = name else {
            return self.keep_new(batch, None).await;
        };
        if let Some(receipt) = self.keys.begin(&hub, &key)? {
            return Ok(receipt);
        }
        self.keep_new(batch, Some(Begun { keys: Arc::clone(&self.keys), hub, key, is_settled: false })).await
    }

    async fn keep_new(&self, batch: Batch, begun: Option<Begun>) -> Result<Receipt, CollectError> {
        if let Some(shortage) = self.room.shortage() {
            return Err(shortage.into());
        }
        let tail_bytes = self.store.tail_bytes();
        let was_empty = tail_bytes == 0;
        if tail_bytes >= self.tail_bytes_max {
            return Err(CollectError::Overloaded);
        }
        let count = u32::try_from(batch.rows.len()).map_err(|_| CollectError::TooLarge)?;
        let received = batch.received;
        let outcomes = Outcomes::of(&batch.rows);
        let prepared = |batch| (record::encode(&batch), Shown::of(batch));
        let (payload, shown) = if batch.rows.len() <= EVENTS_INLINE_MAX {
            prepared(batch)
        } else {
            tokio::task::spawn_blocking(move || prepared(batch)).await.map_err(|_| CollectError::Closed)?
        };
        let settle = begun.map(|begun| {
            let (collector, outcomes) = (self.collector.clone(), outcomes.clone());
            move |first| {
                begun.kept(|digest| Remembered { digest, received, collector, first, outcomes });
            }
        });
        let first = self.append(payload, count, shown, settle).await?;
        self.newest.fetch_max(received.micros(), Ordering::Relaxed);
        if was_empty {
            *self.tail_began.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        let tail_bytes = self.store.tail_bytes();
        if tail_bytes >= self.flush_bytes {
            self.tail_full.notify_one();
        }
        if tail_bytes >= self.tail_bytes_max / 2 {
            self.tail_pressing.notify_one();
        }
        Ok(Receipt { collector: self.collector.clone(), first, outcomes, is_repeated: false })
    }

    /// Appends one record; returns once it is on disk and its rows are in the tail. `settle` is called in between, for
    /// the key must be remembered before a flush can take the rows and the journal their record.
    async fn append(
        &self,
        payload: Vec<u8>,
        count: u32,
        shown: Shown,
        settle: Option<impl FnOnce(Position) + Send + 'static>,
    ) -> Result<Position, CollectError> {
        let (answer, answered) = oneshot::channel();
        let store = Arc::clone(&self.store);
        self.journal.append(
            payload,
            count,
            Box::new(move |outcome| {
                let outcome = outcome.map(|first| {
                    let first = Position(first);
                    if let Some(settle) = settle {
                        settle(first);
                    }
                    shown.show(&store, first);
                    first
                });
                // A sender that has gone away loses its answer, never its events.
                let _ = answer.send(outcome);
            }),
        );
        match answered.await {
            Ok(Ok(first)) => Ok(first),
            Ok(Err(error)) => {
                self.note_shortage(&error);
                Err(refused(&error))
            }
            Err(_) => Err(CollectError::Closed),
        }
    }
}

/// What a replay left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replay {
    /// Nothing.
    Done,
    /// Rows went to the tail without a look at whether they are of somebody who was forgotten.
    Unstruck,
}

impl Pipeline {
    fn note_shortage(&self, error: &AppendError) {
        match error {
            AppendError::DiskFull => self.room.note(Some(Shortage::Disk)),
            AppendError::QuotaReached => {
                self.room.note(Some(Shortage::Quota));
                // A flush lets the journal go.
                self.tail_full.notify_one();
            }
            _ => {}
        }
    }

    /// Remembers the key of a batch that the journal gave back, if it has one.
    fn remember(&self, batch: &Batch, first: Position) {
        let Some(key) = &batch.key else { return };
        let remembered = Remembered {
            digest: key.digest,
            received: batch.received,
            collector: self.collector.clone(),
            first,
            outcomes: Outcomes::of(&batch.rows),
        };
        self.keys.remember(&batch.hub, key, remembered);
    }

    /// Keys of requests that are remembered.
    pub(crate) fn keys_remembered(&self) -> usize {
        self.keys.len()
    }
}

/// An import under way.
#[derive(Debug)]
pub(crate) struct Importing {
    _alone: tokio::sync::OwnedMutexGuard<()>,
    /// Whose rows are not taken.
    pub(crate) forgotten: Arc<Option<Erasures>>,
}

/// What the tail gets of a request.
enum Shown {
    /// Up to [`EVENTS_INLINE_MAX`] events, which become columns together with others.
    Few(Batch),
    Rows(Rows),
}

impl Shown {
    fn of(batch: Batch) -> Self {
        if batch.rows.len() <= EVENTS_INLINE_MAX { Self::Few(batch) } else { Self::Rows(Rows::build(&batch)) }
    }

    fn show(self, store: &Store, first: Position) {
        match self {
            Self::Few(batch) => store.acknowledge_few(first, batch),
            Self::Rows(rows) => store.acknowledge(first, rows),
        }
    }
}

/// A request with a key that is on its way; dropped before it was kept, its key is free again.
struct Begun {
    keys: Arc<Keys>,
    hub: Arc<str>,
    key: RequestKey,
    is_settled: bool,
}

impl Begun {
    fn kept(mut self, remembered: impl FnOnce([u8; 32]) -> Remembered) {
        self.is_settled = true;
        self.keys.settle(&self.hub, &self.key, Some(remembered(self.key.digest)));
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.is_settled {
            self.keys.settle(&self.hub, &self.key, None);
        }
    }
}

impl Collect for Pipeline {
    fn is_overloaded(&self) -> bool {
        self.store.tail_bytes() >= self.tail_bytes_max
    }

    fn collect(&self, batch: Batch) -> Pin<Box<dyn Future<Output = Result<Receipt, CollectError>> + Send + '_>> {
        Box::pin(self.keep(batch))
    }
}

fn open_journal(folder: &Folder, disk: Arc<dyn journal::Fs>, config: &Config) -> Result<Journal> {
    let options = journal::Options {
        segment_bytes_max: config.journal.segment_size.bytes(),
        queue_bytes_max: config.journal.queue_size.bytes(),
        disk_bytes_max: config.journal.quota.bytes(),
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
        AppendError::QuotaReached => CollectError::QuotaReached,
        AppendError::Poisoned => CollectError::Poisoned,
        AppendError::Closed => CollectError::Closed,
        AppendError::TooLarge { .. } => CollectError::TooLarge,
        _ => CollectError::Overloaded,
    }
}
