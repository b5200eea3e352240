//! Sessions, and what is asked about them: against figures that another program worked out from the sessions that it
//! simulated and never from the events (`tests/fixtures/hub`), and against loops over starts and stops.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use event::{Day, EventTime};
use jiff::tz::TimeZone;
use query::{Hubs, KpiAnswer, Scope, SqlOptions};
use serde_json::Value;

use crate::sandbox::{Sandbox, at, lines, on, server_action_of};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// What a simulation told, and the truth of it.
struct Simulated {
    truth: Value,
    begin: Day,
    end: Day,
    sandbox: Sandbox,
    /// User, server, start and stop of each session, by the events: where no stop is lost.
    sessions: Vec<(String, i64, i64)>,
}

impl Simulated {
    async fn read(folder: &Path) -> Self {
        let truth: Value = serde_json::from_slice(&std::fs::read(folder.join("truth.json")).unwrap()).unwrap();
        let begin: Day = truth["start"].as_str().unwrap().parse().unwrap();
        // Sessions may run on for a while after the last day.
        let end = Day::from_number(begin.number() + i32::try_from(truth["days"].as_i64().unwrap()).unwrap() + 3);
        let mut sandbox = Sandbox::new().await;
        let mut open: BTreeMap<(String, String), i64> = BTreeMap::new();
        let mut sessions = Vec::new();
        let text = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
        for (number, line) in text.lines().enumerate() {
            let event: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            let time = at(text("__timestamp__").strip_suffix('Z').unwrap());
            let (action, user, server) = (text("action"), text("username"), text("servername"));
            sandbox.acknowledge_at(time, vec![server_action_of(time, &action, &user, &server)]);
            if action == "start" {
                open.insert((user, server), time.micros());
            } else if let Some(start) = open.remove(&(user.clone(), server)) {
                sessions.push((user, start, time.micros()));
            }
            if number % 100 == 99 {
                sandbox.flush().await;
            }
        }
        Self { truth, begin, end, sandbox, sessions }
    }

    fn number(&self, name: &str) -> f64 {
        self.truth[name].as_f64().unwrap()
    }

    async fn ask(&self, id: &str, params: &[(&str, &str)]) -> KpiAnswer {
        self.ask_between(id, self.begin, self.end, params).await
    }

    async fn ask_between(&self, id: &str, from: Day, to: Day, params: &[(&str, &str)]) -> KpiAnswer {
        let (from, to) = (from.to_string(), to.to_string());
        let params: Vec<(&str, &str)> =
            [("from", from.as_str()), ("to", to.as_str())].into_iter().chain(params.iter().copied()).collect();
        self.sandbox.kpi(id, &params).await.unwrap_or_else(|error| panic!("{id}: {error}"))
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/hub")
}

fn agree(ours: f64, truth: f64) -> bool {
    (ours - truth).abs() <= 1e-9 * truth.abs().max(1.0)
}

/// The numbers of a column, by the first one.
fn column(answer: &KpiAnswer, name: &str) -> BTreeMap<String, f64> {
    let document = answer.answer.json();
    let rows = document["rows"].as_array().unwrap();
    let key = answer.answer.columns[0].name.as_str();
    rows.iter().filter_map(|row| Some((row[key].as_str()?.to_owned(), row[name].as_f64()?))).collect()
}

fn headline(answer: &KpiAnswer) -> f64 {
    answer.headline.as_ref().unwrap_or_else(|| panic!("{}", answer.message)).value
}

fn assert_exact(answer: &KpiAnswer) {
    let bounds = answer.headline.as_ref().unwrap().bounds.unwrap();
    assert!(agree(bounds.0, headline(answer)) && agree(bounds.1, headline(answer)), "{}", answer.message);
    assert!(!answer.message.contains("between"), "{}", answer.message);
}

#[tokio::test]
async fn with_no_stop_lost_every_figure_is_exact() {
    for folder in [fixtures(), fixtures().join("small-1"), fixtures().join("small-3")] {
        let hub = Simulated::read(&folder).await;
        let told = folder.display();
        assert_eq!(headline(&hub.ask("sessions", &[]).await), hub.number("sessions"), "{told}");

        let hours = hub.ask("session-hours", &[]).await;
        assert!(agree(headline(&hours), hub.number("hours")), "{told}: {}", hours.message);
        assert_exact(&hours);
        let proven = hours.proven.unwrap();
        assert!(agree(proven.numerator, hub.number("hours")) && !proven.is_estimate(), "{told}: {proven:?}");
        check_days(&hub, &hours).await;

        let length = hub.ask("session-length", &[]).await;
        assert!(agree(headline(&length) * 60.0, hub.number("median_s")), "{told}: {}", length.message);

        let peak = hub.ask("peak-concurrent", &[]).await;
        assert_eq!(headline(&peak), hub.number("peak_concurrent"), "{told}");
        assert_exact(&peak);
        let percentile = hub.ask("concurrency-percentile", &[]).await;
        assert_eq!(headline(&percentile), hub.number("peak_concurrent"), "{told}");
        check_levels(&hub, &percentile);

        let share = hub.ask("share-at-once", &[("enrolled", "2000")]).await;
        let people = hub.number("users_seen");
        let expected = (2000.0 * hub.number("peak_concurrent") / people).ceil();
        match people >= 20.0 {
            true => assert_eq!(headline(&share), expected, "{told}"),
            false => assert!(share.message.starts_with("Too few for a figure"), "{told}: {}", share.message),
        }

        let days = hub.truth["days"].as_i64().unwrap() / 7 * 7;
        let end = Day::from_number(hub.begin.number() + i32::try_from(days).unwrap());
        let begin = Day::from_number(end.number() - 28);
        let regular = hub.ask_between("regular-users", begin, end, &[]).await;
        assert_eq!(headline(&regular), hub.number("regular_users_8h_week_last4"), "{told}");
        assert_eq!(regular.answer.rows() as f64, hub.number("regular_users_8h_week_last4"), "{told}");

        let reasons = hub.ask("end-reasons", &[]).await;
        assert_eq!(reasons.series, ["stopped"], "{told}");
        assert_eq!(headline(&reasons), hub.number("sessions"), "{told}");
        let evidence = hub.ask("session-evidence", &[]).await;
        assert_eq!(evidence.series, ["E1"], "{told}");
        assert!(agree(headline(&evidence), hub.number("hours")), "{told}");
        assert_eq!(hub.ask("long-runners", &[]).await.answer.rows(), 0, "{told}");
        check_people(&hub).await;
        check_heat(&hub).await;
    }
}

/// Each day: its hours, its users, the most at once.
async fn check_days(hub: &Simulated, hours: &KpiAnswer) {
    let present = hub.ask("present-users-daily", &[]).await;
    let peaks = hub.ask("peak-concurrent", &[]).await;
    let [hours, present, peaks] = [hours, &present, &peaks].map(|answer| column(answer, "value"));
    for number in hub.begin.number()..hub.end.number() {
        let day = Day::from_number(number);
        let (from, to) = (day.start().micros(), day.next().start().micros());
        let here: Vec<(&str, i64, i64)> = hub
            .sessions
            .iter()
            .filter(|(_, start, stop)| *start < to && *stop > from)
            .map(|(user, start, stop)| (user.as_str(), (*start).max(from), (*stop).min(to)))
            .collect();
        let name = day.to_string();
        let value = |of: &BTreeMap<String, f64>| of.get(&name).copied().unwrap_or(0.0);
        let micros: i64 = here.iter().map(|(_, start, stop)| stop - start).sum();
        assert!(agree(value(&hours), micros as f64 / 3.6e9), "{name}: {} {micros}", value(&hours));
        let users: BTreeSet<&str> = here.iter().map(|(user, _, _)| *user).collect();
        assert_eq!(value(&present), users.len() as f64, "{name}");
        // At the start of one of them there are as many as ever.
        let at_once = |at: i64| here.iter().filter(|(_, start, stop)| *start <= at && at < *stop).count();
        let most = here.iter().map(|(_, start, _)| at_once(*start)).max().unwrap_or(0);
        assert_eq!(value(&peaks), most as f64, "{name}");
    }
}

/// For how long how many ran, by a walk over every instant at which it changed.
fn check_levels(hub: &Simulated, answer: &KpiAnswer) {
    let (from, to) = (hub.begin.start().micros(), hub.end.start().micros());
    let mut instants: Vec<i64> =
        hub.sessions.iter().flat_map(|(_, start, stop)| [*start, *stop]).chain([from, to]).collect();
    instants.sort_unstable();
    let mut time_at: BTreeMap<usize, i64> = BTreeMap::new();
    for pair in instants.windows(2) {
        let level = hub.sessions.iter().filter(|(_, start, stop)| *start <= pair[0] && pair[0] < *stop).count();
        *time_at.entry(level).or_default() += pair[1] - pair[0];
    }
    let document = answer.answer.json();
    for row in document["rows"].as_array().unwrap() {
        let percent = row["percent_of_time"].as_i64().unwrap();
        assert_eq!(row["enough_for"], format!("{percent} % of the time"));
        let mut covered = 0;
        let enough = time_at.iter().find(|(_, micros)| {
            covered += **micros;
            covered * 100 >= (to - from) * percent
        });
        assert_eq!(row["value"].as_f64(), enough.map(|(level, _)| *level as f64), "{percent} %");
    }
    let rows = document["rows"].as_array().unwrap().iter();
    assert!(rows.map(|row| row["percent_of_time"].as_i64().unwrap()).eq((1..=100).rev()), "{document}");
}

async fn check_people(hub: &Simulated) {
    let spread = hub.ask("hours-per-user", &[]).await;
    let rows = spread.answer.json()["rows"].clone();
    let sum = |name: &str| rows.as_array().unwrap().iter().map(|row| row[name].as_f64().unwrap()).sum::<f64>();
    assert!(agree(sum("value"), hub.number("hours")), "{}", spread.message);
    assert_eq!(sum("users"), hub.number("users_seen"));
    let mut of_users: BTreeMap<&str, i64> = BTreeMap::new();
    for (user, start, stop) in &hub.sessions {
        *of_users.entry(user).or_default() += stop - start;
    }
    let mut hours: Vec<i64> = of_users.values().copied().collect();
    hours.sort_unstable_by_key(|micros| -micros);
    let busiest: i64 = hours.iter().take(hours.len().div_ceil(10)).sum();
    let first = rows[0]["value"].as_f64().unwrap();
    assert!(agree(first, busiest as f64 / 3.6e9), "{first} {busiest}");
    let all: i64 = hours.iter().sum();
    match hours.len() >= 20 {
        true => assert!(agree(headline(&spread), 100.0 * busiest as f64 / all as f64), "{}", spread.message),
        false => assert!(spread.message.starts_with("Too few for a figure"), "{}", spread.message),
    }
    for (user, micros) in of_users.iter().take(6) {
        let own = hub.ask("my-sessions", &[("user", user)]).await;
        assert!(agree(headline(&own), *micros as f64 / 3.6e9), "{user}: {}", own.message);
        let sessions = hub.sessions.iter().filter(|(name, _, _)| name == user).count();
        assert_eq!(own.answer.rows(), sessions.min(100), "{user}");
    }
}

/// Hours of weekdays, in a zone where clocks change, minute by minute.
async fn check_heat(hub: &Simulated) {
    let name = "America/St_Johns";
    let zone = TimeZone::get(name).unwrap();
    let answer = hub.ask("usage-heatmap", &[("zone", name)]).await;
    let document = answer.answer.json();
    let midnight = |day: Day| day.date().to_zoned(zone.clone()).unwrap().timestamp().as_microsecond();
    let (from, to) = (midnight(hub.begin), midnight(hub.end));
    let of = |micros: i64| {
        let zoned = jiff::Timestamp::from_microsecond(micros).unwrap().to_zoned(zone.clone());
        (i64::from(zoned.weekday().to_monday_one_offset()), i64::from(zoned.hour()))
    };
    let mut there: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    let mut ran: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    // No zone changes its clock but on a whole minute.
    let minute = 60_000_000;
    for begin in (from..to).step_by(60_000_000) {
        let cell = of(begin);
        *there.entry(cell).or_default() += minute;
        for (_, start, stop) in hub.sessions.iter().filter(|(_, start, stop)| *start < begin + minute && *stop > begin)
        {
            *ran.entry(cell).or_default() += (*stop).min(begin + minute) - (*start).max(begin);
        }
    }
    assert_eq!(document["rows"].as_array().unwrap().len(), there.len());
    for row in document["rows"].as_array().unwrap() {
        let weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        let weekday = weekdays.iter().position(|name| row["weekday"] == *name).unwrap() as i64 + 1;
        let cell = (weekday, row["hour"].as_i64().unwrap());
        let mean = ran.get(&cell).copied().unwrap_or(0) as f64 / there[&cell] as f64;
        assert!(agree(row["value"].as_f64().unwrap(), mean), "{cell:?}: {row} {mean}");
    }
}

#[tokio::test]
async fn with_stops_lost_the_truth_lies_between_the_bounds_and_the_answer_says_so() {
    let hub = Simulated::read(&fixtures().join("lossy")).await;
    assert_eq!(headline(&hub.ask("sessions", &[]).await), hub.number("sessions"), "every start was heard");
    // Nothing is claimed of a server that was not heard of for a week.
    let end = Day::from_number(hub.end.number() + 10);
    let hours = hub.ask_between("session-hours", hub.begin, end, &[]).await;
    let (low, high) = hours.headline.as_ref().unwrap().bounds.unwrap();
    assert!(low < high && low <= hub.number("hours") && hub.number("hours") <= high, "{}", hours.message);
    assert!(hours.message.contains("between"), "{}", hours.message);
    let proven = hours.proven.unwrap();
    assert!(proven.numerator < proven.denominator, "{proven:?}");
    let peak = hub.ask("peak-concurrent", &[]).await;
    let (low, high) = peak.headline.as_ref().unwrap().bounds.unwrap();
    assert!(low <= hub.number("peak_concurrent") && hub.number("peak_concurrent") <= high, "{}", peak.message);
    let length = hub.ask("session-length", &[]).await;
    // Stops are lost by chance, so those that were not tell the median.
    assert!((headline(&length) * 60.0 / hub.number("median_s") - 1.0).abs() < 0.15, "{}", length.message);
    let evidence = hub.ask("session-evidence", &[]).await;
    assert_eq!(evidence.series.first().map(String::as_str), Some("E1"));
    assert!(evidence.series.iter().any(|rank| rank == "E3"), "{:?}", evidence.series);
}

#[tokio::test]
async fn an_acknowledged_event_is_in_the_next_answer() {
    let mut sandbox = Sandbox::new().await;
    let rows = "SELECT username, end_known_by, s.end FROM sessions AS s ORDER BY username";
    assert_eq!(sandbox.rows(rows).await, "");
    let start = at("2029-12-31T12:00:00Z");
    sandbox.acknowledge(vec![server_action_of(start, "start", "ada", "")]);
    assert_eq!(sandbox.rows(rows).await, "ada,open,");
    let long = sandbox.kpi("long-runners", &[("hours", "12")]).await.unwrap();
    assert!(lines(&long.answer).ends_with(",ada,24"), "{}", lines(&long.answer));
    sandbox.flush().await;
    let stop = at("2029-12-31T13:30:00Z");
    sandbox.acknowledge(vec![server_action_of(stop, "stop", "ada", "")]);
    assert_eq!(sandbox.rows(rows).await, "ada,E1,2029-12-31T13:30:00Z");
}

#[tokio::test]
async fn within_a_hub_there_are_its_sessions_and_no_others() {
    let mut sandbox = Sandbox::new().await;
    for (hub, user) in [("north", "ada"), ("south", "secret"), ("north", "bob")] {
        let start = on("2029-12-30", HOUR);
        let rows = vec![
            server_action_of(start, "start", user, ""),
            server_action_of(on("2029-12-30", 2 * HOUR), "stop", user, ""),
        ];
        sandbox.acknowledge_of(hub, on("2029-12-30", 3 * HOUR), rows);
    }
    let ask = async |sql: &str, scope: Scope| {
        lines(&sandbox.engine.sql(sql, SqlOptions { limit: None, scope }).await.unwrap())
    };
    let north = Scope::Hub("north".into());
    for sql in [
        "SELECT username FROM sessions ORDER BY username",
        "SELECT DISTINCT username FROM sessions WHERE hub = 'south' OR true ORDER BY 1",
        "SELECT a.username FROM sessions a JOIN sessions b ON a.username = b.username ORDER BY 1",
    ] {
        assert_eq!(ask(sql, north.clone()).await, "ada;bob", "{sql}");
    }
    assert_eq!(ask("SELECT count(*) FROM sessions", Scope::All).await, "3");
    assert_eq!(ask("SELECT count(*) FROM sessions WHERE 1 / (length(username) - 6) > -9", north.clone()).await, "2");
    let hours = sandbox.kpi_within(&north, "session-hours", &[]).await.unwrap();
    assert_eq!(headline(&hours), 2.0);
    let none = sandbox.kpi_within(&Scope::Hub("east".into()), "session-hours", &[]).await.unwrap();
    assert_eq!(none.headline, None, "{}", none.message);
}

#[tokio::test]
async fn an_empty_store_has_no_sessions_and_every_question_says_so() {
    let sandbox = Sandbox::new().await;
    for id in [
        "present-users-daily",
        "regular-users",
        "sessions",
        "session-hours",
        "session-length",
        "end-reasons",
        "long-runners",
        "hours-per-user",
        "session-evidence",
        "my-sessions",
        "peak-concurrent",
        "concurrency-percentile",
        "share-at-once",
        "usage-heatmap",
        "hub-uptime",
        "cull-what-if",
    ] {
        let answer = sandbox.kpi(id, &[]).await.unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!((&answer.headline, &answer.proven), (&None, &None), "{id}: {}", answer.message);
    }
}

#[tokio::test]
async fn a_day_is_cut_where_clocks_of_the_hub_are() {
    let mut sandbox = Sandbox::new().await.with_hubs(Hubs::new().with("north", "Europe/Berlin").unwrap());
    // Over the hour that was left out: 13 hours by the clock on the wall, 12 in fact.
    let (start, stop) = (at("2024-03-30T21:00:00Z"), at("2024-03-31T09:00:00Z"));
    sandbox.acknowledge(vec![server_action_of(start, "start", "ada", "")]);
    sandbox.acknowledge(vec![server_action_of(stop, "stop", "ada", "")]);
    let params = [("from", "2024-03-30"), ("to", "2024-04-01")];
    let hours = sandbox.kpi("session-hours", &params).await.unwrap();
    assert_eq!(lines(&hours.answer), "2024-03-30,2,2,2;2024-03-31,10,10,10");
    let present = sandbox.kpi("present-users-daily", &params).await.unwrap();
    assert_eq!(lines(&present.answer), "2024-03-30,1,1,1;2024-03-31,1,1,1");
    let heat = sandbox.kpi("usage-heatmap", &params).await.unwrap();
    let document = heat.answer.json();
    let cells = document["rows"].as_array().unwrap();
    assert_eq!(cells.len(), 47, "2 o'clock of that Sunday was left out");
    assert_eq!(cells.iter().filter(|cell| cell["value"] == 1.0).count(), 12);
}

#[test]
fn a_day_has_as_many_microseconds_as_are_assumed_here() {
    let day = Day::from_number(20_000);
    assert_eq!(day.next().start().micros() - day.start().micros(), DAY);
    assert_eq!(EventTime::from_micros(day.start().micros()).day(), day);
}
