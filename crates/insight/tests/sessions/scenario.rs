//! Histories with the rows that are expected of them, by hand.

use event::{EventTime, Position};
use insight::session::{
    Between, Culler, EndKnownBy, EventId, Evidence, Hub, Idle, Kept, Ledger, Life, Micros, Outage, Restart,
    ServerEvent, Session, Settings, StartKnownBy, Timeline,
};

use crate::emitted::{fixtures, sessions, time};
use crate::random::seconds;

const HOUR: i64 = 3_600;

fn event(at: i64) -> ServerEvent {
    let id = EventId { position: Position(u64::try_from(at).unwrap()), collector: 0 };
    ServerEvent { at: seconds(at), received: seconds(at), id }
}

fn start(at: i64) -> Evidence {
    Evidence::Start(event(at))
}

fn stop(at: i64) -> Evidence {
    Evidence::Stop(event(at))
}

fn seen(started: i64, seen_last: i64, activity: Option<i64>) -> Evidence {
    Evidence::Life(Life {
        started: seconds(started),
        seen_last: seconds(seen_last),
        ready_by: Some(seconds(seen_last)),
        last_activity: activity.map(seconds),
    })
}

fn poll(at: i64) -> Between {
    Between { after: seconds(at), before: seconds(at + 1) }
}

/// A row in seconds: start (low and point), end (low, point, high), by what it is known, flags.
type Row = ((i64, i64), (i64, Option<i64>, Option<i64>), &'static str, u8);

fn shown(session: &Session) -> Row {
    // The middle of an odd number of seconds is told as the second before.
    let whole = |time: EventTime| time.micros().div_euclid(1_000_000);
    let end = (whole(session.end_low), session.end.map(whole), session.end_high.map(whole));
    ((whole(session.start_low), whole(session.start)), end, session.end_known_by.name(), session.flags.bits())
}

fn rows(hub: &Hub, evidence: &[Evidence], as_of: i64) -> Vec<Row> {
    let mut timeline = Timeline::default();
    evidence.iter().for_each(|piece| timeline.add(*piece, hub).unwrap());
    timeline.rows(hub, seconds(as_of)).iter().map(shown).collect()
}

fn culled() -> Settings {
    let culler = Culler { timeout: Micros::from_secs(HOUR), period: Micros::from_secs(600) };
    Settings { culler: Some(culler), max_age: None }
}

#[test]
fn events_alone() {
    let hub = Hub::new(Settings::default());
    let week = 7 * 24 * HOUR;
    let exact = |from: i64, to: i64| ((from, from), (to, Some(to), Some(to)), "E1", 0);
    let cases: [(&str, Vec<Evidence>, i64, Vec<Row>); 9] = [
        ("a session", vec![start(10), stop(50)], 100, vec![exact(10, 50)]),
        ("over more than a day", vec![start(10), stop(25 * HOUR)], 90 * HOUR, vec![exact(10, 25 * HOUR)]),
        ("told twice", vec![start(10), start(10), stop(50), stop(50)], 100, vec![exact(10, 50)]),
        ("stamped twice", vec![start(10), start(11), stop(50), stop(51)], 100, vec![exact(10, 50)]),
        ("still open", vec![start(10)], 100, vec![((10, 10), (10, None, None), "open", 0)]),
        (
            "a start whose route failed, and another",
            vec![start(10), start(70), stop(90)],
            100,
            vec![((10, 10), (10, Some(10), Some(70)), "E3", 0), exact(70, 90)],
        ),
        (
            "nothing for more than a week",
            vec![start(10), start(2 * week), stop(2 * week + 5)],
            3 * week,
            vec![((10, 10), (10, Some(10), Some(10 + week)), "E6", 2), exact(2 * week, 2 * week + 5)],
        ),
        (
            "history begins with a stop",
            vec![stop(2 * week), start(2 * week + 10), stop(2 * week + 20)],
            3 * week,
            vec![
                ((week, 2 * week), (2 * week, Some(2 * week), Some(2 * week)), "E1", 3),
                exact(2 * week + 10, 2 * week + 20),
            ],
        ),
        (
            "two stops",
            vec![start(10), stop(20), stop(90)],
            100,
            vec![exact(10, 20), ((20, 90), (90, Some(90), Some(90)), "E1", 1)],
        ),
    ];
    for (name, evidence, as_of, expected) in cases {
        assert_eq!(rows(&hub, &evidence, as_of), expected, "{name}");
    }
}

#[test]
fn polls() {
    let mut hub = Hub::new(culled());
    for at in [60, 120, 180, 240, 4_000, 4_060, 40_000] {
        hub.add_poll(poll(at));
    }
    let cases: [(&str, Vec<Evidence>, Vec<Row>); 8] = [
        (
            "gone between two polls",
            vec![start(70), seen(65, 180, None)],
            vec![((70, 70), (180, Some(210), Some(241)), "E2", 0)],
        ),
        (
            "a start that was lost",
            vec![seen(65, 180, None), stop(190)],
            vec![((65, 65), (190, Some(190), Some(190)), "E1", 0)],
        ),
        (
            "gone while we were down",
            vec![start(70), seen(65, 240, Some(100))],
            vec![((70, 70), (240, Some(2_120), Some(4_001)), "E2", 0)],
        ),
        (
            "another one in its place, and nothing between",
            vec![start(70), seen(65, 240, Some(100)), seen(3_900, 4_000, None)],
            vec![
                ((70, 70), (240, Some(3_700), Some(3_900)), "E3", 0),
                ((3_900, 3_900), (4_000, Some(4_030), Some(4_061)), "E2", 0),
            ],
        ),
        (
            "a poll that overlooked it",
            vec![start(70), seen(65, 120, None), seen(65, 240, None), stop(300)],
            vec![((70, 70), (300, Some(300), Some(300)), "E1", 0)],
        ),
        (
            "the event comes a little after the poll without it",
            vec![start(70), seen(65, 180, None), stop(260)],
            vec![((70, 70), (260, Some(260), Some(260)), "E1", 0)],
        ),
        (
            "the stop of another server",
            vec![start(70), seen(65, 180, None), stop(3_000)],
            vec![
                ((70, 70), (180, Some(210), Some(241)), "E2", 0),
                ((241, 3_000), (3_000, Some(3_000), Some(3_000)), "E1", 1),
            ],
        ),
        (
            "deleted between polls",
            vec![start(250), Evidence::Absent(seconds(300))],
            vec![((250, 250), (250, Some(275), Some(300)), "E2", 0)],
        ),
    ];
    for (name, evidence, expected) in cases {
        assert_eq!(rows(&hub, &evidence, 41_000), expected, "{name}");
    }
}

#[test]
fn restarts_outages_and_idleness() {
    let hub_with = |restart: Option<Restart>, outage: Option<Outage>, polls: &[i64]| {
        let mut hub = Hub::new(culled());
        polls.iter().for_each(|at| hub.add_poll(poll(*at)));
        restart.into_iter().for_each(|restart| hub.add_restart(restart));
        outage.into_iter().for_each(|outage| hub.add_outage(outage));
        hub
    };
    let restart = |kept| Some(Restart { at: seconds(1_000), kept });
    let none_kept = hub_with(restart(Kept::None), None, &[]);
    // The culler's timeout is not yet over.
    assert_eq!(rows(&none_kept, &[start(10)], 2_000), [((10, 10), (10, Some(1_000), Some(1_000)), "E4", 16)]);
    // A restart of which nothing is known ends nothing, and servers that it adopted go on.
    let unknown = hub_with(restart(Kept::Unknown), None, &[990, 1_030, 1_090, 1_130]);
    let adopted = [start(10), seen(8, 1_130, None), stop(1_150)];
    assert_eq!(rows(&unknown, &adopted, 2_000), [((10, 10), (1_150, Some(1_150), Some(1_150)), "E1", 0)]);
    // A hub that has just started does not know its servers yet: only the poll after two minutes counts.
    let lost = [start(10), seen(8, 990, None)];
    assert_eq!(rows(&unknown, &lost, 2_000), [((10, 10), (990, Some(1_060), Some(1_131)), "E2", 16)]);
    // What stops after an outage of ours may be another server, unless the hub says that it is the same.
    let outage = Some(Outage { from: seconds(500), to: seconds(700) });
    let unheard = hub_with(None, outage, &[]);
    assert_eq!(rows(&unheard, &[start(10), stop(900)], 2_000), [((10, 10), (10, Some(900), Some(900)), "E1", 8)]);
    let same = [start(10), seen(8, 800, None), stop(900)];
    assert_eq!(rows(&unheard, &same, 2_000), [((10, 10), (900, Some(900), Some(900)), "E1", 0)]);
    // A user who did nothing for longer than the culler bears.
    let quiet = hub_with(None, None, &[]);
    let idle = |until| Evidence::Idle(Idle { since: seconds(400), until: seconds(until) });
    let bears = HOUR + 600;
    assert_eq!(rows(&quiet, &[start(10), idle(bears)], 9_000), [((10, 10), (10, None, None), "open", 0)]);
    let culled = ((10, 10), (10, Some(10 + HOUR), Some(400 + bears)), "E5", 0);
    assert_eq!(rows(&quiet, &[start(10), idle(400 + bears)], 9_000), [culled]);
}

#[test]
fn a_maximal_age_ends_what_nobody_heard_of() {
    let hub = Hub::new(Settings { culler: None, max_age: Some(Micros::from_secs(2 * HOUR)) });
    let end = 10 + 2 * HOUR;
    assert_eq!(rows(&hub, &[start(10)], end), [((10, 10), (10, Some(10), Some(end)), "E6", 2)]);
    assert_eq!(rows(&hub, &[start(10)], end - 1), [((10, 10), (10, None, None), "open", 0)]);
    // A stop is better evidence than any setting.
    assert_eq!(rows(&hub, &[start(10), stop(9 * HOUR)], end)[0].2, "E1");
}

#[test]
fn named_servers_renames_and_hubs_are_told_apart() {
    use insight::session::{Aliases, Rename};
    let rename = Rename { at: seconds(50), from: "ada".into(), to: "lovelace".into() };
    let ledger = || Ledger::new(Hub::new(Settings::default()), Aliases::new([rename.clone()]));
    let (mut here, mut there) = (ledger(), ledger());
    for (user, server, at, evidence) in [
        ("ada", "", 10, start(10)),
        ("ada", "gpu", 20, start(20)),
        ("lovelace", "", 60, stop(60)),
        ("ada", "", 70, start(70)),
        ("lovelace", "gpu", 80, stop(80)),
    ] {
        let server = here.server(user, server, seconds(at));
        here.add(server, evidence);
    }
    let other = there.server("ada", "", seconds(10));
    there.add(other.clone(), start(10));
    let ends = |ledger: &mut Ledger| -> Vec<(String, String, &str)> {
        let changed = ledger.changed(seconds(100));
        let rows =
            changed.into_iter().flat_map(|(server, rows)| rows.into_iter().map(move |row| (server.clone(), row)));
        rows.map(|(server, row)| (server.user.to_string(), server.name.to_string(), row.end_known_by.name())).collect()
    };
    let row = |user: &str, server: &str, end| (user.to_owned(), server.to_owned(), end);
    // Whoever is called ada after the rename is somebody else.
    let expected = [row("ada", "", "open"), row("lovelace", "", "E1"), row("lovelace", "gpu", "E1")];
    assert_eq!(ends(&mut here), expected);
    assert_eq!(ends(&mut there), [row("lovelace", "", "open")]);
    assert_eq!(ends(&mut there), [], "nothing has changed since");
}

/// A real JupyterHub, whose six events prove little: alice's process was killed and dora's went down with the hub, both
/// without an event; bob was deleted; carol was adopted by a restarted hub and stopped.
#[test]
fn the_captured_lifecycle_gives_what_its_events_can_prove() {
    let path = fixtures().join("captures/lifecycle/events.jsonl");
    let at = |clock: &str| time(&format!("2026-11-21T00:{clock}+00:00Z"));
    let now = at("51:00.000000");
    let week_later = Micros::from_hours(8 * 24).after(now);
    for as_of in [now, week_later] {
        let found = sessions(&path, Settings::default(), as_of);
        let expected = [
            ("alice", at("49:17.888712"), None),
            ("bob", at("49:43.418401"), Some(at("49:48.978863"))),
            ("carol", at("49:55.798983"), Some(at("50:13.580882"))),
            ("dora", at("50:21.248568"), None),
        ];
        assert_eq!(found.len(), expected.len());
        for ((user, server, row), (name, start, end)) in found.iter().zip(expected) {
            assert_eq!((user.as_str(), server.as_str(), row.start), (name, "", start));
            assert_eq!((row.start_low, row.start_known_by), (start, StartKnownBy::Event));
            match end {
                Some(end) => {
                    assert_eq!((row.end_low, row.end, row.end_high), (end, Some(end), Some(end)));
                    assert_eq!((row.end_known_by, row.flags.bits()), (EndKnownBy::Stop, 0));
                }
                None if as_of == now => {
                    assert_eq!((row.end_low, row.end, row.end_high), (start, None, None));
                    assert_eq!((row.end_known_by, row.flags.bits()), (EndKnownBy::Open, 0));
                }
                None => {
                    let cap = Micros::from_hours(7 * 24).after(start);
                    assert_eq!((row.end_low, row.end, row.end_high), (start, Some(start), Some(cap)));
                    assert!(row.end_known_by == EndKnownBy::Capped && row.flags.capped);
                }
            }
        }
        let ids: Vec<_> = found.iter().map(|(_, _, row)| (row.start_id, row.end_id)).collect();
        let id = |position| Some(EventId { position: Position(position), collector: 0 });
        assert_eq!(ids, [(id(0), None), (id(1), id(2)), (id(3), id(4)), (id(5), None)]);
    }
}
