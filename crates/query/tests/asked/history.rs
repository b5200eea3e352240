//! Facts and sessions outlive the events that told of them: questions about days whose events have left are answered as
//! they were before, beside a twin whose events never leave.

use std::collections::BTreeMap;
use std::sync::Arc;

use derive::Sessions;
use event::{Clock, Day, EventTime, Row};
use query::{Engine, Hubs, KpiAnswer, Limits, Params, Scope};
use store::{Derived, Retention, cutoff};

use crate::oracle::Chance;
use crate::sandbox::{CATALOGUE, Sandbox, at, launch_from, lines, server_action_of};

const HOUR: i64 = 3_600_000_000;
const TERM_DAYS: u32 = 8;

fn hubs() -> Hubs {
    Hubs::new().with("north", "America/St_Johns").unwrap().with("south", "America/St_Johns").unwrap()
}

/// An engine over the store of `sandbox` that keeps what outlives events; another life of the process.
fn life(sandbox: &Sandbox, derived: &Derived) -> (Engine, Arc<Sessions>) {
    let limits = Limits { threads: 2, ..Limits::default() };
    let clock = Arc::clone(&sandbox.clock) as Arc<dyn event::Clock>;
    let sessions = Sessions::new(&sandbox.store, BTreeMap::new()).with_history(sandbox.store.history("sessions"));
    let sessions = Arc::new(sessions);
    let engine = Engine::with_clock(Arc::clone(&sandbox.store), limits, clock).unwrap().with_hubs(hubs());
    engine.load_history(sandbox.store.history("facts")).unwrap();
    engine.load_rollups(derived).unwrap();
    (engine.with_sessions(Arc::clone(&sessions)), sessions)
}

fn save(engine: &Engine, derived: &Derived) {
    if let Some(mut files) = engine.rollup_files().unwrap() {
        let (of, new) = (std::mem::take(&mut files.of), std::mem::take(&mut files.files));
        let replaced = derived.replace(of, new).unwrap();
        engine.rollups_written(files, &replaced.manifest);
    }
}

/// What is kept, then the events leave.
async fn leave(
    sandbox: &Sandbox,
    (engine, sessions): (&Engine, &Sessions),
    retention: &Retention,
    derived: Option<u32>,
) {
    sandbox.store.flush().await.unwrap();
    let now = sandbox.clock.now();
    let from = derived.map(|days| cutoff(days, now));
    engine.keep_history(&|schema| retention.cutoff(schema, now), from, &|_| {}).await.unwrap();
    if let Some(to) = derive::schemas::ALL.iter().filter_map(|schema| retention.cutoff(schema, now)).max() {
        sessions.keep(&|| sandbox.store.snapshot(), now, from, to).unwrap();
    }
    sandbox.store.retain(retention, now).await.unwrap();
}

/// Everything that an answer says of its rows. What was left out is counted in events, and so is not said of days whose
/// events have left.
fn told(answer: &KpiAnswer) -> String {
    let headline = answer.headline.as_ref().map(|headline| (headline.value, headline.bounds));
    let change = answer.change.as_ref().map(|change| (change.value, change.before));
    format!("{}\n{headline:?} {:?} {change:?} {:?}", lines(&answer.answer), answer.ratio, answer.gaps)
}

/// The questions that are answered from facts or from sessions, with values for what they must be given.
fn questions() -> Vec<(String, Vec<(&'static str, String)>)> {
    let of_history = |kpi: &&query::Kpi| kpi.reads_rollup() || kpi.needs == ["sessions"];
    let given = |kpi: &query::Kpi| {
        let repo = kpi.parameter("repo").map(|_| ("repo", "a/b".to_owned()));
        repo.into_iter().chain(kpi.parameter("user").map(|_| ("user", "user-1".to_owned()))).collect()
    };
    CATALOGUE.iter().filter(of_history).map(|kpi| (kpi.id.clone(), given(kpi))).collect()
}

fn some_rows(chance: &mut Chance, day: Day) -> Vec<Row> {
    let rows = (0..(4 + chance.below(10))).map(|_| {
        let back = chance.pick(&[0, 0, 0, 1, 3]);
        let start = Day::from_number(day.number() - back).start().micros();
        let time = EventTime::from_micros(start + chance.pick(&[0, -1, 400_000]) + chance.below(24) * HOUR);
        match chance.below(3) {
            0 => launch_from(time, "GitHub", chance.pick(&["a/b/HEAD", "A/b/main", "c/d/v1"]), Some("one.example.org")),
            _ => {
                let user = format!("user-{}", chance.below(6));
                server_action_of(time, chance.pick(&["start", "stop"]), &user, chance.pick(&["", "gpu"]))
            }
        }
    });
    rows.collect()
}

/// Weeks of a federation, of which only the last days stay as events; restarts, compactions, a hub that comes later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_left_is_answered_as_before() {
    let is_long = std::env::var_os("HUBSCOPE_LONG").is_some();
    let asked = questions();
    assert!(asked.len() > 20, "{asked:?}");
    let mut turn = 0;
    for seed in 1..=(if is_long { 30 } else { 1 }) {
        let mut chance = Chance::new(seed);
        let mut kept = Sandbox::new().await.with_hubs(hubs());
        let mut twin = Sandbox::new().await.with_hubs(hubs());
        let derived = kept.store.derived("rollups");
        let (mut engine, mut sessions) = life(&kept, &derived);
        let first: Day = "2024-02-20".parse().unwrap();
        for number in 0..24 {
            let day = Day::from_number(first.number() + number);
            let now = EventTime::from_micros(day.start().micros() + 30 * HOUR);
            for sandbox in [&kept, &twin] {
                sandbox.clock.set(now);
            }
            for hub in if number < 14 { vec!["north"] } else { vec!["north", "south"] } {
                let rows = some_rows(&mut chance, day);
                for sandbox in [&mut kept, &mut twin] {
                    sandbox.acknowledge_of(hub, now, rows.clone());
                }
            }
            if number < 10 || chance.below(2) == 0 {
                continue;
            }
            let retention = Retention { events: Some(TERM_DAYS), ..Retention::default() };
            leave(&kept, (&engine, &sessions), &retention, None).await;
            match chance.below(4) {
                0 => drop(kept.store.compact().await.unwrap()),
                1 => {
                    // What is written stays with what it was written beside; a start may also find less.
                    if chance.below(2) == 0 {
                        save(&engine, &derived);
                    }
                    (engine, sessions) = life(&kept, &derived);
                }
                2 => engine.rebuild_rollups(&|_| {}).await.unwrap(),
                _ => {}
            }
            engine.refresh_rollups(&|_| {}).await.unwrap();
            for hub in ["north", "south"] {
                let sql = format!(
                    "SELECT * FROM sessions WHERE hub = '{hub}' ORDER BY username, servername, start, start_low"
                );
                let ask = async |engine: &Engine| lines(&engine.sql(&sql, query::SqlOptions::default()).await.unwrap());
                let (found, expected) = (ask(&engine).await, ask(&twin.engine).await);
                assert_eq!(found, expected, "seed {seed}, {day}");
            }
            for _ in 0..14 {
                let (id, given) = &asked[turn % asked.len()];
                turn += 1;
                let range = [("from", first.to_string()), ("to", day.next().to_string())];
                let params: Params =
                    given.iter().cloned().chain(range).map(|(name, value)| (name.to_owned(), value)).collect();
                let scope = if chance.below(3) == 0 { Scope::Hub("north".into()) } else { Scope::All };
                let kpi = CATALOGUE.find(id).unwrap();
                let found = engine.kpi(kpi, &params, &scope).await.unwrap_or_else(|error| panic!("{id}: {error}"));
                let expected = twin.engine.kpi(kpi, &params, &scope).await.unwrap();
                assert_eq!(told(&found), told(&expected), "seed {seed}, {id} on {day} {scope:?}");
                assert!(found.is_from_rollup || !kpi.reads_rollup(), "{id}");
            }
        }
        let oldest = kept.sql("SELECT min(time) AS oldest, count(*) AS n FROM events").await.unwrap();
        assert!(lines(&oldest).starts_with("2024-03-"), "{oldest:?}");
    }
    assert!(turn >= asked.len(), "each question had its turn: {turn} of {}", asked.len());
}

/// A sandbox with some days whose events have left, and its engine.
async fn left() -> (Sandbox, Engine, Arc<Sessions>) {
    let mut sandbox = Sandbox::new().await;
    let (engine, sessions) = life(&sandbox, &sandbox.store.derived("rollups"));
    for (day, user) in [("2024-01-31", "ann"), ("2024-02-01", "ann"), ("2024-02-01", "bob")] {
        let hour = |hour: i64| EventTime::from_micros(day.parse::<Day>().unwrap().start().micros() + hour * HOUR);
        for hub in ["north", "south"] {
            let rows = vec![server_action_of(hour(9), "start", user, ""), server_action_of(hour(12), "stop", user, "")];
            sandbox.acknowledge_of(hub, hour(12), rows);
        }
    }
    sandbox.clock.set(at("2024-03-01T12:00:00Z"));
    leave(&sandbox, (&engine, &sessions), &TERM, None).await;
    assert_eq!(sandbox.rows("SELECT count(*) FROM events").await, "0");
    (sandbox, engine, sessions)
}

const TERM: Retention = Retention { events: Some(TERM_DAYS), by_schema: BTreeMap::new(), quarantine: None };

async fn ask(engine: &Engine, id: &str, scope: &Scope) -> String {
    let days =
        Params::from_iter([("from".to_owned(), "2024-01-31".to_owned()), ("to".to_owned(), "2024-02-03".to_owned())]);
    lines(&engine.kpi(CATALOGUE.find(id).unwrap(), &days, scope).await.unwrap().answer)
}

#[tokio::test]
async fn a_day_whose_events_have_left_is_no_gap_where_its_facts_are_kept_and_one_elsewhere() {
    let (_sandbox, engine, _) = left().await;
    let south = Scope::Hub("south".into());
    for (id, scope, expected) in [
        ("starts", &Scope::All, "2024-01-31,2;2024-02-01,4;2024-02-02,"),
        ("starts", &south, "2024-01-31,1;2024-02-01,2;2024-02-02,"),
        ("active-users-daily", &south, "2024-01-31,1;2024-02-01,2;2024-02-02,"),
        ("session-hours", &south, "2024-01-31,3,3,3;2024-02-01,6,6,6;2024-02-02,,,"),
    ] {
        assert_eq!(ask(&engine, id, scope).await, expected, "{id}");
    }
    let elsewhere = Params::from_iter(
        [("zone", "UTC"), ("from", "2024-01-31"), ("to", "2024-02-03")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let answer = engine.kpi(CATALOGUE.find("starts").unwrap(), &elsewhere, &Scope::All).await.unwrap();
    assert_eq!(lines(&answer.answer), "2024-01-31,;2024-02-01,;2024-02-02,", "days cut elsewhere cannot be told");
    assert_eq!(engine.hub_names(&Scope::All).await.unwrap(), ["north", "south"]);
}

/// Events of whole seconds often have the same time. The first session is over and kept; the second one, of which only
/// the start leaves, goes on.
#[tokio::test]
async fn a_session_that_began_when_another_ended_outlives_its_start() {
    let mut sandbox = Sandbox::new().await;
    let derived = sandbox.store.derived("rollups");
    let (engine, sessions) = life(&sandbox, &derived);
    let rows = [(1, "start"), (3, "stop"), (3, "start"), (9, "stop")].map(|(day, action)| {
        let time = EventTime::from_micros("2024-02-01".parse::<Day>().unwrap().start().micros() + day * 24 * HOUR);
        server_action_of(time, action, "ann", "")
    });
    sandbox.acknowledge_of("north", at("2024-02-10T00:00:00Z"), rows.into());
    let all = "SELECT start, \"end\", start_known_by FROM sessions ORDER BY start";
    let expected = "2024-02-02T00:00:00Z,2024-02-04T00:00:00Z,event;2024-02-04T00:00:00Z,2024-02-10T00:00:00Z,event";
    // Each of the four leaves in turn.
    for (today, events) in [("2024-02-10", 4), ("2024-02-11", 3), ("2024-02-13", 1), ("2024-02-19", 0)] {
        sandbox.clock.set(at(&format!("{today}T12:00:00Z")));
        leave(&sandbox, (&engine, &sessions), &TERM, None).await;
        assert_eq!(sandbox.rows("SELECT count(*) FROM events").await, events.to_string(), "{today}");
        for engine in [&engine, &life(&sandbox, &derived).0] {
            let found = lines(&engine.sql(all, query::SqlOptions::default()).await.unwrap());
            assert_eq!(found, expected, "{today}");
        }
    }
}

#[tokio::test]
async fn who_is_forgotten_on_one_hub_stays_on_the_other() {
    let (sandbox, engine, sessions) = left().await;
    let until = |hub: &str, name: &str| (hub == "north" && name == "ann").then_some(at("2024-03-01T00:00:00Z"));
    assert!(engine.look_through_history(&until).unwrap().1 > 0 && sessions.look_through(&until).unwrap().1 == 2);
    engine.forget_in_rollups(&until, &|_| {}).await.unwrap();
    sessions.forget(&until).unwrap();
    assert_eq!((engine.look_through_history(&until).unwrap().1, sessions.look_through(&until).unwrap().1), (0, 0));
    let (engine_anew, _) = life(&sandbox, &sandbox.store.derived("nothing"));
    engine_anew.refresh_rollups(&|_| {}).await.unwrap();
    for engine in [&engine, &engine_anew] {
        for (id, scope, expected) in [
            ("active-users-daily", Scope::All, "2024-01-31,1;2024-02-01,3;2024-02-02,"),
            ("active-users-daily", Scope::Hub("north".into()), "2024-01-31,0;2024-02-01,1;2024-02-02,"),
            ("active-users-daily", Scope::Hub("south".into()), "2024-01-31,1;2024-02-01,2;2024-02-02,"),
            ("unique-across-hubs", Scope::All, "2024-01-01,1;2024-02-01,2"),
            ("session-hours", Scope::All, "2024-01-31,3,3,3;2024-02-01,9,9,9;2024-02-02,,,"),
            // Nobody is named in it.
            ("starts", Scope::All, "2024-01-31,2;2024-02-01,4;2024-02-02,"),
        ] {
            assert_eq!(ask(engine, id, &scope).await, expected, "{id} {scope:?}");
        }
    }
}

#[tokio::test]
async fn what_is_derived_has_a_term_too() {
    let (sandbox, engine, sessions) = left().await;
    // The last of January is older than 29 days on the first of March, the first of February is not.
    leave(&sandbox, (&engine, &sessions), &TERM, Some(29)).await;
    assert_eq!(ask(&engine, "starts", &Scope::All).await, "2024-01-31,;2024-02-01,4;2024-02-02,");
    assert_eq!(ask(&engine, "session-hours", &Scope::All).await, "2024-01-31,,,;2024-02-01,12,12,12;2024-02-02,,,");
    leave(&sandbox, (&engine, &sessions), &TERM, Some(1)).await;
    assert_eq!(ask(&engine, "starts", &Scope::All).await, "2024-01-31,;2024-02-01,;2024-02-02,");
    let (engine, sessions) = life(&sandbox, &sandbox.store.derived("nothing"));
    assert_eq!(sessions.look_through(&|_, _| None).unwrap().0, 0);
    assert_eq!(engine.look_through_history(&|_, _| None).unwrap().0, 0);
}

/// As long as what was kept is damaged nothing is added to it, so that no event leaves.
#[tokio::test]
async fn nothing_is_added_to_what_is_damaged() {
    let (sandbox, _, _) = left().await;
    let now = sandbox.clock.now();
    let cutoff = |schema: &str| TERM.cutoff(schema, now);
    for folder in ["facts", "sessions"] {
        let manifest = sandbox.store.history(folder).path("manifest");
        let whole = std::fs::read(&manifest).unwrap();
        for damage in [&b"0000 nothing"[..], &whole[..whole.len() / 2], b""] {
            std::fs::write(&manifest, damage).unwrap();
            let sessions =
                Sessions::new(&sandbox.store, BTreeMap::new()).with_history(sandbox.store.history("sessions"));
            let engine = Engine::new(Arc::clone(&sandbox.store), Limits { threads: 2, ..Limits::default() }).unwrap();
            let told = match folder {
                "facts" => {
                    assert!(engine.load_history(sandbox.store.history("facts")).is_err());
                    // Facts of the events that are there are made nevertheless.
                    engine.refresh_rollups(&|_| {}).await.unwrap();
                    engine.keep_history(&cutoff, None, &|_| {}).await.unwrap_err().to_string()
                }
                _ => sessions
                    .keep(&|| sandbox.store.snapshot(), now, None, at("2024-02-20T00:00:00Z"))
                    .unwrap_err()
                    .to_string(),
            };
            assert!(told.contains("manifest"), "{told}");
            assert_eq!(std::fs::read(&manifest).unwrap(), damage, "{folder}");
            // Other questions are answered.
            assert!(engine.sql("SELECT count(*) FROM sessions", query::SqlOptions::default()).await.is_ok());
        }
        std::fs::write(&manifest, &whole).unwrap();
    }
    // A file of a month: what it held is missing from the second try on, and nothing is added.
    let folder = sandbox.store.history("facts");
    let names = folder.manifest().unwrap().unwrap().files.into_keys();
    let month = folder.path(&names.last().unwrap());
    let whole = std::fs::read(&month).unwrap();
    std::fs::write(&month, &whole[1..]).unwrap();
    let (engine, _) = life(&sandbox, &sandbox.store.derived("nothing"));
    let told = engine.refresh_rollups(&|_| {}).await.unwrap_err().to_string();
    assert!(told.contains(&month.file_name().unwrap().to_string_lossy().into_owned()), "{told}");
    engine.refresh_rollups(&|_| {}).await.unwrap();
    assert!(engine.keep_history(&cutoff, None, &|_| {}).await.is_err());
    assert_eq!(ask(&engine, "starts", &Scope::All).await, "2024-01-31,;2024-02-01,;2024-02-02,");
    std::fs::write(&month, &whole).unwrap();
    let (engine, _) = life(&sandbox, &sandbox.store.derived("nothing"));
    engine.refresh_rollups(&|_| {}).await.unwrap();
    assert_eq!(ask(&engine, "starts", &Scope::All).await, "2024-01-31,2;2024-02-01,4;2024-02-02,");
}
