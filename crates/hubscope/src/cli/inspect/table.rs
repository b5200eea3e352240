//! `hubscope inspect table`: on a folder that nobody uses, and beside the process that does.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use store::{Part, Store, Table};

use super::Form;
use crate::control;
use crate::folder::{Folder, FolderError, control_socket};
use crate::operations::{Reply, Request};
use crate::runtime;

/// One of the two tables, as it is called on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TableName {
    /// Events that satisfy their schema
    Events,
    /// Events kept aside
    Quarantine,
}

/// What a table consists of, as the JSON form has it.
#[derive(Debug, Serialize, Deserialize)]
struct TableReport {
    table: TableName,
    folder: PathBuf,
    version: i64,
    rows: u64,
    bytes: u64,
    parts: Vec<PartReport>,
}

/// Bounds are those of the log; none when it has none.
#[derive(Debug, Serialize, Deserialize)]
struct PartReport {
    file: String,
    bytes: u64,
    rows: u64,
    time: Option<(String, String)>,
    received: Option<(String, String)>,
    schema: Option<(String, String)>,
    hub: Option<(String, String)>,
}

/// The report of `table` as JSON.
pub(crate) fn told(store: &Store, table: TableName) -> Result<String> {
    let snapshot = store.snapshot();
    let (kept, side) = match table {
        TableName::Events => (Table::Events, &snapshot.events),
        TableName::Quarantine => (Table::Quarantine, &snapshot.quarantine),
    };
    let report = TableReport {
        table,
        folder: store.table_dir(kept).to_owned(),
        version: side.version,
        rows: side.parts.iter().map(|part| part.rows).sum(),
        bytes: side.parts.iter().map(|part| part.size).sum(),
        parts: side.parts.iter().map(PartReport::of).collect(),
    };
    Ok(serde_json::to_string(&report)?)
}

impl PartReport {
    fn of(part: &Part) -> Self {
        let times = |bounds: Option<(event::EventTime, event::EventTime)>| {
            bounds.map(|(least, greatest)| (least.to_string(), greatest.to_string()))
        };
        let texts = |bounds: &Option<(std::sync::Arc<str>, std::sync::Arc<str>)>| {
            bounds.as_ref().map(|(least, greatest)| (least.to_string(), greatest.to_string()))
        };
        Self {
            file: part.path.to_string(),
            bytes: part.size,
            rows: part.rows,
            time: times(part.time),
            received: times(part.received),
            schema: texts(&part.schema),
            hub: texts(&part.hub),
        }
    }
}

pub(super) fn run(root: &Path, table: TableName, files: bool, form: Form) -> Result<()> {
    let json = runtime::start()?.block_on(report(root, table))?;
    let report: TableReport =
        serde_json::from_str(&json).context("the running hubscope answered in an unknown form")?;
    match (files, form) {
        (true, _) => {
            for part in &report.parts {
                println!("{}", report.folder.join(&part.file).display());
            }
        }
        (false, Form::Json) => println!("{json}"),
        (false, Form::Table) => print!("{}", for_people(&report)?),
    }
    Ok(())
}

async fn report(root: &Path, table: TableName) -> Result<String> {
    let request = Request::InspectTable { table };
    let ask = async || match control::ask(&control_socket(root), &request, &|_| {}).await? {
        Some(Reply::Text(text)) => Ok(Some(text)),
        Some(_) => anyhow::bail!("the running hubscope answered in an unknown form"),
        None => Ok(None),
    };
    if let Some(text) = ask().await? {
        return Ok(text);
    }
    match Folder::open(root) {
        Ok(folder) => {
            let store = Store::open(folder.root(), store::Options::default(), &[]).await?;
            told(&store, table)
        }
        // `serve` may have opened its socket since.
        Err(error @ FolderError::InUse(_)) => ask().await?.ok_or_else(|| error.into()),
        Err(error) => Err(error.into()),
    }
}

fn for_people(report: &TableReport) -> Result<String> {
    let mut text = String::new();
    writeln!(text, "{}, version {}", report.folder.display(), report.version)?;
    writeln!(text, "{} parts, {} rows, {} bytes", report.parts.len(), report.rows, report.bytes)?;
    for part in &report.parts {
        let time = part.time.as_ref().map(|(least, greatest)| format!(", {least} to {greatest}"));
        writeln!(text, "{}: {} rows, {} bytes{}", part.file, part.rows, part.bytes, time.unwrap_or_default())?;
    }
    Ok(text)
}
