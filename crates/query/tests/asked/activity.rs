//! Who starts servers, when, and who comes back: the catalogue's answers against a walk over the same events.

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, Row};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use query::{Hubs, KpiAnswer};

use crate::oracle::{Action, Chance, Launch, Step, World, rows};
use crate::sandbox::{Sandbox, at, launch_from, lines, refused, server_action, server_action_of, watched};

const HOUR: i64 = 3_600_000_000;

const ACTIVITY: [&str; 6] =
    ["active-users-daily", "active-users-weekly", "active-users-monthly", "starts", "new-users", "stickiness"];
const LAUNCHES: [&str; 3] = ["launches-by-origin", "launches-by-provider", "repos-active"];

/// Zones, and a day around which something happens to days.
const SCENES: [(&str, Date); 10] = [
    ("UTC", date(2024, 2, 29)),
    ("UTC", date(2020, 12, 31)),
    ("Europe/Berlin", date(2024, 3, 31)),
    ("Europe/Berlin", date(2024, 10, 27)),
    ("Australia/Lord_Howe", date(2024, 4, 7)),
    ("Australia/Lord_Howe", date(2024, 10, 6)),
    ("Asia/Kathmandu", date(2024, 12, 31)),
    ("America/St_Johns", date(2024, 3, 10)),
    ("America/St_Johns", date(2024, 11, 3)),
    ("America/Santiago", date(2024, 9, 8)),
];

const SPECS: [(&str, &str, Option<&str>); 7] = [
    ("GitHub", "a/b/HEAD", Some("https://github.com/a/b")),
    ("GitHub", "A/B.git/main", Some("https://github.com/a/b")),
    ("GitHub", "c/d/x/y", Some("https://github.com/c/d")),
    ("GitHub", "broken", None),
    ("Zenodo", "10.5281/zenodo.1", Some("10.5281/zenodo.1")),
    ("GitLab", "g%2Fh/HEAD", Some("https://gitlab.com/g/h")),
    ("Unheard-of", "x/y/z", None),
];
const ORIGINS: [Option<&str>; 5] =
    [Some("gke.mybinder.org"), Some("GKE.mybinder.org:443"), Some("ovh.mybinder.org"), Some(""), None];

/// What happens around the day of a scene.
pub(crate) fn world(zone: &str, day: Date, seed: u64) -> World {
    let zone = TimeZone::get(zone).unwrap();
    let mut chance = Chance::new(seed);
    let midnight = |offset: i64| day.checked_add(offset.days()).unwrap().to_zoned(zone.clone()).unwrap();
    let instant = |chance: &mut Chance| {
        let begin = midnight(chance.below(60) - 45).timestamp().as_microsecond();
        // Many close to midnight, on both sides of it and on it.
        let (hour, any) = (chance.below(24) * HOUR, chance.below(25 * HOUR));
        begin + chance.pick(&[-600_000, -1, 0, 400_000, hour, any])
    };
    let mut actions: Vec<Action> = Vec::new();
    for _ in 0..(200 + chance.below(150)) {
        let micros = instant(&mut chance);
        let action = Action {
            hub: chance.pick(&["north", "north", "south"]),
            user: format!("user-{}", chance.below(40)),
            server: chance.pick(&["", "", "gpu"]),
            is_start: chance.below(4) > 0,
            micros,
            received: micros + chance.pick(&[0, 0, 0, 30 * HOUR]),
        };
        let repeated = Action { micros: micros + chance.pick(&[0, 700_000, 1_000_000, 1_000_001]), ..action.clone() };
        actions.push(action);
        if chance.below(4) == 0 {
            actions.push(Action { received: repeated.received.max(repeated.micros), ..repeated });
        }
    }
    let mut launches: Vec<Launch> = Vec::new();
    for _ in 0..60 {
        let micros = instant(&mut chance) / 60_000_000 * 60_000_000 + chance.below(2);
        let (provider, spec, repo) = chance.pick(&SPECS);
        let launch = Launch { micros, provider, spec, repo, origin: chance.pick(&ORIGINS) };
        launches.extend(std::iter::repeat_n(launch, 1 + usize::from(chance.below(5) == 0)));
    }
    let now = midnight(9).timestamp().as_microsecond() + 7 * HOUR;
    actions.retain(|action| action.micros.max(action.received) <= now);
    launches.retain(|launch| launch.micros <= now);
    let junk = vec![instant(&mut chance).min(now)];
    World { zone: zone.clone(), actions, launches, junk, now }
}

/// A sandbox to which all of `world` was told, half of it flushed.
pub(crate) async fn told(world: &World) -> Sandbox {
    let zone = world.zone.iana_name().unwrap();
    let hubs = Hubs::new().with("north", zone).unwrap().with("south", zone).unwrap();
    let mut sandbox = Sandbox::new().await.with_hubs(hubs);
    sandbox.clock.set(EventTime::from_micros(world.now));
    for (number, action) in world.actions.iter().enumerate() {
        let kind = if action.is_start { "start" } else { "stop" };
        let row = server_action_of(EventTime::from_micros(action.micros), kind, &action.user, action.server);
        sandbox.acknowledge_of(action.hub, EventTime::from_micros(action.received), vec![row]);
        if number == world.actions.len() / 2 {
            sandbox.flush().await;
        }
    }
    for launch in &world.launches {
        let time = EventTime::from_micros(launch.micros);
        sandbox.acknowledge_at(time, vec![launch_from(time, launch.provider, launch.spec, launch.origin)]);
    }
    for micros in &world.junk {
        sandbox.acknowledge_at(EventTime::from_micros(*micros), vec![refused(b"not json")]);
    }
    sandbox
}

fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.into_iter().collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn assert_near(found: Option<f64>, expected: Option<f64>, what: &str) {
    match (found, expected) {
        (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-9, "{what}: {found}, not {expected}"),
        (found, expected) => assert_eq!(found, expected, "{what}"),
    }
}

fn dates(days: &[event::Day]) -> Vec<String> {
    days.iter().map(ToString::to_string).collect()
}

/// Compares the answers to `id` over `range` in the zone of `world`.
async fn check(sandbox: &Sandbox, world: &World, hub: Option<&str>, (from, to): (Date, Date), what: &str) {
    let (from_text, to_text) = (from.to_string(), to.to_string());
    let mut params = vec![("from", from_text.as_str()), ("to", to_text.as_str())];
    params.extend(hub.map(|hub| ("hub", hub)));
    let whole = world;
    let world = &hub.map_or_else(|| whole.clone(), |hub| whole.of(hub));
    // What could not be read came to the hub north.
    let world = &World { junk: if hub == Some("south") { Vec::new() } else { world.junk.clone() }, ..world.clone() };
    let watched = world.watched();
    for (id, step, count) in [
        ("active-users-daily", Step::Day, world.active(Step::Day)),
        ("active-users-weekly", Step::Week, world.active(Step::Week)),
        ("active-users-monthly", Step::Month, world.active(Step::Month)),
        ("starts", Step::Day, world.started()),
        ("new-users", Step::Day, world.new_users()),
    ] {
        let what = format!("{what} {id} {hub:?}");
        let answer = sandbox.kpi(id, &params).await.unwrap();
        let expected = world.series(step, (from, to), &watched, &count);
        assert_eq!(lines(&answer.answer), rows(&expected), "{what}");
        let gaps: Vec<String> =
            expected.iter().filter(|(_, value)| value.is_none()).map(|(period, _)| period.to_string()).collect();
        assert_eq!(dates(&answer.gaps), gaps, "{what}");
        assert_eq!(answer.zone.name(), world.zone.iana_name().unwrap(), "{what}");
        let unfinished = step.begin(world.today());
        assert_eq!(dates(answer.unfinished.as_slice()), [unfinished.to_string()], "{what}");
        let finished = expected.iter().filter(|(period, _)| **period != unfinished);
        let finished = finished.filter_map(|(_, value)| value.map(|value| value as f64));
        let total = match step {
            _ if id.starts_with("active") => mean(finished),
            _ => Some(expected.values().flatten().map(|value| *value as f64).sum()),
        };
        assert_near(answer.headline.as_ref().map(|headline| headline.value), total, &what);
        changed(world, step, &watched, &count, &answer, id.starts_with("active"), &what);
    }
    let answer = sandbox.kpi("stickiness", &params).await.unwrap();
    sticky(world, (from, to), &watched, &answer, &format!("{what} stickiness {hub:?}"));
}

/// The comparison is with the same count of the time before.
fn changed(
    world: &World,
    step: Step,
    watched: &BTreeSet<Date>,
    count: &BTreeMap<Date, usize>,
    answer: &KpiAnswer,
    is_mean: bool,
    what: &str,
) {
    let (Some(change), Some(then)) = (&answer.change, &answer.comparison) else {
        assert!(answer.notes.iter().any(|note| note.starts_with("No comparison: ")), "{what}: {:?}", answer.notes);
        return;
    };
    let total = |range: query::TimeRange| {
        let series = world.series(step, (range.from.date(), range.to.date()), watched, count);
        let values = series.values().flatten().map(|value| *value as f64);
        if is_mean { mean(values) } else { Some(values.sum()) }
    };
    assert_eq!(then.range, change.before_range, "{what}");
    assert_eq!(change.before_range.to, change.range.from, "{what}");
    assert_near(Some(change.value), total(change.range), what);
    assert_near(Some(change.before), total(change.before_range), what);
    let series = world.series(step, (then.range.from.date(), then.range.to.date()), watched, count);
    assert_eq!(lines(&then.answer), rows(&series), "{what}");
}

fn sticky(world: &World, (from, to): (Date, Date), watched: &BTreeSet<Date>, answer: &KpiAnswer, what: &str) {
    let mut expected = Vec::new();
    let (mut percents, mut both) = (Vec::new(), Vec::new());
    let starts = world.starts();
    for day in world.periods(Step::Day, from, to) {
        let (of_day, of_30_days) = world.sticky(&starts, day);
        if !watched.contains(&day) {
            expected.push((day.to_string(), None, None, None));
            continue;
        }
        let percent = 100.0 * of_day as f64 / of_30_days as f64;
        expected.push((day.to_string(), (of_30_days >= 20).then_some(percent), Some(of_day), Some(of_30_days)));
        if of_30_days > 0 && day != world.today() {
            percents.push(percent);
            both.push((of_day as f64, of_30_days as f64));
        }
    }
    let csv = lines(&answer.answer);
    let found: Vec<Vec<&str>> = csv.split(';').map(|line| line.split(',').collect()).collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, (day, percent, of_day, of_30_days)) in found.iter().zip(&expected) {
        assert_eq!(found[0], day, "{what}");
        assert_near(found[1].parse().ok(), *percent, &format!("{what} {day}"));
        assert_eq!((found[2].parse().ok(), found[3].parse().ok()), (*of_day, *of_30_days), "{what} {day}");
    }
    let whole = mean(both.iter().map(|(_, whole)| *whole));
    assert_near(answer.ratio.map(|ratio| ratio.denominator), whole, what);
    assert_near(answer.ratio.map(|ratio| ratio.numerator), mean(both.iter().map(|(part, _)| *part)), what);
    let shown = mean(percents).filter(|_| whole.is_some_and(|whole| whole >= 20.0));
    assert_near(answer.headline.as_ref().map(|headline| headline.value), shown, what);
}

async fn check_launches(sandbox: &Sandbox, world: &World, (from, to): (Date, Date), what: &str) {
    let (from_text, to_text) = (from.to_string(), to.to_string());
    let zone = world.zone.iana_name().unwrap();
    let params = [("from", from_text.as_str()), ("to", to_text.as_str()), ("zone", zone)];
    let watched = world.launches_watched();
    let host = |origin: Option<&str>| {
        let host = origin.unwrap_or_default().split(':').next().unwrap().to_lowercase();
        if host.is_empty() { "unknown".to_owned() } else { host }
    };
    for (id, split) in [
        ("launches-by-origin", world.split(|launch| host(launch.origin))),
        ("launches-by-provider", world.split(|launch| launch.provider.to_owned())),
    ] {
        let answer = sandbox.kpi(id, &params).await.unwrap();
        let days = world.periods(Step::Day, from, to);
        let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
        for ((_, name), count) in split.iter().filter(|((day, _), _)| days.contains(day)) {
            *totals.entry(name).or_default() += count;
        }
        let mut names: Vec<(&str, usize)> = totals.into_iter().collect();
        names.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        let mut expected = Vec::new();
        for day in &days {
            for (name, _) in &names {
                let count = split.get(&(*day, (*name).to_owned())).copied().unwrap_or(0);
                let value = if watched.contains(day) { count.to_string() } else { String::new() };
                expected.push(format!("{day},{name},{value}"));
            }
        }
        assert_eq!(lines(&answer.answer), expected.join(";"), "{what} {id}");
        assert_eq!(answer.series, names.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "{what} {id}");
        let all: usize = names.iter().map(|(_, count)| count).sum();
        assert_eq!(answer.headline.as_ref().map(|headline| headline.value), Some(all as f64), "{what} {id}");
        let launches = sandbox.kpi("launches", &params).await.unwrap();
        assert_eq!(launches.headline.map(|headline| headline.value), Some(all as f64), "the parts make the whole");
    }
    let answer = sandbox.kpi("repos-active", &params).await.unwrap();
    let expected = world.series(Step::Day, (from, to), &watched, &world.repositories());
    assert_eq!(lines(&answer.answer), rows(&expected), "{what} repos-active");
    let within = |launch: &&Launch| (from..to).contains(&world.date(launch.micros));
    let repos: BTreeSet<&str> = world.launches.iter().filter(within).filter_map(|launch| launch.repo).collect();
    assert_eq!(answer.headline.map(|headline| headline.value), Some(repos.len() as f64), "{what} repos-active");
    let unparsed = world.counted_launches().into_iter().filter(within).filter(|launch| launch.repo.is_none()).count();
    assert_eq!(answer.excluded[0].rows, unparsed as u64, "{what} repos-active");
}

#[tokio::test]
async fn answers_equal_a_walk_over_the_events_in_every_zone() {
    for (number, (zone, day)) in SCENES.into_iter().enumerate() {
        let world = world(zone, day, number as u64 + 1);
        let sandbox = told(&world).await;
        // Half of the worlds is answered from facts that are kept, with what came since made anew.
        if number % 2 == 1 {
            sandbox.engine.refresh_rollups(&|_| {}).await.unwrap();
        }
        let what = format!("{zone} {day}");
        let range = (day.checked_sub(12.days()).unwrap(), day.checked_add(14.days()).unwrap());
        check(&sandbox, &world, None, range, &what).await;
        check(&sandbox, &world, Some(["north", "south"][number % 2]), range, &what).await;
        check_launches(&sandbox, &world, range, &what).await;
    }
}

#[tokio::test]
async fn an_empty_store_has_gaps_alone_and_one_event_one_number() {
    let mut sandbox = Sandbox::new().await;
    for id in ACTIVITY.iter().chain(&LAUNCHES) {
        let answer = sandbox.kpi(id, &[]).await.unwrap();
        assert_eq!((&answer.headline, &answer.change, answer.covered), (&None, &None, None), "{id}");
        assert!(answer.message.starts_with("There are no data from "), "{id}: {}", answer.message);
        assert_eq!(answer.notes, Vec::<String>::new(), "{id}");
    }
    // A Friday that is a leap day would be too easy: the last second of one that is not.
    sandbox.acknowledge(vec![server_action(at("2023-02-28T23:59:59.999999Z"), "start", "ada")]);
    for (id, expected) in [
        ("active-users-daily", "2023-02-28,1"),
        ("active-users-weekly", "2023-02-27,1"),
        ("active-users-monthly", "2023-02-01,1"),
        ("starts", "2023-02-28,1"),
        ("new-users", "2023-02-28,1"),
    ] {
        let answer = sandbox.kpi(id, &[]).await.unwrap();
        assert_eq!(watched(&answer.answer), expected, "{id}");
        assert_eq!(answer.headline.unwrap().value, 1.0, "{id}");
    }
    let answer = sandbox.kpi("stickiness", &[]).await.unwrap();
    assert!(lines(&answer.answer).ends_with(";2023-02-28,,1,1"), "{}", lines(&answer.answer));
    assert_eq!(answer.headline, None, "one of one is no percentage");
    assert_eq!(
        answer.message,
        "On average 1 of 1 users of 30 days from 2023-02-01 to 2023-02-28 (UTC): too few for a percentage."
    );
    // A stop alone shows that somebody watched, and nobody started.
    let mut sandbox = Sandbox::new().await;
    sandbox.acknowledge(vec![server_action(at("2023-02-28T12:00:00Z"), "stop", "ada")]);
    for id in ["active-users-daily", "starts", "new-users"] {
        assert_eq!(watched(&sandbox.kpi(id, &[]).await.unwrap().answer), "2023-02-28,0", "{id}");
    }
}

#[tokio::test]
async fn what_a_person_would_count_by_hand() {
    let hubs = Hubs::new().with("north", "Europe/Berlin").unwrap();
    let mut sandbox = Sandbox::new().await.with_hubs(hubs);
    let act = |time: &str, user: &str, server: &str| server_action_of(at(time), "start", user, server);
    // The night of 31 March 2024 has no hour from 2 to 3 in Berlin: 22:30 UTC is still the day before, 22:30 UTC on the
    // 31st is already April.
    sandbox.acknowledge(vec![
        act("2024-03-30T22:30:00Z", "ada", ""),
        act("2024-03-30T23:00:00Z", "ada", ""),
        act("2024-03-30T23:00:00.9Z", "ada", ""),
        act("2024-03-30T23:00:00.9Z", "ada", "gpu"),
        act("2024-03-31T12:00:00Z", "bob", ""),
        act("2024-03-31T12:00:01Z", "bob", ""),
        act("2024-03-31T12:00:02.1Z", "bob", ""),
        act("2024-03-31T22:30:00Z", "cleo", ""),
    ]);
    // The same names at another hub are other users.
    sandbox.acknowledge_of("south", at("2024-03-31T12:00:00Z"), vec![act("2024-03-31T12:00:00Z", "ada", "")]);
    sandbox.clock.set(at("2024-04-02T10:00:00Z"));
    let range = [("from", "2024-03-30"), ("to", "2024-04-02")];
    let north = [range[0], range[1], ("hub", "north")];
    let both = [range[0], range[1], ("zone", "Europe/Berlin")];
    for (id, params, expected) in [
        ("active-users-daily", &north, "2024-03-30,1;2024-03-31,2;2024-04-01,1"),
        ("active-users-daily", &both, "2024-03-30,1;2024-03-31,3;2024-04-01,1"),
        ("starts", &north, "2024-03-30,1;2024-03-31,4;2024-04-01,1"),
        ("new-users", &north, "2024-03-30,1;2024-03-31,1;2024-04-01,1"),
        ("new-users", &both, "2024-03-30,1;2024-03-31,2;2024-04-01,1"),
        ("active-users-weekly", &north, "2024-03-25,2;2024-04-01,1"),
        ("active-users-monthly", &north, "2024-03-01,2;2024-04-01,1"),
    ] {
        assert_eq!(lines(&sandbox.kpi(id, params).await.unwrap().answer), expected, "{id} {params:?}");
    }
    // Without a hub or a zone: the hubs live in two zones, so UTC.
    let answer = sandbox.kpi("starts", &range).await.unwrap();
    assert_eq!((answer.zone.name(), lines(&answer.answer).as_str()), ("UTC", "2024-03-30,3;2024-03-31,4;2024-04-01,"));
    let answer = sandbox.kpi("new-users", &north).await.unwrap();
    let note = "The data begin on 2024-03-30: whoever was there before counts as new when they first come after it.";
    assert!(answer.notes.iter().any(|told| told == note), "{:?}", answer.notes);
    let later = sandbox.kpi("new-users", &[("from", "2024-03-31"), ("hub", "north")]).await.unwrap();
    assert!(later.notes.iter().all(|told| told != note), "{:?}", later.notes);
}

#[tokio::test]
async fn a_year_before_is_the_same_days_or_the_same_weeks() {
    let mut sandbox = Sandbox::new().await;
    let mut micros = at("2022-12-01T12:00:00Z").micros();
    let end = at("2024-03-04T12:00:00Z").micros();
    let (mut rows, mut number): (Vec<Row>, i64) = (Vec::new(), 0);
    while micros < end {
        // As many users as the day's number says, so that every sum tells which days were added.
        for user in 0..=(number % 3) {
            rows.push(server_action(EventTime::from_micros(micros + user * 5), "start", &format!("user-{user}")));
        }
        number += 1;
        micros += 24 * HOUR;
    }
    sandbox.acknowledge(rows);
    sandbox.clock.set(at("2024-03-20T00:00:00Z"));
    let starts_on = |date: Date| {
        let number = (date - jiff::civil::date(2022, 12, 1)).get_days();
        i64::from(number % 3) + 1
    };
    let starts = |from: Date, days: i32| (0..days).map(|n| starts_on(from.checked_add(n.days()).unwrap())).sum::<i64>();
    let params = [("from", "2024-02-28"), ("to", "2024-03-02"), ("compare", "year")];
    let change = sandbox.kpi("starts", &params).await.unwrap().change.unwrap();
    assert_eq!(
        (change.value, change.before),
        (starts(date(2024, 2, 28), 3) as f64, starts(date(2023, 2, 28), 2) as f64)
    );
    let params = [("from", "2024-02-26"), ("to", "2024-03-04"), ("compare", "year")];
    let answer = sandbox.kpi("active-users-weekly", &params).await.unwrap();
    let then = answer.comparison.unwrap();
    assert_eq!((then.range.from.to_string(), then.range.days()), ("2023-02-27".to_owned(), 7), "week 9 of both years");
    assert_eq!(lines(&then.answer), "2023-02-27,3");
    let params = [("from", "2024-02-26"), ("to", "2024-03-04"), ("compare", "none")];
    let answer = sandbox.kpi("active-users-weekly", &params).await.unwrap();
    assert!(answer.change.is_none() && answer.comparison.is_none());
    assert!(answer.notes.iter().all(|note| !note.contains("comparison")), "{:?}", answer.notes);
}

#[tokio::test]
async fn more_series_than_can_be_told_apart_are_added_up() {
    let mut sandbox = Sandbox::new().await;
    let mut rows = Vec::new();
    let names: Vec<String> = (0..15).map(|n| format!("hub-{n:02}.example.org")).collect();
    for (number, name) in names.iter().enumerate() {
        for n in 0..=number {
            let time = EventTime::from_micros(at("2024-05-01T00:00:00Z").micros() + i64::try_from(n).unwrap() * HOUR);
            rows.push(launch_from(time, "GitHub", "a/b/HEAD", Some(name)));
        }
    }
    sandbox.acknowledge(rows);
    let answer = sandbox.kpi("launches-by-origin", &[("from", "2024-05-01"), ("to", "2024-05-02")]).await.unwrap();
    let mut expected: Vec<String> =
        (4..15).rev().map(|number| format!("2024-05-01,hub-{number:02}.example.org,{}", number + 1)).collect();
    expected.push("2024-05-01,other,10".to_owned());
    assert_eq!(lines(&answer.answer), expected.join(";"));
    assert_eq!(answer.notes[0], "The 4 smallest are shown together as 'other'.");
    assert_eq!(answer.headline.unwrap().value, 120.0);
    assert!(answer.message.ends_with("most: hub-14.example.org (15)."), "{}", answer.message);
}

/// Against a hub simulated by another program, whose truth was computed from its sessions (`tests/fixtures/hub`).
#[tokio::test]
async fn answers_equal_the_truth_of_a_simulated_hub() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/hub");
    let truth: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("truth.json")).unwrap()).unwrap();
    let mut sandbox = Sandbox::new().await;
    let events = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    let mut rows = Vec::new();
    for line in events.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| event[name].as_str().unwrap();
        let time: Timestamp =
            text("__timestamp__").strip_suffix("+00:00Z").map(|time| format!("{time}Z")).unwrap().parse().unwrap();
        let time = EventTime::from_micros(time.as_microsecond());
        rows.push(server_action_of(time, text("action"), text("username"), text("servername")));
    }
    sandbox.acknowledge(rows);
    let days = truth["dau"].as_object().unwrap();
    let (first, last) = (days.keys().next().unwrap(), days.keys().next_back().unwrap());
    let to = last.parse::<Date>().unwrap().tomorrow().unwrap().to_string();
    let params = [("from", first.as_str()), ("to", to.as_str())];
    let series = |answer: &KpiAnswer, column: usize| -> BTreeMap<String, i64> {
        let csv = lines(&answer.answer);
        let rows = csv.split(';').map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        rows.map(|row| (row[0].clone(), row[column].parse().unwrap_or(0))).collect()
    };
    let expected = |name: &str| -> BTreeMap<String, i64> {
        truth[name].as_object().unwrap().iter().map(|(day, n)| (day.clone(), n.as_i64().unwrap())).collect()
    };
    let dau = expected("dau");
    assert_eq!(series(&sandbox.kpi("active-users-daily", &params).await.unwrap(), 1), dau);
    let sticky = sandbox.kpi("stickiness", &params).await.unwrap();
    let is_gap = |day: &str| sticky.gaps.iter().any(|gap| gap.to_string() == day);
    assert!(dau.iter().all(|(day, users)| !is_gap(day) || *users == 0), "who started a server was watched");
    assert!(sticky.gaps.len() < 5, "{:?}", sticky.gaps);
    let mut mau = expected("mau");
    mau.iter_mut().filter(|(day, _)| is_gap(day)).for_each(|(_, users)| *users = 0);
    assert_eq!((series(&sticky, 2), series(&sticky, 3)), (dau, mau));
    let starts = sandbox.kpi("starts", &params).await.unwrap();
    assert_eq!(starts.headline.unwrap().value, truth["sessions"].as_f64().unwrap());
    let new = sandbox.kpi("new-users", &params).await.unwrap();
    assert_eq!(new.headline.unwrap().value, truth["users_seen"].as_f64().unwrap());
}
