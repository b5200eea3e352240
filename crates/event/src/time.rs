//! Instants and days, UTC.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};

const MICROS_A_DAY: i64 = 86_400_000_000;

/// An instant: microseconds since 1970-01-01T00:00:00 UTC, negative before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(i64);

impl EventTime {
    /// The instant `micros` microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The UTC day that holds it.
    pub fn day(self) -> Day {
        let number = self.0.div_euclid(MICROS_A_DAY);
        Day(i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX }))
    }
}

impl fmt::Display for EventTime {
    /// RFC 3339 with `Z` and six digits, `2026-11-21T00:34:29.631330Z`; a bare number of microseconds beyond the years
    /// that a calendar holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.6}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

/// A UTC day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(i32);

impl Day {
    /// The day `number` days after 1970-01-01.
    pub const fn from_number(number: i32) -> Self {
        Self(number)
    }

    /// The day of that date, if the calendar has it.
    pub fn from_ymd(year: i16, month: i8, day: i8) -> Option<Self> {
        Date::new(year, month, day).ok().map(Self::from_date)
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Its first instant; the first or last of all for days beyond those that instants reach.
    pub fn start(self) -> EventTime {
        EventTime(i64::from(self.0).saturating_mul(MICROS_A_DAY))
    }

    /// The day after.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// As a civil date; the calendar's last day for days beyond it.
    pub fn date(self) -> Date {
        let epoch = date(1970, 1, 1);
        let days = jiff::Span::new().try_days(self.0).unwrap_or_default();
        epoch.saturating_add(days)
    }

    fn from_date(date_: Date) -> Self {
        let days = date_.since(date(1970, 1, 1)).map_or(0, |span| span.get_days());
        Self(days)
    }
}

impl fmt::Display for Day {
    /// ISO 8601: `2026-11-21`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date())
    }
}

/// The text is not a date as ISO 8601 writes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a date of the form YYYY-MM-DD")]
pub struct ParseDayError(pub Box<str>);

impl FromStr for Day {
    type Err = ParseDayError;

    fn from_str(text: &str) -> Result<Self, ParseDayError> {
        let bad = || ParseDayError(text.into());
        if text.len() != 10 {
            return Err(bad());
        }
        text.parse::<Date>().map(Self::from_date).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_instants_agree_also_before_the_epoch_and_on_leap_days() {
        for (text, number) in [("1970-01-01", 0), ("1969-12-31", -1), ("2018-11-03", 17_838), ("2024-02-29", 19_782)] {
            let day: Day = text.parse().unwrap();
            assert_eq!(day.number(), number, "{text}");
            assert_eq!(day.to_string(), text);
            assert_eq!(day.start().day(), day);
            assert_eq!(EventTime::from_micros(day.next().start().micros() - 1).day(), day);
        }
    }

    #[test]
    fn what_is_not_a_date_is_refused() {
        for text in ["", "2023-02-29", "2023-1-1", "20230101", "2023-01-01T00:00:00"] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }

    #[test]
    fn instants_print_six_digits_and_never_panic() {
        assert_eq!(EventTime::from_micros(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(EventTime::from_micros(i64::MAX).to_string(), i64::MAX.to_string());
        assert_eq!(EventTime::from_micros(i64::MAX).day().number(), 106_751_991);
        assert_eq!(EventTime::from_micros(i64::MIN).day().start().micros(), i64::MIN);
    }
}
