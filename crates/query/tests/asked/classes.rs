//! Workshops and courses, inferred from launches: against a walk over the same launches.

use std::collections::{BTreeMap, BTreeSet};

use event::EventTime;
use jiff::ToSpan;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use crate::oracle::{Chance, Step};
use crate::sandbox::{Sandbox, at, launch, watched};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

const SPECS: [(&str, &str); 5] = [
    ("a/b/HEAD", "https://github.com/a/b"),
    ("A/B.git/main", "https://github.com/a/b"),
    ("c/d/HEAD", "https://github.com/c/d"),
    ("e/f/HEAD", "https://github.com/e/f"),
    ("broken", ""),
];

/// When, and which of [`SPECS`].
type Launch = (i64, usize);

/// Launches without exact repeats; times on a whole minute tell of none.
fn counted(launches: &[Launch]) -> Vec<Launch> {
    let mut seen = BTreeSet::new();
    let is_new = |launch: &&Launch| launch.0 % MINUTE == 0 || seen.insert(**launch);
    let mut counted: Vec<Launch> = launches.iter().filter(is_new).copied().collect();
    counted.sort_unstable();
    counted
}

/// The instants at which workshops begin, by the two rules and the four hours.
fn workshops(launches: &[Launch], people: usize) -> Vec<i64> {
    let mut begun = Vec::new();
    for repo in SPECS.iter().map(|(_, repo)| *repo).filter(|repo| !repo.is_empty()).collect::<BTreeSet<_>>() {
        let times: Vec<i64> = launches.iter().filter(|(_, spec)| SPECS[*spec].1 == repo).map(|(at, _)| *at).collect();
        let between = |from: i64, to: i64| times.iter().filter(|at| from <= **at && **at < to).count();
        let gathers = |at: &i64| {
            let within = between(*at, at + HOUR);
            let around = [between(at - 24 * HOUR, *at), between(at + HOUR, at + 25 * HOUR)];
            within >= people && around.iter().all(|others| *others <= 3 * within)
        };
        let crowds: BTreeSet<i64> = times.iter().copied().filter(gathers).collect();
        let is_first = |at: &&i64| crowds.range(*at - 4 * HOUR + 1..**at).next().is_none();
        begun.extend(crowds.iter().filter(is_first).copied());
    }
    begun
}

async fn told(launches: &[Launch]) -> Sandbox {
    let mut sandbox = Sandbox::new().await;
    for part in launches.chunks(50) {
        let rows = part.iter().map(|(micros, spec)| launch(EventTime::from_micros(*micros), SPECS[*spec].0));
        sandbox.acknowledge(rows.collect());
    }
    sandbox.flush().await;
    sandbox
}

fn instant(date: Date, zone: &TimeZone) -> i64 {
    date.to_zoned(zone.clone()).unwrap().timestamp().as_microsecond()
}

fn day_of(micros: i64, zone: &TimeZone) -> Date {
    jiff::Timestamp::from_microsecond(micros).unwrap().to_zoned(zone.clone()).date()
}

/// Weeks with single launches, repositories that are busy all day, and crowds of all sizes.
fn history(first: Date, zone: &TimeZone, chance: &mut Chance) -> Vec<Launch> {
    let begin = instant(first, zone);
    let mut launches = Vec::new();
    for _ in 0..60 {
        launches.push((begin + chance.below(28 * 24 * HOUR), usize::try_from(chance.below(5)).unwrap()));
    }
    for _ in 0..14 {
        let (at, spec) = (begin + chance.below(28 * 24 * HOUR), usize::try_from(chance.below(5)).unwrap());
        let over = chance.pick(&[20 * MINUTE, HOUR, 3 * HOUR, 8 * HOUR]);
        for _ in 0..4 + chance.below(30) {
            let time = at + chance.below(over);
            launches.push((if chance.below(3) == 0 { time / MINUTE * MINUTE } else { time }, spec));
        }
    }
    let busy = begin + 10 * 24 * HOUR;
    launches.extend((0..400).map(|n| (busy + n * 6 * MINUTE, 3)));
    for _ in 0..20 {
        let again = launches[usize::try_from(chance.below(i64::try_from(launches.len()).unwrap())).unwrap()];
        launches.push(again);
    }
    launches
}

#[tokio::test]
async fn workshops_and_courses_equal_a_walk_over_the_launches() {
    let scenes = [
        ("UTC", date(2024, 2, 12)),
        ("Europe/Berlin", date(2024, 3, 18)),
        ("Australia/Lord_Howe", date(2020, 9, 21)),
        ("Asia/Kathmandu", date(2020, 12, 14)),
    ];
    let mut found = 0;
    for (number, (zone_name, first)) in scenes.into_iter().enumerate() {
        let zone = TimeZone::get(zone_name).unwrap();
        let mut chance = Chance::new(70 + number as u64);
        let launches = history(first, &zone, &mut chance);
        let sandbox = told(&launches).await;
        let launches = counted(&launches);
        // A range that begins and ends within what there is.
        let (from, to) = (first.checked_add(7.days()).unwrap(), first.checked_add(21.days()).unwrap());
        let (from_text, to_text) = (from.to_string(), to.to_string());
        let range = [("from", from_text.as_str()), ("to", &to_text), ("zone", zone_name), ("compare", "none")];
        let inside = |micros: i64| (from..to).contains(&day_of(micros, &zone));
        for people in ["3", "10", "25"] {
            let begun: Vec<Date> =
                workshops(&launches, people.parse().unwrap()).into_iter().map(|at| day_of(at, &zone)).collect();
            let weeks = |from: Date| {
                let mut weeks: BTreeMap<Date, usize> =
                    from.series(7.days()).take_while(|week| *week < to).map(|week| (week, 0)).collect();
                for day in begun.iter().filter(|day| (from..to).contains(*day)) {
                    *weeks.get_mut(&Step::Week.begin(*day)).unwrap() += 1;
                }
                weeks
            };
            let told = |weeks: &BTreeMap<Date, usize>| {
                weeks.iter().map(|(week, count)| format!("{week},{count}")).collect::<Vec<_>>().join(";")
            };
            let answer = sandbox.kpi("workshops", &[&range[..], &[("people", people)]].concat()).await.unwrap();
            let expected = weeks(from);
            found += expected.values().sum::<usize>();
            assert_eq!(watched(&answer.answer), told(&expected), "{zone_name} {people}");
            // Of a range that is answered in two pieces, the second of which begins amid the crowds.
            let before = from.checked_sub(56.days()).unwrap().to_string();
            let long = [("from", before.as_str()), ("to", &to_text), ("zone", zone_name), ("people", people)];
            let in_pieces = sandbox.kpi("workshops", &long).await.unwrap();
            assert_eq!(watched(&in_pieces.answer), told(&weeks(first)), "{zone_name} {people}, in pieces");
            let unread = launches.iter().filter(|(at, spec)| inside(*at) && SPECS[*spec].1.is_empty()).count();
            assert_eq!(answer.excluded[0].rows, unread as u64, "{zone_name}");
        }
        for is_kept in [false, true] {
            if is_kept {
                sandbox.engine.refresh_rollups(&|_| {}).await.unwrap();
            }
            check_course(&sandbox, &launches, &range, &zone, inside).await;
        }
    }
    assert!(found > 30, "{found} workshops in all");
}

async fn check_course(
    sandbox: &Sandbox,
    launches: &[Launch],
    range: &[(&str, &str)],
    zone: &TimeZone,
    inside: impl Fn(i64) -> bool,
) {
    let mut days: BTreeMap<Date, usize> = BTreeMap::new();
    for (micros, spec) in launches {
        if inside(*micros) && SPECS[*spec].1 == "https://github.com/a/b" {
            *days.entry(day_of(*micros, zone)).or_default() += 1;
        }
    }
    let mut weeks: BTreeMap<Date, usize> = BTreeMap::new();
    days.iter().for_each(|(day, count)| *weeks.entry(Step::Week.begin(*day)).or_default() += count);
    let (first, last) = (*weeks.first_key_value().unwrap().0, *weeks.last_key_value().unwrap().0);
    let long = 1 + (last - first).get_days() / 7;
    let answer = sandbox.kpi("course-run", &[range, &[("repo", "A/b")]].concat()).await.unwrap();
    let expected: Vec<String> = weeks.iter().map(|(week, count)| format!("{week},{count}")).collect();
    let told = watched(&answer.answer);
    assert_eq!(told.split(';').filter(|row| !row.ends_with(",0")).collect::<Vec<_>>(), expected);
    assert_eq!(answer.headline.unwrap().value, f64::from(long));
    assert_eq!(
        answer.notes[0],
        format!(
            "First launch: {}. Last launch: {}. Days with a launch: {}. Weeks with one: {} of {long}.",
            days.first_key_value().unwrap().0,
            days.last_key_value().unwrap().0,
            days.len(),
            weeks.len(),
        )
    );
}

#[tokio::test]
async fn a_repository_that_is_always_busy_holds_no_workshop() {
    let begin = at("2024-02-26T00:00:00Z").micros();
    let mut launches: Vec<Launch> = (0..72 * 12).map(|n| (begin + n * 5 * MINUTE + 1, 2)).collect();
    // On the second day thirty people meet, twice.
    for meets in [33, 39] {
        launches.extend((0..30).map(|n| (begin + meets * HOUR + n * MINUTE + 7, 0)));
    }
    let sandbox = told(&launches).await;
    let ask = async |from: &str, people: &str| {
        let asked = [("from", from), ("to", "2024-02-29"), ("people", people)];
        sandbox.kpi("workshops", &asked).await.unwrap().headline.unwrap().value
    };
    // Twelve launches an hour, all day, are none: neither where the data begin nor where they end.
    assert_eq!(ask("2024-02-26", "10").await, 2.0);
    assert_eq!(ask("2024-02-27", "30").await, 2.0);
    assert_eq!(ask("2024-02-26", "31").await, 0.0);
    let out_of_bounds = sandbox.kpi("workshops", &[("people", "2")]).await.unwrap_err().to_string();
    assert_eq!(out_of_bounds, "parameter 'people': 2 is out of bounds; it may be 3 to 10000");
}

#[tokio::test]
async fn an_hour_and_four_hours_end_where_they_end() {
    let begin = at("2024-02-28T09:00:00Z").micros();
    for (last, workshops) in [(HOUR - 1, 1.0), (HOUR, 0.0)] {
        let mut launches: Vec<Launch> = (0..9).map(|n| (begin + n, 0)).collect();
        launches.push((begin + last, 1));
        let sandbox = told(&launches).await;
        assert_eq!(sandbox.kpi("workshops", &[]).await.unwrap().headline.unwrap().value, workshops, "{last}");
    }
    // The second ten come at once, so that only one instant gathers them.
    for (again, workshops) in [(4 * HOUR - MINUTE, 1.0), (4 * HOUR, 2.0)] {
        let launches: Vec<Launch> = [0, again].into_iter().flat_map(|at| [(begin + at, 0); 10]).collect();
        let sandbox = told(&launches).await;
        assert_eq!(sandbox.kpi("workshops", &[]).await.unwrap().headline.unwrap().value, workshops, "{again}");
    }
}

#[tokio::test]
async fn a_course_that_was_never_launched_is_of_no_week() {
    let sandbox = told(&[(at("2024-02-29T12:00:00Z").micros(), 2)]).await;
    let answer = sandbox.kpi("course-run", &[("repo", "nobody/nothing")]).await.unwrap();
    assert_eq!(answer.headline.unwrap().value, 0.0);
    assert!(answer.notes.iter().all(|note| !note.contains("First launch")), "{:?}", answer.notes);
    let missing = sandbox.kpi("course-run", &[]).await.unwrap_err().to_string();
    assert_eq!(missing, "parameter 'repo': is missing; name a repository by its URL or as owner/name");
    let one = sandbox.kpi("course-run", &[("repo", "c/d")]).await.unwrap();
    assert_eq!(one.headline.unwrap().words(), "1 week between first and last launch, both counted");
}
