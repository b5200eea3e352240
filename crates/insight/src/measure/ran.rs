//! How long sessions ran on each day, of millions of sessions.

use std::collections::BTreeMap;

use event::{Day, EventTime};

use super::{Bounds, Period, Span};

/// Microseconds of each day, by low, point and high.
#[derive(Clone, Debug, Default)]
pub struct Ran(BTreeMap<Day, [i64; 3]>);

/// What a day takes in memory, and what the map needs for it.
const DAY_BYTES: usize = 48;

impl Ran {
    /// Adds what lies within `period` of one session, taken by low, point and high. A session without length adds
    /// nothing to its day, but that day is told of. `day` tells the day that holds an instant, and the first instant
    /// after it.
    pub fn add(&mut self, spans: [Span; 3], period: Period, mut day: impl FnMut(EventTime) -> (Day, EventTime)) {
        for (bound, span) in spans.into_iter().enumerate() {
            let (mut from, to) = (span.from.max(period.begin), span.to.min(period.end));
            let is_there = period.holds(from) && (span.to > period.begin || span.from >= period.begin);
            while is_there && from <= to {
                let (of, next) = day(from);
                let until = next.min(to);
                let micros = &mut self.0.entry(of).or_default()[bound];
                *micros = micros.saturating_add(until.micros().saturating_sub(from.micros()));
                // Where time would not go on nothing more is to come.
                if to <= next || next <= from {
                    break;
                }
                from = next;
            }
        }
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        self.0.len() * DAY_BYTES
    }

    /// All of it as numbers, for [`Self::extend`]: four for each day.
    pub fn into_numbers(self) -> Vec<i64> {
        self.0.into_iter().flat_map(|(day, [low, point, high])| [i64::from(day.number()), low, point, high]).collect()
    }

    /// Adds what [`Self::into_numbers`] gave.
    pub fn extend(&mut self, numbers: &[i64]) {
        for of_day in numbers.as_chunks::<4>().0 {
            let Ok(day) = i32::try_from(of_day[0]) else { continue };
            for (micros, more) in self.0.entry(Day::from_number(day)).or_default().iter_mut().zip(&of_day[1..]) {
                *micros = micros.saturating_add(*more);
            }
        }
    }

    /// The microseconds of each day on which anything ran, in order.
    pub fn by_day(self) -> impl Iterator<Item = (Day, Bounds<i64>)> {
        self.0.into_iter().map(|(day, [low, point, high])| (day, Bounds { low, point, high }))
    }

    /// The first and the last of these days.
    pub fn reach(&self) -> Option<(Day, Day)> {
        Some((*self.0.first_key_value()?.0, *self.0.last_key_value()?.0))
    }
}
