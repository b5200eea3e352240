//! What a run remembers for the next one to the same folder, so that a schedule costs what came in and not what is
//! there.
//!
//! It lives as long as the process. The first run reads everything, so nothing is ever believed that an earlier
//! process, or another table, wrote down.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use event::Day;
use store::{Snapshot, TableSnapshot};

use crate::coverage::{self, Days, Units, with_parts};
use crate::folder::Stamp;
use crate::state::DayState;

/// A finished run.
#[derive(Debug)]
pub(crate) struct Memory {
    to: PathBuf,
    parts: BTreeSet<Arc<str>>,
    pub(crate) units: Units,
    pub(crate) days: BTreeMap<Day, Known>,
}

/// A day's file that was written or compared.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) state: DayState,
    pub(crate) stamp: Stamp,
}

impl Memory {
    pub(crate) fn new(to: PathBuf, snapshot: &Snapshot, days: BTreeMap<Day, Known>) -> Self {
        let parts = snapshot.events.parts.iter().map(|part| Arc::clone(&part.path)).collect();
        Self { to, parts, units: coverage::units(snapshot), days }
    }

    pub(crate) fn is_of(&self, to: &std::path::Path) -> bool {
        self.to == to
    }

    /// Whether each part of the run is still part of `table`.
    pub(crate) fn holds_all_parts_in(&self, table: &TableSnapshot) -> bool {
        let there: BTreeSet<&str> = table.parts.iter().map(|part| &*part.path).collect();
        self.parts.iter().all(|part| there.contains(&**part))
    }

    /// What came into `table` since; the tail is always taken to be new.
    pub(crate) fn added_in(&self, table: &TableSnapshot) -> TableSnapshot {
        with_parts(table, |path| !self.parts.contains(path))
    }

    pub(crate) fn events_by_day(&self) -> Days {
        self.days.iter().map(|(day, known)| (*day, known.state.events)).collect()
    }
}
