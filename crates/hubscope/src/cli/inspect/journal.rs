//! `hubscope inspect journal`: on a folder that nobody uses, and beside the process that does.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use journal::{DamagedRange, Inspection, TornTail};
use serde::{Deserialize, Serialize};

use super::Form;
use crate::cli::Unsound;
use crate::control;
use crate::folder::{control_socket, journal_in};
use crate::operations::{Reply, Request};
use crate::runtime;

/// What was found, as the JSON form has it. Ranges are half open.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct JournalReport {
    /// A running process told it, of what was acknowledged at that moment.
    is_running: bool,
    id: Option<String>,
    /// Positions that it holds: from the first to before the next.
    first: u64,
    next: u64,
    records: u64,
    bytes: u64,
    segments: Vec<Segment>,
    damaged: Vec<Damage>,
    torn: Option<Torn>,
    set_aside: Files,
    former: Files,
    superseded: Vec<String>,
    unfinished: Vec<String>,
    foreign: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Segment {
    file: String,
    first: u64,
    next: u64,
    records: u64,
    bytes: u64,
    has_header: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Damage {
    segment: String,
    from_byte: u64,
    to_byte: u64,
    /// Positions that are missing there.
    from_position: u64,
    to_position: u64,
    /// What lay there had been acknowledged.
    acknowledged: bool,
    unreadable_bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Torn {
    segment: String,
    from_byte: u64,
    to_byte: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Files {
    files: u64,
    bytes: u64,
}

impl From<journal::Aside> for Files {
    fn from(aside: journal::Aside) -> Self {
        Self { files: aside.files, bytes: aside.bytes }
    }
}

impl From<&DamagedRange> for Damage {
    fn from(range: &DamagedRange) -> Self {
        Self {
            segment: range.segment.clone(),
            from_byte: range.bytes.start,
            to_byte: range.bytes.end,
            from_position: range.positions.start,
            to_position: range.positions.end,
            acknowledged: range.acknowledged,
            unreadable_bytes: range.unreadable,
        }
    }
}

impl From<&TornTail> for Torn {
    fn from(torn: &TornTail) -> Self {
        Self { segment: torn.segment.clone(), from_byte: torn.bytes.start, to_byte: torn.bytes.end }
    }
}

impl JournalReport {
    pub(crate) fn of(inspection: &Inspection, is_running: bool) -> Self {
        let segments = inspection.segments.iter().map(|segment| Segment {
            file: segment.file.clone(),
            first: segment.first,
            next: segment.next,
            records: segment.records,
            bytes: segment.bytes,
            has_header: segment.has_header,
        });
        Self {
            is_running,
            id: inspection.id.map(|id| format!("{id:032x}")),
            first: inspection.first,
            next: inspection.next,
            records: inspection.records(),
            bytes: inspection.bytes(),
            segments: segments.collect(),
            damaged: inspection.damaged.iter().map(Damage::from).collect(),
            torn: inspection.torn.as_ref().map(Torn::from),
            set_aside: inspection.set_aside.into(),
            former: inspection.former.into(),
            superseded: inspection.superseded.clone(),
            unfinished: inspection.unfinished.clone(),
            foreign: inspection.foreign.clone(),
        }
    }

    fn table(&self) -> String {
        // Writing to a String never fails.
        let mut text = String::new();
        match &self.id {
            None => text.push_str("no journal: nothing was kept here yet\n"),
            Some(id) => _ = writeln!(text, "journal {id}"),
        }
        let _ = writeln!(
            text,
            "positions {} to {}: {} records, {} bytes in {} segments",
            self.first,
            self.next,
            self.records,
            self.bytes,
            self.segments.len()
        );
        for Segment { file, first, next, records, bytes, has_header } in &self.segments {
            let header = if *has_header { "" } else { ", its header is damaged" };
            let _ = writeln!(text, "  {file}  {first} to {next}, {records} records, {bytes} bytes{header}");
        }
        for damage in &self.damaged {
            let _ = writeln!(text, "damaged: {}", damage.told());
        }
        if let Some(torn) = &self.torn {
            let _ = writeln!(text, "torn: {}", torn.told());
        }
        for (Files { files, bytes }, what) in [(&self.set_aside, "damaged"), (&self.former, "former")] {
            if *files > 0 {
                let _ = writeln!(text, "{what}/: {files} files, {bytes} bytes");
            }
        }
        for (names, what) in [
            (&self.superseded, "of a former journal, moved to former/ at the next start"),
            (&self.unfinished, "unfinished, removed at the next start"),
            (&self.foreign, "not the journal's, left alone"),
        ] {
            for name in names {
                let _ = writeln!(text, "{name}: {what}");
            }
        }
        if self.damaged.is_empty() {
            text.push_str("no damage\n");
        }
        text
    }
}

impl Damage {
    fn told(&self) -> String {
        let Self { segment, from_byte, to_byte, from_position, to_position, acknowledged, unreadable_bytes } = self;
        let mut told = format!("bytes {from_byte} to {to_byte} of {segment}");
        if *unreadable_bytes > 0 {
            let _ = write!(told, ", {unreadable_bytes} of which the disk does not give back");
        }
        if from_position < to_position {
            let _ = write!(told, "; positions {from_position} to {to_position} are missing");
        }
        told.push_str(if *acknowledged { "; it had been acknowledged" } else { "; perhaps it was never acknowledged" });
        told
    }
}

impl Torn {
    fn told(&self) -> String {
        let Self { segment, from_byte, to_byte } = self;
        format!(
            "bytes {from_byte} to {to_byte} of {segment} are a write that did not finish; nothing acknowledged lay there"
        )
    }
}

/// A damaged range, as a sentence.
pub(crate) fn damage_told(range: &DamagedRange) -> String {
    Damage::from(range).told()
}

/// A torn end, as a sentence.
pub(crate) fn torn_told(torn: &TornTail) -> String {
    Torn::from(torn).told()
}

/// Prints the report. Nothing is opened for writing: where no process answers, the files are read as they lie.
pub(super) fn run(data: &Path, format: Form) -> Result<()> {
    let report = runtime::start()?.block_on(report(data))?;
    match format {
        Form::Table => print!("{}", report.table()),
        Form::Json => println!("{}", serde_json::to_string(&report)?),
    }
    if report.damaged.is_empty() { Ok(()) } else { Err(Unsound.into()) }
}

async fn report(data: &Path) -> Result<JournalReport> {
    let told = control::ask(&control_socket(data), &Request::InspectJournal, &|_| ()).await?;
    if let Some(Reply::Text(told)) = told {
        return serde_json::from_str(&told).context("the running hubscope answered in an unknown form");
    }
    let folder = journal_in(data);
    let inspection = journal::inspect(&folder).with_context(|| format!("cannot inspect {}", folder.display()))?;
    Ok(JournalReport::of(&inspection, false))
}
