//! Time zones: where a day begins and ends.
//!
//! A day of a zone lasts from its first instant to the first instant of the next one. That is the calendar's day as
//! clocks there show it, 23 or 25 hours long when they are changed; a day that a zone left out is empty. Nothing else
//! in this crate asks a clock on a wall.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use datafusion::common::HashMap;
use event::{Day, EventTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::nearest::{hint, nearest};

/// Days beyond these (about the years -6200 and 9900) are cut in UTC: no calendar reaches further.
const DAYS_WITH_RULES: Range<i32> = -3_000_000..2_900_000;

const HOUR_MICROS: i64 = 3_600_000_000;

/// Names like these stand in the zone data for its own use.
const NOT_ZONES: [&str; 3] = ["posixrules", "localtime", "Factory"];

/// A zone of the IANA database.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    name: Arc<str>,
    rules: TimeZone,
}

/// There is no zone of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone '{name}'{}; zones are named as in Europe/Berlin or UTC", hint(nearest))]
pub struct UnknownZone {
    /// As written.
    pub name: String,
    /// What resembles it.
    pub nearest: Vec<String>,
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self { name: "UTC".into(), rules: TimeZone::UTC }
    }

    /// The zone called `name` in the IANA database, as in `Europe/Berlin`; upper and lower case make no difference.
    ///
    /// # Errors
    /// When there is none, with the names that resemble it.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        if name.eq_ignore_ascii_case("UTC") {
            return Ok(Self::utc());
        }
        let found = TimeZone::get(name).ok().filter(|_| !NOT_ZONES.contains(&name));
        let rules = found.ok_or_else(|| UnknownZone { name: name.to_owned(), nearest: resembling(name) })?;
        let spelled = rules.iana_name().unwrap_or(name).into();
        Ok(Self { name: spelled, rules })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first instant of `day`.
    pub fn start(&self, day: Day) -> EventTime {
        if !DAYS_WITH_RULES.contains(&day.number()) {
            return day.start();
        }
        let midnight = day.date().at(0, 0, 0, 0);
        let found = self.rules.to_ambiguous_timestamp(midnight);
        let is_left_out = matches!(found.offset(), AmbiguousOffset::Gap { .. });
        let Ok(instant) = found.compatible() else { return day.start() };
        let first = if is_left_out { self.change_at(instant) } else { instant };
        EventTime::from_micros(first.as_microsecond())
    }

    /// When the clocks were changed over an `instant` that they left out.
    fn change_at(&self, instant: Timestamp) -> Timestamp {
        let after = instant.checked_add(1.nanosecond()).unwrap_or(instant);
        self.rules.preceding(after).next().map_or(instant, |change| change.timestamp())
    }

    /// The day that holds `time`.
    pub fn day(&self, time: EventTime) -> Day {
        Days::of(self).day(time)
    }

    /// The weekday of `day` and from when to when it lasts, if the clocks show each of its 24 hours once and whole.
    fn plain_day(&self, day: Day) -> Option<(i32, Range<i64>)> {
        let span = self.start(day).micros()..self.start(day.next()).micros();
        let begin = Timestamp::from_microsecond(span.start).ok()?;
        let midnight = begin.to_zoned(self.rules.clone());
        let change = self.rules.following(begin).next();
        let is_plain = DAYS_WITH_RULES.contains(&day.number())
            && span.end - span.start == 24 * HOUR_MICROS
            && midnight.time() == jiff::civil::Time::midnight()
            && change.is_none_or(|change| span.end <= change.timestamp().as_microsecond());
        is_plain.then(|| (i32::from(midnight.weekday().to_monday_one_offset()), span))
    }

    /// What a clock on the wall shows at `time`, and when it shows the next full hour.
    pub(crate) fn hour(&self, time: EventTime) -> Hour {
        let beyond = || {
            let micros = time.micros();
            let hours = micros.div_euclid(HOUR_MICROS);
            Hour {
                // 1970-01-01 was a Thursday.
                weekday: i32::try_from((hours.div_euclid(24) + 3).rem_euclid(7) + 1).unwrap_or(1),
                hour: i32::try_from(hours.rem_euclid(24)).unwrap_or(0),
                next: EventTime::from_micros(hours.saturating_add(1).saturating_mul(HOUR_MICROS)),
            }
        };
        let Ok(timestamp) = Timestamp::from_microsecond(time.micros()) else { return beyond() };
        let now = timestamp.to_zoned(self.rules.clone());
        let full = now.datetime().date().at(now.hour(), 0, 0, 0);
        let next = full.checked_add(1.hour()).and_then(|next| next.to_zoned(self.rules.clone()));
        // Of an hour that comes twice both are one; where clocks move by more than they ought to, time still goes on.
        let next = next.ok().filter(|next| *next > now).or_else(|| now.checked_add(1.hour()).ok());
        let Some(next) = next else { return beyond() };
        Hour {
            weekday: i32::from(now.weekday().to_monday_one_offset()),
            hour: i32::from(now.hour()),
            next: EventTime::from_micros(next.timestamp().as_microsecond()),
        }
    }

    /// From the first instant of `from` to that of `to`.
    pub fn instants(&self, from: Day, to: Day) -> Range<EventTime> {
        self.start(from)..self.start(to)
    }
}

/// An hour on the clocks of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hour {
    /// From 1, Monday.
    pub(crate) weekday: i32,
    /// From 0.
    pub(crate) hour: i32,
    /// When the next one begins.
    pub(crate) next: EventTime,
}

fn resembling(name: &str) -> Vec<String> {
    let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
    // A city alone is what is written most.
    let city = |zone: &&String| zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(name));
    match known.iter().find(city) {
        Some(zone) => vec![zone.clone()],
        None => {
            let zones = known.iter().map(String::as_str).filter(|zone| !NOT_ZONES.contains(zone));
            // Of six hundred names several resemble any, and only the nearest was meant.
            nearest(name, zones).into_iter().take(1).collect()
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

/// Finds the days of many instants, and remembers where days begin.
#[derive(Debug)]
pub(crate) struct Days<'a> {
    zone: &'a Zone,
    starts: HashMap<i32, i64>,
    last: Option<(Day, Range<i64>)>,
}

impl<'a> Days<'a> {
    /// The days of `zone`.
    pub(crate) fn of(zone: &'a Zone) -> Self {
        Self { zone, starts: HashMap::new(), last: None }
    }

    /// The day that holds `time`.
    pub(crate) fn day(&mut self, time: EventTime) -> Day {
        let micros = time.micros();
        if let Some((day, span)) = &self.last
            && span.contains(&micros)
        {
            return *day;
        }
        // No zone is more than a day from UTC, so the day is one of these.
        let utc = time.day().number();
        let mut day = Day::from_number(utc.saturating_sub(2));
        for candidate in (utc.saturating_sub(1)..=utc.saturating_add(2)).map(Day::from_number) {
            if self.start(candidate) <= micros {
                day = candidate;
            }
        }
        self.last = Some((day, self.start(day)..self.start(day.next())));
        day
    }

    /// The day that holds `time`, and the first instant after it.
    pub(crate) fn day_and_next(&mut self, time: EventTime) -> (Day, EventTime) {
        let day = self.day(time);
        // A day that a zone left out is empty: the next one is looked for until time goes on.
        let mut next = day.next();
        while self.start(next) <= time.micros() && next.number() < day.number().saturating_add(3) {
            next = next.next();
        }
        (day, EventTime::from_micros(self.start(next).max(time.micros().saturating_add(1))))
    }

    /// The first instant of `day`, in microseconds.
    pub(crate) fn start(&mut self, day: Day) -> i64 {
        *self.starts.entry(day.number()).or_insert_with(|| self.zone.start(day).micros())
    }
}

/// Finds the hours of many instants, and remembers a day on which no clock was changed.
#[derive(Debug)]
pub(crate) struct Hours<'a> {
    zone: &'a Zone,
    plain: Option<(i32, Range<i64>)>,
}

impl<'a> Hours<'a> {
    /// The hours of `zone`.
    pub(crate) fn of(zone: &'a Zone) -> Self {
        Self { zone, plain: None }
    }

    /// As [`Zone::hour`].
    pub(crate) fn hour(&mut self, time: EventTime) -> Hour {
        let micros = time.micros();
        if self.plain.as_ref().is_none_or(|(_, span)| !span.contains(&micros)) {
            self.plain = self.zone.plain_day(self.zone.day(time));
        }
        let Some((weekday, span)) = self.plain.as_ref().filter(|(_, span)| span.contains(&micros)) else {
            return self.zone.hour(time);
        };
        let hour = (micros - span.start) / HOUR_MICROS;
        Hour {
            weekday: *weekday,
            hour: i32::try_from(hour).unwrap_or(0),
            next: EventTime::from_micros(span.start + (hour + 1) * HOUR_MICROS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> EventTime {
        EventTime::from_micros(text.parse::<Timestamp>().unwrap().as_microsecond())
    }

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn days_begin_when_clocks_there_say_so() {
        for (zone, date, start, hours) in [
            ("UTC", "2024-02-29", "2024-02-29T00:00:00Z", 24.0),
            ("Europe/Berlin", "2024-03-31", "2024-03-30T23:00:00Z", 23.0),
            ("Europe/Berlin", "2024-10-27", "2024-10-26T22:00:00Z", 25.0),
            ("Australia/Lord_Howe", "2024-04-07", "2024-04-06T13:00:00Z", 24.5),
            ("Australia/Lord_Howe", "2024-10-06", "2024-10-05T13:30:00Z", 23.5),
            ("Asia/Kathmandu", "2024-01-01", "2023-12-31T18:15:00Z", 24.0),
            ("America/St_Johns", "2024-11-03", "2024-11-03T02:30:00Z", 25.0),
            // Midnight itself was left out, or half of an hour around it.
            ("America/Sao_Paulo", "2017-10-15", "2017-10-15T03:00:00Z", 23.0),
            ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z", 23.5),
            // Clocks went back from one minute past midnight: the day began twice, and counts from the first time.
            ("America/St_Johns", "2010-11-07", "2010-11-07T02:30:00Z", 25.0),
            // Samoa had no 30 December 2011.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", 0.0),
            ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z", 24.0),
        ] {
            let zone = Zone::named(zone).unwrap();
            let span = zone.instants(day(date), day(date).next());
            assert_eq!(span.start, at(start), "{zone} {date}");
            let micros = span.end.micros() - span.start.micros();
            assert_eq!(micros as f64 / 3.6e9, hours, "{zone} {date}");
        }
    }

    /// Against the calendar of another implementation: that of the zone's clock, instant by instant.
    #[test]
    fn the_day_of_an_instant_is_the_calendars() {
        for name in
            ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"]
        {
            let zone = Zone::named(name).unwrap();
            let rules = TimeZone::get(name).unwrap();
            let mut days = Days::of(&zone);
            // Every 17 minutes from 2015 to 2018, also backwards from the end.
            let (from, to) = (at("2015-01-01T00:00:00Z").micros(), at("2018-01-01T00:00:00Z").micros());
            for step in 0..(to - from) / (17 * 60_000_000) {
                let forth = from + step * 17 * 60_000_000;
                for micros in [forth, to - (forth - from)] {
                    let date = Timestamp::from_microsecond(micros).unwrap().to_zoned(rules.clone()).date();
                    assert_eq!(
                        days.day(EventTime::from_micros(micros)).to_string(),
                        date.to_string(),
                        "{name} {micros}"
                    );
                }
            }
        }
    }

    /// What is remembered of a day is what the clocks show at each of its instants.
    #[test]
    fn hours_of_many_instants_are_those_of_each() {
        for name in
            ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"]
        {
            let zone = Zone::named(name).unwrap();
            let mut hours = Hours::of(&zone);
            let (from, to) = (at("2010-10-01T00:00:00Z").micros(), at("2012-01-08T00:00:00Z").micros());
            for micros in (from..to).step_by(7 * 60_000_000 + 1) {
                let time = EventTime::from_micros(micros);
                assert_eq!(hours.hour(time), zone.hour(time), "{name} {micros}");
            }
        }
    }

    #[test]
    fn instants_beyond_every_calendar_have_a_day() {
        let zone = Zone::named("America/St_Johns").unwrap();
        for micros in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
            let time = EventTime::from_micros(micros);
            let found = zone.day(time);
            assert!((found.number() - time.day().number()).abs() <= 2, "{micros}");
        }
    }

    #[test]
    fn unknown_zones_are_told_with_what_resembles_them() {
        assert_eq!(Zone::named("europe/berlin").unwrap().name(), "Europe/Berlin");
        assert_eq!(Zone::named("utc").unwrap(), Zone::utc());
        for (name, expected) in [
            ("Berlin", "there is no time zone 'Berlin'; did you mean 'Europe/Berlin'?; zones are named"),
            ("Europe/Berlim", "did you mean 'Europe/Berlin'"),
            ("", "there is no time zone ''"),
            ("../../etc/passwd", "there is no time zone"),
            ("+01:00", "there is no time zone"),
        ] {
            let error = Zone::named(name).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
