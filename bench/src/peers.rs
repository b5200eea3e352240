//! What one would use instead, on the same work in the same run.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::table::{Table, rate};

/// Where the scripts lie in the repository.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// Events a second that jupyter_events validates and writes to a file, unsynced.
pub(crate) fn jupyter_events(python: &Path, events: usize, table: &mut Table) -> Result<f64> {
    let said = run(python, "peer_jupyter_events.py", &[events.to_string()])?;
    let a_second = first_number(&said, " events/s").with_context(|| format!("it said {said:?}"))?;
    table.add("peer: jupyter_events, FileHandler, unsynced", format!("{} events", rate(a_second)), "");
    Ok(a_second)
}

/// Time in which DuckDB turns the raw files into Parquet.
pub(crate) fn duckdb(python: &Path, raw: &Path, folder: &Path) -> Result<Duration> {
    let glob = raw.join("*/*/*/*.json").display().to_string();
    let out = folder.join("duckdb.parquet").display().to_string();
    let said: Value = serde_json::from_str(&run(python, "duckdb_import.py", &[glob, out])?)?;
    let seconds = said.get("seconds").and_then(Value::as_f64).context("no seconds")?;
    Ok(Duration::from_secs_f64(seconds))
}

/// How long DuckDB and ClickHouse's chdb take for the questions, by name, in seconds, on one file with the launches of
/// the table in `data`.
pub(crate) fn kpis(python: &Path, data: &Path, folder: &Path) -> Result<Vec<(&'static str, Value)>> {
    let glob = data.join("tables/events/*.parquet").display().to_string();
    let out = folder.join("launches.parquet").display().to_string();
    let duckdb = serde_json::from_str(&run(python, "duckdb_kpis.py", &[glob, out.clone()])?)?;
    let chdb = serde_json::from_str(&run(python, "chdb_kpis.py", &[out])?)?;
    Ok(vec![("DuckDB", duckdb), ("chdb", chdb)])
}

/// Events a second that mybinder's publisher publishes of the raw files.
pub(crate) fn publisher(python: &Path, raw: &Path, folder: &Path, events: usize) -> Result<f64> {
    let paths = [raw.to_owned(), folder.join("peer")].map(|path| path.display().to_string());
    let said = run(python, "peer_publisher.py", &paths)?;
    if !said.starts_with(&format!("{events} events ")) {
        bail!("it said {said:?}");
    }
    first_number(said.rsplit(": ").next().unwrap_or_default(), " events/s").context("no rate")
}

fn first_number(text: &str, before: &str) -> Option<f64> {
    text.split(before).next()?.trim().parse().ok()
}

fn run(python: &Path, script: &str, arguments: &[String]) -> Result<String> {
    let output = Command::new(python)
        .arg(Path::new(SCRIPTS).join(script))
        .args(arguments)
        .output()
        .with_context(|| format!("cannot start {}", python.display()))?;
    if !output.status.success() {
        bail!("{script} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
