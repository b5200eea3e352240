//! Import: days of a source that is durable itself, each once, and anew when the source has changed.
//!
//! The ledger is the table: each (source, day) is an application id of its own, `import/<name>/<day>`, and its version
//! 63 bits of the SHA-256 of what was read. Same hash, nothing to do. Changed, the rows of that day go (the parts that
//! hold them are rewritten) and the new ones come, in one commit. A day without an event is a transaction without a
//! row, and so covered.

use std::collections::{BTreeMap, HashSet};
use std::ops::AddAssign;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use event::{CollectorId, Day, Position};

use crate::columns::Table;
use crate::delta::{Change, Delta, is_conflict};
use crate::durable_fs::blocking;
use crate::error::{Cause, ImportError, TableError};
use crate::flush::{ATTEMPTS, commit, write_sorted};
use crate::rewrite::{Revised, Rewrite, Rewriter};
use crate::rows::Rows;
use crate::scan::Selection;
use crate::store::{Committer, Store};

/// One day of a source.
#[derive(Clone, Debug)]
pub struct ImportUnit {
    /// The day that the source names; wrong-day events in it keep it.
    pub day: Day,
    /// SHA-256 of what the source holds for that day.
    pub sha256: [u8; 32],
    /// Its events in order of their lines, in pieces: row `n` of all gets position `day × 2³² + n`.
    pub pieces: Vec<Rows>,
}

impl ImportUnit {
    /// How many events it holds.
    pub fn rows(&self) -> u64 {
        self.pieces.iter().map(|piece| u64::from(piece.count)).sum()
    }

    /// Bytes of their texts.
    pub fn text_bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.text_bytes).sum()
    }

    /// Its pieces, each with the position of its first event.
    fn placed(&self) -> impl Iterator<Item = (Position, &Rows)> {
        let mut next = Position::imported(self.day, 0);
        self.pieces.iter().map(move |piece| {
            let first = next;
            next = next.plus(u64::from(piece.count));
            (first, piece)
        })
    }
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Days that were new.
    pub added: u64,
    /// Days whose rows were replaced.
    pub replaced: u64,
    /// Days that the table had already.
    pub unchanged: u64,
    /// Rows added to `events`.
    pub rows: u64,
    /// Rows added to `quarantine`.
    pub quarantined: u64,
}

impl AddAssign for Imported {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.replaced += other.replaced;
        self.unchanged += other.unchanged;
        self.rows += other.rows;
        self.quarantined += other.quarantined;
    }
}

/// How a unit with this hash stands in [`crate::Snapshot::import_ledger`]: its first 63 bits, a transaction's version
/// being a positive integer.
pub fn unit_version(sha256: &[u8; 32]) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *sha256;
    i64::from_be_bytes([a & 0x7f, b, c, d, e, f, g, h])
}

/// A unit that is to be committed.
struct Pending {
    unit: ImportUnit,
    app_id: Arc<str>,
    version: i64,
}

impl Store {
    /// Brings the days `units` of the import `collector` into the tables. Units are committed together up to
    /// [`crate::Options::import_bytes_max`] of text, so that many small days make few parts. Of several units of one
    /// day the last counts.
    ///
    /// Cancel safe, and safe to repeat: what was committed is found unchanged.
    ///
    /// # Errors
    /// [`ImportError`]. What was committed before stays.
    pub async fn import(&self, collector: &CollectorId, units: Vec<ImportUnit>) -> Result<Imported, ImportError> {
        if !collector.is_import() {
            return Err(ImportError::NotAnImport(collector.clone()));
        }
        let mut imported = Imported::default();
        for group in self.groups(units)? {
            imported += self.import_group(collector, group).await?;
        }
        Ok(imported)
    }

    /// Units in groups of at most `import_bytes_max`, at least one each.
    fn groups(&self, units: Vec<ImportUnit>) -> Result<Vec<Vec<ImportUnit>>, ImportError> {
        let by_day: BTreeMap<Day, ImportUnit> = units.into_iter().map(|unit| (unit.day, unit)).collect();
        let mut groups: Vec<Vec<ImportUnit>> = Vec::new();
        let mut bytes = usize::MAX;
        for unit in by_day.into_values() {
            let rows = unit.rows();
            if u32::try_from(rows).is_err() {
                return Err(ImportError::TooLong { day: unit.day, rows });
            }
            let own = unit.text_bytes();
            match groups.last_mut() {
                Some(group) if bytes.saturating_add(own) <= self.options.import_bytes_max => {
                    bytes += own;
                    group.push(unit);
                }
                _ => {
                    bytes = own;
                    groups.push(vec![unit]);
                }
            }
        }
        Ok(groups)
    }

    async fn import_group(&self, collector: &CollectorId, units: Vec<ImportUnit>) -> Result<Imported, ImportError> {
        let mut committer = self.committer.lock().await;
        committer.events.refresh().await?;
        committer.quarantine.refresh().await?;
        let (pending, mut imported) = sort_out(&committer, collector, units);
        for rows in pending.iter().flat_map(|pending| &pending.unit.pieces) {
            self.make_room(rows);
        }
        for table in Table::ALL {
            let outcome = self.import_table(committer.table(table), collector, &pending).await;
            self.publish(&committer);
            match table {
                Table::Events => imported.rows += outcome?,
                Table::Quarantine => imported.quarantined += outcome?,
            }
        }
        Ok(imported)
    }

    /// Returns the rows added.
    async fn import_table(
        &self,
        delta: &mut Delta,
        collector: &CollectorId,
        units: &[Pending],
    ) -> Result<u64, TableError> {
        let table = delta.table();
        let schema = self.schema(table);
        for _ in 0..ATTEMPTS {
            let pending: Vec<&Pending> = units.iter().filter(|unit| is_pending(delta, unit)).collect();
            if pending.is_empty() {
                return Ok(0);
            }
            let replaced: HashSet<Day> =
                pending.iter().filter(|one| delta.transaction(&one.app_id).is_some()).map(|one| one.unit.day).collect();
            let mut change = without_days(delta, &schema, collector, replaced).await?;
            let rows = batches(table, &schema, collector, &pending)?;
            let added = rows.iter().map(|batch| batch.num_rows() as u64).sum();
            change.add.extend(write_sorted(delta, &schema, rows, self.options.part_bytes_max).await?);
            change.transactions = pending.iter().map(|unit| (Arc::clone(&unit.app_id), unit.version)).collect();
            let Err(error) = commit(delta, &change).await else { return Ok(added) };
            if pending.iter().all(|unit| delta.transaction(&unit.app_id) == Some(unit.version)) {
                tracing::warn!(table = table.name(), %error, "a commit arrived although its answer was an error");
                return Ok(added);
            }
            if !is_conflict(&error) {
                return Err(error);
            }
            tracing::warn!(table = table.name(), %error, "another writer was faster; trying again");
            delta.refresh().await?;
        }
        Err(TableError::Busy { table, attempts: ATTEMPTS })
    }
}

/// Which units have to be done, and what became of the others.
fn sort_out(committer: &Committer, collector: &CollectorId, units: Vec<ImportUnit>) -> (Vec<Pending>, Imported) {
    let mut imported = Imported::default();
    let mut pending = Vec::new();
    for unit in units {
        let (app_id, version) = (app_id(collector, unit.day), unit_version(&unit.sha256));
        let kept = committer.events.transaction(&app_id);
        // A crash between the two commits leaves `quarantine` ahead.
        let aside = committer.quarantine.transaction(&app_id);
        if kept == Some(version) && aside.is_none_or(|aside| aside == version) {
            imported.unchanged += 1;
            continue;
        }
        match kept {
            None => imported.added += 1,
            Some(_) => imported.replaced += 1,
        }
        pending.push(Pending { unit, app_id, version });
    }
    (pending, imported)
}

fn app_id(collector: &CollectorId, day: Day) -> Arc<str> {
    format!("{collector}/{day}").into()
}

/// Whether it has to be committed to this table. `events` has a transaction for each unit; `quarantine` only where
/// there is, or was, a row.
fn is_pending(delta: &Delta, pending: &Pending) -> bool {
    let done = delta.transaction(&pending.app_id);
    let concerned = match delta.table() {
        Table::Events => true,
        Table::Quarantine => {
            done.is_some() || pending.unit.pieces.iter().any(|rows| !rows.quarantine.indexes.is_empty())
        }
    };
    concerned && done != Some(pending.version)
}

fn batches(
    table: Table,
    schema: &SchemaRef,
    collector: &CollectorId,
    pending: &[&Pending],
) -> Result<Vec<RecordBatch>, TableError> {
    let mut batches = Vec::new();
    for (first, rows) in pending.iter().flat_map(|pending| pending.unit.placed()) {
        let portion = match table {
            Table::Events => &rows.events,
            Table::Quarantine => &rows.quarantine,
        };
        if !portion.indexes.is_empty() {
            batches.push(portion.batch(schema, collector.as_str(), first).map_err(TableError::rows(table))?);
        }
    }
    Ok(batches)
}

/// The change that takes the rows of `days` out: parts that hold one, and in their place what else they hold.
async fn without_days(
    delta: &mut Delta,
    schema: &SchemaRef,
    collector: &CollectorId,
    days: HashSet<Day>,
) -> Result<Change, TableError> {
    if days.is_empty() {
        return Ok(Change::default());
    }
    let rewrite: Arc<dyn Rewrite> = Arc::new(DaysOf { collector: collector.clone(), days });
    let rewriter = Rewriter::new(delta, schema, &rewrite).await?;
    let parts = Arc::clone(&delta.view().parts);
    let table = delta.table();
    let work = move || Ok(rewriter.run_blocking(&parts));
    let revised = blocking(work).await.map_err(|source| TableError::write(table, "", source))??;
    let mut change = Change::default();
    for Revised { part, instead, .. } in revised {
        change.remove.push(part);
        change.add.extend(instead);
    }
    Ok(change)
}

/// The rows that an import brought for some days.
#[derive(Debug)]
struct DaysOf {
    collector: CollectorId,
    days: HashSet<Day>,
}

impl Rewrite for DaysOf {
    fn selection(&self, _table: Table) -> Selection {
        let (Some(first), Some(last)) = (self.days.iter().min(), self.days.iter().max()) else { return Selection::All };
        let range = Position::imported(*first, 0)..Position::imported(last.next(), 0);
        Selection::Positions(self.collector.clone(), range)
    }

    fn columns(&self, _table: Table) -> Vec<String> {
        ["collector", "position"].map(str::to_owned).into()
    }

    fn leaves(&self, _table: Table, batch: &RecordBatch) -> Result<BooleanArray, Cause> {
        let (Some(collectors), Some(positions)) = (batch.column_by_name("collector"), batch.column_by_name("position"))
        else {
            return Ok(vec![false; batch.num_rows()].into());
        };
        let rows = collectors.as_string::<i32>().iter().zip(positions.as_primitive::<Int64Type>().iter());
        let leaves = rows.map(|(collector, position)| {
            let position = position.and_then(|position| u64::try_from(position).ok());
            let day = position.map(|position| Position(position).imported_day());
            collector == Some(self.collector.as_str()) && day.is_some_and(|day| self.days.contains(&day))
        });
        Ok(leaves.map(Some).collect())
    }
}
