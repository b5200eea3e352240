//! Sessions that follow a store step by step are those that are made anew; and what polls say by mentioning nothing is
//! what polls that mention everything would have said.

#[path = "follow/files.rs"]
mod files;
#[path = "follow/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::AsArray;
use derive::HubSettings;
use event::{Batch, CollectorId, Day, Door, EventTime, Position, schemas};
use insight::session::{
    Aliases, Between, Culler, EventId, Evidence, Hub, Ledger, Micros, Poll, Rename, ServerEvent, Session, Sighting,
};
use proptest::prelude::*;
use store::{ImportUnit, Snapshot, Table};

use crate::world::{BEGAN, Forget, HOUR, SECOND, World, action, at, batch, row};

#[derive(Clone, Debug)]
enum Step {
    /// An event of a hub, a user and a server, so many seconds before now.
    Act {
        hub: usize,
        user: usize,
        server: usize,
        is_start: bool,
        before: i64,
    },
    Wait(i64),
    Ask,
    Flush,
    Compact,
    Forget(usize),
    Import {
        user: usize,
        before: i64,
        version: u8,
    },
    /// What is known goes into files.
    Save,
    Restart,
    /// Events older than so many seconds leave, and what they told is kept.
    Retain(i64),
}

const USERS: [&str; 4] = ["zoë", "o'brien", "ann", "bob"];
const HUBS: [&str; 2] = ["north", "south"];
const SERVERS: [&str; 2] = ["", "gpu"];

fn step() -> impl Strategy<Value = Step> {
    let before = prop_oneof![8 => 0_i64..600, 1 => 0_i64..200_000, 1 => 0_i64..2_000_000];
    let act = (0..HUBS.len(), 0..USERS.len(), 0..SERVERS.len(), any::<bool>(), before)
        .prop_map(|(hub, user, server, is_start, before)| Step::Act { hub, user, server, is_start, before });
    prop_oneof![
        20 => act,
        6 => prop_oneof![Just(60_i64), 600_i64..7_200, 80_000_i64..900_000].prop_map(Step::Wait),
        6 => Just(Step::Ask),
        2 => Just(Step::Flush),
        1 => Just(Step::Compact),
        1 => (0..USERS.len()).prop_map(Step::Forget),
        1 => (0..USERS.len(), 0_i64..1_000_000, any::<u8>())
            .prop_map(|(user, before, version)| Step::Import { user, before, version }),
        3 => Just(Step::Save),
        2 => Just(Step::Restart),
        2 => (90_000_i64..1_500_000).prop_map(Step::Retain),
    ]
}

async fn walk(steps: Vec<Step>, settings: HubSettings, slice_rows: u64) -> Result<u64, TestCaseError> {
    let mut world = World::in_slices(settings, slice_rows).await;
    let mut now = 3_000_000;
    let mut rebuilds = 0;
    for step in steps {
        match step {
            Step::Act { hub, user, server, is_start, before } => {
                let name = if is_start { "start" } else { "stop" };
                let row = action(at(now - before), name, USERS[user], SERVERS[server]);
                world.tell(HUBS[hub], at(now), vec![row]);
                now += 1;
            }
            Step::Wait(seconds) => now += seconds,
            Step::Ask => {
                let (followed, anew) = world.both(at(now));
                prop_assert_eq!(followed, anew, "at {}", now);
            }
            Step::Flush => drop(world.store.flush().await.unwrap()),
            Step::Compact => drop(world.store.compact().await.unwrap()),
            Step::Forget(user) => {
                world.store.flush().await.unwrap();
                world.store.rewrite(Arc::new(Forget(USERS[user].to_owned()))).await.unwrap();
                world.sessions.forget(&|_, name| (name == USERS[user]).then_some(at(now))).unwrap();
                prop_assert_eq!(world.files(), Vec::<std::path::PathBuf>::new());
                let (followed, _) = world.both(at(now));
                prop_assert!(!followed.iter().any(|row| row.contains(USERS[user])), "{:?}", followed);
            }
            Step::Import { user, before, version } => {
                let day: Day = at(now - before).day();
                let rows = vec![action(at(now - before), "start", USERS[user], "imported")];
                let batch = Batch { door: Door::Archive, ..batch("north", at(now), rows) };
                let unit = ImportUnit { day, sha256: [version; 32], pieces: vec![store::Rows::build(&batch)] };
                world.store.import(&CollectorId::of_import("log"), vec![unit]).await.unwrap();
            }
            Step::Retain(term) => {
                let (before, _) = world.both(at(now));
                world.retain(at(now), at(now - term)).await;
                let (followed, anew) = world.both(at(now));
                prop_assert_eq!(&before, &followed, "events left at {}", now);
                prop_assert_eq!(followed, anew, "events left at {}", now);
            }
            Step::Save => world.sessions.save(at(now)).unwrap(),
            Step::Restart => {
                rebuilds += world.sessions.status().rebuilds;
                world = world.restart().await;
            }
        }
    }
    let (followed, anew) = world.both(at(now));
    prop_assert_eq!(followed, anew, "at the end");
    Ok(rebuilds + world.sessions.status().rebuilds)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_followed_is_what_is_made_anew(
        steps in prop::collection::vec(step(), 10..60),
        is_culled in any::<bool>(),
        is_sliced in any::<bool>(),
    ) {
        let culler = Culler { timeout: Micros(HOUR), period: Micros(600 * SECOND) };
        let settings = HubSettings { culler: is_culled.then_some(culler), ..HubSettings::default() };
        runtime().block_on(walk(steps, settings, if is_sliced { 1 } else { 1 << 20 }))?;
    }

    #[test]
    fn polls_that_tell_changes_say_what_polls_that_tell_all_would(history in history()) {
        runtime().block_on(polled(history))?;
    }
}

/// More where `HUBSCOPE_LONG` is set.
fn cases() -> u32 {
    if std::env::var_os("HUBSCOPE_LONG").is_some() { 2_000 } else { 24 }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// One poll of a hub: who is there, whether the list was whole, and what happened before it.
#[derive(Clone, Debug)]
struct Polled {
    after: i64,
    present: BTreeMap<usize, (i64, i64)>,
    is_complete: bool,
    begins: bool,
    is_asked: bool,
}

/// Servers that come and go between polls a minute apart.
fn history() -> impl Strategy<Value = Vec<Polled>> {
    let change = (0_usize..4, any::<bool>(), any::<bool>());
    let poll = (
        prop::collection::vec(change, 0..3),
        prop::bool::weighted(0.85),
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.2),
        prop_oneof![10 => Just(60_i64), 1 => Just(100_000_i64)],
    );
    prop::collection::vec(poll, 3..60).prop_map(|polls| {
        let mut now = 0;
        let mut running: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
        let mut history = Vec::new();
        for (changes, is_complete, begins, is_asked, wait) in polls {
            now += wait;
            for (user, comes, is_active) in changes {
                match (comes, running.get_mut(&user)) {
                    (true, Some(life)) if is_active => life.1 = now - 3,
                    (true, Some(_)) => drop(running.insert(user, (now - 20, now - 20))),
                    (true, None) => drop(running.insert(user, (now - 30, now - 30))),
                    (false, _) => drop(running.remove(&user)),
                }
            }
            history.push(Polled { after: now, present: running.clone(), is_complete, begins, is_asked });
        }
        history
    })
}

/// Keeps a history as events of changes, and compares with a ledger that was told of every server by every poll.
async fn polled(history: Vec<Polled>) -> Result<(), TestCaseError> {
    let mut world = World::new(HubSettings::default()).await;
    let mut ledger = Ledger::new(Hub::default(), Aliases::default());
    let mut told_of: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
    let mut is_full = true;
    let mut last_before: Option<i64> = None;
    let mut full_last: Option<i64> = None;
    for (number, poll) in history.into_iter().enumerate() {
        let (after, before) = (at(poll.after), at(poll.after + 2));
        is_full |= poll.begins;
        is_full |= number % 5 == 4;
        let full = is_full && poll.is_complete;
        full_last = Some(poll.after).filter(|_| full).or(full_last);
        let watched = |schema: &str, user: Option<usize>, fields: String| {
            let user = user.map(|user| USERS[user]);
            let text = match user {
                Some(user) => format!(r#"{{"username": {user:?}, "servername": ""{fields}}}"#),
                None => format!("{{{fields}}}"),
            };
            row(schema, after, [None, user, user.map(|_| "")], text)
        };
        let flags = format!(
            r#""before": "{before}", "complete": {}, "full": {full}, "begins": {}"#,
            poll.is_complete, poll.begins
        );
        let mut rows = vec![watched(schemas::HUB_POLL, None, flags)];
        for (user, life) in &poll.present {
            if full || told_of.get(user) != Some(life) {
                let fields =
                    format!(r#", "started": "{}", "ready": true, "last_activity": "{}""#, at(life.0), at(life.1));
                rows.push(watched(schemas::SERVER_SEEN, Some(*user), fields));
                told_of.insert(*user, *life);
            }
        }
        if poll.is_complete {
            let gone: BTreeSet<usize> =
                told_of.keys().copied().filter(|user| !poll.present.contains_key(user)).collect();
            for user in gone {
                // What was known before a restart is told by its absence from a full poll.
                if !full {
                    rows.push(watched(schemas::SERVER_GONE, Some(user), String::new()));
                }
                told_of.remove(&user);
            }
            is_full = false;
        }
        world.tell("north", before, rows);
        if let (true, Some(last)) = (poll.begins, last_before) {
            ledger.add_outage(insight::session::Outage { from: at(last), to: after });
        }
        last_before = Some(poll.after + 2);
        let sighting = |(user, life): (&usize, &(i64, i64))| Sighting {
            user: USERS[*user].into(),
            server: "".into(),
            started: at(life.0),
            is_ready: true,
            last_activity: Some(at(life.1)),
        };
        // An incomplete poll tells of changes only; whom it does not mention it says nothing of.
        let mentioned = |user: &usize| poll.is_complete || told_of.get(user) == poll.present.get(user);
        let seen = poll.present.iter().filter(|(user, _)| mentioned(user));
        let changed: Vec<Sighting> = seen.map(sighting).collect();
        let seen = if poll.is_complete { changed } else { changed_only(&poll, &world, changed) };
        ledger.add_poll(&Poll { at: Between { after, before }, seen, is_complete: poll.is_complete });
        if poll.is_asked {
            compare(&world, &ledger, before)?;
            if number % 2 == 0 {
                world.save_and_go_on(before);
            }
        }
    }
    compare(&world, &ledger, at(2_000_000))?;
    // Hubs' servers are all told of again each hour, so that of those which run something was told since any term.
    let Some(cutoff) = full_last else { return Ok(()) };
    for (cutoff, now) in [(cutoff / 2, last_before.unwrap_or(0) + 10), (cutoff, 2_000_000)] {
        let (before, _) = world.both(at(now));
        world.retain(at(now), at(cutoff)).await;
        let (followed, anew) = world.both(at(now));
        prop_assert_eq!(&before, &followed, "what was told before {} has left", cutoff);
        prop_assert_eq!(followed, anew);
    }
    Ok(())
}

/// Of an incomplete poll, the servers that its events mention.
fn changed_only(poll: &Polled, world: &World, seen: Vec<Sighting>) -> Vec<Sighting> {
    let snapshot = world.store.snapshot();
    let mentioned = mentioned(&snapshot, world, at(poll.after));
    seen.into_iter().filter(|sighting| mentioned.contains(&*sighting.user)).collect()
}

fn mentioned(snapshot: &Snapshot, world: &World, time: EventTime) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let scan = world.store.scan(Table::Events, snapshot).schemas(&[schemas::SERVER_SEEN]);
    for batch in scan.columns(&["time", "username"]).read() {
        let batch = batch.unwrap();
        let times = batch.column(0).as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
        let users = batch.column(1).as_string::<i32>();
        for row in (0..batch.num_rows()).filter(|row| times.value(*row) == time.micros()) {
            found.insert(users.value(row).to_owned());
        }
    }
    found
}

fn compare(world: &World, ledger: &Ledger, now: EventTime) -> Result<(), TestCaseError> {
    let (followed, anew) = world.both(now);
    prop_assert_eq!(&followed, &anew);
    let mut expected: Vec<String> = Vec::new();
    for (server, sessions) in ledger.unsettled(now) {
        expected.extend(sessions.iter().map(|session| short(&server.user, session)));
    }
    expected.sort();
    let shortened: Vec<String> = followed.iter().map(|row| cut(row)).collect();
    let mut shortened = shortened;
    shortened.sort();
    prop_assert_eq!(shortened, expected, "at {}", now);
    Ok(())
}

/// User, times and rank of a session.
fn short(user: &str, session: &Session) -> String {
    let time = |time: Option<EventTime>| time.map_or("-".to_owned(), |time| plain(&time.to_string()));
    let times = [
        Some(session.start_low),
        Some(session.start),
        Some(session.end_low),
        session.end,
        session.end_high,
        session.last_activity,
    ];
    let times: Vec<String> = times.into_iter().map(time).collect();
    format!("{user} {} {} {}", times.join(" "), session.end_known_by.name(), session.flags.unheard)
}

/// The same of a row of the table.
fn cut(row: &str) -> String {
    let cells: Vec<&str> = row.split('|').collect();
    let times: Vec<String> = [3, 4, 7, 8, 9, 12].map(|at: usize| plain(cells[at])).to_vec();
    format!("{} {} {} {}", cells[1], times.join(" "), cells[10], cells[16])
}

/// Without zeros after the point.
fn plain(time: &str) -> String {
    let time = time.trim_end_matches('Z');
    if time.contains('.') { time.trim_end_matches('0').trim_end_matches('.').to_owned() } else { time.to_owned() }
}

#[test]
fn what_is_acknowledged_shows_at_once_and_one_event_late_makes_all_anew_once() {
    runtime().block_on(async {
        let mut world = World::new(HubSettings::default()).await;
        world.tell("north", at(0), vec![action(at(0), "start", "ann", "")]);
        assert_eq!(world.both(at(1)).0.len(), 1);
        world.tell("north", at(50), vec![action(at(50), "stop", "ann", "")]);
        let (followed, _) = world.both(at(60));
        assert!(followed[0].contains("|E1|stopped|"), "{followed:?}");
        // Two days later it is settled; a start that was told late is found all the same.
        let later = 2 * 86_400;
        world.both(at(later));
        assert_eq!(world.sessions.status().settled, 1);
        assert_eq!(world.sessions.status().rebuilds, 1);
        world.tell("north", at(later), vec![action(at(20), "start", "ann", "")]);
        let (followed, anew) = world.both(at(later + 1));
        assert_eq!(followed, anew);
        assert_eq!(followed.len(), 2);
        assert_eq!(world.sessions.status().rebuilds, 2);
        // A second one is as late, and nothing that lies so far back is settled meanwhile.
        world.tell("north", at(later + 2), vec![action(at(30), "stop", "ann", "")]);
        let (followed, anew) = world.both(at(later + 3));
        assert_eq!(followed, anew);
    });
}

/// Weeks of two people, settled but for the last days.
#[test]
fn hubs_and_servers_are_kept_apart_and_suspect_times_are_left_out() {
    runtime().block_on(async {
        let mut world = World::new(HubSettings::default()).await;
        for (hub, user, server) in [("north", "ann", ""), ("north", "ann", "gpu"), ("south", "ann", "")] {
            world.tell(hub, at(10), vec![action(at(0), "start", user, server), action(at(9), "stop", user, server)]);
        }
        // The year 1990, and three days ahead of its receipt.
        world.tell("north", at(10), vec![action(EventTime::from_micros(631_152_000_000_000), "start", "old", "")]);
        world.tell("north", at(10), vec![action(at(3 * 86_400), "start", "ahead", "")]);
        let (followed, anew) = world.both(at(60));
        assert_eq!(followed, anew);
        assert_eq!(followed.len(), 3, "{followed:?}");
        assert!(followed.iter().all(|row| row.contains("|E1|stopped|")), "{followed:?}");
    });
}

#[test]
fn who_was_renamed_is_told_under_the_name_of_today() {
    runtime().block_on(async {
        let rename = |from: &str, to: &str, seconds| Rename { at: at(seconds), from: from.into(), to: to.into() };
        let renamed = Aliases::new([rename("ann", "ann.lee", 100), rename("ann.lee", "lee", 300)]);
        let mut world = World::new(HubSettings { renamed, ..HubSettings::default() }).await;
        // A session across the first rename, one after it, and somebody else who took the name that was free.
        for (seconds, what, user) in [
            (50, "start", "ann"),
            (150, "stop", "ann.lee"),
            (200, "start", "ann.lee"),
            (250, "stop", "ann.lee"),
            (400, "start", "ann"),
            (450, "stop", "ann"),
        ] {
            world.tell("north", at(seconds), vec![action(at(seconds), what, user, "")]);
        }
        // Names are another hub's own affair.
        world.tell("south", at(500), vec![action(at(50), "start", "ann", ""), action(at(60), "stop", "ann", "")]);
        let (followed, anew) = world.both(at(600));
        assert_eq!(followed, anew);
        let begins: Vec<String> =
            followed.iter().map(|row| row.split('|').take(2).collect::<Vec<_>>().join("|")).collect();
        assert_eq!(begins, ["north|ann", "north|lee", "north|lee", "south|ann"]);
        assert!(followed.iter().all(|row| row.contains("|E1|stopped|")), "{followed:?}");
    });
}

#[test]
fn rows_of_an_event_carry_its_exact_times() {
    let id = EventId { position: Position(1), collector: 1 };
    let event = |at| ServerEvent { at, received: at, id };
    let mut ledger = Ledger::new(Hub::default(), Aliases::default());
    let server = ledger.server("ann", "", at(0));
    ledger.add(server.clone(), Evidence::Start(event(EventTime::from_micros(BEGAN + 1))));
    ledger.add(server, Evidence::Stop(event(EventTime::from_micros(BEGAN + 7))));
    let expected = short("ann", &ledger.unsettled(at(10))[0].1[0]);
    runtime().block_on(async {
        let mut world = World::new(HubSettings::default()).await;
        let rows = vec![
            action(EventTime::from_micros(BEGAN + 1), "start", "ann", ""),
            action(EventTime::from_micros(BEGAN + 7), "stop", "ann", ""),
        ];
        world.tell("north", at(1), rows);
        assert_eq!(cut(&world.both(at(10)).0[0]), expected);
    });
}
