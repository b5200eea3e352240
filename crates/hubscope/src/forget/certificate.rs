//! What was done to forget somebody: `DATA/state/certificate/<id>.json`, in which the person has no name.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use event::EventTime;
use serde::{Deserialize, Serialize};
use store::durable_write;

use super::Kept;
use crate::folder::certificates_in;

/// Version of the file's form.
const VERSION: u32 = 1;

/// What was done, and what was not.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Certificate {
    version: u32,
    pub(crate) id: String,
    /// Keyed hash of hub and name: who has the key and a name can check that it is theirs.
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hub: Option<String>,
    asked: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished: Option<String>,
    /// Rows of both tables.
    pub(crate) rows_removed: u64,
    pub(crate) parts_rewritten: u64,
    /// Files derived from the tables that are gone: others, without the person, took their place.
    #[serde(default)]
    pub(crate) derived_removed: Vec<String>,
    /// Answers kept for retries that quoted the person.
    pub(crate) answers_forgotten: u64,
    /// Files of damaged or former bytes of the journal.
    pub(crate) set_aside_removed: Vec<String>,
    /// Parts, commits and checkpoints of earlier versions.
    pub(crate) files_removed: u64,
    /// Parts that somebody was still reading; they go with the next compaction.
    pub(crate) files_held: Vec<String>,
    /// Rows that are left, each decoded and compared: none is theirs.
    pub(crate) rows_looked_through: u64,
    /// What may hold more of them and is not ours to change.
    not_touched: Vec<String>,
}

impl Certificate {
    pub(super) fn begin(request: &Kept, archive: &Path) -> Self {
        Self {
            version: VERSION,
            id: request.id.clone(),
            subject: request.subject.clone(),
            hub: request.hub.clone(),
            asked: request.asked.clone(),
            finished: None,
            rows_removed: 0,
            parts_rewritten: 0,
            derived_removed: Vec::new(),
            answers_forgotten: 0,
            set_aside_removed: Vec::new(),
            files_removed: 0,
            files_held: Vec::new(),
            rows_looked_through: 0,
            not_touched: vec![
                format!("the published archive in {}", archive.display()),
                "backups and other copies of the folder of data".to_owned(),
                "what was exported or sent to other programs".to_owned(),
                "the logs of hubs and of other programs".to_owned(),
            ],
        }
    }

    /// The certificate of the request `id`, which was carried out.
    pub(super) fn read(root: &Path, id: &str) -> Result<Self> {
        let path = file(root, id);
        let told = || format!("cannot read the certificate {}", path.display());
        serde_json::from_slice(&std::fs::read(&path).with_context(told)?).with_context(told)
    }

    /// Everything was done: it is kept, durably.
    pub(super) fn end(&mut self, root: &Path, now: EventTime) -> Result<()> {
        self.finished = Some(now.to_string());
        let folder = certificates_in(root);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = file(root, &self.id);
        durable_write(&path, &serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// For people.
    pub(crate) fn told(&self) -> Result<String> {
        let mut text = String::new();
        writeln!(text, "forgotten; certificate {}", self.id)?;
        writeln!(text, "{} rows removed, {} parts written anew", self.rows_removed, self.parts_rewritten)?;
        writeln!(text, "{} files of earlier versions removed", self.files_removed)?;
        for (count, what) in [
            (self.derived_removed.len() as u64, "derived files replaced"),
            (self.answers_forgotten, "answers to retries forgotten"),
            (self.set_aside_removed.len() as u64, "files removed that the journal had set aside"),
            (self.files_held.len() as u64, "files still being read; they go with the next compaction"),
        ] {
            if count > 0 {
                writeln!(text, "{count} {what}")?;
            }
        }
        writeln!(text, "{} rows are left, and none is theirs", self.rows_looked_through)?;
        writeln!(text, "not touched:")?;
        for what in &self.not_touched {
            writeln!(text, "  {what}")?;
        }
        Ok(text)
    }
}

fn file(root: &Path, id: &str) -> PathBuf {
    certificates_in(root).join(format!("{id}.json"))
}
