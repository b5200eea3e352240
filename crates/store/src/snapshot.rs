//! One consistent view of both tables and the tail.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use event::{CollectorId, Day, Position};
use serde::{Deserialize, Serialize};

use crate::delta::sub_transactions;
use crate::part::Part;
use crate::rewrite::removed_id;
use crate::transactions::Transactions;

/// What the store held at one moment: every acknowledged event once, in a part or in the tail. Immutable; the files of
/// its parts stay on disk as long as it (or a clone of one of its parts) is held.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Events that satisfy their schema.
    pub events: TableSnapshot,
    /// Events kept aside.
    pub quarantine: TableSnapshot,
    pub(crate) attached: Option<(CollectorId, Position)>,
    /// Of `events`.
    pub(crate) transactions: Arc<Transactions>,
    /// Of `quarantine`.
    pub(crate) transactions_aside: Arc<Transactions>,
}

/// What a view is made of: see [`Snapshot::contents`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Through which position (exclusive) each journal is part of it.
    pub journals: BTreeMap<CollectorId, Position>,
    /// The days of each import, and what was imported of them.
    pub imports: BTreeMap<CollectorId, BTreeMap<Day, i64>>,
    /// How many rows there are, of both tables.
    pub rows: u64,
}

impl Contents {
    /// Whether all that this has more than `before` came from journals, and nothing has left since.
    pub fn only_extends(&self, before: &Self) -> bool {
        let mut expected = before.rows;
        for (collector, reached) in &self.journals {
            let known = before.journals.get(collector).copied().unwrap_or_default();
            let Some(more) = reached.0.checked_sub(known.0) else { return false };
            expected = expected.saturating_add(more);
        }
        let is_known = |collector| self.journals.contains_key(collector);
        self.imports == before.imports && expected == self.rows && before.journals.keys().all(is_known)
    }
}

/// One table of a [`Snapshot`].
#[derive(Clone, Debug)]
pub struct TableSnapshot {
    /// The columns of the tail, and of the table as a whole; an old part may lack promoted ones (they are null).
    pub schema: SchemaRef,
    /// Version of the Delta table.
    pub version: i64,
    /// The files, oldest `received` first where known.
    pub parts: Arc<[Part]>,
    /// Acknowledged rows that are in no file yet, in order of position.
    pub tail: Arc<[RecordBatch]>,
}

impl TableSnapshot {
    /// How many rows it has.
    pub fn rows(&self) -> u64 {
        let tail: usize = self.tail.iter().map(RecordBatch::num_rows).sum();
        self.parts.iter().map(|part| part.rows).sum::<u64>() + tail as u64
    }
}

impl Snapshot {
    /// Names what was seen: two answers with the same text saw the same rows. Versions of `events` and `quarantine`,
    /// and the position up to which the tail reaches.
    pub fn data_version(&self) -> String {
        let reached = self.attached.as_ref().map_or(0, |(_, through)| through.0);
        format!("{}.{}.{}", self.events.version, self.quarantine.version, reached)
    }

    /// Through which position of `collector` (exclusive) this view reaches, the tail included; 0 when unknown.
    pub fn position(&self, collector: &CollectorId) -> Position {
        match &self.attached {
            Some((attached, through)) if attached == collector => *through,
            _ => committed(&self.transactions, collector),
        }
    }

    /// What this view is made of, as far as rows come and go.
    pub fn contents(&self) -> Contents {
        let mut contents = Contents::default();
        for collector in self.journals() {
            let reached = self.position(&collector);
            contents.journals.insert(collector, reached);
        }
        if let Some((collector, through)) = &self.attached {
            contents.journals.insert(collector.clone(), *through);
        }
        for collector in self.imports() {
            let ledger = self.import_ledger(&collector);
            contents.imports.insert(collector, ledger);
        }
        contents.rows = self.events.rows() + self.quarantine.rows();
        contents
    }

    /// How many rows of `collector` retention and erasure have taken out of both tables.
    pub(crate) fn removed(&self, collector: &CollectorId) -> u64 {
        let id = removed_id(collector.as_str());
        let of = |transactions: &Transactions| transactions.get(&id).copied().unwrap_or(0);
        u64::try_from(of(&self.transactions) + of(&self.transactions_aside)).unwrap_or(0)
    }

    /// The journals that have rows in the tables, or had.
    pub fn journals(&self) -> Vec<CollectorId> {
        // Other programs may have transactions of their own, which count something else.
        let is_journal = |id: &str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.transactions.keys().filter(|id| is_journal(id)).map(|id| CollectorId::from(&**id)).collect()
    }

    /// The days that the import `collector` covers, also those without an event, with [`crate::unit_version`] of what
    /// was imported.
    pub fn import_ledger(&self, collector: &CollectorId) -> BTreeMap<Day, i64> {
        ledger(&self.transactions, collector)
    }

    /// The imports that have covered a day.
    pub fn imports(&self) -> Vec<CollectorId> {
        let collectors = self.transactions.keys().filter_map(|id| {
            let (collector, day) = id.rsplit_once('/')?;
            (collector.starts_with("import/") && day.parse::<Day>().is_ok()).then(|| CollectorId::from(collector))
        });
        let mut collectors: Vec<CollectorId> = collectors.collect();
        collectors.dedup();
        collectors
    }
}

pub(crate) fn committed(transactions: &Transactions, collector: &CollectorId) -> Position {
    let version = transactions.get(collector.as_str()).copied().unwrap_or(0);
    Position(u64::try_from(version).unwrap_or(0))
}

pub(crate) fn ledger(transactions: &Transactions, collector: &CollectorId) -> BTreeMap<Day, i64> {
    sub_transactions(transactions, collector.as_str())
        .filter_map(|(day, version)| Some((day.parse().ok()?, version)))
        .collect()
}
