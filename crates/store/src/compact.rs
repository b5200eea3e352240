//! Compaction: many small parts become few, in one commit that changes no row.
//!
//! Reading and writing go on beside flushes and imports; only the commit takes the committer. If a part taken is gone
//! by then (an import replaced its rows), what was written is dropped and nothing happens.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use crate::columns::Table;
use crate::compact_plan::{Plan, plan};
use crate::delta::{Change, Delta};
use crate::error::{CompactError, TableError};
use crate::flush::{commit, declare};
use crate::merge::{Merge, Merged};
use crate::rewrite::Turn;
use crate::store::Store;

/// Rounds of one compaction: with 32 parts a round, a backlog of a thousand parts. The rest waits for the next one.
const ROUNDS_MAX: usize = 32;

/// With this niceness the thread gets a tenth of a processor that others want, and all of one that nobody wants.
const BACKGROUND_NICENESS: i32 = 10;

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Parts that were merged.
    pub parts_taken: u64,
    /// Parts that took their place.
    pub parts_made: u64,
    /// Rows in them.
    pub rows: u64,
    /// Files removed that no version and no reader in this process needs.
    pub files_removed: u64,
}

/// Parts of `events` that took the place of others without a row being changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rearranged {
    /// Paths of the parts that went.
    pub taken: Arc<[Arc<str>]>,
    /// Paths of those that came.
    pub made: Arc<[Arc<str>]>,
}

/// Rearrangements that are remembered, newest last. Whoever has not looked for so many compares the parts themselves.
const REARRANGED_MAX: usize = 256;

/// What became of one round.
enum Round {
    Nothing,
    Done { fewer: bool },
}

impl Store {
    /// Merges small parts of both tables, as long as that makes them fewer, then removes files that nobody needs.
    ///
    /// Cancel safe: what was not committed is as if it had not been.
    ///
    /// # Errors
    /// [`CompactError`]; the table is as it was, but for rounds committed before.
    pub async fn compact(&self) -> Result<Compacted, CompactError> {
        let turn = self.turn().await;
        let mut compacted = Compacted::default();
        for table in Table::ALL {
            for _ in 0..ROUNDS_MAX {
                match self.compact_round(table, &mut compacted, &turn).await? {
                    Round::Done { fewer: true } => {}
                    Round::Done { fewer: false } | Round::Nothing => break,
                }
            }
        }
        compacted.files_removed = self.vacuum().await?;
        Ok(compacted)
    }

    async fn compact_round(&self, table: Table, compacted: &mut Compacted, turn: &Turn) -> Result<Round, CompactError> {
        let Some(merge) = self.plan_merge(table).await? else { return Ok(Round::Nothing) };
        let taken = merge.parts.clone();
        let (turn, _ends) = (Arc::clone(turn), EndsWithUs(Arc::clone(&merge.given_up)));
        let work = move || {
            let merged = merge.run();
            drop(turn);
            merged
        };
        let merged = in_background(work).await.map_err(|source| TableError::write(table, "", source))?;
        let Merged { written, rows_read } = merged?;
        let rows: u64 = written.iter().map(|written| written.part.rows).sum();
        let change = Change { add: written, remove: taken, rearranges: true, ..Change::default() };
        let mut committer = self.committer.lock().await;
        let delta = committer.table(table);
        if rows != rows_read {
            delta.forget_unborn(&change);
            debug_assert_eq!(rows, rows_read, "S2: compaction changes no row");
            return Err(CompactError::RowsDiffer { table, read: rows_read, written: rows });
        }
        let outcome = rearrange(delta, &change).await;
        if matches!(outcome, Ok(true)) {
            self.note_rearranged(table, &change);
        }
        self.publish(&committer);
        if !outcome? {
            return Ok(Round::Nothing);
        }
        compacted.parts_taken += change.remove.len() as u64;
        compacted.parts_made += change.add.len() as u64;
        compacted.rows += rows;
        tracing::info!(table = table.name(), taken = change.remove.len(), made = change.add.len(), rows, "compacted");
        Ok(Round::Done { fewer: change.add.len() < change.remove.len() })
    }

    /// What compactions of this process did to the table `events`, oldest first; only the last few.
    pub fn rearranged(&self) -> Vec<Rearranged> {
        self.rearranged.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Remembers what a compaction did, before anybody sees it.
    fn note_rearranged(&self, table: Table, change: &Change) {
        if table != Table::Events {
            return;
        }
        let taken = change.remove.iter().map(|part| Arc::clone(&part.path)).collect();
        let made = change.add.iter().map(|written| Arc::clone(&written.part.path)).collect();
        let mut rearranged = self.rearranged.lock().unwrap_or_else(PoisonError::into_inner);
        rearranged.push_back(Rearranged { taken, made });
        while rearranged.len() > REARRANGED_MAX {
            rearranged.pop_front();
        }
    }

    async fn plan_merge(&self, table: Table) -> Result<Option<Merge>, TableError> {
        let mut committer = self.committer.lock().await;
        let delta = committer.table(table);
        delta.refresh().await?;
        let schema = self.schema(table);
        let Some(Plan { parts, cuts }) = plan(&delta.view().parts, &self.options) else { return Ok(None) };
        declare(delta, &schema).await?;
        let (folder, dir) = (delta.folder().clone(), delta.dir().to_owned());
        let part_bytes_max = self.options.part_bytes_max;
        Ok(Some(Merge { folder, dir, schema, parts, cuts, part_bytes_max, given_up: Arc::default() }))
    }
}

/// Tells the thread that nobody waits any more, when the wait is given up.
struct EndsWithUs(Arc<AtomicBool>);

impl Drop for EndsWithUs {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` on a thread of its own that yields to every other: whoever asks or sends comes first.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let runtime = tokio::runtime::Handle::current();
    let (told, done) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("compaction".into()).spawn(move || {
        // On Linux this is the priority of the thread. Where it cannot be lowered, it is as it was.
        let _ = rustix::process::setpriority_process(None, BACKGROUND_NICENESS);
        let _runtime = runtime.enter();
        // Who asked may have gone.
        let _ = told.send(work());
    })?;
    done.await.map_err(|_| io::Error::other("the work ended early"))
}

/// Commits `change` if every part that it removes is still there; false if not.
async fn rearrange(delta: &mut Delta, change: &Change) -> Result<bool, TableError> {
    delta.refresh().await?;
    if !holds(delta, change.remove.iter().map(|part| &part.path)) {
        delta.forget_unborn(change);
        return Ok(false);
    }
    let Err(error) = commit(delta, change).await else { return Ok(true) };
    if holds(delta, change.add.iter().map(|written| &written.part.path)) {
        tracing::warn!(table = delta.table().name(), %error, "a commit arrived although its answer was an error");
        return Ok(true);
    }
    Err(error)
}

fn holds<'a>(delta: &Delta, mut paths: impl Iterator<Item = &'a Arc<str>>) -> bool {
    let live: HashSet<&str> = delta.view().parts.iter().map(|part| &*part.path).collect();
    paths.all(|path| live.contains(&**path))
}
