//! What the client knows: which events it sent, and what it was told of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What the client knows of an event that it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Sent, and no answer came.
    Nothing,
    /// Answered with 200.
    Acknowledged,
    /// Answered with another status.
    Refused(u16),
}

/// One event as the client remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Whether it is a launch that its schema admits; the others belong in quarantine.
    pub(crate) is_launch: bool,
    pub(crate) told: Told,
}

/// All that was sent in a test, by the id that the client gave each event.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    sent: Mutex<BTreeMap<String, Sent>>,
    /// Events of people who were forgotten, by collector and position.
    removed: Mutex<BTreeSet<(String, u64)>>,
    answered: Mutex<u64>,
    one_more: Condvar,
}

impl Ledger {
    /// Notes events before they are sent.
    pub(crate) fn sending(&self, events: &[(String, bool)]) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, is_launch) in events {
            let earlier = sent.insert(id.clone(), Sent { is_launch: *is_launch, told: Told::Nothing });
            assert_eq!(earlier, None, "the id {id} was sent before");
        }
    }

    /// Notes the answer that the request with these events got.
    pub(crate) fn answered(&self, events: &[(String, bool)], status: u16) {
        let told = if status == 200 { Told::Acknowledged } else { Told::Refused(status) };
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, _) in events {
            sent.get_mut(id).expect("it was noted before it was sent").told = told;
        }
        drop(sent);
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.one_more.notify_all();
    }

    /// Notes events, by their ids, of which nothing may be left but perhaps their empty place.
    pub(crate) fn removed<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        let place = |id: &str| {
            let (collector, position) = id.split_once(':').expect("an id is a collector and a position");
            (collector.to_owned(), position.parse().expect("a position is a number"))
        };
        self.removed.lock().unwrap_or_else(PoisonError::into_inner).extend(ids.map(place));
    }

    /// The positions that those events had, by collector.
    pub(crate) fn places_removed(&self) -> BTreeSet<(String, u64)> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests answered so far.
    pub(crate) fn answers(&self) -> u64 {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `count` requests were answered.
    ///
    /// # Panics
    /// When that takes longer than `limit`.
    pub(crate) fn wait_for_answers(&self, count: u64, limit: Duration) {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.one_more.wait_timeout_while(answered, limit, |answered| *answered < count);
        let (answered, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{} of {count} answers after {limit:?}", *answered);
    }

    /// Waits until a request was refused.
    ///
    /// # Panics
    /// When none is within `limit`.
    pub(crate) fn wait_for_refusal(&self, limit: Duration) {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = || self.events().values().any(|sent| matches!(sent.told, Told::Refused(_)));
        let waited = self.one_more.wait_timeout_while(answered, limit, |_| !refused());
        let (_answered, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "nothing was refused within {limit:?}");
    }

    /// Every event with what is known of it.
    pub(crate) fn events(&self) -> BTreeMap<String, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many events were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.events().values().filter(|sent| sent.told == Told::Acknowledged).count()
    }
}
