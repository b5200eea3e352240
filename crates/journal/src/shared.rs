//! What the writer's thread and its callers both see.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::segment::Segment;
use crate::status::{Aside, Timing};

/// Locks, also when a thread panicked while it held the lock: every change below is complete in one statement or two
/// that cannot panic.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The durable state: changed by the writer after an fsync, and by trimming.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) id: u128,
    /// Everything below is acknowledged.
    pub(crate) next: u64,
    /// Oldest first; never empty.
    pub(crate) segments: VecDeque<Segment>,
    pub(crate) poisoned: Option<String>,
    pub(crate) disk_full: bool,
    pub(crate) quota_reached: bool,
    pub(crate) damaged: Aside,
    pub(crate) former: Aside,
    pub(crate) invariants_broken: u64,
    pub(crate) groups: u64,
    pub(crate) records: u64,
    pub(crate) fsync: Timing,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
}

impl Shared {
    /// Counts a broken promise of ours; in debug builds nothing goes on after it.
    pub(crate) fn broken(&self, invariant: &'static str, what: &str) {
        locked(&self.state).invariants_broken += 1;
        tracing::error!(invariant, what, "a check of the journal failed; this is a bug");
        debug_assert!(false, "{invariant}: {what}");
    }

    /// Refuses every write from now on. The first reason stays.
    pub(crate) fn poison(&self, reason: String) {
        let mut state = locked(&self.state);
        if state.poisoned.is_none() {
            tracing::error!(%reason, "the journal refuses writes until a restart");
            state.poisoned = Some(reason);
        }
    }
}
