//! Rewriting: rows leave the tables, or others take their place, and the parts that held them are written anew.
//!
//! Import (a day that changed), retention and erasure are this one mechanism. Most of the reading goes on beside
//! flushes; then, under the committer, what has come since is looked at too, and everything goes in one commit a table.
//!
//! S1 counts what left: each commit moves the application transaction `removed/<collector>` by the rows of that journal
//! that it took out, so that a row which is missing can be told from one that was removed.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::AddAssign;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::SchemaRef;
use event::CollectorId;

use crate::columns::Table;
use crate::delta::{Change, Delta, is_conflict};
use crate::durable_fs::blocking;
use crate::error::{Cause, TableError};
use crate::flush::{ATTEMPTS, commit, declare};
use crate::part::Part;
use crate::scan::{Selection, open_part};
use crate::sort::{BATCH_ROWS, sorted};
use crate::store::Store;
use crate::tail::conform;
use crate::write::{Effort, PartFolder, PartWriter, Written};

/// What precedes a journal's id in the transaction that counts its removed rows.
const REMOVED: &str = "removed/";

/// Which rows leave the tables, and what takes their place.
pub trait Rewrite: fmt::Debug + Send + Sync {
    /// How much of `part` leaves, as far as the log tells.
    fn share(&self, _table: Table, _part: &Part) -> Share {
        Share::Some
    }

    /// Rows outside it stay; their row groups are not read to find the rows that leave.
    fn selection(&self, _table: Table) -> Selection {
        Selection::All
    }

    /// The columns that [`Self::leaves`] looks at. A part that lacks one gives a batch without it.
    fn columns(&self, table: Table) -> Vec<String>;

    /// Which rows of `batch` leave: as many values as it has rows. The batch has at least [`Self::columns`].
    ///
    /// # Errors
    /// Whatever keeps it from telling; nothing is changed then.
    fn leaves(&self, table: Table, batch: &RecordBatch) -> Result<BooleanArray, Cause>;

    /// What takes the place of `rows`, all of which leave: rows of the same columns, collectors and positions, as many
    /// or fewer. `None`: nothing does.
    ///
    /// # Errors
    /// Whatever keeps it from telling; nothing is changed then.
    fn instead(&self, _table: Table, _rows: &RecordBatch) -> Result<Option<RecordBatch>, Cause> {
        Ok(None)
    }
}

/// How much of a part leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Nothing; it is not read.
    None,
    /// Perhaps some rows; they are looked at.
    Some,
    /// Every row, and nothing takes its place; the file goes as a whole.
    All,
}

/// What a rewriting did, both tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// Parts that were taken out.
    pub parts_taken: u64,
    /// Parts that took their place.
    pub parts_made: u64,
    /// Rows that are gone.
    pub rows_removed: u64,
    /// Rows that are there in another form.
    pub rows_replaced: u64,
}

impl AddAssign for Rewritten {
    fn add_assign(&mut self, other: Self) {
        self.parts_taken += other.parts_taken;
        self.parts_made += other.parts_made;
        self.rows_removed += other.rows_removed;
        self.rows_replaced += other.rows_replaced;
    }
}

/// The application transaction that counts the removed rows of `collector`.
pub(crate) fn removed_id(collector: &str) -> Arc<str> {
    format!("{REMOVED}{collector}").into()
}

impl Store {
    /// Takes the rows out of both tables that `rewrite` names, in one commit each. Files of parts taken out stay for
    /// their readers until [`Self::compact`] or [`Self::expire`] removes them. The tail is not looked at: flush first.
    ///
    /// Waits for a compaction or another rewriting under way. Cancel safe: what was not committed is as if it had not
    /// been.
    ///
    /// # Errors
    /// [`TableError`]. A table committed before stays so; to repeat it is safe.
    pub async fn rewrite(&self, rewrite: Arc<dyn Rewrite>) -> Result<Rewritten, TableError> {
        let turn = self.turn().await;
        let mut rewritten = Rewritten::default();
        for table in Table::ALL {
            rewritten += self.rewrite_table(table, &rewrite, &turn).await?;
        }
        Ok(rewritten)
    }

    async fn rewrite_table(
        &self,
        table: Table,
        rewrite: &Arc<dyn Rewrite>,
        turn: &Turn,
    ) -> Result<Rewritten, TableError> {
        let (rewriter, parts) = {
            let mut committer = self.committer.lock().await;
            let delta = committer.table(table);
            delta.refresh().await?;
            let rewriter = Rewriter::new(delta, &self.schema(table), rewrite).await?;
            (rewriter, Arc::clone(&delta.view().parts))
        };
        let mut seen: HashSet<Arc<str>> = parts.iter().map(|part| Arc::clone(&part.path)).collect();
        let mut revised = rewriter.clone().run(parts, turn).await?;
        let mut committer = self.committer.lock().await;
        let outcome = rewrite_rest(committer.table(table), &rewriter, &mut seen, &mut revised, turn).await;
        self.publish(&committer);
        outcome
    }
}

/// Keeps compactions, rewritings and expiries apart. A copy goes with the work on a blocking thread, which ends later
/// than a caller that has been cancelled.
pub(crate) type Turn = Arc<tokio::sync::OwnedMutexGuard<()>>;

/// Looks at what came since, and commits.
async fn rewrite_rest(
    delta: &mut Delta,
    rewriter: &Rewriter,
    seen: &mut HashSet<Arc<str>>,
    revised: &mut Vec<Revised>,
    turn: &Turn,
) -> Result<Rewritten, TableError> {
    let table = delta.table();
    for _ in 0..ATTEMPTS {
        delta.refresh().await?;
        drop_vanished(delta, revised);
        let unseen: Arc<[Part]> =
            delta.view().parts.iter().filter(|part| !seen.contains(&part.path)).cloned().collect();
        seen.extend(unseen.iter().map(|part| Arc::clone(&part.path)));
        revised.extend(rewriter.clone().run(unseen, turn).await?);
        if revised.is_empty() {
            return Ok(Rewritten::default());
        }
        let change = change(delta, revised);
        let Err(error) = commit(delta, &change).await else { return Ok(told(revised)) };
        if has_arrived(delta, &change) {
            tracing::warn!(table = table.name(), %error, "a commit arrived although its answer was an error");
            return Ok(told(revised));
        }
        if !is_conflict(&error) {
            return Err(error);
        }
        tracing::warn!(table = table.name(), %error, "another writer was faster; trying again");
        // Written anew: the files of a failed commit may be swept away any time.
        for revised in revised.drain(..) {
            seen.remove(&revised.part.path);
        }
    }
    Err(TableError::Busy { table, attempts: ATTEMPTS })
}

/// Lets go of what was written in place of parts that are not in the table any more.
fn drop_vanished(delta: &Delta, revised: &mut Vec<Revised>) {
    let live: HashSet<&str> = delta.view().parts.iter().map(|part| &*part.path).collect();
    let mut vain = Change::default();
    revised.retain_mut(|revised| {
        let stays = live.contains(&*revised.part.path);
        if !stays {
            vain.add.append(&mut revised.instead);
        }
        stays
    });
    delta.forget_unborn(&vain);
}

fn change(delta: &Delta, revised: &[Revised]) -> Change {
    let mut removed: BTreeMap<&Arc<str>, i64> = BTreeMap::new();
    for (collector, rows) in revised.iter().flat_map(|revised| &revised.removed) {
        *removed.entry(collector).or_default() += i64::try_from(*rows).unwrap_or(i64::MAX);
    }
    let of_journals =
        removed.into_iter().filter(|(collector, rows)| *rows > 0 && !CollectorId::from(&***collector).is_import());
    Change {
        add: revised.iter().flat_map(|revised| revised.instead.iter().cloned()).collect(),
        remove: revised.iter().map(|revised| revised.part.clone()).collect(),
        transactions: of_journals
            .map(|(collector, rows)| {
                let id = removed_id(collector);
                let before = delta.transaction(&id).unwrap_or(0);
                (id, before.saturating_add(rows))
            })
            .collect(),
        rearranges: false,
    }
}

fn has_arrived(delta: &Delta, change: &Change) -> bool {
    let live: HashSet<&str> = delta.view().parts.iter().map(|part| &*part.path).collect();
    change.add.iter().all(|written| live.contains(&*written.part.path))
        && !change.remove.iter().any(|part| live.contains(&*part.path))
}

fn told(revised: &[Revised]) -> Rewritten {
    let mut rewritten = Rewritten::default();
    for revised in revised {
        rewritten += Rewritten {
            parts_taken: 1,
            parts_made: revised.instead.len() as u64,
            rows_removed: revised.removed.values().sum(),
            rows_replaced: revised.rows_replaced,
        };
    }
    rewritten
}

/// A part of which rows leave.
#[derive(Debug)]
pub(crate) struct Revised {
    pub(crate) part: Part,
    /// What it holds besides, and what takes the place of what left.
    pub(crate) instead: Vec<Written>,
    /// Rows that are gone, by collector.
    removed: BTreeMap<Arc<str>, u64>,
    rows_replaced: u64,
}

/// The work on one table.
#[derive(Clone, Debug)]
pub(crate) struct Rewriter {
    folder: PartFolder,
    dir: PathBuf,
    schema: SchemaRef,
    rewrite: Arc<dyn Rewrite>,
}

impl Rewriter {
    /// Makes sure that the table has the columns of `schema`.
    pub(crate) async fn new(
        delta: &mut Delta,
        schema: &SchemaRef,
        rewrite: &Arc<dyn Rewrite>,
    ) -> Result<Self, TableError> {
        declare(delta, schema).await?;
        Ok(Self {
            folder: delta.folder().clone(),
            dir: delta.dir().to_owned(),
            schema: Arc::clone(schema),
            rewrite: Arc::clone(rewrite),
        })
    }

    async fn run(self, parts: Arc<[Part]>, turn: &Turn) -> Result<Vec<Revised>, TableError> {
        let (table, turn) = (self.folder.table, Arc::clone(turn));
        let work = move || {
            let revised = self.run_blocking(&parts);
            drop(turn);
            Ok(revised)
        };
        blocking(work).await.map_err(|source| TableError::write(table, "", source))?
    }

    /// Those of `parts` of which rows leave, written anew.
    pub(crate) fn run_blocking(&self, parts: &[Part]) -> Result<Vec<Revised>, TableError> {
        let mut revised = Vec::new();
        for part in parts {
            match self.rewrite.share(self.folder.table, part) {
                Share::None => {}
                Share::Some => {
                    if self.is_hit(part)? {
                        revised.push(self.revise(part)?);
                    }
                }
                Share::All => revised.push(self.drop_whole(part)?),
            }
        }
        Ok(revised)
    }

    /// Whether a row of `part` leaves. Reads only the row groups and columns that tell.
    fn is_hit(&self, part: &Part) -> Result<bool, TableError> {
        let columns = self.rewrite.columns(self.folder.table);
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        for batch in self.open(part, &columns, &self.rewrite.selection(self.folder.table))? {
            if self.leaving(part, &batch.map_err(|source| self.unreadable(part)(source.into()))?)?.true_count() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn revise(&self, part: &Part) -> Result<Revised, TableError> {
        let misfit = || TableError::rows(self.folder.table);
        let names: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut revised = Revised::of(part);
        let mut writer = None;
        for batch in self.open(part, &names, &Selection::All)? {
            let batch = batch.map_err(|source| self.unreadable(part)(source.into()))?;
            let batch = conform(&batch, &self.schema).map_err(misfit())?;
            let leaves = self.leaving(part, &batch)?;
            let stays = filter_record_batch(&batch, &not(&leaves).map_err(misfit())?).map_err(misfit())?;
            let rows = match self.replace(part, &batch, &leaves, &mut revised)? {
                Some(instead) => in_order(&[stays, instead]).map_err(misfit())?,
                None => vec![stays],
            };
            for rows in rows.iter().filter(|rows| rows.num_rows() > 0) {
                let open = match &mut writer {
                    Some(open) => open,
                    none => none.insert(PartWriter::new(&self.folder, &self.schema, Effort::Thorough)?),
                };
                open.write(rows)?;
            }
        }
        revised.instead.extend(writer.map(PartWriter::finish).transpose()?);
        Ok(revised)
    }

    /// What takes the place of the rows of `batch` that leave; counts them.
    fn replace(
        &self,
        part: &Part,
        batch: &RecordBatch,
        leaves: &BooleanArray,
        revised: &mut Revised,
    ) -> Result<Option<RecordBatch>, TableError> {
        if leaves.true_count() == 0 {
            return Ok(None);
        }
        let misfit = || TableError::rows(self.folder.table);
        let rows = filter_record_batch(batch, leaves).map_err(misfit())?;
        let instead = self.rewrite.instead(self.folder.table, &rows).map_err(self.unreadable(part))?;
        let instead = instead.map(|instead| conform(&instead, &self.schema)).transpose().map_err(misfit())?;
        revised.count(&rows);
        if let Some(instead) = &instead {
            revised.count_back(instead);
        }
        Ok(instead)
    }

    /// A part of which everything leaves: only its collectors are read, to be counted.
    fn drop_whole(&self, part: &Part) -> Result<Revised, TableError> {
        let mut revised = Revised::of(part);
        for batch in self.open(part, &["collector"], &Selection::All)? {
            revised.count(&batch.map_err(|source| self.unreadable(part)(source.into()))?);
        }
        Ok(revised)
    }

    fn open(
        &self,
        part: &Part,
        columns: &[&str],
        selection: &Selection,
    ) -> Result<parquet::arrow::arrow_reader::ParquetRecordBatchReader, TableError> {
        open_part(&self.dir, part, columns, selection, BATCH_ROWS)
            .map_err(|source| self.unreadable(part)(source.into()))
    }

    fn leaving(&self, part: &Part, batch: &RecordBatch) -> Result<BooleanArray, TableError> {
        let leaves = self.rewrite.leaves(self.folder.table, batch).map_err(self.unreadable(part))?;
        if leaves.len() != batch.num_rows() {
            let detail = format!("{} verdicts for {} rows", leaves.len(), batch.num_rows());
            return Err(self.unreadable(part)(detail.into()));
        }
        Ok(leaves)
    }

    fn unreadable<'a>(&'a self, part: &'a Part) -> impl Fn(Cause) -> TableError + use<'a> {
        |source| TableError::read(self.folder.table, &part.path, source)
    }
}

impl Revised {
    fn of(part: &Part) -> Self {
        Self { part: part.clone(), instead: Vec::new(), removed: BTreeMap::new(), rows_replaced: 0 }
    }

    /// Counts `rows` as gone.
    fn count(&mut self, rows: &RecordBatch) {
        for (collector, rows) in collectors(rows) {
            *self.removed.entry(collector).or_default() += rows;
        }
    }

    /// Counts `rows` as there in another form.
    fn count_back(&mut self, rows: &RecordBatch) {
        for (collector, rows) in collectors(rows) {
            let removed = self.removed.entry(collector).or_default();
            *removed = removed.saturating_sub(rows);
            self.rows_replaced += rows;
        }
    }
}

/// The collectors of `rows` with how many rows each has, neighbours taken together.
fn collectors(rows: &RecordBatch) -> Vec<(Arc<str>, u64)> {
    let column = rows.column_by_name("collector").and_then(|column| column.as_string_opt::<i32>());
    let mut counted: Vec<(Arc<str>, u64)> = Vec::new();
    for collector in column.into_iter().flat_map(|column| column.iter().flatten()) {
        match counted.last_mut() {
            Some((last, rows)) if **last == *collector => *rows += 1,
            _ => counted.push((collector.into(), 1)),
        }
    }
    counted
}

/// Two halves of a batch, in the order of a part.
fn in_order(halves: &[RecordBatch]) -> Result<Vec<RecordBatch>, arrow::error::ArrowError> {
    sorted(halves)?.batches().collect()
}
