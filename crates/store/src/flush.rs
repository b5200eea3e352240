//! Flush: the tail becomes a part, exactly once.
//!
//! Quarantine first, events last. The position that trims the journal is the application transaction of `events`: it
//! moves in the same commit as the rows, and also when there are none. Each table drops rows at or below its *own*
//! transaction, so a flush that died between the two is healed by the next.
//!
//! Delta accepts a commit twice, so each attempt first looks at the newest version and is written on exactly that one;
//! a commit of the same collector in between makes it fail. After an error nobody knows whether the commit arrived:
//! look again, and believe only what has been made durable.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use event::Position;
use rayon::prelude::*;
use tokio::runtime::Handle;

use crate::columns::Table;
use crate::delta::{Change, Delta, is_conflict};
use crate::durable_fs::blocking;
use crate::error::{FlushError, TableError};
use crate::rows::position_value;
use crate::sort::sorted;
use crate::status::FlushStatus;
use crate::store::{Store, Taken};
use crate::tail::conform;
use crate::write::{Effort, Encoded, PartFolder, PartWriter, ROW_GROUP_BYTES_MAX, ROW_GROUP_ROWS, Written};

/// How often a commit is tried anew when other writers were faster or an answer was lost.
pub(crate) const ATTEMPTS: u32 = 5;

/// What a flush did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flushed {
    /// Positions below are in the tables, durably: the journal may forget them.
    pub through: Position,
    /// Version of `events`.
    pub version: i64,
    /// Rows written, both tables.
    pub rows: u64,
}

impl Store {
    /// Writes what was acknowledged so far into the tables. Does nothing when they have it already.
    ///
    /// Cancel safe: what was not committed stays in the tail, what was committed is found by the next flush.
    ///
    /// # Errors
    /// [`FlushError`]. The tail keeps its rows; flush again.
    pub async fn flush(&self) -> Result<Flushed, FlushError> {
        let started = Instant::now();
        let mut committer = self.committer.lock().await;
        let taken = self.take().ok_or(FlushError::NotAttached)?;
        let mut rows = 0;
        for table in Table::ALL {
            let outcome = self.flush_table(committer.table(table), &taken).await;
            // Also after an error: the other table, or a commit whose answer was lost, may have moved.
            self.publish(&committer);
            rows += outcome?;
        }
        self.flushed(&taken, FlushStatus { through: taken.through, rows, took: started.elapsed() });
        let version = committer.events.view().version;
        tracing::debug!(through = taken.through.0, version, rows, "flushed");
        Ok(Flushed { through: taken.through, version, rows })
    }

    /// Returns the rows written.
    async fn flush_table(&self, delta: &mut Delta, taken: &Taken) -> Result<u64, TableError> {
        let collector: Arc<str> = taken.collector.as_str().into();
        let through = position_value(taken.through);
        let table = delta.table();
        delta.refresh().await?;
        for _ in 0..ATTEMPTS {
            let done = delta.transaction(&collector).unwrap_or(0);
            if done >= through {
                return Ok(0);
            }
            let from = Position(u64::try_from(done).unwrap_or(0));
            let rows = self.tail_rows(table, from, taken.through);
            if rows.is_empty() && table == Table::Quarantine {
                return Ok(0);
            }
            let add = write_sorted(delta, &self.schema(table), rows, self.options.part_bytes_max).await?;
            let rows_written = add.iter().map(|written| written.part.rows).sum();
            let change = Change { add, transactions: vec![(Arc::clone(&collector), through)], ..Change::default() };
            let Err(error) = commit(delta, &change).await else { return Ok(rows_written) };
            if delta.transaction(&collector).unwrap_or(0) >= through {
                tracing::warn!(table = table.name(), %error, "a commit arrived although its answer was an error");
                return Ok(rows_written);
            }
            if !is_conflict(&error) {
                return Err(error);
            }
            tracing::warn!(table = table.name(), %error, "another writer was faster; trying again");
        }
        Err(TableError::Busy { table, attempts: ATTEMPTS })
    }
}

/// Commits `change`; after an error, moves to the newest version.
///
/// # Errors
/// That of the commit, if the newest version could then be read (look at its transactions); else that of reading it.
pub(crate) async fn commit(delta: &mut Delta, change: &Change) -> Result<(), TableError> {
    let Err(error) = delta.commit(change).await else { return Ok(()) };
    delta.refresh().await?;
    delta.forget_unborn(change);
    Err(error)
}

/// Writes `batches`, sorted, into as many parts as their size asks for, after making sure that the table has the
/// columns.
pub(crate) async fn write_sorted(
    delta: &mut Delta,
    schema: &SchemaRef,
    batches: Vec<RecordBatch>,
    part_bytes_max: u64,
) -> Result<Vec<Written>, TableError> {
    if batches.is_empty() {
        return Ok(Vec::new());
    }
    declare(delta, schema).await?;
    let (folder, schema) = (delta.folder().clone(), Arc::clone(schema));
    let table = folder.table;
    let work = move || Ok(write_blocking(&folder, &schema, &batches, part_bytes_max));
    blocking(work).await.map_err(|source| TableError::write(table, "", source))?
}

/// Makes the log declare every column of `schema`.
pub(crate) async fn declare(delta: &mut Delta, schema: &SchemaRef) -> Result<(), TableError> {
    let declared = delta.schema()?;
    if schema.fields().iter().all(|field| declared.field_with_name(field.name()).is_ok()) {
        return Ok(());
    }
    delta.evolve(schema).await
}

fn write_blocking(
    folder: &PartFolder,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    part_bytes_max: u64,
) -> Result<Vec<Written>, TableError> {
    let misfit = || TableError::rows(folder.table);
    let batches = batches.iter().map(|batch| conform(batch, schema)).collect::<Result<Vec<_>, _>>().map_err(misfit())?;
    let sorted = sorted(&batches).map_err(misfit())?;
    let mut parts = Parts {
        folder,
        schema,
        bytes_max: part_bytes_max,
        runtime: Handle::current(),
        open: PartWriter::new(folder, schema, Effort::Quick)?,
        written: Vec::new(),
    };
    let encoder = parts.open.encoder();
    let encode = |range: &Range<usize>| encoder.encode(sorted.batches_of(range.clone()));
    // As many row groups at once as there are threads; while those of one wave are written, the next is encoded.
    let group_bytes_max = ROW_GROUP_BYTES_MAX.min(usize::try_from(part_bytes_max).unwrap_or(usize::MAX));
    let groups = sorted.cut(ROW_GROUP_ROWS, group_bytes_max);
    let mut encoded: Vec<Encoded> = Vec::new();
    for wave in groups.chunks(rayon::current_num_threads()) {
        let encode = || wave.par_iter().map(encode).collect::<Result<Vec<_>, _>>();
        let (next, appended) = rayon::join(encode, || parts.append(std::mem::take(&mut encoded)));
        appended?;
        encoded = next.map_err(|source| TableError::write(folder.table, "", source))?;
    }
    parts.append(encoded)?;
    parts.finish()
}

/// Parts of rows that belong together, each begun when the last is large enough.
struct Parts<'a> {
    folder: &'a PartFolder,
    schema: &'a SchemaRef,
    bytes_max: u64,
    /// Threads that encode belong to none.
    runtime: Handle,
    open: PartWriter,
    written: Vec<Written>,
}

impl Parts<'_> {
    fn append(&mut self, groups: Vec<Encoded>) -> Result<(), TableError> {
        let _runtime = self.runtime.enter();
        for group in groups {
            if self.open.size() >= self.bytes_max {
                let next = PartWriter::new(self.folder, self.schema, Effort::Quick)?;
                self.written.push(std::mem::replace(&mut self.open, next).finish()?);
            }
            self.open.append(group)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Written>, TableError> {
        self.written.push(self.open.finish()?);
        Ok(self.written)
    }
}
