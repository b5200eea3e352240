//! How many different people were there on each day, of millions of sessions.

use event::{Day, EventTime};

use super::{Bounds, Period, Span};

/// Bits of a number: by which bounds somebody was there, who, and on which day.
const BOUNDS_BITS: u32 = 3;
const BOUNDS: i64 = (1 << BOUNDS_BITS) - 1;
const DAY_SHIFT: u32 = 32 + BOUNDS_BITS;

/// Days that a number can hold, before and after 1970: some 700,000 years.
const DAY_MAX: i32 = 1 << 28;

/// Who was there on which day, a number of eight bytes for each person and day, and more until they are sorted.
#[derive(Clone, Debug, Default)]
pub struct Present {
    numbers: Vec<i64>,
    /// So many of them, from the first, are sorted, and each person has one a day.
    sorted: usize,
}

impl Present {
    /// Adds the days on which `person` was there in one session, taken by low, point and high, as far as they lie
    /// within `period`. A session without length was there on its day. `day` tells the day that holds an instant.
    pub fn add(&mut self, person: u32, spans: [Span; 3], period: Period, mut day: impl FnMut(EventTime) -> Day) {
        let days = spans.map(|span| {
            let (from, to) = (span.from.max(period.begin), span.to.min(period.end));
            let last = EventTime::from_micros(to.micros().saturating_sub(1)).max(from);
            let is_there = from <= to && period.holds(from) && (span.from == span.to || from < to);
            is_there.then(|| (day(from).number(), day(last).number()))
        });
        let first = days.iter().flatten().map(|(first, _)| *first).min();
        let last = days.iter().flatten().map(|(_, last)| *last).max();
        let (Some(first), Some(last)) = (first, last) else { return };
        for day in first.max(-DAY_MAX)..=last.min(DAY_MAX) {
            let mut bounds = 0;
            for (bound, days) in days.iter().enumerate() {
                if days.is_some_and(|(first, last)| first <= day && day <= last) {
                    bounds |= 1 << bound;
                }
            }
            self.push(number(day, person, bounds));
        }
    }

    fn push(&mut self, number: i64) {
        // Who comes several times a day is one, and the list need not grow for that.
        if self.numbers.len() == self.numbers.capacity() && self.numbers.len() > 2 * self.sorted {
            self.tidy();
        }
        self.numbers.push(number);
    }

    /// One number for each person and day, in order.
    fn tidy(&mut self) {
        self.numbers.sort_unstable();
        self.numbers.dedup_by(|later, kept| {
            let is_same = *later >> BOUNDS_BITS == *kept >> BOUNDS_BITS;
            if is_same {
                *kept |= *later & BOUNDS;
            }
            is_same
        });
        self.sorted = self.numbers.len();
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        self.numbers.capacity() * size_of::<i64>()
    }

    /// All of them as numbers, for [`Self::extend`].
    pub fn into_numbers(mut self) -> Vec<i64> {
        self.tidy();
        self.numbers
    }

    /// Adds those that [`Self::into_numbers`] gave, in which `person` tells who is meant.
    pub fn extend(&mut self, numbers: &[i64], person: impl Fn(u32) -> u32) {
        for one in numbers {
            let who = u32::try_from((one >> BOUNDS_BITS) & i64::from(u32::MAX)).unwrap_or(u32::MAX);
            self.push(number(day_of(*one), person(who), one & BOUNDS));
        }
    }

    /// How many people were there on each day on which somebody was, in order.
    pub fn by_day(mut self) -> Vec<(Day, Bounds<i64>)> {
        self.tidy();
        let mut days: Vec<(Day, Bounds<i64>)> = Vec::new();
        for one in self.numbers {
            let day = Day::from_number(day_of(one));
            if days.last().is_none_or(|(last, _)| *last != day) {
                days.push((day, Bounds::default()));
            }
            if let Some((_, people)) = days.last_mut() {
                people.low += one & 1;
                people.point += one >> 1 & 1;
                people.high += one >> 2 & 1;
            }
        }
        days
    }
}

fn number(day: i32, person: u32, bounds: i64) -> i64 {
    i64::from(day) << DAY_SHIFT | i64::from(person) << BOUNDS_BITS | bounds
}

fn day_of(number: i64) -> i32 {
    i32::try_from(number >> DAY_SHIFT).unwrap_or(DAY_MAX)
}
