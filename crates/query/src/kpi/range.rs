//! The time range of an answer: which days it is about, and which it is compared with.

use std::collections::BTreeMap;

use event::Day;
use jiff::ToSpan;
use jiff::civil::{Date, ISOWeekDate, Weekday};

use super::params::{Checked, Compare};
use super::{DefaultRange, Grain};
use crate::error::QueryError;

/// Days a range may span: 100 years, so that no list of periods grows without end.
const DAYS_MAX: i32 = 36_525;

/// Whole days from `from` to before `to`, in the zone of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first day.
    pub from: Day,
    /// The day after the last.
    pub to: Day,
}

impl TimeRange {
    /// How many days it has.
    pub fn days(&self) -> i32 {
        self.to.number() - self.from.number()
    }

    /// Whether `day` is one of them.
    pub fn holds(&self, day: Day) -> bool {
        self.from <= day && day < self.to
    }

    /// The last day.
    pub fn last(&self) -> Day {
        Day::from_number(self.to.number() - 1)
    }
}

/// The range that the parameters name, or the default one that ends on the day before `end`.
///
/// # Errors
/// When it is empty, upside down or absurdly long.
pub(crate) fn resolve(
    default: DefaultRange,
    grain: Grain,
    checked: &BTreeMap<String, Checked>,
    end: Day,
) -> Result<TimeRange, QueryError> {
    let day = |name: &str| match checked.get(name) {
        Some(Checked::Date(day)) => Some(*day),
        _ => None,
    };
    let to = day("to").unwrap_or(end);
    let from = day("from").unwrap_or_else(|| start(default, checked, to));
    let wrong = |name: &str, problem: String| Err(QueryError::Parameter { name: name.to_owned(), problem });
    if from >= to {
        return wrong("from", format!("the range from {from} to {to} is empty; `to` is the day after the last"));
    }
    if to.number().saturating_sub(from.number()) > DAYS_MAX {
        return wrong("from", format!("the range from {from} to {to} is longer than 100 years"));
    }
    Ok(TimeRange { from: period_of(grain, from), to: period_end(grain, Day::from_number(to.number() - 1)) })
}

fn start(default: DefaultRange, checked: &BTreeMap<String, Checked>, to: Day) -> Day {
    let last = days_before(to, 1);
    match default {
        DefaultRange::Days(days) => days_before(to, i32::from(days)),
        DefaultRange::Weeks(weeks) => days_before(week_of(last), 7 * (i32::from(weeks) - 1)),
        DefaultRange::Months(months) => {
            let wanted = match checked.get("months") {
                Some(Checked::Integer(months)) => *months,
                _ => i64::from(months),
            };
            months_before(month_of(last), wanted.saturating_sub(1))
        }
    }
}

fn days_before(day: Day, days: i32) -> Day {
    Day::from_number(day.number().saturating_sub(days))
}

/// The Monday of the ISO week that holds `day`.
fn week_of(day: Day) -> Day {
    // 1970-01-01 was a Thursday.
    days_before(day, (day.number().saturating_add(3)).rem_euclid(7))
}

/// The first day of the month that holds `day`.
fn month_of(day: Day) -> Day {
    of_date(day.date().first_of_month())
}

/// The first day of the month after that of `day`.
fn month_after(day: Day) -> Day {
    of_date(day.date().last_of_month().saturating_add(1.day()))
}

/// The first day of the month `months` before that which begins on `first`.
fn months_before(first: Day, months: i64) -> Day {
    let span = jiff::Span::new().try_months(months).unwrap_or_default();
    of_date(first.date().saturating_sub(span))
}

fn of_date(date: Date) -> Day {
    Day::from_ymd(date.year(), date.month(), date.day()).unwrap_or(Day::from_number(0))
}

/// The first day of the period that holds `day`.
pub(crate) fn period_of(grain: Grain, day: Day) -> Day {
    match grain {
        Grain::Day | Grain::None => day,
        Grain::Week => week_of(day),
        Grain::Month => month_of(day),
    }
}

/// The day after the period that holds `day`.
pub(crate) fn period_end(grain: Grain, day: Day) -> Day {
    match grain {
        Grain::Day | Grain::None => day.next(),
        Grain::Week => Day::from_number(week_of(day).number().saturating_add(7)),
        Grain::Month => month_after(day),
    }
}

/// The first days of the periods in `range`, which begins with one.
pub(crate) fn periods(grain: Grain, range: TimeRange) -> Vec<Day> {
    let mut periods = Vec::new();
    let mut day = range.from;
    while day < range.to {
        periods.push(day);
        day = period_end(grain, day);
    }
    periods
}

/// The range with which `range` is compared.
pub(crate) fn compared(compare: Compare, grain: Grain, range: TimeRange) -> Option<TimeRange> {
    match compare {
        Compare::Previous => Some(before(grain, range)),
        Compare::Year => Some(year_before(grain, range)),
        Compare::None => None,
    }
}

/// The range of the same length that ends where `range` begins.
fn before(grain: Grain, range: TimeRange) -> TimeRange {
    let from = match grain {
        Grain::Month => months_before(range.from, i64::try_from(periods(grain, range).len()).unwrap_or(0)),
        Grain::Day | Grain::Week | Grain::None => days_before(range.from, range.days()),
    };
    TimeRange { from, to: range.from }
}

/// The same days a year before: 29 February is compared with the 28th. Of weeks as many, from the one of the same ISO
/// number (the 53rd is compared with the 52nd where there is none).
fn year_before(grain: Grain, range: TimeRange) -> TimeRange {
    match grain {
        Grain::Day | Grain::Month | Grain::None => {
            TimeRange { from: months_before(range.from, 12), to: months_before(range.to, 12) }
        }
        Grain::Week => {
            let week = range.from.date().iso_week_date();
            let year = week.year() - 1;
            let same = ISOWeekDate::new(year, week.week(), Weekday::Monday)
                .or_else(|_| ISOWeekDate::new(year, 52, Weekday::Monday));
            let from = same.map_or_else(|_| days_before(range.from, 364), |week| of_date(week.date()));
            TimeRange { from, to: Day::from_number(from.number().saturating_add(range.days())) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn given(pairs: &[(&str, Checked)]) -> BTreeMap<String, Checked> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn ranges_end_with_the_data_and_months_are_whole() {
        let date = |text: &str| Checked::Date(day(text));
        for (default, grain, checked, end, from, to) in [
            (DefaultRange::Days(28), Grain::Day, given(&[]), "2021-11-02", "2021-10-05", "2021-11-02"),
            (
                DefaultRange::Days(28),
                Grain::Day,
                given(&[("to", date("2024-03-01"))]),
                "2030-01-01",
                "2024-02-02",
                "2024-03-01",
            ),
            (
                DefaultRange::Days(28),
                Grain::Day,
                given(&[("from", date("2023-12-31"))]),
                "2024-01-02",
                "2023-12-31",
                "2024-01-02",
            ),
            (DefaultRange::Months(6), Grain::Month, given(&[]), "2021-11-02", "2021-06-01", "2021-12-01"),
            (DefaultRange::Months(6), Grain::Month, given(&[]), "2022-01-01", "2021-07-01", "2022-01-01"),
            (
                DefaultRange::Months(6),
                Grain::Month,
                given(&[("months", Checked::Integer(1))]),
                "2024-02-29",
                "2024-02-01",
                "2024-03-01",
            ),
            (
                DefaultRange::Months(6),
                Grain::Month,
                given(&[("months", Checked::Integer(240))]),
                "2024-02-29",
                "2004-03-01",
                "2024-03-01",
            ),
            (
                DefaultRange::Months(6),
                Grain::Month,
                given(&[("from", date("2020-02-29")), ("to", date("2020-03-02"))]),
                "2024-01-01",
                "2020-02-01",
                "2020-04-01",
            ),
            (DefaultRange::Weeks(2), Grain::Week, given(&[]), "2021-01-03", "2020-12-21", "2021-01-04"),
            (
                DefaultRange::Weeks(2),
                Grain::Week,
                given(&[("from", date("2021-01-03")), ("to", date("2021-01-05"))]),
                "2024-01-01",
                "2020-12-28",
                "2021-01-11",
            ),
        ] {
            let range = resolve(default, grain, &checked, day(end)).unwrap();
            assert_eq!(range, TimeRange { from: day(from), to: day(to) }, "{default:?} {checked:?} {end}");
        }
    }

    #[test]
    fn empty_and_absurd_ranges_are_refused() {
        for (from, to) in [("2021-01-02", "2021-01-02"), ("2021-01-02", "2021-01-01"), ("0001-01-01", "2021-01-01")] {
            let checked = given(&[("from", Checked::Date(day(from))), ("to", Checked::Date(day(to)))]);
            assert!(resolve(DefaultRange::Days(28), Grain::Day, &checked, day("2021-01-01")).is_err(), "{from} {to}");
        }
    }

    #[test]
    fn what_a_range_is_compared_with() {
        use Compare::{Previous, Year};
        for (compare, grain, from, to, then_from, then_to) in [
            (Previous, Grain::Day, "2024-03-01", "2024-03-29", "2024-02-02", "2024-03-01"),
            (Previous, Grain::Week, "2024-01-01", "2024-01-15", "2023-12-18", "2024-01-01"),
            (Previous, Grain::Month, "2024-01-01", "2024-04-01", "2023-10-01", "2024-01-01"),
            (Previous, Grain::None, "2021-01-01", "2021-01-08", "2020-12-25", "2021-01-01"),
            (Year, Grain::Day, "2024-02-29", "2024-03-02", "2023-02-28", "2023-03-02"),
            (Year, Grain::Month, "2024-02-01", "2024-03-01", "2023-02-01", "2023-03-01"),
            // Week 10 of 2026 begins on 2 March, that of 2025 on 3 March.
            (Year, Grain::Week, "2026-03-02", "2026-03-16", "2025-03-03", "2025-03-17"),
            // 2020 had a week 53, 2019 had none.
            (Year, Grain::Week, "2020-12-28", "2021-01-04", "2019-12-23", "2019-12-30"),
        ] {
            let range = TimeRange { from: day(from), to: day(to) };
            let then = TimeRange { from: day(then_from), to: day(then_to) };
            assert_eq!(compared(compare, grain, range), Some(then), "{compare:?} {grain:?} {from}");
        }
        let range = TimeRange { from: day("2023-11-01"), to: day("2024-04-01") };
        assert_eq!(compared(Compare::None, Grain::Day, range), None);
        assert_eq!(periods(Grain::Month, range).len(), 5);
        assert_eq!(periods(Grain::Day, range).len(), 152);
    }

    #[test]
    fn weeks_are_those_of_iso_8601() {
        for (date, monday) in [
            ("2021-01-03", "2020-12-28"),
            ("2021-01-04", "2021-01-04"),
            ("2024-12-31", "2024-12-30"),
            ("1969-12-28", "1969-12-22"),
            ("1969-12-29", "1969-12-29"),
        ] {
            assert_eq!(period_of(Grain::Week, day(date)), day(monday));
            assert_eq!(period_end(Grain::Week, day(date)).number(), day(monday).number() + 7);
        }
    }
}
