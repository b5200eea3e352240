//! S1, checked by reading: the positions of a collector have no gap and no double up to its transaction, but for as
//! many as retention and erasure say that they have removed.

use std::collections::HashMap;
use std::ops::Range;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use event::{CollectorId, Position};
use serde::{Serialize, Serializer};

use crate::columns::Table;
use crate::durable_fs::blocking;
use crate::error::TableError;
use crate::scan::{Scan, Selection};
use crate::snapshot::Snapshot;
use crate::store::Store;

/// Positions of one block: a kilobyte of bits each 8,192 positions, so a hundred million events take 12.5 MB.
const BLOCK: u64 = 8_192;

/// Faults listed; beyond, they are only counted.
const LISTED_MAX: usize = 100;

/// What the files hold of one collector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PositionCheck {
    /// Through which position (exclusive) the transaction of `events` says that they reach. 0 for an import.
    #[serde(serialize_with = "plain")]
    pub through: Position,
    /// Rows found in both tables' files.
    pub rows: u64,
    /// Rows that retention and erasure took out of both tables.
    pub removed: u64,
    /// How many positions below `through` no row has. 0 for an import, whose positions have gaps.
    pub missing: u64,
    /// They, the first hundred ranges; those of removed rows are among them.
    pub gaps: Vec<Range<u64>>,
    /// Positions that come more than once, the first hundred met.
    pub doubles: Vec<u64>,
    /// How many come more than once.
    pub doubles_count: u64,
    /// Rows of a journal at or above `through`: `quarantine` may be ahead after a crash, `events` never.
    pub beyond: u64,
}

impl PositionCheck {
    /// Whether S1 holds: what is missing was removed on purpose, and nothing comes twice.
    pub fn is_sound(&self) -> bool {
        self.missing == self.removed && self.doubles_count == 0
    }
}

impl Store {
    /// Reads the positions of `collector` in the files of both tables (not the tail) and looks for gaps and doubles.
    ///
    /// # Errors
    /// A part that cannot be read.
    pub async fn verify_positions(&self, collector: &CollectorId) -> Result<PositionCheck, TableError> {
        self.positions_of(&self.snapshot(), collector).await
    }

    /// As [`Self::verify_positions`], of an earlier moment.
    pub(crate) async fn positions_of(
        &self,
        snapshot: &Snapshot,
        collector: &CollectorId,
    ) -> Result<PositionCheck, TableError> {
        let scans = Table::ALL.map(|table| {
            let mut side = match table {
                Table::Events => snapshot.events.clone(),
                Table::Quarantine => snapshot.quarantine.clone(),
            };
            side.tail = std::sync::Arc::new([]);
            let all = Position(0)..Position(u64::MAX);
            Scan::new(table, self.table_dir(table), &side)
                .columns(&["position"])
                .select(Selection::Positions(collector.clone(), all))
        });
        let through = crate::snapshot::committed(&snapshot.transactions, collector);
        let removed = snapshot.removed(collector);
        let work = move || Ok(check(scans, through).map(|found| PositionCheck { removed, ..found }));
        blocking(work).await.map_err(|source| TableError::read(Table::Events, "", source))?
    }
}

fn plain<S: Serializer>(position: &Position, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(position.0)
}

fn check(scans: [Scan; 2], through: Position) -> Result<PositionCheck, TableError> {
    let mut found = PositionCheck { through, ..PositionCheck::default() };
    let mut seen = Seen::default();
    let mut distinct = 0;
    for scan in scans {
        for batch in scan.read() {
            let batch = batch?;
            let Some(positions) = batch.column_by_name("position") else { continue };
            for position in positions.as_primitive::<Int64Type>().values() {
                let position = u64::try_from(*position).unwrap_or(u64::MAX);
                found.rows += 1;
                found.beyond += u64::from(through.0 > 0 && position >= through.0);
                if seen.insert(position) {
                    distinct += u64::from(position < through.0);
                } else {
                    found.doubles_count += 1;
                    if found.doubles.len() < LISTED_MAX {
                        found.doubles.push(position);
                    }
                }
            }
        }
    }
    found.missing = through.0 - distinct;
    found.gaps = seen.gaps_below(through.0);
    Ok(found)
}

/// A set of positions.
#[derive(Default)]
struct Seen {
    blocks: HashMap<u64, Box<[u64; (BLOCK / 64) as usize]>>,
}

impl Seen {
    /// False if it was there.
    fn insert(&mut self, position: u64) -> bool {
        let block = self.blocks.entry(position / BLOCK).or_insert_with(|| Box::new([0; (BLOCK / 64) as usize]));
        let bit = 1 << (position % 64);
        let Some(word) = block.get_mut((position % BLOCK / 64) as usize) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn contains(&self, position: u64) -> bool {
        let word = self.blocks.get(&(position / BLOCK)).and_then(|block| block.get((position % BLOCK / 64) as usize));
        word.is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    fn gaps_below(&self, through: u64) -> Vec<Range<u64>> {
        let mut gaps: Vec<Range<u64>> = Vec::new();
        let mut position = 0;
        while position < through && gaps.len() < LISTED_MAX {
            if !self.blocks.contains_key(&(position / BLOCK)) {
                let end = ((position / BLOCK + 1) * BLOCK).min(through);
                extend(&mut gaps, position..end);
                position = end;
                continue;
            }
            if !self.contains(position) {
                extend(&mut gaps, position..position + 1);
            }
            position += 1;
        }
        gaps
    }
}

fn extend(gaps: &mut Vec<Range<u64>>, gap: Range<u64>) {
    match gaps.last_mut() {
        Some(last) if last.end == gap.start => last.end = gap.end,
        _ => gaps.push(gap),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_doubles_are_found_across_blocks() {
        let mut seen = Seen::default();
        for position in (0..10).chain(12..BLOCK + 3).chain(3 * BLOCK..3 * BLOCK + 5) {
            assert!(seen.insert(position));
        }
        assert!(!seen.insert(BLOCK + 2));
        assert_eq!(seen.gaps_below(3 * BLOCK + 7), [10..12, BLOCK + 3..3 * BLOCK, 3 * BLOCK + 5..3 * BLOCK + 7]);
        assert_eq!(seen.gaps_below(10), []);
    }
}
