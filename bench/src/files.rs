//! A day's files: imported and published, beside what Python and DuckDB do with them.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::events;
use crate::peers;
use crate::table::{Table, rate};

/// Files of a day, one an hour, as a cloud's log is exported.
const HOURS: usize = 24;
const HOUR_MICROS: usize = 3_600_000_000;

pub(crate) fn measure(
    program: &Path,
    python: Option<&Path>,
    folder: &Path,
    events: usize,
    table: &mut Table,
) -> Result<()> {
    let raw = folder.join("raw");
    write_export(&raw, events)?;
    let data = folder.join("imported");
    let import = timed(Command::new(program).arg("import").arg("cloud-log").arg(&raw).arg("--data").arg(&data))?;
    let publish = timed(
        Command::new(program)
            .args(["archive", "publish", "--to"])
            .arg(folder.join("published"))
            .arg("--data")
            .arg(&data),
    )?;
    let a_second = |took: Duration| events as f64 / took.as_secs_f64();
    let duckdb = python.map(|python| peers::duckdb(python, &raw, folder)).transpose()?;
    let beside =
        duckdb.map(|took| format!("{:.2} × DuckDB's time (budget 2)", import.as_secs_f64() / took.as_secs_f64()));
    table.add(format!("import of {events} events"), rate(a_second(import)), beside.unwrap_or_default());
    let peer = python.map(|python| peers::publisher(python, &raw, folder, events)).transpose()?;
    let beside = peer.map(|peer| format!("{:.0} × the Python publisher (budget 100)", a_second(publish) / peer));
    table.add(format!("a day of {events} events published"), rate(a_second(publish)), beside.unwrap_or_default());
    Ok(())
}

fn write_export(raw: &Path, events: usize) -> Result<()> {
    let day = raw.join("2026/03/05");
    std::fs::create_dir_all(&day)?;
    for hour in 0..HOURS {
        let mut text = String::new();
        let in_hour = events / HOURS + usize::from(hour < events % HOURS);
        for index in 0..in_hour {
            let micros = hour * HOUR_MICROS + index * HOUR_MICROS / in_hour;
            text.push_str("{\"jsonPayload\": ");
            text.push_str(&events::launch(index * HOURS + hour, "2026-03-05", micros));
            text.push_str("}\n");
        }
        std::fs::write(day.join(format!("{hour:02}:00:00_{hour:02}:59:59_S0.json")), text)?;
    }
    Ok(())
}

fn timed(command: &mut Command) -> Result<Duration> {
    let began = Instant::now();
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(began.elapsed())
}
