//! What a trend foretells: against another way to fit a line, over sessions whose peaks are counted instant by instant.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use query::chart::{Size, svg, vega_lite};
use query::{KpiAnswer, Scope};

use crate::oracle::{Chance, Step};
use crate::sandbox::{CATALOGUE, Sandbox, server_action};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

/// A server from its start to its stop, in microseconds.
type Ran = (i64, i64);

/// Weeks of a zone, from the Monday that they begin with.
struct Weeks {
    zone: TimeZone,
    first: Date,
}

impl Weeks {
    fn start(&self, week: i32) -> Date {
        self.first.checked_add((7 * week).days()).unwrap()
    }

    fn instant(&self, week: i32) -> i64 {
        self.start(week).to_zoned(self.zone.clone()).unwrap().timestamp().as_microsecond()
    }

    fn date(&self, micros: i64) -> Date {
        jiff::Timestamp::from_microsecond(micros).unwrap().to_zoned(self.zone.clone()).date()
    }

    fn zone(&self) -> &str {
        self.zone.iana_name().unwrap()
    }

    /// The most at once in a week: at its first instant or at one of its starts.
    fn peak(&self, ran: &[Ran], week: i32) -> usize {
        let (from, to) = (self.instant(week), self.instant(week + 1));
        let starts = ran.iter().map(|(start, _)| *start).filter(|start| (from..to).contains(start));
        let at_once = |instant: i64| ran.iter().filter(|(start, stop)| *start <= instant && instant < *stop).count();
        starts.chain([from]).map(at_once).max().unwrap_or(0)
    }
}

async fn told(ran: &[Ran]) -> Sandbox {
    let mut sandbox = Sandbox::new().await;
    let mut told: Vec<(i64, &str, usize)> = Vec::new();
    for (number, (start, stop)) in ran.iter().enumerate() {
        told.extend([(*start, "start", number), (*stop, "stop", number)]);
    }
    told.sort_unstable();
    for (micros, action, number) in told {
        let row = server_action(event::EventTime::from_micros(micros), action, &format!("user-{number}"));
        sandbox.acknowledge(vec![row]);
    }
    sandbox.flush().await;
    sandbox
}

/// So many servers at once in each week, somewhere in it, and a few that run over its end.
fn ran(weeks: &Weeks, peaks: &[i64], chance: &mut Chance) -> Vec<Ran> {
    let mut ran = Vec::new();
    for (week, peak) in (0..).zip(peaks) {
        let noon = weeks.instant(week) + (24 + chance.below(96)) * HOUR;
        for _ in 0..*peak {
            let start = noon - chance.below(3 * HOUR);
            ran.push((start, noon + 1 + chance.below(5 * HOUR)));
        }
        let end = weeks.instant(week + 1);
        ran.push((end - HOUR, end + chance.below(2) * HOUR));
    }
    ran
}

/// The answer's rows: low, number, high, and whether it is foretold; of each week that has any.
fn rows(answer: &KpiAnswer) -> BTreeMap<String, (f64, f64, f64, bool)> {
    let document = answer.answer.json();
    let row = |row: &serde_json::Value| {
        let number = |name: &str| row[name].as_f64();
        let numbers = (number("value_low")?, number("value")?, number("value_high")?);
        let week = row["period"].as_str()?.to_owned();
        Some((week, (numbers.0, numbers.1, numbers.2, row["foretold"].as_bool()?)))
    };
    document["rows"].as_array().unwrap().iter().filter_map(row).collect()
}

/// A line, its R², and what it foretells at `x`: low, point, high. By the normal equations about 0, their inverse, and
/// the correlation.
fn foretold(points: &[(f64, f64)], x: f64) -> (f64, (f64, f64, f64)) {
    let sum = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
    let n = points.len() as f64;
    let (x1, x2, y1, y2, xy) = (sum(|p| p.0), sum(|p| p.0 * p.0), sum(|p| p.1), sum(|p| p.1 * p.1), sum(|p| p.0 * p.1));
    let determinant = n * x2 - x1 * x1;
    let inverse = [[x2 / determinant, -x1 / determinant], [-x1 / determinant, n / determinant]];
    let base = inverse[0][0] * y1 + inverse[0][1] * xy;
    let slope = inverse[1][0] * y1 + inverse[1][1] * xy;
    let correlation = (n * xy - x1 * y1) / (determinant * (n * y2 - y1 * y1)).sqrt();
    let left: f64 = points.iter().map(|(x, y)| (y - base - slope * x).powi(2)).sum();
    let leverage = inverse[0][0] + 2.0 * x * inverse[0][1] + x * x * inverse[1][1];
    let reach = t(points.len() - 2) * (left / (n - 2.0) * (1.0 + leverage)).sqrt();
    let point = base + slope * x;
    (correlation * correlation, ((point - reach).max(0.0), point.max(0.0), (point + reach).max(0.0)))
}

/// What Student's t stays within 95 times of 100: its density added up by Simpson's rule.
fn t(freedom: usize) -> f64 {
    let freedom = freedom as f64;
    let density = |t: f64| (1.0 + t * t / freedom).powf(-f64::midpoint(freedom, 1.0));
    // Over 0 to 1 of s, with t = s / (1 - s): nearly all that there is.
    let area = |end: f64| {
        let steps = 4_000_u32;
        let width = end / f64::from(steps);
        let at = |step: u32| {
            let s = f64::from(step) * width;
            let factor = if step == 0 || step == steps { 1.0 } else { f64::from(2 + 2 * (step % 2)) };
            factor * density(s / (1.0 - s)) / (1.0 - s).powi(2)
        };
        (0..=steps).map(at).sum::<f64>() * width / 3.0
    };
    let all = area(0.999_999);
    let (mut low, mut high) = (0.0, 0.999);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if area(middle) < 0.95 * all { low = middle } else { high = middle }
    }
    low / (1.0 - low)
}

fn near(ours: f64, expected: f64) -> bool {
    (ours - expected).abs() <= 1e-5 * expected.abs().max(1.0)
}

/// Whole weeks of `range` that were watched and in which the data do not begin, by their number.
fn whole(weeks: &Weeks, ran: &[Ran], until: i32) -> BTreeMap<i32, f64> {
    let days: BTreeSet<Date> = ran.iter().flat_map(|(start, stop)| [weeks.date(*start), weeks.date(*stop)]).collect();
    let is_watched = |week: &i32| days.range(weeks.start(*week)..weeks.start(*week + 1)).next().is_some();
    let is_begun = |week: &i32| days.first().is_some_and(|first| *first <= weeks.start(*week));
    (0..until).filter(is_watched).filter(is_begun).map(|week| (week, weeks.peak(ran, week) as f64)).collect()
}

#[tokio::test]
async fn what_is_foretold_equals_another_fit_of_the_weekly_peaks() {
    let (mut drawn, mut hidden) = (0, 0);
    // Around a leap day, a change of clocks, the end of a year.
    let scenes = [
        ("UTC", date(2024, 1, 1)),
        ("Europe/Berlin", date(2024, 2, 12)),
        ("Australia/Lord_Howe", date(2020, 9, 7)),
        ("Asia/Kathmandu", date(2020, 11, 2)),
    ];
    for (number, (zone, first)) in scenes.into_iter().cycle().take(8).enumerate() {
        let weeks = Weeks { zone: TimeZone::get(zone).unwrap(), first: Step::Week.begin(first) };
        let mut chance = Chance::new(40 + number as u64);
        let (slope, noise) = if number % 4 == 3 { (0, 9) } else { (1 + chance.below(2), 1 + chance.below(6)) };
        let peaks: Vec<i64> = (0..15).map(|week| 2 + slope * week + chance.below(noise + 1)).collect();
        let mut ran = ran(&weeks, &peaks, &mut chance);
        if number % 2 == 0 {
            // A week of which nothing was heard.
            let (from, to) = (weeks.instant(9), weeks.instant(10));
            ran.retain(|(start, stop)| *stop < from || *start >= to);
        }
        let sandbox = told(&ran).await;
        let now = weeks.instant(14) + 60 * HOUR;
        sandbox.clock.set(event::EventTime::from_micros(now));
        let ran: Vec<Ran> = ran.into_iter().filter(|(start, _)| *start < now).collect();
        for (through, ahead) in [(12, 12), (6, 1), (260, 30)] {
            let what = format!("{zone} {number} {through}");
            let (from, to) = (weeks.start(0).to_string(), weeks.start(15).to_string());
            let (through_text, ahead_text) = (through.to_string(), ahead.to_string());
            let asked = [
                ("from", from.as_str()),
                ("to", &to),
                ("zone", weeks.zone()),
                ("through", &through_text),
                ("ahead", &ahead_text),
            ];
            let answer = sandbox.kpi("headroom", &asked).await.unwrap();
            let known = whole(&weeks, &ran, 14);
            let last = *known.last_key_value().unwrap().0;
            let mut points = known.clone();
            points.retain(|week, _| last - week < through);
            let points: Vec<(f64, f64)> = points.into_iter().map(|(week, peak)| (f64::from(week), peak)).collect();
            let (r_squared, _) = foretold(&points, 0.0);
            let found = rows(&answer);
            for (week, peak) in &known {
                let row = found[&weeks.start(*week).to_string()];
                assert_eq!(row, (*peak, *peak, *peak, false), "{what} week {week}");
            }
            let trend = answer.trend.as_ref().unwrap();
            assert!(trend.told[0].contains(&format!("(R² {r_squared:.2}")) || points.len() < 6, "{what} {trend:?}");
            assert!(answer.change.is_none() && answer.comparison.is_none(), "{what}");
            if points.len() < 6 || r_squared < 0.5 {
                hidden += 1;
                assert!(found.values().all(|row| !row.3) && answer.headline.is_none(), "{what}");
                assert!(answer.message.starts_with("No trend: "), "{what}: {}", answer.message);
                continue;
            }
            drawn += 1;
            assert_eq!(found.values().filter(|row| row.3).count(), usize::try_from(ahead).unwrap(), "{what}");
            for week in last + 1..=last + ahead {
                let (low, point, high, is_foretold) = found[&weeks.start(week).to_string()];
                let (_, expected) = foretold(&points, f64::from(week));
                let agree = near(low, expected.0) && near(point, expected.1) && near(high, expected.2);
                assert!(is_foretold && agree, "{what} week {week}: {low} {point} {high}, not {expected:?}");
            }
            let (_, at_end) = foretold(&points, f64::from(last + ahead));
            let headline = answer.headline.as_ref().unwrap();
            assert!(near(headline.value, at_end.1), "{what}: {headline:?}");
            assert!(answer.message.contains(&weeks.start(last + ahead).to_string()), "{what}: {}", answer.message);
        }
    }
    assert!(drawn >= 8 && hidden >= 4, "{drawn} drawn, {hidden} hidden");
}

/// Eight whole weeks, of which each has a server more than the one before; asked in the ninth.
async fn growing() -> (Weeks, Sandbox) {
    let weeks = Weeks { zone: TimeZone::UTC, first: date(2024, 1, 1) };
    let mut ran: Vec<Ran> = vec![(weeks.instant(0), weeks.instant(0) + HOUR)];
    for week in 0..8 {
        let noon = weeks.instant(week) + 60 * HOUR;
        ran.extend((0..=week).map(|server| (noon + i64::from(server), noon + HOUR)));
    }
    // The week that is not over has many already, and says nothing yet.
    let noon = weeks.instant(8) + 12 * HOUR;
    ran.extend((0..40).map(|server| (noon + server, noon + HOUR)));
    let sandbox = told(&ran).await;
    sandbox.clock.set(event::EventTime::from_micros(noon + 2 * HOUR));
    (weeks, sandbox)
}

#[tokio::test]
async fn the_week_in_which_there_is_no_room_any_more_is_told() {
    let (_, sandbox) = growing().await;
    let answer = sandbox.kpi("headroom", &[("room", "10"), ("ahead", "3")]).await.unwrap();
    assert_eq!(
        answer.trend.as_ref().unwrap().told,
        [
            "The line through the 8 weeks with data from 2024-01-01 to 2024-02-25 rises by 1 a week (R² 1.00).",
            "The line is above 10 servers at once from the week of 2024-03-11 on, its upper bound from the week of \
             2024-03-11 on.",
        ]
    );
    assert_eq!(answer.notes[..2], answer.trend.as_ref().unwrap().told);
    assert_eq!(answer.message, "11 servers at once in the week of 2024-03-11, if the trend goes on.");
    assert!(answer.notes.iter().any(|note| note.contains("2024-02-26 is not finished; the trend leaves it out")));
    let document = answer.json(CATALOGUE.find("headroom").unwrap());
    assert_eq!(document["trend"]["ahead"]["from"], "2024-02-26");
    assert_eq!(document["trend"]["ahead"]["to"], "2024-03-18");
}

#[tokio::test]
async fn without_enough_weeks_the_peaks_stand_alone_and_the_answer_says_why() {
    let (_, sandbox) = growing().await;
    let answer = sandbox.kpi("headroom", &[("from", "2024-01-29")]).await.unwrap();
    assert_eq!(answer.message, "No trend: it takes 6 whole weeks with data, and there are 4.");
    assert_eq!((&answer.headline, answer.trend.as_ref().unwrap().ahead), (&None, None));
    let peaks: Vec<f64> = rows(&answer).into_values().map(|row| row.1).collect();
    assert_eq!(peaks, [5.0, 6.0, 7.0, 8.0, 40.0]);
    let empty = Sandbox::new().await.kpi("headroom", &[]).await.unwrap();
    assert!(empty.message.starts_with("There are no data") && empty.trend.is_none(), "{}", empty.message);
}

#[tokio::test]
async fn what_cannot_be_asked_of_a_trend_is_told() {
    let sandbox = Sandbox::new().await;
    for (name, value, expected) in [
        ("through", "5", "parameter 'through': 5 is out of bounds; it may be 6 to 260"),
        ("ahead", "0", "parameter 'ahead': 0 is out of bounds; it may be 1 to 52"),
        ("room", "-1", "parameter 'room': -1 is out of bounds; it may be 0 to 10000000"),
        ("room", "many", "parameter 'room': 'many' is not a whole number"),
    ] {
        assert_eq!(sandbox.kpi("headroom", &[(name, value)]).await.unwrap_err().to_string(), expected);
    }
}

/// Charts go on beyond the range: dashed, with bounds, and said to be foretold.
#[tokio::test]
async fn the_weeks_ahead_are_drawn_dashed_after_the_range() {
    let (_, sandbox) = growing().await;
    let kpi = CATALOGUE.find("headroom").unwrap();
    let answer = sandbox.engine.kpi(kpi, &[("ahead", "3")].into_iter().collect(), &Scope::All).await.unwrap();
    assert_eq!(answer.range.to.to_string(), "2024-03-04");
    let svg = svg(kpi, &answer, Size::Page);
    assert!(svg.contains("unfinished") && svg.contains("stroke-dasharray"), "{svg}");
    for week in ["2024-02-26", "2024-03-04", "2024-03-11"] {
        assert!(svg.contains(&format!("week of {week}: ")), "{week}: {svg}");
    }
    assert_eq!(svg.matches("(foretold)").count(), 3);
    assert!(!svg.contains("(not finished)"));
    let figures = vega_lite(kpi, &answer)["datasets"]["figures"].as_array().unwrap().clone();
    assert_eq!(figures.last().unwrap()["period"], "2024-03-11");
    assert_eq!(figures.iter().filter(|figure| figure["unfinished"] == true).count(), 3);
}
