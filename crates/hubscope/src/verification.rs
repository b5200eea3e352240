//! `hubscope verify`: the files of the tables, what the log says of them, the journal, and where both meet.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context, Result};
use event::CollectorId;
use journal::{Inspection, Journal};
use serde::Serialize;
use store::{FaultKind, Store, Verified, verify_files};

use crate::cli::{damage_told, torn_told};
use crate::folder::Folder;
use crate::operations::{Progress, Reply};
use crate::output::Format;

/// Faults that a person is shown; JSON has them all.
const SHOWN_MAX: usize = 50;

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report<'a> {
    sound: bool,
    #[serde(flatten)]
    tables: &'a Verified,
    journal: &'a JournalReport,
}

/// What the journal holds.
#[derive(Debug, Default, Serialize)]
pub(crate) struct JournalReport {
    /// `None` as long as there is none.
    collector: Option<String>,
    /// The oldest position that it keeps, and the one that the next event gets.
    first: u64,
    next: u64,
    records: u64,
    /// Positions that no intact record holds.
    missing: Vec<(u64, u64)>,
    /// What is damaged, as sentences.
    damaged: Vec<String>,
    /// The write at its end that did not finish, as a sentence; no fault, for nobody was told that it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    torn: Option<String>,
}

impl JournalReport {
    fn of(inspection: &Inspection) -> Self {
        let missing = inspection.damaged.iter().map(|range| (range.positions.start, range.positions.end));
        Self {
            collector: inspection.id.map(|id| CollectorId::of_journal(id).to_string()),
            first: inspection.first,
            next: inspection.next,
            records: inspection.records(),
            missing: missing.filter(|(start, end)| start < end).collect(),
            damaged: inspection.damaged.iter().map(damage_told).collect(),
            torn: inspection.torn.as_ref().map(torn_told),
        }
    }
}

/// How far it is, for the one who waits.
pub(crate) fn steps(progress: impl Fn(Progress) + Send + Sync + 'static) -> store::Progress {
    Arc::new(move |step: store::Step| progress(Progress { done: step.done, total: step.total, what: step.file }))
}

/// Looks through the folder, which no other process owns, and changes nothing in it; but a file of the tables that has
/// no sum gets one.
pub(crate) async fn offline(folder: &Folder, format: Format, progress: store::Progress) -> Result<Reply> {
    let root = folder.root().canonicalize()?;
    let opened = Store::open_to_look(&root).await;
    let mut verified = match &opened {
        Ok(Some(store)) => store.verify(Arc::clone(&progress)).await?,
        // What keeps the table from being opened is probably among the files.
        Ok(None) | Err(_) => tokio::task::spawn_blocking(move || verify_files(&root, &progress)).await??,
    };
    if let Err(error) = &opened {
        let told = format!("the table cannot be opened: {}", chain(error));
        verified.add(FaultKind::Unreadable, None, None, told);
    }
    store::verify_derived(folder.root(), &mut verified)?;
    let inspection = tokio::task::block_in_place(|| journal::inspect(&folder.journal())).context("the journal")?;
    let report = JournalReport::of(&inspection);
    if let Ok(Some(store)) = &opened {
        meet(store, &report, &mut verified);
    }
    told(&verified, &report, format)
}

/// An error with what lies behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Looks through the folder that this process owns.
pub(crate) async fn beside(
    store: &Store,
    journal: &Journal,
    format: Format,
    progress: store::Progress,
) -> Result<Reply> {
    let mut verified = store.verify(progress).await?;
    let root = store.root().to_owned();
    tokio::task::block_in_place(|| store::verify_derived(&root, &mut verified))?;
    let inspection = tokio::task::block_in_place(|| journal.inspect()).context("the journal")?;
    let report = JournalReport::of(&inspection);
    meet(store, &report, &mut verified);
    told(&verified, &report, format)
}

/// What the table does not have, the journal must.
fn meet(store: &Store, report: &JournalReport, verified: &mut Verified) {
    let Some(collector) = &report.collector else { return };
    let committed = store.committed(&CollectorId::from(collector.as_str())).0;
    if report.first > committed {
        let detail = format!(
            "the table ends before position {committed}, the journal begins at {}: what lay between is nowhere",
            report.first
        );
        verified.add(FaultKind::Gap, None, None, detail);
    }
    for (start, end) in &report.missing {
        let start = (*start).max(committed);
        if start < *end {
            let detail =
                format!("positions {start} to {end} of the journal are damaged, and the table does not have them");
            verified.add(FaultKind::Damaged, Some("journal".into()), None, detail);
        }
    }
}

fn told(verified: &Verified, journal: &JournalReport, format: Format) -> Result<Reply> {
    let sound = verified.is_sound();
    let text = match format {
        Format::Json => {
            let report = Report { sound, tables: verified, journal };
            format!("{}\n", serde_json::to_string(&report)?)
        }
        _ => for_people(verified, journal)?,
    };
    Ok(Reply::Verdict { text, sound })
}

fn for_people(verified: &Verified, journal: &JournalReport) -> Result<String> {
    let mut text = String::new();
    for fault in verified.faults.first.iter().take(SHOWN_MAX) {
        match &fault.file {
            Some(file) => writeln!(text, "{file}: {}", fault.detail)?,
            None => writeln!(text, "{}", fault.detail)?,
        }
    }
    let shown = verified.faults.first.len().min(SHOWN_MAX) as u64;
    if verified.faults.count > shown {
        writeln!(text, "and {} more; --format json lists up to a thousand", verified.faults.count - shown)?;
    }
    writeln!(text, "{} files with {} bytes read", verified.files, verified.bytes)?;
    if verified.adopted.count > 0 {
        writeln!(text, "{} of them had no checksum; they could be decoded, and have one now", verified.adopted.count)?;
    }
    if verified.orphans.count > 0 {
        writeln!(text, "{} files belong to no version and go with the next compaction", verified.orphans.count)?;
    }
    for (collector, check) in &verified.journals {
        writeln!(
            text,
            "collector {collector}: {} rows through position {}, {} removed by retention or erasure",
            check.rows, check.through.0, check.removed
        )?;
    }
    writeln!(text, "journal: {} records, positions {} to {}", journal.records, journal.first, journal.next)?;
    for told in journal.damaged.iter().chain(&journal.torn) {
        writeln!(text, "journal: {told}")?;
    }
    match verified.faults.count {
        0 => writeln!(text, "everything is as it was written")?,
        1 => writeln!(text, "1 fault")?,
        count => writeln!(text, "{count} faults")?,
    }
    Ok(text)
}
