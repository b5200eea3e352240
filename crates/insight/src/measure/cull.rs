//! What another culler would have changed: sessions replayed with the activity that was seen in them.

use event::EventTime;

use super::Bounds;
use crate::session::{Culler, Micros};

/// A session as it was used.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// When its server started.
    pub start: EventTime,
    /// When it ended (an open one: now).
    pub end: EventTime,
    /// Instants at which activity was seen, in order. With the last one alone, only the time after it is judged.
    pub activity: &'a [EventTime],
}

/// What the culler would have done to one session, or to many together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Time for which no server would have run, in microseconds. A culler that looks every period stops a server up to
    /// a period after its timeout: that is the low bound.
    pub saved: Bounds<i128>,
    /// How often somebody would have come back to a server that was gone.
    pub cut_off: Bounds<u64>,
}

impl Replayed {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            saved: Bounds {
                low: self.saved.low + other.saved.low,
                point: self.saved.point + other.saved.point,
                high: self.saved.high + other.saved.high,
            },
            cut_off: Bounds {
                low: self.cut_off.low + other.cut_off.low,
                point: self.cut_off.point + other.cut_off.point,
                high: self.cut_off.high + other.cut_off.high,
            },
        }
    }
}

/// Replays a session under `culler`: after each stretch without activity that is longer than the timeout, the server
/// would have been gone, and a new one would have started at the next activity. Behaviour is taken to stay as it was.
pub fn replay(visit: &Visit<'_>, culler: Culler) -> Replayed {
    let looks = [culler.period, Micros(culler.period.0 / 2), Micros(0)];
    let mut replayed = Replayed::default();
    let mut last = visit.start;
    let within = visit.activity.iter().copied().filter(|at| visit.start < *at && *at < visit.end);
    for (next, is_return) in within.map(|at| (at, true)).chain([(visit.end, false)]) {
        let [low, point, high] = looks.map(|look| idle_after(last, next, culler.timeout.plus(look)));
        replayed.saved.low += low;
        replayed.saved.point += point;
        replayed.saved.high += high;
        if is_return {
            replayed.cut_off.low += u64::from(low > 0);
            replayed.cut_off.point += u64::from(point > 0);
            replayed.cut_off.high += u64::from(high > 0);
        }
        last = next;
    }
    replayed
}

/// How much of the time from `last` to `next` lies more than `timeout` after `last`.
fn idle_after(last: EventTime, next: EventTime, timeout: Micros) -> i128 {
    i128::from(Micros::between(timeout.after(last), next).0.max(0))
}
