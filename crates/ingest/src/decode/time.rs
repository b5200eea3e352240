//! The times that emitters write.
//!
//! | form | who |
//! |---|---|
//! | `2026-11-21T00:49:59.802921Z`, `2024-02-29T23:59:59Z` | BinderHub, `jupyter_telemetry` (no fraction at whole seconds) |
//! | `2026-11-21T00:34:29.631330+00:00Z`, `2023-03-26T02:30:00+05:45Z` | `jupyter_events`: the offset is the truth |
//! | `2018-11-03T00:00:00+00:00` | the public archive |
//! | `2018-10-03T12:00:00.123456` | naive: taken as UTC |

use event::{EventTime, Repair};

/// Longest text that is read as a time; the longest form above has 33 characters.
const TIME_BYTES_MAX: usize = 64;

/// The instant that `text` names, and the fault that had to be overlooked; `None` if it is not a time. Digits beyond
/// microseconds are dropped.
pub fn event_time(text: &str) -> Option<(EventTime, Option<Repair>)> {
    let bytes = text.as_bytes();
    if bytes.len() > TIME_BYTES_MAX {
        return None;
    }
    let (clock, rest) = bytes.split_at_checked(19)?;
    let micros = civil_micros(clock)?;
    let (fraction, rest) = fraction_micros(rest)?;
    let (offset_seconds, repair) = zone(rest)?;
    Some((EventTime::from_micros(micros + fraction - offset_seconds * 1_000_000), repair))
}

/// `YYYY-MM-DDTHH:MM:SS` as microseconds since 1970 in its own zone.
fn civil_micros(clock: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ', h1, h2, b':', n1, n2, b':', s1, s2] = clock
    else {
        return None;
    };
    let year = two(*y1, *y2)? * 100 + two(*y3, *y4)?;
    let (month, day) = (two(*m1, *m2)?, two(*d1, *d2)?);
    let (hour, minute, second) = (two(*h1, *h2)?, two(*n1, *n2)?, two(*s1, *s2)?);
    let is_clock = hour < 24 && minute < 60 && second < 60;
    let is_date = year >= 1 && (1..=12).contains(&month) && (1..=month_days(year, month)).contains(&day);
    if !is_clock || !is_date {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * 1_000_000)
}

fn two(tens: u8, units: u8) -> Option<i64> {
    (tens.is_ascii_digit() && units.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(units - b'0'))
}

fn month_days(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Years begin in March here, so that the leap day comes
/// last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let march_year = if month <= 2 { year - 1 } else { year };
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let leap_days = march_year / 4 - march_year / 100 + march_year / 400;
    // 0000-03-01 lies 719,468 days before 1970-01-01.
    march_year * 365 + leap_days + day_of_year - 719_468
}

fn fraction_micros(rest: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.' | b',', digits @ ..] = rest else { return Some((0, rest)) };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let (digits, rest) = digits.split_at(length);
    let micros =
        (0..6).fold(0, |micros, place| micros * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0')));
    Some((micros, rest))
}

/// Seconds east of Greenwich: `Z`, an offset, an offset and a `Z`, or nothing.
fn zone(rest: &[u8]) -> Option<(i64, Option<Repair>)> {
    match rest {
        [] => Some((0, Some(Repair::NaiveTime))),
        [b'Z' | b'z'] => Some((0, None)),
        [sign @ (b'+' | b'-'), offset @ ..] => {
            let (offset, repair) = match offset {
                [offset @ .., b'Z' | b'z'] => (offset, Some(Repair::OffsetBeforeZ)),
                _ => (offset, None),
            };
            let seconds = offset_seconds(offset)?;
            Some((if *sign == b'-' { -seconds } else { seconds }, repair))
        }
        _ => None,
    }
}

/// `HH:MM`, `HHMM`, `HH`, and `HH:MM:SS` as Python writes offsets of before 1900.
fn offset_seconds(offset: &[u8]) -> Option<i64> {
    let (hours, minutes, seconds) = match offset {
        [h1, h2] => (two(*h1, *h2)?, 0, 0),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => (two(*h1, *h2)?, two(*m1, *m2)?, 0),
        [h1, h2, b':', m1, m2, b':', s1, s2] => (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60 && seconds < 60).then_some(hours * 3_600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_emitters_write_is_read() {
        let offset = Some(Repair::OffsetBeforeZ);
        for (text, expected, repair) in [
            ("2026-11-21T00:49:59.802921Z", "2026-11-21T00:49:59.802921Z", None),
            ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000000Z", None),
            ("2026-11-21T00:34:29.631330+00:00Z", "2026-11-21T00:34:29.631330Z", offset),
            ("2023-03-26T02:30:00+05:45Z", "2023-03-25T20:45:00.000000Z", offset),
            ("2023-03-26T02:30:00+0000Z", "2023-03-26T02:30:00.000000Z", offset),
            ("2018-11-03T00:00:00+00:00", "2018-11-03T00:00:00.000000Z", None),
            ("2018-11-03T00:00:00-02:30", "2018-11-03T02:30:00.000000Z", None),
            ("2018-10-03T12:00:00.123456", "2018-10-03T12:00:00.123456Z", Some(Repair::NaiveTime)),
            ("2020-06-18T16:48:07.1Z", "2020-06-18T16:48:07.100000Z", None),
            ("2020-06-18T16:48:07.1234567890Z", "2020-06-18T16:48:07.123456Z", None),
            ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z", None),
            ("1888-01-01T00:00:00+00:19:32Z", "1887-12-31T23:40:28.000000Z", offset),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z", None),
            ("9999-12-30T21:59:59Z", "9999-12-30T21:59:59.000000Z", None),
            ("2000-02-29 12:00:00z", "2000-02-29T12:00:00.000000Z", None),
        ] {
            let (time, found) = event_time(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((time.to_string().as_str(), found), (expected, repair), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_not_read() {
        for text in [
            "",
            "now",
            "2018-11-03",
            "2018-11-03T00:00",
            "2018-13-03T00:00:00Z",
            "2018-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2018-11-31T00:00:00Z",
            "2018-11-03T24:00:00Z",
            "2018-11-03T00:60:00Z",
            "2018-11-03T00:00:60Z",
            "2018-11-03T00:00:00ZZ",
            "2018-11-03T00:00:00.Z",
            "2018-11-03T00:00:00+Z",
            "2018-11-03T00:00:00+24:00",
            "2018-11-03T00:00:00 UTC",
            "0000-01-01T00:00:00Z",
            "+018-11-03T00:00:00Z",
            "２018-11-03T00:00:00Z",
            "2018-11-0éT00:00:00Z",
            "1541203200",
        ] {
            assert_eq!(event_time(text), None, "{text}");
        }
        assert_eq!(event_time(&format!("2018-11-03T00:00:00.{}Z", "1".repeat(80))), None);
    }

    #[test]
    fn days_agree_with_the_calendar() {
        let mut day = event::Day::from_ymd(1, 1, 1).unwrap();
        let last = event::Day::from_ymd(2400, 12, 31).unwrap();
        while day <= last {
            let (time, _) = event_time(&format!("{day}T00:00:00Z")).unwrap();
            assert_eq!(time, day.start(), "{day}");
            // A prime, so that every day of the year comes up.
            day = event::Day::from_number(day.number() + 13);
        }
    }
}
