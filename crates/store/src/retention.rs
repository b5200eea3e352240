//! Retention: rows older than their schema's term leave the tables.
//!
//! Age is told by `time`; of a row whose time is suspect or missing by `received`, so that a clock that went mad
//! neither removes a row early nor keeps it for ever. Terms end with UTC days, so that a part which holds the boundary
//! is rewritten once a day at most. What the log's bounds settle is not read: a part of old rows goes as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use event::EventTime;

use crate::columns::Table;
use crate::error::{Cause, TableError};
use crate::part::Part;
use crate::rewrite::{Rewrite, Rewritten, Share};
use crate::store::Store;

const DAY_MICROS: i64 = 86_400_000_000;

/// How many days rows are kept; `None` is for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Events of schemas that are not named in `by_schema`.
    pub events: Option<u32>,
    /// Events of these schemas, by id.
    pub by_schema: BTreeMap<Box<str>, Option<u32>>,
    /// What was kept aside, whatever its schema.
    pub quarantine: Option<u32>,
}

impl Retention {
    /// Whether anything ever leaves.
    pub fn is_for_ever(&self) -> bool {
        self.events.is_none() && self.quarantine.is_none() && self.by_schema.values().all(Option::is_none)
    }

    /// Events of `schema` from before this leave at `now`; `None` when they stay for ever.
    pub fn cutoff(&self, schema: &str, now: EventTime) -> Option<EventTime> {
        let days = self.by_schema.get(schema).copied().unwrap_or(self.events);
        days.map(|days| cutoff(days, now))
    }
}

/// What is kept for so many days leaves at `now` when it is from before this: the beginning of a UTC day.
pub fn cutoff(days: u32, now: EventTime) -> EventTime {
    let today = now.micros().div_euclid(DAY_MICROS);
    EventTime::from_micros((today - i64::from(days)).saturating_mul(DAY_MICROS))
}

impl Store {
    /// Takes out the rows whose term has ended at `now`. Their files stay for their readers, and go with a compaction.
    ///
    /// # Errors
    /// [`TableError`], as of [`Store::rewrite`].
    pub async fn retain(&self, retention: &Retention, now: EventTime) -> Result<Rewritten, TableError> {
        if retention.is_for_ever() {
            return Ok(Rewritten::default());
        }
        self.rewrite(Arc::new(Outdated { retention: retention.clone(), now })).await
    }
}

/// The rows whose term has ended.
#[derive(Debug)]
struct Outdated {
    retention: Retention,
    now: EventTime,
}

impl Outdated {
    /// Rows before this leave.
    fn cutoff(&self, days: Option<u32>) -> Option<i64> {
        days.map(|days| cutoff(days, self.now).micros())
    }

    fn cutoff_of(&self, table: Table, schema: Option<&str>) -> Option<i64> {
        match (table, schema) {
            (Table::Quarantine, _) => self.cutoff(self.retention.quarantine),
            (Table::Events, Some(schema)) => self.retention.cutoff(schema, self.now).map(EventTime::micros),
            (Table::Events, None) => self.cutoff(self.retention.events),
        }
    }

    /// The cutoffs of all schemas that `part` may hold.
    fn cutoffs(&self, table: Table, part: &Part) -> Vec<Option<i64>> {
        if table == Table::Quarantine {
            return vec![self.cutoff(self.retention.quarantine)];
        }
        match &part.schema {
            Some((least, greatest)) if least == greatest => vec![self.cutoff_of(table, Some(least))],
            bounds => {
                let may_hold = |schema: &str| {
                    bounds.as_ref().is_none_or(|(least, greatest)| &**least <= schema && schema <= &**greatest)
                };
                let named = self.retention.by_schema.iter().filter(|(schema, _)| may_hold(schema));
                named.map(|(_, days)| self.cutoff(*days)).chain([self.cutoff(self.retention.events)]).collect()
            }
        }
    }
}

impl Rewrite for Outdated {
    fn share(&self, table: Table, part: &Part) -> Share {
        let cutoffs = self.cutoffs(table, part);
        let Some(latest) = cutoffs.iter().flatten().max().copied() else { return Share::None };
        let Some((received_least, received_greatest)) = part.received else { return Share::Some };
        // Quarantined rows without a time, and suspect ones, go by when they were received.
        let (time_least, time_greatest) = match (table, part.time) {
            (_, Some(bounds)) => bounds,
            (Table::Quarantine, None) => (received_least, received_greatest),
            (Table::Events, None) => return Share::Some,
        };
        if time_least.min(received_least).micros() >= latest {
            return Share::None;
        }
        let earliest =
            cutoffs.iter().copied().collect::<Option<Vec<_>>>().and_then(|cutoffs| cutoffs.into_iter().min());
        let newest = time_greatest.max(received_greatest).micros();
        if earliest.is_some_and(|earliest| newest < earliest) { Share::All } else { Share::Some }
    }

    fn columns(&self, _table: Table) -> Vec<String> {
        ["time", "received", "time_suspect", "schema"].map(str::to_owned).into()
    }

    fn leaves(&self, table: Table, batch: &RecordBatch) -> Result<BooleanArray, Cause> {
        let time_of = |name: &str| {
            let column = batch.column_by_name(name)?;
            column.as_primitive_opt::<TimestampMicrosecondType>()
        };
        let (Some(times), Some(received)) = (time_of("time"), time_of("received")) else {
            return Err("a part without the columns 'time' and 'received'".into());
        };
        let schemas = batch.column_by_name("schema").and_then(|column| column.as_string_opt::<i32>());
        let suspect = batch.column_by_name("time_suspect").and_then(|column| column.as_boolean_opt());
        let leaves = (0..batch.num_rows()).map(|row| {
            let schema = schemas.filter(|schemas| schemas.is_valid(row)).map(|schemas| schemas.value(row));
            let is_suspect = suspect.is_some_and(|suspect| suspect.is_valid(row) && suspect.value(row));
            let goes_by = if times.is_null(row) || is_suspect { received.value(row) } else { times.value(row) };
            Some(self.cutoff_of(table, schema).is_some_and(|cutoff| goes_by < cutoff))
        });
        Ok(leaves.collect())
    }
}
