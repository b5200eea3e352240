//! Against simulated hubs: the truth lies within the bounds, always; and how far the point is from it.

use std::collections::BTreeMap;

use event::EventTime;
use insight::measure::{By, Period, Span, peak, proven, total};
use insight::session::{EndKnownBy, Evidence, Ledger, Server, Session, StartKnownBy, Timeline};

use crate::random::seconds;
use crate::world::{Told, Truth, Weather, World};

/// Evidence of each server, and of users for each of their servers.
fn evidence(world: &World) -> BTreeMap<Server, Vec<Evidence>> {
    let server =
        |user: &str, name: &str, at: EventTime| Server { user: world.aliases.today(user, at), name: name.into() };
    let mut all: BTreeMap<Server, Vec<Evidence>> = BTreeMap::new();
    for told in &world.told {
        match told {
            Told::Event { user, server: name, evidence } => {
                let at = match evidence {
                    Evidence::Start(event) | Evidence::Stop(event) => event.at,
                    Evidence::Absent(at) => *at,
                    other => panic!("the simulation tells no {other:?}"),
                };
                all.entry(server(user, name, at)).or_default().push(*evidence);
            }
            Told::Poll(poll) => {
                for (user, name, life) in poll.lives() {
                    all.entry(server(user, name, poll.at.after)).or_default().push(Evidence::Life(life));
                }
            }
            Told::Users(_) | Told::Restart(_) | Told::Outage(_) => {}
        }
    }
    for told in &world.told {
        let Told::Users(list) = told else { continue };
        for (user, idle) in list.idles() {
            let user = world.aliases.today(user, list.at.after);
            let own = all.iter_mut().filter(|(server, _)| server.user == user);
            own.for_each(|(_, evidence)| evidence.push(Evidence::Idle(idle)));
        }
    }
    all
}

fn rows(world: &World) -> BTreeMap<Server, Vec<Session>> {
    let hub = world.hub();
    let derived = evidence(world).into_iter().map(|(server, evidence)| {
        let mut timeline = Timeline::default();
        evidence.into_iter().for_each(|evidence| timeline.add(evidence, &hub).unwrap());
        let rows = timeline.rows(&hub, world.end);
        (server, rows)
    });
    derived.filter(|(_, rows)| !rows.is_empty()).collect()
}

fn weathers() -> impl Iterator<Item = Weather> {
    let seeds = 0..4_u64;
    seeds.flat_map(|seed| {
        let heard =
            [(0, "events"), (0, "polls"), (5, "events"), (5, "polls"), (20, "events"), (20, "lists"), (20, "polls")];
        heard.into_iter().flat_map(move |(stops_lost, heard)| {
            [(false, true), (true, true), (true, false)].into_iter().map(move |(rough, culler)| Weather {
                seed: seed * 100 + u64::from(rough),
                stops_lost,
                polls: heard == "polls",
                lists: heard != "events",
                rough,
                culler,
            })
        })
    })
}

/// The truth of which a row tells.
fn truth_of<'a>(row: &Session, truths: &[&'a Truth]) -> Option<&'a Truth> {
    let start = row.start.micros();
    truths.iter().copied().find(|truth| match row.start_known_by {
        StartKnownBy::Event => truth.up == Some(start),
        StartKnownBy::Hub => truth.started == start,
        StartKnownBy::Nothing => truth.end == start && truth.stop_heard,
    })
}

fn check_rows(world: &World, server: &Server, rows: &[Session]) {
    let truths: Vec<&Truth> =
        world.truths.iter().filter(|truth| truth.user == server.user && truth.server == server.name).collect();
    let told = || format!("{:?}\n{server:?}\n{rows:#?}\n{truths:#?}", world.weather);
    for row in rows {
        let truth = truth_of(row, &truths).unwrap_or_else(|| panic!("{row:#?}\ntells of nothing that was\n{}", told()));
        let (start, end) = (truth.start(), truth.end);
        let starts_within = row.start_low.micros() <= start && start <= row.start.micros();
        assert!(starts_within || !row.flags.truncated && start == row.start.micros(), "{row:#?}\n{}", told());
        let high = row.end_high.map_or(i64::MAX, EventTime::micros);
        assert!(row.end_low.micros() <= end && end <= high, "{row:#?}\nended at {end}\n{}", told());
        assert!(!row.flags.conflicted, "{row:#?}\n{}", told());
        if row.end_known_by == EndKnownBy::Stop && !row.flags.unheard {
            assert_eq!(row.end.map(EventTime::micros), Some(end), "{}", told());
        }
        if row.end_known_by == EndKnownBy::Open {
            // A poll would have told, and so would a stop that was not lost.
            assert!(end > world.end.micros() - 180_000_000 || !world.weather.polls, "{row:#?}\n{}", told());
        }
    }
    for truth in truths.iter().filter(|truth| truth.is_heard() && truth.up.is_some()) {
        let is_covered = rows.iter().any(|row| {
            row.start_low.micros() <= truth.start() && row.end_high.is_none_or(|high| truth.end <= high.micros())
        });
        assert!(is_covered, "{truth:#?}\nis in no row\n{}", told());
    }
}

/// Sums over what was heard: of what nobody told, nobody can.
fn check_sums(world: &World, rows: &[Session]) -> (f64, f64) {
    let as_of = world.end;
    let heard: Vec<Span> = world
        .truths
        .iter()
        // A spawn that failed is no session, even if a poll showed it as a server.
        .filter(|truth| truth.is_heard() && truth.up.is_some())
        .map(|truth| Span {
            from: EventTime::from_micros(truth.start()),
            to: EventTime::from_micros(truth.end.min(as_of.micros().max(truth.start()))),
        })
        .collect();
    let failed = world.truths.iter().filter(|truth| truth.up.is_none() && truth.shown);
    let failed: i128 = failed.map(|truth| i128::from(truth.end - truth.started)).sum();
    let day = 86_400;
    let mut whole = (0.0, 0.0);
    for (begin, end) in [(0, 5 * day), (0, day), (day + 7_200, 3 * day), (4 * day, 5 * day)] {
        let period = Period { begin: seconds(begin), end: seconds(end) };
        let hours = total(rows, period, as_of);
        let within = |span: &Span| {
            let from = span.from.max(period.begin).micros();
            i128::from((span.to.min(period.end).micros() - from).max(0))
        };
        let truth: i128 = heard.iter().map(within).sum();
        assert!(hours.low <= truth + failed && truth <= hours.high, "{:?}: {hours:?} {truth}", world.weather);
        assert!(hours.low <= hours.point && hours.point <= hours.high);
        let shares = proven(rows, period, as_of);
        assert!(shares.part <= shares.whole && shares.whole == hours.point.unsigned_abs());
        let count = |by| peak(rows.iter().map(|row| Span::of(row, by, as_of)), period).map_or(0, |peak| peak.count);
        let most = peak(heard.iter().copied(), period).map_or(0, |peak| peak.count);
        let spawning = u64::from(failed > 0);
        assert!(count(By::Low) <= most + spawning && most <= count(By::High), "{:?}", world.weather);
        if (begin, end) == (0, 5 * day) {
            whole = (hours.point as f64 / 3.6e9, truth as f64 / 3.6e9);
        }
    }
    whole
}

#[test]
fn the_truth_lies_within_the_bounds() {
    // Rough, stops lost, listed, polled: hours by the point and in truth.
    type Kind = (bool, i64, bool, bool);
    let mut errors: BTreeMap<Kind, Vec<(f64, f64)>> = BTreeMap::new();
    let mut known_by: BTreeMap<EndKnownBy, usize> = BTreeMap::new();
    for weather in weathers() {
        let world = World::new(weather);
        let rows = rows(&world);
        rows.iter().for_each(|(server, rows)| check_rows(&world, server, rows));
        let flat: Vec<Session> = rows.into_values().flatten().collect();
        let sums = check_sums(&world, &flat);
        errors.entry((weather.rough, weather.stops_lost, weather.lists, weather.polls)).or_default().push(sums);
        flat.iter().for_each(|row| *known_by.entry(row.end_known_by).or_default() += 1);
    }
    for ((rough, lost, lists, polls), sums) in &errors {
        let (point, truth) = sums.iter().fold((0.0, 0.0), |sum, each| (sum.0 + each.0, sum.1 + each.1));
        let worst = sums.iter().map(|(point, truth)| (point / truth - 1.0).abs()).fold(0.0, f64::max);
        let error = point / truth - 1.0;
        eprintln!(
            "rough {rough:5}, {lost:2} % of stops lost, users listed {lists:5}, polled {polls:5}: {truth:6.0} h, point {:+.2} %, worst hub {:.2} %",
            100.0 * error,
            100.0 * worst,
        );
        let bearable = match (rough, polls) {
            (_, true) => 0.03,
            (false, false) => 0.35,
            (true, false) => 0.6,
        };
        assert!(error.abs() < bearable, "{rough} {lost} {polls}: {error}");
    }
    eprintln!("{known_by:?}");
    // Five days are too few for the cap of a week.
    let expected = EndKnownBy::ALL.into_iter().filter(|by| *by != EndKnownBy::Capped);
    assert!(expected.into_iter().all(|by| known_by.contains_key(&by)), "{known_by:?}");
}

#[test]
fn a_ledger_that_hears_of_it_as_it_comes_ends_with_the_same_rows() {
    let mut rebuilt = 0;
    for seed in 0..3 {
        let weather =
            Weather { seed, stops_lost: 10, polls: seed % 3 > 0, lists: seed % 3 > 0, rough: true, culler: true };
        let world = World::new(weather);
        let all = evidence(&world);
        let mut ledger = Ledger::new(insight::session::Hub::new(world.settings), world.aliases.clone());
        let mut settled: BTreeMap<Server, Vec<Session>> = BTreeMap::new();
        let mut heard: BTreeMap<Server, Vec<Evidence>> = BTreeMap::new();
        for (index, told) in world.told.iter().enumerate() {
            let mut now = EventTime::default();
            match told {
                Told::Event { user, server, evidence } => {
                    let (Evidence::Start(event) | Evidence::Stop(event)) = evidence else {
                        let Evidence::Absent(at) = evidence else { unreachable!() };
                        let server = ledger.server(user, server, *at);
                        heard.entry(server.clone()).or_default().push(*evidence);
                        ledger.add(server, *evidence);
                        continue;
                    };
                    let server = ledger.server(user, server, event.at);
                    heard.entry(server.clone()).or_default().push(*evidence);
                    ledger.add(server, *evidence);
                }
                Told::Poll(poll) => {
                    now = poll.at.before;
                    for (user, name, life) in poll.lives() {
                        let server = ledger.server(user, name, poll.at.after);
                        heard.entry(server).or_default().push(Evidence::Life(life));
                    }
                    ledger.add_poll(poll);
                }
                Told::Users(list) => ledger.add_users(list),
                Told::Restart(restart) => ledger.add_restart(*restart),
                Told::Outage(outage) => ledger.add_outage(*outage),
            }
            if index % 500 == 0 && now > EventTime::default() || index % 90 == 0 && !weather.polls {
                let horizon = seconds(now.micros() / 1_000_000 - 3_600);
                let horizon = if weather.polls { horizon } else { last_told(&world, index) };
                for (server, rows) in ledger.settle(horizon, now) {
                    settled.entry(server).or_default().extend(rows);
                }
            }
            let late: Vec<Server> = ledger.late().cloned().collect();
            for server in late {
                rebuilt += 1;
                settled.remove(&server);
                ledger.rebuild(&server, heard.get(&server).cloned().unwrap_or_default());
            }
        }
        for (server, rows) in ledger.settle(seconds(world.end.micros() / 1_000_000 - 3_600), world.end) {
            settled.entry(server).or_default().extend(rows);
        }
        let (known, open) = ledger.counts();
        assert!(open < known || !weather.polls, "everything is kept in memory: {open} of {known}");
        assert!(settled.values().map(Vec::len).sum::<usize>() > 20);
        for (server, rows) in rows(&world) {
            let mut kept = settled.remove(&server).unwrap_or_default();
            kept.extend(ledger.rows(&server, world.end));
            assert_eq!(kept, rows, "{server:?} {:?} {:#?}", world.weather, all.get(&server));
        }
        assert!(settled.is_empty());
    }
    assert!(rebuilt > 0);
}

/// When the last event that was told so far happened.
fn last_told(world: &World, index: usize) -> EventTime {
    let times = world.told[..index].iter().filter_map(|told| match told {
        Told::Event { evidence: Evidence::Start(event) | Evidence::Stop(event), .. } => Some(event.at),
        _ => None,
    });
    times.max().unwrap_or_default()
}
