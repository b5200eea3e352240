//! `hubscope verify`: the files of the tables, what the log says of them, the journal, and where both meet.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context, Result};
use event::CollectorId;
use journal::{Journal, RealFs};
use serde::Serialize;
use store::{FaultKind, Store, Verified, verify_files};

use crate::folder::Folder;
use crate::operations::{Progress, Reply};
use crate::output::Format;

/// Faults that a person is shown; JSON has them all.
const SHOWN_MAX: usize = 50;

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    sound: bool,
    #[serde(flatten)]
    tables: Verified,
    journal: Option<JournalReport>,
}

/// What the journal holds.
#[derive(Debug, Default, Serialize)]
pub(crate) struct JournalReport {
    collector: String,
    /// The oldest position that it keeps, and the one that the next event gets.
    first: u64,
    next: u64,
    records: u64,
    /// Positions that no intact record holds.
    missing: Vec<(u64, u64)>,
    /// What was damaged when it was opened, as sentences.
    damaged: Vec<String>,
}

/// How far it is, for the one who waits.
pub(crate) fn steps(progress: impl Fn(Progress) + Send + Sync + 'static) -> store::Progress {
    Arc::new(move |step: store::Step| progress(Progress { done: step.done, total: step.total, what: step.file }))
}

/// Looks through the folder, which no other process owns.
pub(crate) async fn offline(folder: &Folder, format: Format, progress: store::Progress) -> Result<Reply> {
    let opened = Store::open(folder.root(), store::Options::default(), &[]).await;
    let mut verified = match &opened {
        Ok(store) => store.verify(Arc::clone(&progress)).await?,
        // What keeps the table from being opened is probably among the files.
        Err(error) => {
            let root = folder.root().canonicalize()?;
            let mut verified = tokio::task::spawn_blocking(move || verify_files(&root, &progress)).await??;
            let told = format!("the table cannot be opened: {:#}", anyhow::anyhow!(error.to_string()));
            verified.add(FaultKind::Unreadable, None, None, told);
            verified
        }
    };
    let (journal, recovery) =
        Journal::open(&folder.journal(), Arc::new(RealFs), journal::Options::default()).context("the journal")?;
    let mut report = look_at(&journal)?;
    report.damaged = recovery.damaged.iter().map(|damaged| format!("{damaged:?}")).collect();
    journal.close();
    if let Ok(store) = &opened {
        meet(store, &report, &mut verified);
    }
    told(verified, Some(report), format)
}

/// Looks through the folder that this process owns.
pub(crate) async fn beside(
    store: &Store,
    journal: &Journal,
    format: Format,
    progress: store::Progress,
) -> Result<Reply> {
    let mut verified = store.verify(progress).await?;
    let report = tokio::task::block_in_place(|| look_at(journal))?;
    meet(store, &report, &mut verified);
    told(verified, Some(report), format)
}

/// Reads every record.
fn look_at(journal: &Journal) -> Result<JournalReport> {
    let status = journal.status();
    let replayed = journal.replay(status.first, &mut |_| Ok::<(), std::convert::Infallible>(()));
    let replayed = replayed.map_err(|error| anyhow::anyhow!("cannot read the journal: {error}"))?;
    Ok(JournalReport {
        collector: CollectorId::of_journal(status.id).to_string(),
        first: status.first,
        next: status.next,
        records: replayed.records,
        missing: replayed.missing.iter().map(|range| (range.start, range.end)).collect(),
        damaged: Vec::new(),
    })
}

/// What the table does not have, the journal must.
fn meet(store: &Store, report: &JournalReport, verified: &mut Verified) {
    let committed = store.committed(&CollectorId::from(report.collector.as_str())).0;
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

fn told(verified: Verified, journal: Option<JournalReport>, format: Format) -> Result<Reply> {
    let sound = verified.is_sound();
    let text = match format {
        Format::Json => {
            let report = Report { sound, tables: verified, journal };
            format!("{}\n", serde_json::to_string(&report)?)
        }
        _ => for_people(&verified, journal.as_ref())?,
    };
    Ok(Reply::Verdict { text, sound })
}

fn for_people(verified: &Verified, journal: Option<&JournalReport>) -> Result<String> {
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
    if let Some(journal) = journal {
        writeln!(text, "journal: {} records, positions {} to {}", journal.records, journal.first, journal.next)?;
        for damaged in &journal.damaged {
            writeln!(text, "journal: {damaged}")?;
        }
    }
    match verified.faults.count {
        0 => writeln!(text, "everything is as it was written")?,
        1 => writeln!(text, "1 fault")?,
        count => writeln!(text, "{count} faults")?,
    }
    Ok(text)
}
