//! Time as an argument, so that tests move it and nothing sleeps.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::EventTime;

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current time, UTC.
    fn now(&self) -> EventTime;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> EventTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        EventTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is set.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: EventTime) -> Self {
        Self(AtomicI64::new(now.micros()))
    }

    /// Sets it to `now`.
    pub fn set(&self, now: EventTime) {
        self.0.store(now.micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> EventTime {
        EventTime::from_micros(self.0.load(Ordering::SeqCst))
    }
}
