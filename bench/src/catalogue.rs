//! The questions of the catalogue that the data of a bench can answer, asked often enough to know the slowest answers.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::kpi::{exchange, timed};
use crate::latency::Latency;
use crate::program::Program;

/// A question that takes longer than the first is asked a fifth as often, and one that takes longer than the second so
/// often.
const SLOW: Duration = Duration::from_millis(500);
const VERY_SLOW: Duration = Duration::from_secs(3);
const ROUNDS_VERY_SLOW: usize = 3;

/// How a question is answered: its times, or why it is not.
pub(crate) enum Asked {
    Answered(Latency),
    Refused(String),
}

impl Asked {
    /// Asks for `path` once, to warm up, and then `rounds` times.
    pub(crate) fn at(server: &Program, path: &str, rounds: usize) -> Result<Self> {
        let answer = exchange(server, &request(path))?;
        if !answer.starts_with("HTTP/1.1 200") {
            let problem: Value = serde_json::from_str(body(&answer)).unwrap_or_default();
            let detail = problem.get("detail").or(problem.get("title")).and_then(Value::as_str).unwrap_or("no reason");
            let first = detail.split(['.', '\n']).next().unwrap_or_default();
            return Ok(Self::Refused(format!("refused: {first}")));
        }
        let (_, first) = timed(server, path)?;
        let rounds = match first {
            first if first > VERY_SLOW => rounds.min(ROUNDS_VERY_SLOW),
            first if first > SLOW => rounds.div_ceil(5),
            _ => rounds,
        };
        let mut latency = Latency::default();
        for _ in 0..rounds {
            latency.add(timed(server, path)?.1);
        }
        Ok(Self::Answered(latency))
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answered(latency) => latency.fmt(f),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

/// A question that the data can answer.
pub(crate) struct Question {
    pub(crate) id: String,
    /// Whether it reads facts of days, rather than events.
    pub(crate) reads_facts: bool,
}

/// The questions that need nothing but `told` and have an answer in the range of `query`, or are refused.
pub(crate) fn questions(server: &Program, told: &[&str], query: &str) -> Result<Vec<Question>> {
    let answer: Value = serde_json::from_str(body(&timed(server, "/api/v1/kpis")?.0))?;
    let kpis = answer.get("kpis").and_then(Value::as_array).context("a catalogue has 'kpis'")?;
    let mut found = Vec::new();
    for kpi in kpis {
        let id = kpi.get("id").and_then(Value::as_str).context("a question has an id")?;
        let needs = kpi.get("needs").and_then(Value::as_array).context("a question needs something")?;
        if !needs.iter().all(|need| need.as_str().is_some_and(|need| told.contains(&need))) {
            continue;
        }
        let path = path_of(id, query);
        let answer: Value = serde_json::from_str(body(&exchange(server, &request(&path))?)).context(path)?;
        let rows = answer.get("rows").and_then(Value::as_array);
        if rows.is_none_or(|rows| !rows.is_empty()) {
            let reads_facts = answer.get("from_rollup").and_then(Value::as_bool).unwrap_or(false);
            found.push(Question { id: id.to_owned(), reads_facts });
        }
    }
    Ok(found)
}

/// Where a question is answered.
pub(crate) fn path_of(id: &str, query: &str) -> String {
    let own = match id {
        "repo-history" | "course-run" => "&repo=organisation-1/repository-1",
        "my-sessions" => "&user=student-00010",
        _ => "",
    };
    format!("/api/v1/kpis/{id}?{query}{own}")
}

/// What asks for `path`.
pub(crate) fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")
}

/// What follows the head of an answer.
pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
