//! Lengths of time in whole microseconds, so that a rebuild gives the same bits.

use event::EventTime;
use serde::{Deserialize, Serialize};

/// A length of time, never negative where it is a setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// So many seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// So many hours.
    pub const fn from_hours(hours: i64) -> Self {
        Self::from_secs(hours.saturating_mul(3_600))
    }

    /// From `from` to `to`; negative when they are the other way round.
    pub const fn between(from: EventTime, to: EventTime) -> Self {
        Self(to.micros().saturating_sub(from.micros()))
    }

    /// The instant so much after `time`.
    pub const fn after(self, time: EventTime) -> EventTime {
        EventTime::from_micros(time.micros().saturating_add(self.0))
    }

    /// The instant so much before `time`.
    pub const fn before(self, time: EventTime) -> EventTime {
        EventTime::from_micros(time.micros().saturating_sub(self.0))
    }

    /// Both one after the other.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
