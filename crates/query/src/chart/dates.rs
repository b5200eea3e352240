//! Where the time axis has words, and which.

use event::Day;
use jiff::civil::{Date, Weekday};

use crate::kpi::{Grain, TimeRange};

/// A word under the axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// At the first instant of this day.
    pub(super) day: Day,
    /// What it says.
    pub(super) text: String,
}

/// The steps that read well, finest first.
#[derive(Clone, Copy, Debug)]
enum Step {
    Days(i32),
    Weeks(i32),
    Months(i32),
    Years(i32),
}

const STEPS: [Step; 13] = [
    Step::Days(1),
    Step::Days(2),
    Step::Weeks(1),
    Step::Weeks(2),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Years(1),
    Step::Years(2),
    Step::Years(5),
    Step::Years(10),
    Step::Years(20),
];

/// At most `labels_max` words on round days of `range`.
pub(super) fn labels(range: TimeRange, grain: Grain, labels_max: usize) -> Vec<Label> {
    let labels_max = labels_max.max(1);
    let steps =
        STEPS.into_iter().filter(|step| grain != Grain::Month || matches!(step, Step::Months(_) | Step::Years(_)));
    for step in steps {
        let days = days(range, step, labels_max);
        if (1..=labels_max).contains(&days.len()) {
            return worded(&days, step);
        }
    }
    worded(&[range.from], Step::Days(1))
}

/// The round days of `range`, or one more than wanted.
fn days(range: TimeRange, step: Step, labels_max: usize) -> Vec<Day> {
    (range.from.number()..range.to.number())
        .map(Day::from_number)
        .filter(|day| is_round(*day, step))
        .take(labels_max + 1)
        .collect()
}

fn is_round(day: Day, step: Step) -> bool {
    let date = day.date();
    match step {
        Step::Days(days) => day.number().rem_euclid(days) == 0,
        Step::Weeks(weeks) => date.weekday() == Weekday::Monday && day.number().div_euclid(7).rem_euclid(weeks) == 0,
        Step::Months(months) => date.day() == 1 && (i32::from(date.month()) - 1).rem_euclid(months) == 0,
        Step::Years(years) => date.day() == 1 && date.month() == 1 && i32::from(date.year()).rem_euclid(years) == 0,
    }
}

/// The year stands at the first word and wherever it changes.
fn worded(days: &[Day], step: Step) -> Vec<Label> {
    let mut year = None;
    let mut labels = Vec::with_capacity(days.len());
    for day in days {
        let date = day.date();
        let new_year = year != Some(date.year());
        year = Some(date.year());
        labels.push(Label { day: *day, text: word(date, step, new_year) });
    }
    labels
}

fn word(date: Date, step: Step, with_year: bool) -> String {
    let month = date.strftime("%b");
    match (step, with_year) {
        (Step::Years(_), _) => date.year().to_string(),
        (Step::Months(_), true) => format!("{month} {}", date.year()),
        (Step::Months(_), false) => month.to_string(),
        (_, true) => format!("{} {month} {}", date.day(), date.year()),
        (_, false) => format!("{} {month}", date.day()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_few_round_and_name_the_year_once() {
        for (from, to, grain, most, expected) in [
            ("2021-10-05", "2021-11-02", Grain::Day, 6, vec!["11 Oct 2021", "18 Oct", "25 Oct", "1 Nov"]),
            ("2021-06-01", "2021-12-01", Grain::Month, 6, vec!["Jun 2021", "Jul", "Aug", "Sep", "Oct", "Nov"]),
            ("2023-11-01", "2024-03-01", Grain::Month, 4, vec!["Nov 2023", "Dec", "Jan 2024", "Feb"]),
            ("2018-11-03", "2024-03-01", Grain::Day, 4, vec!["2020", "2022", "2024"]),
            ("2024-02-28", "2024-03-02", Grain::Day, 6, vec!["28 Feb 2024", "29 Feb", "1 Mar"]),
            ("2024-02-29", "2024-03-01", Grain::Day, 1, vec!["29 Feb 2024"]),
        ] {
            let range = TimeRange { from: from.parse().unwrap(), to: to.parse().unwrap() };
            let words: Vec<String> = labels(range, grain, most).into_iter().map(|label| label.text).collect();
            assert_eq!(words, expected, "{from} {to}");
        }
    }
}
