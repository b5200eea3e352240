//! How many keys of a range of days first came on which day: remembered, since a walk over the keys of years takes
//! longer than a question may, and only a change on a day of the range or before it can make another answer.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event::Day;

/// Ranges that are remembered, at most: the weeks of forty years.
const RANGES_MAX: usize = 2_200;

/// `(first day, keys)`, in order of days.
type Counts = Arc<[(Day, u32)]>;

/// Counts by range. Copies share them: each tells by its own changes which of them are its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Newcomers {
    shared: Arc<Mutex<Shared>>,
    /// Changes that no later one covers: from that day on, all is as the change of that number left it.
    changes: BTreeMap<Day, u64>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Changes of all copies so far.
    changes: u64,
    /// By range: the last change before its end, and what was counted after it.
    known: BTreeMap<(Day, Day), (u64, Counts)>,
}

impl Newcomers {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts of `range`, which `count` makes if they are not known.
    pub(super) fn of(&self, range: &Range<Day>, count: impl FnOnce() -> Counts) -> Counts {
        let both = (range.start, range.end);
        let change = self.changes.range(..range.end).next_back().map_or(0, |(_, change)| *change);
        if let Some((known, counts)) = self.lock().known.get(&both)
            && *known == change
        {
            return Arc::clone(counts);
        }
        let counts = count();
        let mut shared = self.lock();
        if shared.known.len() >= RANGES_MAX {
            shared.known.clear();
        }
        shared.known.insert(both, (change, Arc::clone(&counts)));
        counts
    }

    /// Notes that `day`, and what follows from it, is another.
    pub(super) fn changed(&mut self, day: Day) {
        let change = {
            let mut shared = self.lock();
            shared.changes += 1;
            shared.changes
        };
        drop(self.changes.split_off(&day));
        self.changes.insert(day, change);
    }

    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        self.lock().known.values().map(|(_, counts)| size_of_val(&**counts) + 64).sum()
    }
}
