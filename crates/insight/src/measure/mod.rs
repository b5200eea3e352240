//! What is counted and summed over sessions, each with the low and the high that the evidence leaves open.
//!
//! Sums are whole microseconds in 128 bits; shares are two numbers, never a quotient. Periods are half-open. A session
//! without an end runs until `as_of`.

mod concurrency;
mod crowds;
mod cull;
mod edges;
mod heat;
mod hours;
mod present;
mod ran;
mod reasons;
mod spread;
mod starts;
mod survival;
mod trend;

use event::EventTime;

use crate::session::Session;

pub use concurrency::{Levels, Peak, at_once, peak};
pub use crowds::Launches;
pub use cull::{Replayed, Visit, replay};
pub use edges::Edges;
pub use heat::{Cell, HeatError, heat_map};
pub use hours::{LongRunner, by_user, long_runners, proven, running, total};
pub use present::Present;
pub use ran::Ran;
pub use reasons::{EndReason, reason, reasons};
pub use spread::{Spread, spread};
pub use starts::{Starts, within};
pub use survival::{Length, Quantile, SHARE_MAX, lengths, quantiles};
pub use trend::Line;

/// A figure as evidence bounds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bounds<T> {
    /// Not less.
    pub low: T,
    /// The best guess.
    pub point: T,
    /// Not more.
    pub high: T,
}

/// `a` of `b`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Share {
    /// The part.
    pub part: u128,
    /// The whole.
    pub whole: u128,
}

/// From `begin` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    /// Within it.
    pub begin: EventTime,
    /// No longer within it.
    pub end: EventTime,
}

impl Period {
    /// All of time.
    pub const ALWAYS: Self = Self { begin: EventTime::from_micros(i64::MIN), end: EventTime::from_micros(i64::MAX) };

    /// Whether it holds `time`.
    pub fn holds(&self, time: EventTime) -> bool {
        self.begin <= time && time < self.end
    }

    /// What of `span` lies within it, if anything does.
    fn part_of(&self, span: Span) -> Option<Span> {
        let span = Span { from: span.from.max(self.begin), to: span.to.min(self.end) };
        (span.from < span.to).then_some(span)
    }
}

/// Which of its bounds a session is taken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// From the latest possible start to the last proof of life.
    Low,
    /// From start to end.
    Point,
    /// From the earliest possible start to the first proof of death.
    High,
}

/// A stretch in which a server ran, from `from` to before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Its first instant.
    pub from: EventTime,
    /// The first instant after it.
    pub to: EventTime,
}

impl Span {
    /// The stretch of a session.
    pub fn of(session: &Session, by: By, as_of: EventTime) -> Self {
        let until_now = as_of.max(session.end_low);
        match by {
            By::Low => Self { from: session.start, to: session.end_low },
            By::Point => Self { from: session.start, to: session.end.unwrap_or(until_now) },
            By::High => Self { from: session.start_low, to: session.end_high.unwrap_or(until_now) },
        }
    }

    fn micros(self) -> i128 {
        i128::from(self.to.micros()) - i128::from(self.from.micros())
    }
}
