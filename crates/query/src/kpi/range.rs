//! The time range of an answer: which days it is about, and which it is compared with.

use std::collections::BTreeMap;

use event::Day;
use jiff::ToSpan;
use jiff::civil::Date;

use super::params::Checked;
use super::{DefaultRange, Grain};
use crate::error::QueryError;

/// Days a range may span: 100 years, so that no list of periods grows without end.
const DAYS_MAX: i32 = 36_525;

/// Whole UTC days from `from` to before `to`.
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
    Ok(match grain {
        Grain::Month => TimeRange { from: month_of(from), to: month_after(Day::from_number(to.number() - 1)) },
        Grain::Day | Grain::None => TimeRange { from, to },
    })
}

fn start(default: DefaultRange, checked: &BTreeMap<String, Checked>, to: Day) -> Day {
    match default {
        DefaultRange::Days(days) => Day::from_number(to.number().saturating_sub(i32::from(days))),
        DefaultRange::Months(months) => {
            let wanted = match checked.get("months") {
                Some(Checked::Integer(months)) => *months,
                _ => i64::from(months),
            };
            let last = Day::from_number(to.number().saturating_sub(1));
            months_before(month_of(last), wanted.saturating_sub(1))
        }
    }
}

/// The first day of the month that holds `day`.
pub(crate) fn month_of(day: Day) -> Day {
    of_date(day.date().first_of_month())
}

/// The first day of the month after that of `day`.
pub(crate) fn month_after(day: Day) -> Day {
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

/// The first days of the periods in `range`; a range of months begins with one.
pub(crate) fn periods(grain: Grain, range: TimeRange) -> Vec<Day> {
    let next = |day: Day| if grain == Grain::Month { month_after(day) } else { day.next() };
    let mut periods = Vec::new();
    let mut day = range.from;
    while day < range.to {
        periods.push(day);
        day = next(day);
    }
    periods
}

/// The day after the period that begins on `period`.
pub(crate) fn period_end(grain: Grain, period: Day) -> Day {
    if grain == Grain::Month { month_after(period) } else { period.next() }
}

/// The range of the same length that ends where `range` begins.
pub(crate) fn before(grain: Grain, range: TimeRange) -> TimeRange {
    let from = match grain {
        Grain::Month => months_before(range.from, i64::try_from(periods(grain, range).len()).unwrap_or(0)),
        Grain::Day | Grain::None => Day::from_number(range.from.number().saturating_sub(range.days())),
    };
    TimeRange { from, to: range.from }
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
    fn the_range_before_has_the_same_length() {
        for (grain, from, to, before_from) in [
            (Grain::Day, "2024-03-01", "2024-03-29", "2024-02-02"),
            (Grain::Month, "2024-01-01", "2024-04-01", "2023-10-01"),
            (Grain::None, "2021-01-01", "2021-01-08", "2020-12-25"),
        ] {
            let range = TimeRange { from: day(from), to: day(to) };
            assert_eq!(before(grain, range), TimeRange { from: day(before_from), to: day(from) });
        }
        let range = TimeRange { from: day("2023-11-01"), to: day("2024-04-01") };
        assert_eq!(periods(Grain::Month, range).len(), 5);
        assert_eq!(periods(Grain::Day, range).len(), 152);
    }
}
