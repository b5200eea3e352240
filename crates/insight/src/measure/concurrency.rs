//! How many at once, exactly: every start and every end is looked at, nothing is sampled.

use event::EventTime;

use super::{Period, Share, Span};

/// The most at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peak {
    /// How many.
    pub count: u64,
    /// The first instant at which it was so.
    pub at: EventTime,
}

/// The most servers that ran at one instant of `period`; none if none ran. One that ends at the instant at which
/// another begins does not run beside it.
///
/// The peak of low spans and that of high spans bound the true one, because at each instant they bound the number.
pub fn peak(spans: impl IntoIterator<Item = Span>, period: Period) -> Option<Peak> {
    let mut peak: Option<Peak> = None;
    sweep(spans, period, |at, _, count| {
        if peak.is_none_or(|known| known.count < count) {
            peak = Some(Peak { count, at });
        }
    });
    peak.filter(|peak| peak.count > 0)
}

/// Of those who were active in the period, how many were so at once: `people` counts each of them once.
pub fn at_once(peak: Option<Peak>, people: u64) -> Share {
    Share { part: peak.map_or(0, |peak| peak.count).into(), whole: people.into() }
}

/// For how long how many ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// Microseconds, by number of servers, from 0.
    micros: Vec<u128>,
}

impl Levels {
    /// Of a period, whose whole length counts: also the time in which nothing ran.
    pub fn of(spans: impl IntoIterator<Item = Span>, period: Period) -> Self {
        let mut levels = Self::default();
        let (mut since, mut level) = (period.begin, 0);
        let mut last = |at: EventTime, next: u64| {
            levels.add(level, since, at);
            (since, level) = (at, next);
        };
        sweep(spans, period, |at, _, count| last(at, count));
        last(period.end, 0);
        levels
    }

    fn add(&mut self, level: u64, from: EventTime, to: EventTime) {
        let micros = (i128::from(to.micros()) - i128::from(from.micros())).max(0).unsigned_abs();
        let Ok(level) = usize::try_from(level) else { return };
        if micros > 0 {
            self.micros.resize(self.micros.len().max(level + 1), 0);
            self.micros[level] += micros;
        }
    }

    /// The smallest number of servers that is enough for `part` of `whole` of the time (99 of 100: the 99th
    /// percentile).
    pub fn percentile(&self, part: u32, whole: u32) -> Option<u64> {
        let all: u128 = self.micros.iter().sum();
        let mut covered = 0;
        for (level, micros) in self.micros.iter().enumerate() {
            covered += micros;
            if all > 0 && covered * u128::from(whole) >= all * u128::from(part) {
                return u64::try_from(level).ok();
            }
        }
        None
    }

    /// The mean number: server microseconds of the period's microseconds.
    pub fn mean(&self) -> Share {
        let mut share = Share::default();
        for (level, micros) in (0_u128..).zip(&self.micros) {
            share.part += level * micros;
            share.whole += micros;
        }
        share
    }
}

/// Calls `at_change(instant, before, after)` at each instant of `period` at which the number changes, in order.
fn sweep(spans: impl IntoIterator<Item = Span>, period: Period, mut at_change: impl FnMut(EventTime, u64, u64)) {
    let (mut begins, mut ends): (Vec<i64>, Vec<i64>) = spans
        .into_iter()
        .filter_map(|span| period.part_of(span))
        .map(|span| (span.from.micros(), span.to.micros()))
        .unzip();
    begins.sort_unstable();
    ends.sort_unstable();
    let (mut begun, mut ended) = (0, 0);
    // The last end comes after every begin.
    while ended < ends.len() {
        let at = begins.get(begun).map_or(ends[ended], |begin| ends[ended].min(*begin));
        let before = begun - ended;
        begun += begins[begun..].iter().take_while(|begin| **begin == at).count();
        ended += ends[ended..].iter().take_while(|end| **end == at).count();
        let after = begun - ended;
        if before != after {
            at_change(EventTime::from_micros(at), before as u64, after as u64);
        }
    }
}
