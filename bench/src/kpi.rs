//! Questions over eight years of launches: each as often as it takes to know its slowest answers, first after a commit
//! too, beside DuckDB on one Parquet file of the same launches.
//!
//! Launches are those of a federation: half of them of a few thousand repositories, the rest spread over three hundred
//! thousand. They are written and imported by stretches of days, so that the raw files never lie there all at once.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::catalogue::{self, Asked, Question, path_of};
use crate::latency::{Latency, millis};
use crate::peers;
use crate::program::Program;
use crate::table::{Table, mebibytes, rate};

/// Eight years from the first day of mybinder.org's archive.
const DAYS: usize = 2_922;
const FIRST: (i16, u8, u8) = (2018, 11, 3);

/// Days written and imported at once.
const STRETCH_DAYS: usize = 366;

/// So many launches are written and imported a second time.
const LAUNCHES_TWICE_MAX: usize = 20_000_000;

/// How long facts may take to be ready before something is wrong.
const READY_WITHIN: Duration = Duration::from_secs(1_800);

/// What the events tell of.
const TOLD: [&str; 3] = ["launches", "events", "quarantine"];

/// What is asked about: all eight years.
const RANGE: &str = "from=2018-11-03&to=2026-11-03&compare=none";

/// Asks every question over `launches` launches, each `rounds` times; and once more where each launch is there twice,
/// if these are not too many for that.
pub(crate) fn measure(
    program: &Path,
    python: Option<&Path>,
    folder: &Path,
    launches: usize,
    rounds: usize,
    table: &mut Table,
) -> Result<()> {
    let data = folder.join("kpi-data");
    let began = Instant::now();
    import(program, folder, &data, (launches, 1))?;
    let a_second = launches as f64 / began.elapsed().as_secs_f64();
    table.add(format!("archive of {launches} launches written and imported"), rate(a_second), "");
    let began = Instant::now();
    let server = Program::start(program, &data, &[])?;
    table.add("start, until it listens", format!("{} ms", millis(began.elapsed())), "budget 1000");
    wait_until_ready(&server)?;
    let facts = metric(&server, "hubscope_rollup_facts")?;
    table.add(
        "facts made from events",
        format!("{:.1} s", began.elapsed().as_secs_f64()),
        format!("{facts:.0} facts, {} in memory", mebibytes(rounded(metric(&server, "hubscope_rollup_bytes")?))),
    );
    server.stop()?;
    let began = Instant::now();
    let server = Program::start(program, &data, &[])?;
    wait_until_ready(&server)?;
    table.add(
        "facts read from files",
        format!("{:.1} s", began.elapsed().as_secs_f64()),
        format!("{} resident", mebibytes(server.memory()?)),
    );
    let peers = python.map(|python| peers::kpis(python, &data, folder)).transpose()?.unwrap_or_default();
    let mut middles = Vec::new();
    for question in catalogue::questions(&server, &TOLD, RANGE)? {
        let beside = peers.iter().filter_map(|(name, seconds)| Some((*name, seconds.get(&question.id)?.as_f64()?)));
        let middle = measured(&server, &question.id, rounds, &beside.collect::<Vec<_>>(), table)?;
        middles.extend(middle.map(|middle| (question, middle)));
    }
    table.add("memory", mebibytes(server.memory()?), format!("{} at most", mebibytes(server.memory_peak()?)));
    server.stop()?;
    match launches {
        ..=LAUNCHES_TWICE_MAX => twice(program, folder, launches, rounds, &middles, table),
        _ => Ok(()),
    }
}

/// Asks every question again where each launch is there twice, a minute apart.
fn twice(
    program: &Path,
    folder: &Path,
    launches: usize,
    rounds: usize,
    once: &[(Question, Duration)],
    table: &mut Table,
) -> Result<()> {
    let data = folder.join("kpi-data-twice");
    std::fs::remove_dir_all(folder.join("kpi-data"))?;
    import(program, folder, &data, (launches, 2))?;
    let server = Program::start(program, &data, &[])?;
    wait_until_ready(&server)?;
    let (mut all, mut all_once) = (Duration::ZERO, Duration::ZERO);
    for (Question { id, reads_facts }, once) in once {
        let asked = Asked::at(&server, &path_of(id, RANGE), rounds)?;
        if let Asked::Answered(latency) = &asked
            && *reads_facts
        {
            all += latency.percentile(0.5);
            all_once += *once;
        }
        table.add(
            format!("{id}, twice the events of the same keys"),
            asked.to_string(),
            format!("p50 {} ms once", millis(*once)),
        );
    }
    let more = 100.0 * (all.as_secs_f64() / all_once.as_secs_f64() - 1.0);
    table.add("all that read facts, twice the events", format!("{more:+.0} % of p50"), "budget +10 %");
    server.stop()
}

/// Asks over all years; the middle of the times, unless it is refused.
fn measured(
    server: &Program,
    id: &str,
    rounds: usize,
    peers: &[(&str, f64)],
    table: &mut Table,
) -> Result<Option<Duration>> {
    let path = path_of(id, RANGE);
    let asked = Asked::at(server, &path, rounds)?;
    let Asked::Answered(warm) = &asked else {
        table.add(format!("{id} over eight years"), asked.to_string(), "");
        return Ok(None);
    };
    let middle = warm.percentile(0.5);
    let mut after = Latency::default();
    for number in 0..warm.len().div_ceil(5) {
        post(server, number)?;
        after.add(timed(server, &path)?.1);
    }
    let peers: String = peers
        .iter()
        .map(|(name, seconds)| format!("; {name} {} ms", millis(Duration::from_secs_f64(*seconds))))
        .collect();
    table.add(
        format!("{id} over eight years"),
        asked.to_string(),
        format!("after an event {after}{peers} (budget p99 50)"),
    );
    Ok(Some(middle))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bytes")]
fn rounded(value: f64) -> u64 {
    value as u64
}

/// Writes the days, stretch by stretch, and imports each: so many launches, each so often.
fn import(program: &Path, folder: &Path, data: &Path, (launches, copies): (usize, usize)) -> Result<()> {
    let raw = folder.join("kpi-raw");
    let mut chance = 1_u64;
    let (mut year, mut month, mut day) = FIRST;
    for stretch in (0..DAYS).step_by(STRETCH_DAYS) {
        std::fs::create_dir_all(&raw)?;
        for _ in stretch..(stretch + STRETCH_DAYS).min(DAYS) {
            let date = format!("{year:04}-{month:02}-{day:02}");
            std::fs::write(
                raw.join(format!("events-{date}.jsonl")),
                day_of(&date, (launches / DAYS, copies), &mut chance),
            )?;
            (year, month, day) = next(year, month, day);
        }
        let status = Command::new(program).args(["import", "archive"]).arg(&raw).arg("--data").arg(data).status()?;
        if !status.success() {
            bail!("the import ended with {status}");
        }
        std::fs::remove_dir_all(&raw)?;
    }
    Ok(())
}

fn next(year: i16, month: u8, day: u8) -> (i16, u8, u8) {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    match (month, day) {
        (12, 31) => (year + 1, 1, 1),
        (month, day) if day == days => (year, month + 1, 1),
        (month, day) => (year, month, day + 1),
    }
}

/// The launches of a day, sorted by minute; copies lie a minute apart.
fn day_of(date: &str, (launches, copies): (usize, usize), chance: &mut u64) -> String {
    let mut below = |end: u64| {
        *chance ^= *chance << 13;
        *chance ^= *chance >> 7;
        *chance ^= *chance << 17;
        *chance % end
    };
    let mut lines: Vec<(usize, String)> = Vec::with_capacity(launches * copies);
    for number in 0..launches {
        let minute = number * (1_440 - copies) / launches.max(1);
        let repo = if below(2) == 0 { below(5_000) } else { below(300_000) };
        let (provider, spec) = match below(50) {
            0 => ("Zenodo", format!("10.5281/zenodo.{repo}")),
            1 => ("GitLab", format!("group-{}%2Fproject-{repo}/main", repo % 97)),
            _ => {
                // A third of them write their name so that it is not the key under which they are counted.
                let name = if repo % 3 == 0 { "Organisation" } else { "organisation" };
                ("GitHub", format!("{name}-{}/repository-{repo}/HEAD", repo % 977))
            }
        };
        let origin = ["gke", "ovh", "gesis", "2i2c"].get(usize::try_from(below(4)).unwrap_or(0)).unwrap_or(&"gke");
        let line = |minute: usize| {
            format!(
                r#"{{"timestamp": "{date}T{:02}:{:02}:00+00:00", "schema": "binderhub.jupyter.org/launch", "version": 4, "provider": "{provider}", "spec": "{spec}", "ref": "{:040x}", "status": "success", "origin": "{origin}.mybinder.org"}}"#,
                minute / 60,
                minute % 60,
                repo * 7_919,
            )
        };
        lines.extend((minute..minute + copies).map(|minute| (minute, line(minute))));
    }
    lines.sort_by_key(|(minute, _)| *minute);
    let mut text = String::with_capacity(lines.iter().map(|(_, line)| line.len() + 1).sum());
    for (_, line) in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn wait_until_ready(server: &Program) -> Result<()> {
    let began = Instant::now();
    while metric(server, "hubscope_rollups_ready")? < 1.0 {
        if began.elapsed() > READY_WITHIN {
            bail!("facts are not ready after {} s", READY_WITHIN.as_secs());
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    Ok(())
}

fn metric(server: &Program, name: &str) -> Result<f64> {
    let (page, _) = timed(server, "/metrics")?;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("no metric {name}"))?.trim().parse()?)
}

/// The answer to a GET, and how long it took.
pub(crate) fn timed(server: &Program, path: &str) -> Result<(String, Duration)> {
    let began = Instant::now();
    let answer = exchange(server, &catalogue::request(path))?;
    let took = began.elapsed();
    if !answer.starts_with("HTTP/1.1 200") {
        bail!("{path}: {}", answer.lines().next().unwrap_or_default());
    }
    Ok((answer, took))
}

/// Sends one launch of today's.
fn post(server: &Program, number: usize) -> Result<()> {
    let body = crate::events::launch(number, "2026-11-02", 43_200_000_000);
    let request = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(server, &request)?;
    if !answer.starts_with("HTTP/1.1 200") {
        bail!("an event was not taken: {answer}");
    }
    Ok(())
}

/// The answer to a whole request, after which the connection is closed.
pub(crate) fn exchange(server: &Program, request: &str) -> Result<String> {
    let mut stream = TcpStream::connect(server.address)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn days_follow_each_other_through_leap_years() {
        for (day, expected) in [
            ((2018, 11, 30), (2018, 12, 1)),
            ((2019, 12, 31), (2020, 1, 1)),
            ((2020, 2, 28), (2020, 2, 29)),
            ((2020, 2, 29), (2020, 3, 1)),
            ((2021, 2, 28), (2021, 3, 1)),
            ((2000, 2, 28), (2000, 2, 29)),
        ] {
            assert_eq!(next(day.0, day.1, day.2), expected);
        }
    }

    #[test]
    fn a_day_is_lines_of_events_in_order() {
        let text = day_of("2020-02-29", (50, 2), &mut 7);
        let times: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["timestamp"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(times.len(), 100);
        assert!(times.is_sorted() && times[0] == "2020-02-29T00:00:00+00:00", "{}", times[0]);
    }
}
