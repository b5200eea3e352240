//! How long servers ran.

use std::collections::BTreeMap;

use event::EventTime;

use super::{Bounds, By, Period, Share, Span};
use crate::session::{Micros, Session};

/// For how long of `period` the server ran, in microseconds: a session over a border is split there.
pub fn running(session: &Session, period: Period, as_of: EventTime) -> Bounds<i128> {
    let micros = |by| period.part_of(Span::of(session, by, as_of)).map_or(0, Span::micros);
    Bounds { low: micros(By::Low), point: micros(By::Point), high: micros(By::High) }
}

/// For how long of `period` all servers ran together, in microseconds.
pub fn total<'a>(sessions: impl IntoIterator<Item = &'a Session>, period: Period, as_of: EventTime) -> Bounds<i128> {
    let mut sum = Bounds::default();
    for session in sessions {
        add(&mut sum, running(session, period, as_of));
    }
    sum
}

/// As [`total`], for each user.
pub fn by_user<'a, U: Ord>(
    sessions: impl IntoIterator<Item = (U, &'a Session)>,
    period: Period,
    as_of: EventTime,
) -> BTreeMap<U, Bounds<i128>> {
    let mut sums: BTreeMap<U, Bounds<i128>> = BTreeMap::new();
    for (user, session) in sessions {
        let hours = running(session, period, as_of);
        if hours.high > 0 {
            add(sums.entry(user).or_default(), hours);
        }
    }
    sums
}

/// How much of the time within `period` belongs to sessions whose end was seen (E1, E2), in microseconds.
pub fn proven<'a>(sessions: impl IntoIterator<Item = &'a Session>, period: Period, as_of: EventTime) -> Share {
    let mut share = Share::default();
    for session in sessions {
        let micros = running(session, period, as_of).point.unsigned_abs();
        share.whole += micros;
        if session.end_known_by.is_proven() {
            share.part += micros;
        }
    }
    share
}

/// A server that is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongRunner<U> {
    /// Whose it is.
    pub user: U,
    /// Since when.
    pub start: EventTime,
    /// When it was last known to run.
    pub alive: EventTime,
    /// Its last activity, if polls told of one.
    pub last_activity: Option<EventTime>,
}

/// Servers that have been open for longer than `age`, the oldest first.
pub fn long_runners<'a, U: Ord>(
    sessions: impl IntoIterator<Item = (U, &'a Session)>,
    age: Micros,
    as_of: EventTime,
) -> Vec<LongRunner<U>> {
    let mut found = Vec::new();
    for (user, session) in sessions {
        if session.end_high.is_none() && Micros::between(session.start, as_of) > age {
            let (start, alive, last_activity) = (session.start, session.end_low, session.last_activity);
            found.push(LongRunner { user, start, alive, last_activity });
        }
    }
    found.sort_by(|one, two| (one.start, &one.user).cmp(&(two.start, &two.user)));
    found
}

fn add(sum: &mut Bounds<i128>, more: Bounds<i128>) {
    sum.low += more.low;
    sum.point += more.point;
    sum.high += more.high;
}
