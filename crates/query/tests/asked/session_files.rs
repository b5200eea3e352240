//! Sessions that stand in files are answered as those in memory are, to whom they may be told, and no more is read of
//! them than a question needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use derive::Sessions;
use event::{Clock, EventTime};
use query::{Engine, Hubs, KpiAnswer, Limits, Params, Scope, SqlOptions};

use crate::oracle::Chance;
use crate::sandbox::{CATALOGUE, Sandbox, at, hub_poll, lines, server_action_of, server_seen};

const HOUR: i64 = 3_600_000_000;
const DAYS: i64 = 100;

/// Three months of two hubs, of which the first is polled: sessions of minutes and of days, some without a stop, some
/// without a start, some that go on.
async fn months() -> Sandbox {
    let hubs = Hubs::new().with("north", "America/St_Johns").unwrap().with("south", "Asia/Kolkata").unwrap();
    let mut sandbox = Sandbox::new().await.with_hubs(hubs);
    let begin = at("2024-01-25T00:00:00Z").micros();
    let mut chance = Chance::new(5);
    for day in 0..DAYS {
        let now = EventTime::from_micros(begin + (day + 1) * 24 * HOUR);
        sandbox.clock.set(now);
        for hub in ["north", "south"] {
            let mut rows = Vec::new();
            for _ in 0..6 {
                let start = EventTime::from_micros(begin + day * 24 * HOUR + chance.below(20) * HOUR);
                let stop = EventTime::from_micros(start.micros() + chance.pick(&[1, 1, 3, 30, 200]) * HOUR / 2);
                let (user, server) = (format!("user-{}", chance.below(9)), chance.pick(&["", "gpu"]));
                let known = chance.below(10);
                rows.extend((known != 0).then(|| server_action_of(start, "start", &user, server)));
                rows.extend((known != 1).then(|| server_action_of(stop, "stop", &user, server)));
            }
            if hub == "north" {
                let poll = EventTime::from_micros(now.micros() - HOUR);
                rows.push(server_seen(poll, "polled", at("2024-02-01T00:00:00Z"), poll));
                rows.push(hub_poll(poll, true));
            }
            sandbox.acknowledge_of(hub, now, rows);
        }
    }
    sandbox.flush().await;
    sandbox
}

/// An engine whose sessions stand in files as far as they can.
fn in_files(sandbox: &Sandbox) -> Engine {
    let store = Arc::clone(&sandbox.store);
    let sessions = Sessions::new(&sandbox.store, BTreeMap::new())
        .with_files(sandbox.store.derived("sessions"), Arc::new(move || store.snapshot()));
    let now = sandbox.clock.now();
    sessions.save(now).unwrap();
    let rows = sessions.at(&sandbox.store.snapshot(), now).unwrap();
    assert!(rows.files().len() >= 3, "{}", rows.files().len());
    let held: usize = rows.batches().iter().map(|batch| batch.num_rows()).sum();
    assert!(0 < held && held * 5 < rows.len(), "{held} of {}", rows.len());
    let clock = Arc::clone(&sandbox.clock) as Arc<dyn Clock>;
    let limits = Limits { threads: 2, ..Limits::default() };
    let engine = Engine::with_clock(Arc::clone(&sandbox.store), limits, clock).unwrap();
    engine.with_hubs(sandbox.engine.hubs().clone()).with_sessions(Arc::new(sessions))
}

fn told(answer: &KpiAnswer) -> String {
    format!("{}\n{:?} {:?} {:?}", lines(&answer.answer), answer.headline, answer.ratio, answer.notes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_answered_as_from_memory() {
    let sandbox = months().await;
    let engine = in_files(&sandbox);
    let mut asked = 0;
    for kpi in CATALOGUE.iter().filter(|kpi| kpi.needs.iter().any(|need| need == "sessions")) {
        let given = kpi.parameter("user").map(|_| ("user", "user-1"));
        for (from, to, scope) in [
            ("2024-01-25", "2024-05-04", Scope::All),
            ("2024-02-27", "2024-03-05", Scope::Hub("north".into())),
            ("2024-04-30", "2024-05-20", Scope::All),
        ] {
            let range = [("from", from), ("to", to)];
            let params = given.into_iter().chain(range).map(|(name, value)| (name.to_owned(), value.to_owned()));
            let params: Params = params.collect();
            let found = engine.kpi(kpi, &params, &scope).await.unwrap_or_else(|error| panic!("{}: {error}", kpi.id));
            let expected = sandbox.engine.kpi(kpi, &params, &scope).await.unwrap();
            assert_eq!(told(&found), told(&expected), "{} {from} {scope:?}", kpi.id);
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
}

#[tokio::test]
async fn more_days_than_can_be_told_of_are_refused() {
    let sandbox = Sandbox::new().await;
    let time = |micros: i64| format!("arrow_cast({micros}, 'Timestamp(Microsecond, Some(\"UTC\"))')");
    let (begin, end) = (time(-(1 << 58)), time(1 << 58));
    let session = format!("{begin}, {begin}, {end}, {end}, {end}, {begin}, {end}, 'UTC'");
    for call in [format!("most_at_once_by_day({session})"), format!("people_by_day({session}, 1)")] {
        let error = sandbox.sql(&format!("SELECT {call}")).await.unwrap_err().to_string();
        assert!(error.contains("tells of 366000 days at most"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_read_than_may_match_and_no_other_hub_is_seen() {
    let sandbox = months().await;
    let engine = in_files(&sandbox);
    let ask = async |sql: &str, scope: Scope| lines(&engine.sql(sql, SqlOptions { limit: None, scope }).await.unwrap());
    let all = "EXPLAIN SELECT * FROM sessions";
    assert_eq!(ask(all, Scope::All).await.matches(".parquet").count(), 5, "a month each");
    for (condition, files) in [
        ("start >= '2024-03-02T00:00:00Z' AND start < '2024-03-20T00:00:00Z'", 1),
        ("start_low < '2024-02-02T00:00:00Z' AND (end_high >= '2024-02-01T00:00:00Z' OR end_high IS NULL)", 2),
        ("start < '2023-01-01T00:00:00Z'", 0),
    ] {
        let plan = ask(&format!("{all} WHERE {condition}"), Scope::All).await;
        assert_eq!(plan.matches(".parquet").count(), files, "{condition}: {plan}");
        let rows =
            format!("SELECT * FROM sessions WHERE {condition} ORDER BY hub, username, servername, start, end_low");
        for scope in [Scope::All, Scope::Hub("north".into())] {
            let expected = sandbox.engine.sql(&rows, SqlOptions { limit: None, scope: scope.clone() }).await.unwrap();
            assert_eq!(ask(&rows, scope).await, lines(&expected), "{condition}");
        }
    }
    let north = || Scope::Hub("north".into());
    assert_eq!(ask("SELECT DISTINCT hub FROM sessions", north()).await.trim(), "north");
    let plan = ask("EXPLAIN ANALYZE SELECT count(*) FROM sessions WHERE hub = 'south' OR 1 = 1", north()).await;
    assert!(plan.contains("Barrier") && !plan.contains("parquet"), "{plan}");
}
