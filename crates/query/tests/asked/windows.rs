//! Questions over windows, cohorts and keys: the catalogue's answers against a walk over the same events.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::{Date, date};

use crate::activity::{told, world};
use crate::oracle::{Action, Launch, Step, World};
use crate::sandbox::{Sandbox, lines};

/// A user: a name at a hub.
type User<'a> = (&'a str, &'a str);

fn add(date: Date, days: i32) -> Date {
    date.checked_add(days.days()).unwrap()
}

/// The days of each user.
fn days_of_users<'a>(world: &World, starts: &[&'a Action]) -> BTreeMap<User<'a>, BTreeSet<Date>> {
    let mut days: BTreeMap<User<'a>, BTreeSet<Date>> = BTreeMap::new();
    for start in starts {
        days.entry((start.hub, &start.user)).or_default().insert(world.date(start.micros));
    }
    days
}

/// How many users have a day in `from..to`.
fn active(days: &BTreeMap<User<'_>, BTreeSet<Date>>, from: Date, to: Date) -> usize {
    days.values().filter(|own| own.range(from..to).next().is_some()).count()
}

/// Rows as `period,value`, without those of gaps.
fn rows(values: impl IntoIterator<Item = (String, usize)>) -> Vec<String> {
    values.into_iter().map(|(name, value)| format!("{name},{value}")).collect()
}

/// The rows of an answer that have a value.
async fn answered(sandbox: &Sandbox, id: &str, params: &[(&str, &str)]) -> Vec<String> {
    let answer = sandbox.kpi(id, params).await.unwrap_or_else(|error| panic!("{id}: {error}"));
    let csv = lines(&answer.answer);
    csv.split(';').filter(|line| !line.is_empty() && !line.ends_with(',')).map(str::to_owned).collect()
}

fn month_after(month: Date) -> Date {
    add(month.last_of_month(), 1)
}

async fn check_users(sandbox: &Sandbox, world: &World, (from, to): (Date, Date), what: &str) {
    let (from_text, to_text) = (from.to_string(), to.to_string());
    let zone = world.zone.iana_name().unwrap();
    let range = [("from", from_text.as_str()), ("to", to_text.as_str()), ("zone", zone), ("compare", "none")];
    let starts = world.starts();
    let days = days_of_users(world, &starts);
    let watched = world.watched();
    let today = world.today();
    let all_days: Vec<Date> = world.periods(Step::Day, from, to).into_iter().collect();

    for window in ["7", "28", "365"] {
        let length: i32 = window.parse().unwrap();
        let expected = all_days.iter().filter(|day| watched.contains(day));
        let expected = rows(expected.map(|day| (day.to_string(), active(&days, add(*day, 1 - length), add(*day, 1)))));
        let found = answered(sandbox, "active-users-window", &[&range[..], &[("window", window)]].concat()).await;
        assert_eq!(found, expected, "{what} window {window}");
    }
    let answer = sandbox.kpi("active-users-window", &range).await.unwrap();
    assert_eq!(answer.headline.map(|headline| headline.value), Some(active(&days, from, to) as f64), "{what}");

    let mut by_days: BTreeMap<usize, usize> = BTreeMap::new();
    for own in days.values() {
        *by_days.entry(own.range(from..to).count()).or_default() += 1;
    }
    by_days.remove(&0);
    // Between the fewest days and the most, a number on which nobody came is a bar too.
    for count in 1..by_days.keys().next_back().copied().unwrap_or(0) {
        by_days.entry(count).or_default();
    }
    // At most 31 bars.
    let width = by_days.len().div_ceil(31).max(1);
    let numbers: Vec<(usize, usize)> = by_days.into_iter().collect();
    let class = |(place, of_class): (usize, &[(usize, usize)])| {
        let (first, last) = (place * width + 1, (place + 1) * width);
        let name = match (first, last) {
            (1, 1) => "1 day".to_owned(),
            _ if first == last => format!("{first} days"),
            _ => format!("{first} to {last} days"),
        };
        (name, of_class.iter().map(|(_, users)| users).sum())
    };
    let expected = rows(numbers.chunks(width).enumerate().map(class));
    assert_eq!(answered(sandbox, "active-days", &range).await, expected, "{what}");

    let end = to.min(add(today, 1));
    let mut ages: BTreeMap<usize, usize> = BTreeMap::new();
    for last in days.values().filter_map(|own| own.range(from..to).next_back()) {
        let age = (add(end, -1) - *last).get_days();
        let class = [7, 28, 90, 180, 365].iter().filter(|limit| age >= **limit).count();
        *ages.entry(class).or_default() += 1;
    }
    for class in 0..ages.keys().next_back().copied().unwrap_or(0) {
        ages.entry(class).or_default();
    }
    let classes = ["less than a week", "1 to 4 weeks", "4 weeks to 90 days"];
    let expected = rows(ages.into_iter().map(|(class, users)| (classes[class].to_owned(), users)));
    assert_eq!(answered(sandbox, "days-since-start", &range).await, expected, "{what}");

    let mut hours: BTreeMap<i8, usize> = (0..24).map(|hour| (hour, 0)).collect();
    for start in &starts {
        let clock = jiff::Timestamp::from_microsecond(start.micros).unwrap().to_zoned(world.zone.clone());
        if (from..to).contains(&clock.date()) {
            *hours.entry(clock.hour()).or_default() += 1;
        }
    }
    let expected = rows(hours.into_iter().map(|(hour, count)| (format!("{hour:02}:00"), count)));
    assert_eq!(answered(sandbox, "starts-by-hour", &range).await, expected, "{what}");

    check_months(sandbox, world, &days, &range, (from, to), what).await;
    check_weeks(sandbox, world, &days, &range, (from, to), what).await;
}

async fn check_months(
    sandbox: &Sandbox,
    world: &World,
    days: &BTreeMap<User<'_>, BTreeSet<Date>>,
    range: &[(&str, &str)],
    (from, to): (Date, Date),
    what: &str,
) {
    let watched: BTreeSet<Date> = world.watched().into_iter().map(Date::first_of_month).collect();
    let months: Vec<Date> =
        world.periods(Step::Month, from, to).into_iter().filter(|month| watched.contains(month)).collect();
    let mut names: BTreeMap<Date, BTreeSet<&str>> = BTreeMap::new();
    let (mut ever, mut classes) = (Vec::new(), BTreeMap::new());
    for month in &months {
        let end = month_after(*month);
        ever.push((month.to_string(), active(days, Date::MIN, end)));
        let before = add(*month, -1).first_of_month();
        for ((_, name), own) in days {
            let is_there = own.range(*month..end).next().is_some();
            let was_there = own.range(before..*month).next().is_some();
            let was_ever = own.range(..*month).next().is_some();
            if is_there {
                names.entry(*month).or_default().insert(name);
            }
            let class = match (is_there, was_there, was_ever) {
                (true, true, _) => "returning",
                (true, false, true) => "resurrected",
                (true, false, false) => "new",
                (false, true, _) => "lost",
                (false, false, _) => continue,
            };
            *classes.entry((*month, class)).or_insert(0_usize) += 1;
        }
    }
    assert_eq!(answered(sandbox, "ever-users", range).await, rows(ever), "{what}");
    let found = answered(sandbox, "unique-across-hubs", range).await;
    let expected = months.iter().map(|month| (month.to_string(), names.get(month).map_or(0, BTreeSet::len)));
    assert_eq!(found, rows(expected), "{what} names");
    let found: BTreeSet<String> =
        answered(sandbox, "lifecycle", range).await.into_iter().filter(|row| !row.ends_with(",0")).collect();
    let expected = classes.into_iter().map(|((month, class), users)| format!("{month},{class},{users}"));
    assert_eq!(found, expected.collect(), "{what} lifecycle");

    let mut cohorts: BTreeMap<(Date, Date), usize> = BTreeMap::new();
    for own in days.values() {
        let first = own.first().unwrap().first_of_month();
        let later: BTreeSet<Date> = own.range(from..to).map(|day| day.first_of_month()).collect();
        for month in later {
            *cohorts.entry((first, month)).or_default() += 1;
        }
    }
    let mut expected = Vec::new();
    for ((first, month), came) in &cohorts {
        let Some(size) = cohorts.get(&(*first, *first)).filter(|_| month > first) else { continue };
        let later = (i32::from(month.year()) - i32::from(first.year())) * 12 + i32::from(month.month() - first.month());
        let percent = if *size >= 20 { format!("{}", 100.0 * *came as f64 / *size as f64) } else { String::new() };
        let name = format!("{} in {}", &first.to_string()[..7], &month.to_string()[..7]);
        expected.push(format!("{first},{later},{came},{size},{name},{percent}"));
    }
    let answer = sandbox.kpi("retention-cohort", range).await.unwrap();
    let csv = lines(&answer.answer);
    assert_eq!(csv.split(';').filter(|row| !row.is_empty()).collect::<Vec<_>>(), expected, "{what} cohorts");
}

async fn check_weeks(
    sandbox: &Sandbox,
    world: &World,
    days: &BTreeMap<User<'_>, BTreeSet<Date>>,
    range: &[(&str, &str)],
    (from, to): (Date, Date),
    what: &str,
) {
    let watched: BTreeSet<Date> = world.watched().into_iter().map(|day| Step::Week.begin(day)).collect();
    let weeks: Vec<Date> =
        world.periods(Step::Week, from, to).into_iter().filter(|week| watched.contains(week)).collect();
    let expected = weeks.iter().map(|week| (week.to_string(), active(days, add(*week, -7), add(*week, 7))));
    assert_eq!(answered(sandbox, "hub-in-use", range).await, rows(expected), "{what} in use");
    let mut expected = Vec::new();
    for week in &weeks {
        let (mut came, mut all) = (0, 0);
        for own in days.values() {
            let first = *own.first().unwrap();
            if (*week..add(*week, 7)).contains(&first) && add(first, 7) <= world.today() {
                all += 1;
                came += usize::from(own.range(add(first, 1)..add(first, 8)).next().is_some());
            }
        }
        let percent = if all >= 20 {
            format!("{}", 100.0 * f64::from(i32::try_from(came).unwrap()) / f64::from(all))
        } else {
            String::new()
        };
        expected.push(format!("{week},{percent},{came},{all}"));
    }
    let answer = sandbox.kpi("week-1-return", range).await.unwrap();
    let csv = lines(&answer.answer);
    let found: Vec<&str> = csv.split(';').filter(|row| !row.ends_with(",,")).collect();
    assert_eq!(found, expected, "{what} back within a week");
}

/// The most starts within `micros` that end on each day.
fn bursts(world: &World, micros: i64) -> BTreeMap<Date, usize> {
    let mut times: Vec<i64> = world.starts().iter().map(|start| start.micros).collect();
    times.sort_unstable();
    let mut most: BTreeMap<Date, usize> = BTreeMap::new();
    for time in &times {
        let within = times.iter().filter(|other| **other <= *time && *time - **other < micros).count();
        let day = most.entry(world.date(*time)).or_default();
        *day = (*day).max(within);
    }
    most
}

async fn check_bursts(sandbox: &Sandbox, world: &World, (from, to): (Date, Date), what: &str) {
    let (from_text, to_text) = (from.to_string(), to.to_string());
    let range = [
        ("from", from_text.as_str()),
        ("to", to_text.as_str()),
        ("zone", world.zone.iana_name().unwrap()),
        ("compare", "none"),
    ];
    for (name, minutes) in [("5 minutes", 5), ("15 minutes", 15)] {
        let expected: Vec<String> = bursts(world, minutes * 60_000_000)
            .into_iter()
            .filter(|(day, _)| (from..to).contains(day))
            .map(|(day, most)| format!("{day},{name},{most}"))
            .collect();
        let found = answered(sandbox, "start-burst", &range).await;
        let found: Vec<String> =
            found.into_iter().filter(|row| row.contains(&format!(",{name},")) && !row.ends_with(",0")).collect();
        assert_eq!(found, expected, "{what} {name}");
    }
}

async fn check_launches(sandbox: &Sandbox, world: &World, (from, to): (Date, Date), what: &str) {
    let (from_text, to_text) = (from.to_string(), to.to_string());
    let range = [
        ("from", from_text.as_str()),
        ("to", to_text.as_str()),
        ("zone", world.zone.iana_name().unwrap()),
        ("compare", "none"),
    ];
    let watched = world.launches_watched();
    let counted = world.counted_launches();
    let within = |launch: &&&Launch| (from..to).contains(&world.date(launch.micros));
    let mut firsts: BTreeMap<&str, Date> = BTreeMap::new();
    let mut owners: BTreeMap<Date, BTreeSet<&str>> = BTreeMap::new();
    let mut pinned: BTreeMap<Date, (usize, usize)> = BTreeMap::new();
    let mut launched: BTreeMap<&str, usize> = BTreeMap::new();
    for launch in &counted {
        let day = world.date(launch.micros);
        let Some(repo) = launch.repo else { continue };
        let first = firsts.entry(repo).or_insert(day);
        *first = (*first).min(day);
        if let Some(owner) = repo.strip_prefix("https://").and_then(|path| path.rsplit_once('/')) {
            owners.entry(day).or_default().insert(owner.0);
        }
        let both = pinned.entry(day).or_default();
        both.0 += usize::from(launch.provider == "Zenodo");
        both.1 += 1;
        if within(&launch) {
            *launched.entry(repo).or_default() += 1;
        }
    }
    let series = |count: BTreeMap<Date, usize>| {
        let all = world.series(Step::Day, (from, to), &watched, &count);
        rows(all.into_iter().filter_map(|(day, value)| Some((day.to_string(), value?))))
    };
    let mut new: BTreeMap<Date, usize> = BTreeMap::new();
    firsts.values().for_each(|day| *new.entry(*day).or_default() += 1);
    assert_eq!(answered(sandbox, "new-repos", &range).await, series(new), "{what} new");
    let owners = owners.into_iter().map(|(day, owners)| (day, owners.len())).collect();
    assert_eq!(answered(sandbox, "owners", &range).await, series(owners), "{what} owners");
    let expected: Vec<String> = world
        .periods(Step::Day, from, to)
        .into_iter()
        .filter(|day| watched.contains(day))
        .map(|day| {
            let (part, all) = pinned.get(&day).copied().unwrap_or_default();
            let percent = if all >= 20 { format!("{}", 100.0 * part as f64 / all as f64) } else { String::new() };
            format!("{day},{percent},{part},{all}")
        })
        .collect();
    let answer = sandbox.kpi("ref-pinned", &range).await.unwrap();
    let csv = lines(&answer.answer);
    assert_eq!(csv.split(';').filter(|row| !row.ends_with(",,")).collect::<Vec<_>>(), expected, "{what} pinned");

    let mut sizes: Vec<usize> = launched.into_values().collect();
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    let all: usize = sizes.iter().sum();
    let classes = ["the first", "ranks 2 to 10", "ranks 11 to 100", "all others", "launched once"];
    let mut summed: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (rank, size) in sizes.into_iter().enumerate() {
        let class = match (rank, size) {
            (0, _) => 0,
            (1..10, _) => 1,
            (10..100, _) => 2,
            (_, 1) => 4,
            _ => 3,
        };
        let sum = summed.entry(class).or_default();
        *sum = (sum.0 + 1, sum.1 + size);
    }
    let share = |n: usize| if all >= 20 { (100.0 * n as f64 / all as f64).to_string() } else { String::new() };
    let expected: Vec<String> =
        summed.into_iter().map(|(class, (repos, n))| format!("{repos},{},{},{n}", share(n), classes[class])).collect();
    assert_eq!(answered(sandbox, "concentration", &range).await, expected, "{what} concentration");

    let mut archives: BTreeMap<Date, usize> = BTreeMap::new();
    let mut weeks: BTreeMap<Date, usize> = BTreeMap::new();
    for launch in &counted {
        let day = world.date(launch.micros);
        if launch.provider == "Zenodo" {
            *archives.entry(day.first_of_month()).or_default() += 1;
        }
        *weeks.entry(Step::Week.begin(day)).or_default() += 1;
    }
    let months = world.periods(Step::Month, from, to);
    let expected = archives.into_iter().filter(|(month, _)| months.contains(month));
    let expected: Vec<String> = expected.map(|(month, n)| format!("{month},Zenodo,{n}")).collect();
    let found = answered(sandbox, "doi-launches", &range).await;
    assert_eq!(found.into_iter().filter(|row| !row.ends_with(",0")).collect::<Vec<_>>(), expected, "{what} archives");
    let all = world.series(Step::Week, (from, to), &watched, &weeks);
    let expected = rows(all.into_iter().filter_map(|(week, value)| Some((week.to_string(), value?))));
    assert_eq!(answered(sandbox, "growth", &range).await, expected, "{what} growth");
}

/// Scenes around a leap day, a change of clocks, the end of a year; from events, and from facts that are kept.
#[tokio::test]
async fn answers_over_windows_equal_a_walk_over_the_events() {
    let scenes = [
        ("UTC", date(2024, 2, 29)),
        ("Australia/Lord_Howe", date(2020, 10, 4)),
        ("Asia/Kathmandu", date(2024, 12, 31)),
    ];
    for (number, (zone, day)) in scenes.into_iter().enumerate() {
        let world = world(zone, day, 100 + number as u64);
        let sandbox = told(&world).await;
        if number % 2 == 0 {
            sandbox.engine.refresh_rollups(&|_| {}).await.unwrap();
        }
        let (from, to) = (add(day, -30), add(day, 14));
        // Whole months and weeks, so that days and periods are asked about alike.
        let (from, to) = (from.first_of_month(), month_after(to.first_of_month()));
        let what = format!("{zone} {day}");
        check_users(&sandbox, &world, (from, to), &what).await;
        check_bursts(&sandbox, &world, (from, to), &what).await;
        check_launches(&sandbox, &world, (from, to), &what).await;
    }
}
