//! Questions about sessions of a large hub over five years, whose truth is known: users come on working days, by
//! different habits, some with several servers.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::catalogue::{self, Asked, Question, path_of};
use crate::kpi::{exchange, timed};
use crate::latency::millis;
use crate::program::Program;
use crate::table::{Table, mebibytes, rate};

/// The first instant, 2021-11-01T00:00:00Z, which is a Monday, and the days from then on.
const BEGIN_SECONDS: u64 = 1_635_724_800;
const DAYS: u64 = 1_825;
const DAY_SECONDS: u64 = 86_400;

/// Ranges that are asked about: four weeks, nine months, and everything.
const RANGES: [(&str, &str); 3] =
    [("2026-10-02", "2026-10-30"), ("2026-01-01", "2026-10-01"), ("2021-11-01", "2026-11-05")];

/// Of the rounds of the first range, one of so many for each of them.
const ROUNDS_PART: [usize; 3] = [1, 5, 20];

/// What the events tell of.
const TOLD: [&str; 4] = ["server_actions", "sessions", "events", "quarantine"];

/// Events of a request.
const BATCH: usize = 5_000;

/// How long sessions may take to be told after a start before something is wrong.
const TOLD_WITHIN: Duration = Duration::from_secs(600);

/// What the events told.
#[derive(Debug, Default)]
struct Truth {
    sessions: u64,
    seconds: u64,
    /// Instants, twice each, and one more for a begin: in order, whoever ends at an instant does so first.
    edges: Vec<u64>,
}

impl Truth {
    fn peak(mut self) -> u64 {
        self.edges.sort_unstable();
        let (mut now, mut most) = (0_u64, 0);
        for edge in self.edges {
            now = if edge & 1 == 1 { now + 1 } else { now - 1 };
            most = most.max(now);
        }
        most
    }
}

/// Loads the hub, starts anew, and asks every question `rounds` times.
pub(crate) fn measure(program: &Path, folder: &Path, users: u64, rounds: usize, table: &mut Table) -> Result<()> {
    let data = folder.join("hub-data");
    let server = Program::start(program, &data, &[])?;
    let began = Instant::now();
    let truth = load(&server, users)?;
    let a_second = 2.0 * truth.sessions as f64 / began.elapsed().as_secs_f64();
    let sessions = truth.sessions;
    table.add(format!("hub of {users} users: five years of events made and taken"), rate(a_second), "");
    server.stop()?;
    std::fs::remove_dir_all(data.join("derived/sessions")).context("sessions were not written")?;
    started(program, &data, "made anew", table)?.stop()?;
    let server = started(program, &data, "from files", table)?;
    check(&server, truth)?;
    table.add("sessions, their hours, and the most at once", "as told", format!("{sessions} sessions"));
    let query = |(from, to): (&str, &str)| format!("from={from}&to={to}");
    for Question { id, .. } in catalogue::questions(&server, &TOLD, &query(RANGES[2]))? {
        let asked = |at: usize| Asked::at(&server, &path_of(&id, &query(RANGES[at])), rounds.div_ceil(ROUNDS_PART[at]));
        let (weeks, months, years) = (asked(0)?, asked(1)?, asked(2)?);
        table.add(
            format!("{id} over four weeks"),
            weeks.to_string(),
            format!("nine months {months}; five years {years}"),
        );
    }
    table.add("memory", mebibytes(server.memory()?), format!("{} at most", mebibytes(server.memory_peak()?)));
    server.stop()
}

/// A start, and how long it takes until sessions are told.
fn started(program: &Path, data: &Path, how: &str, table: &mut Table) -> Result<Program> {
    let began = Instant::now();
    let server = Program::start(program, data, &[])?;
    let (from, to) = RANGES[0];
    while let Err(error) = timed(&server, &format!("/api/v1/kpis/sessions?from={from}&to={to}")) {
        if began.elapsed() > TOLD_WITHIN {
            return Err(error.context("no session is told"));
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let took = began.elapsed();
    let peak = mebibytes(server.memory_peak()?);
    table.add(
        format!("first answer after a start, sessions {how}"),
        format!("{} ms", millis(took)),
        format!("{peak} at most"),
    );
    Ok(server)
}

/// Compares what is answered over all years with what was told.
fn check(server: &Program, truth: Truth) -> Result<()> {
    let (from, to) = RANGES[2];
    let headline = |id: &str| -> Result<f64> {
        let (answer, _) = timed(server, &format!("/api/v1/kpis/{id}?from={from}&to={to}"))?;
        let answer: Value = serde_json::from_str(catalogue::body(&answer))?;
        answer.pointer("/headline/value").and_then(Value::as_f64).with_context(|| format!("{id} has no number"))
    };
    let (sessions, hours) = (truth.sessions as f64, truth.seconds as f64 / 3_600.0);
    for (id, expected) in [("sessions", sessions), ("session-hours", hours), ("peak-concurrent", truth.peak() as f64)] {
        let found = headline(id)?;
        if (found - expected).abs() > 1e-6 * expected {
            bail!("{id}: {found} was answered, {expected} is true");
        }
    }
    Ok(())
}

/// Numbers by chance, the same each time (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Sends what the hub tells, in order of time.
fn load(server: &Program, users: u64) -> Result<Truth> {
    let mut chance = Chance(7);
    // Of a hundred days, on how many somebody comes: a tenth comes nearly daily, most now and then.
    let habits: Vec<u64> =
        (0..users).map(|user| if user % 10 == 0 { 60 + chance.below(30) } else { chance.below(50) }).collect();
    let mut busy_until = vec![0_u64; habits.len()];
    let mut truth = Truth::default();
    // Events of servers that end on a later day wait for it.
    let mut events: Vec<(u64, bool, u64)> = Vec::new();
    for day in 0..DAYS {
        let begin = BEGIN_SECONDS + day * DAY_SECONDS;
        let rest = if day % 7 >= 5 { 4 } else { 1 };
        for (user, (habit, busy)) in (0_u64..).zip(habits.iter().zip(&mut busy_until)) {
            if chance.below(100 * rest) >= *habit {
                continue;
            }
            // About noon, for an hour or two, seldom for a day.
            let start = begin + (1..=4).map(|_| chance.below(DAY_SECONDS / 4)).sum::<u64>();
            let length = 60 + chance.below(9_000) + if chance.below(50) == 0 { chance.below(90_000) } else { 0 };
            if start <= *busy {
                continue;
            }
            *busy = start + length;
            events.extend([(start, true, user), (start + length, false, user)]);
            truth.sessions += 1;
            truth.seconds += length;
            truth.edges.extend([2 * start + 1, 2 * (start + length)]);
        }
        let until = if day + 1 < DAYS { begin + DAY_SECONDS } else { u64::MAX };
        events.sort_unstable();
        let ready = events.partition_point(|(at, ..)| *at < until);
        for batch in events.drain(..ready).collect::<Vec<_>>().chunks(BATCH) {
            send(server, batch)?;
        }
    }
    Ok(truth)
}

fn send(server: &Program, events: &[(u64, bool, u64)]) -> Result<()> {
    let mut body = String::with_capacity(events.len() * 260);
    for (at, is_start, user) in events {
        let time = jiff::Timestamp::from_second(i64::try_from(*at)?)?.strftime("%Y-%m-%dT%H:%M:%S");
        let action = if *is_start { "start" } else { "stop" };
        // Writing to a String never fails.
        let _ = writeln!(
            body,
            r#"{{"__timestamp__": "{time}.000000+00:00Z", "__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": "1", "__metadata_version__": 1, "action": "{action}", "username": "student-{user:05}", "servername": ""}}"#,
        );
    }
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    loop {
        let answer = exchange(server, &(head.clone() + &body))?;
        match answer.get(9..12) {
            Some("200") => return Ok(()),
            // It asks to be given time.
            Some("429" | "503") => std::thread::park_timeout(Duration::from_millis(50)),
            _ => bail!("events were not taken: {}", answer.lines().next().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_ends_as_another_begins_does_not_run_beside_them() {
        let edges = |spans: &[(u64, u64)]| spans.iter().flat_map(|(from, to)| [2 * from + 1, 2 * to]).collect();
        let truth = |spans: &[(u64, u64)]| Truth { edges: edges(spans), ..Truth::default() };
        assert_eq!(truth(&[(1, 5), (5, 9), (5, 6)]).peak(), 2);
        assert_eq!(truth(&[(1, 6), (5, 9), (5, 7)]).peak(), 3);
    }
}
