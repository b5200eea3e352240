//! The trend of a question that has one (`trend = true`): a line through its last whole weeks, and what it foretells.
//!
//! It is drawn here and not by the question's statement because only what asks it knows which weeks were watched: a
//! week without data is no week of 0.

use std::collections::BTreeMap;

use event::Day;
use insight::measure::{Bounds, Line};

use super::Grain;
use super::answer::{grouped, rounded};
use super::range::{TimeRange, period_end};

/// The parameters that a question with a trend declares: through how many weeks, for how many more, room for how many.
pub(super) const PARAMETERS: [&str; 3] = ["through", "ahead", "room"];

/// Fewer weeks than this make no trend.
const WEEKS_MIN: usize = 6;

/// The least share of the differences between weeks that the line explains; below it there is no trend to go by.
const R_SQUARED_MIN: f64 = 0.5;

/// What the caller wants of a trend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Through how many of the last whole weeks it goes, those without data among them.
    pub(super) through: i64,
    /// How many weeks it foretells.
    pub(super) ahead: i64,
    /// How much there is room for; 0 where that is not said.
    pub(super) room: i64,
}

/// A trend that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trend {
    /// The weeks that it foretells; none where there is no trend to go by.
    pub ahead: Option<TimeRange>,
    /// What is to be said of it: how good it is and when there is no room any more, or why there is none.
    pub told: Vec<String>,
}

/// Looks for a trend in `weeks`, which are over and were watched, each by its first day; and what it foretells of
/// which week.
pub(super) fn drawn(
    weeks: &BTreeMap<Day, f64>,
    wanted: Wanted,
    unit: (&str, &str),
) -> (Trend, BTreeMap<Day, Bounds<f64>>) {
    match foretold(weeks, wanted, unit) {
        Ok((told, values)) => {
            let from = values.first_key_value().map(|(day, _)| *day);
            let to = values.last_key_value().map(|(day, _)| week_after(*day));
            let ahead = from.zip(to).map(|(from, to)| TimeRange { from, to });
            (Trend { ahead, told }, values)
        }
        Err(why) => (Trend { ahead: None, told: vec![why] }, BTreeMap::new()),
    }
}

type Foretold = (Vec<String>, BTreeMap<Day, Bounds<f64>>);

/// What a trend tells, or why there is none.
fn foretold(weeks: &BTreeMap<Day, f64>, wanted: Wanted, (many, one): (&str, &str)) -> Result<Foretold, String> {
    let few = |found: usize| format!("No trend: it takes {WEEKS_MIN} whole weeks with data, and there are {found}.");
    let Some((last, _)) = weeks.last_key_value() else { return Err(few(0)) };
    let place = |day: Day| f64::from(day.number() - last.number()) / 7.0;
    let wide = |weeks: i64| i32::try_from(weeks).unwrap_or(i32::MAX);
    let is_far = |day: &Day| (last.number() - day.number()) / 7 >= wide(wanted.through);
    let points: Vec<(Day, f64)> =
        weeks.iter().filter(|(day, _)| !is_far(day)).map(|(day, value)| (*day, *value)).collect();
    let Some((first, _)) = points.first().filter(|_| points.len() >= WEEKS_MIN) else { return Err(few(points.len())) };
    let through = format!("the {} weeks with data from {first} to {}", points.len(), last_day(*last));
    let line = Line::through(&points.iter().map(|(day, value)| (place(*day), *value)).collect::<Vec<_>>());
    let Some((line, r_squared)) = line.and_then(|line| Some((line, line.r_squared?))) else {
        return Err(format!("No trend: {through} are all alike."));
    };
    if r_squared < R_SQUARED_MIN {
        return Err(format!(
            "No trend: a line through {through} explains too little of how they differ (R² {r_squared:.2}; less than \
             {R_SQUARED_MIN} foretells nothing)."
        ));
    }
    let mut ahead = BTreeMap::new();
    let mut week = week_after(*last);
    for _ in 0..wanted.ahead {
        let Bounds { low, point, high } = line.at(place(week));
        // Fewer than none cannot be.
        ahead.insert(week, Bounds { low: low.max(0.0), point: point.max(0.0), high: high.max(0.0) });
        week = week_after(week);
    }
    let moves = if line.slope < 0.0 { "falls" } else { "rises" };
    let by = grouped(rounded(line.slope.abs()));
    let mut told = vec![format!("The line through {through} {moves} by {by} a week (R² {r_squared:.2}).")];
    told.extend(room(&ahead, wanted.room, if wanted.room == 1 { one } else { many }));
    Ok((told, ahead))
}

/// From which week on there is no room, by the line and by its upper bound.
fn room(ahead: &BTreeMap<Day, Bounds<f64>>, room: i64, unit: &str) -> Option<String> {
    #[expect(clippy::cast_precision_loss, reason = "bounded by the parameter, far below 2^53")]
    let (limit, count) = ((room > 0).then_some(room as f64)?, ahead.len());
    let words = format!("{} {unit}", grouped(limit));
    let passed = |of: fn(&Bounds<f64>) -> f64| ahead.iter().find(|(_, week)| of(week) > limit).map(|(day, _)| *day);
    Some(match (passed(|week| week.point), passed(|week| week.high)) {
        (Some(line), Some(bound)) => {
            format!(
                "The line is above {words} from the week of {line} on, its upper bound from the week of {bound} on."
            )
        }
        (None, Some(bound)) => format!(
            "The line stays within {words} for {count} weeks; its upper bound is above them from the week of {bound} on."
        ),
        _ => format!("The line and its upper bound stay within {words} for {count} weeks."),
    })
}

fn week_after(week: Day) -> Day {
    period_end(Grain::Week, week)
}

fn last_day(week: Day) -> Day {
    Day::from_number(week_after(week).number() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted { through: 12, ahead: 4, room: 0 };

    /// Weeks from Monday 2024-01-01 on.
    fn weeks(values: &[f64]) -> BTreeMap<Day, f64> {
        let first: Day = "2024-01-01".parse().unwrap();
        (0..).map(|week| Day::from_number(first.number() + 7 * week)).zip(values.iter().copied()).collect()
    }

    fn told(values: &[f64], wanted: Wanted) -> Vec<String> {
        drawn(&weeks(values), wanted, ("servers", "server")).0.told
    }

    #[test]
    fn what_makes_no_trend_says_why() {
        for (values, expected) in [
            (vec![], "No trend: it takes 6 whole weeks with data, and there are 0."),
            (vec![1.0, 2.0, 3.0, 4.0, 5.0], "No trend: it takes 6 whole weeks with data, and there are 5."),
            (vec![7.0; 6], "No trend: the 6 weeks with data from 2024-01-01 to 2024-02-11 are all alike."),
            (
                vec![1.0, 9.0, 1.0, 9.0, 1.0, 9.0],
                "No trend: a line through the 6 weeks with data from 2024-01-01 to 2024-02-11 explains too little of how \
                 they differ (R² 0.09; less than 0.5 foretells nothing).",
            ),
        ] {
            let (trend, ahead) = drawn(&weeks(&values), WANTED, ("servers", "server"));
            assert_eq!((trend.told, trend.ahead, ahead.len()), (vec![expected.to_owned()], None, 0));
        }
        // Of six weeks, the first is no longer among the last five.
        let few = told(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], Wanted { through: 5, ..WANTED });
        assert_eq!(few, ["No trend: it takes 6 whole weeks with data, and there are 5."]);
    }

    #[test]
    fn a_line_says_when_there_is_no_room_any_more() {
        let rising: Vec<f64> = (0..8).map(f64::from).collect();
        let line = "The line through the 8 weeks with data from 2024-01-01 to 2024-02-25 rises by 1 a week (R² 1.00).";
        for (room, expected) in [
            (0, None),
            (
                8,
                Some(
                    "The line is above 8 servers from the week of 2024-03-04 on, its upper bound from the week of 2024-03-04 on.",
                ),
            ),
            (
                1,
                Some(
                    "The line is above 1 server from the week of 2024-02-26 on, its upper bound from the week of 2024-02-26 on.",
                ),
            ),
            (99, Some("The line and its upper bound stay within 99 servers for 4 weeks.")),
        ] {
            let found = told(&rising, Wanted { room, ..WANTED });
            assert_eq!(found, [line].into_iter().chain(expected).collect::<Vec<_>>());
        }
        let scattered = told(&[1.0, 3.0, 2.0, 5.0, 3.0, 6.0], Wanted { room: 9, ..WANTED });
        assert_eq!(
            scattered[1],
            "The line stays within 9 servers for 4 weeks; its upper bound is above them from the week of 2024-02-12 on."
        );
    }

    #[test]
    fn nothing_below_none_is_foretold_and_weeks_without_data_keep_their_place() {
        let falling: Vec<f64> = (0..7).map(|week| 12.0 - 2.0 * f64::from(week)).collect();
        let (trend, ahead) = drawn(&weeks(&falling), WANTED, ("servers", "server"));
        assert!(ahead.values().all(|week| (week.low, week.point, week.high) == (0.0, 0.0, 0.0)), "{ahead:?}");
        assert!(trend.told[0].contains("falls by 2 a week"), "{:?}", trend.told);
        let mut holed = weeks(&(0..9).map(|week| 3.0 * f64::from(week)).collect::<Vec<_>>());
        holed.remove(&"2024-01-15".parse().unwrap());
        let (_, ahead) = drawn(&holed, WANTED, ("servers", "server"));
        let (first, value) = ahead.first_key_value().unwrap();
        assert_eq!(first.to_string(), "2024-03-04");
        assert!((value.point - 27.0).abs() < 1e-9, "{value:?}");
    }
}
