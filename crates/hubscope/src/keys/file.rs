//! The keys of one hour as a file: `2026-11-21T10.json`, written by rename.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use event::{CollectorId, Day, EventTime, Position, Reason, Repairs};
use ingest::{Outcome, Outcomes};
use schema::Registry;
use serde::{Deserialize, Serialize};
use store::DurableFs;

use super::{Name, Remembered};
use crate::hex::{hex, unhex};

/// Version of the file's form.
const VERSION: u32 = 1;

const HOUR_MICROS: i64 = 3_600_000_000;

/// An hour, counted from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hour(i64);

impl Hour {
    pub(super) fn of(time: EventTime) -> Self {
        Self(time.micros().div_euclid(HOUR_MICROS))
    }

    /// Its first moment and that of the next.
    pub(super) fn bounds(self) -> (EventTime, EventTime) {
        let at = |hour: i64| EventTime::from_micros(hour.saturating_mul(HOUR_MICROS));
        (at(self.0), at(self.0 + 1))
    }

    fn file(self, folder: &Path) -> PathBuf {
        let (from, _) = self.bounds();
        folder.join(format!("{}T{:02}.json", from.day(), self.0.rem_euclid(24)))
    }

    fn named(name: &str) -> Option<Self> {
        let (day, hour) = name.strip_suffix(".json")?.split_once('T')?;
        let (day, hour): (Day, i64) = (day.parse().ok()?, hour.parse().ok()?);
        (0..24).contains(&hour).then(|| Self(day.start().micros().div_euclid(HOUR_MICROS) + hour))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    keys: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    hub: String,
    key: String,
    sha256: String,
    received: i64,
    collector: String,
    first: u64,
    outcomes: Vec<Run>,
}

/// `revision` if admitted, `reason` and `detail` if kept aside.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    repairs: u32,
}

/// The hours of which there are files, oldest first. Other files are none of ours.
pub(super) fn hours(folder: &Path) -> Result<Vec<Hour>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    let mut hours = Vec::new();
    for entry in entries {
        hours.extend(entry?.file_name().to_str().and_then(Hour::named));
    }
    hours.sort_unstable();
    Ok(hours)
}

pub(super) fn read(folder: &Path, hour: Hour, registry: &Registry) -> Result<Vec<(Name, Remembered)>> {
    let path = hour.file(folder);
    let understand = || -> Result<Vec<(Name, Remembered)>> {
        let document: Document = serde_json::from_slice(&std::fs::read(&path)?)?;
        if document.version != VERSION {
            bail!("the file has version {}; this program reads {VERSION}", document.version);
        }
        document.keys.into_iter().map(|key| understood(key, registry)).collect()
    };
    understand().with_context(|| format!("in {}", path.display()))
}

fn understood(key: Key, registry: &Registry) -> Result<(Name, Remembered)> {
    let runs = key.outcomes.into_iter().map(|run| Ok((run.count, outcome(run, registry)?))).collect::<Result<_>>()?;
    let remembered = Remembered {
        digest: unhex(&key.sha256).context("sha256 is not 64 hexadecimal digits")?,
        received: EventTime::from_micros(key.received),
        collector: CollectorId::from(key.collector.as_str()),
        first: Position(key.first),
        outcomes: Outcomes::from_runs(runs),
    };
    Ok(((key.hub.into(), key.key.into()), remembered))
}

fn outcome(run: Run, registry: &Registry) -> Result<Outcome> {
    let repairs = Repairs::from_bits(run.repairs);
    match (run.revision, run.reason) {
        (Some(hash), None) => {
            let entry = registry.revision(&hash).with_context(|| format!("revision {hash} is not registered"))?;
            Ok(Outcome::Admitted { revision: Arc::clone(&entry.revision), repairs })
        }
        (None, Some(number)) => {
            let reason = Reason::from_number(number).with_context(|| format!("there is no reason {number}"))?;
            Ok(Outcome::Quarantined { reason, detail: run.detail.unwrap_or_default().into(), repairs })
        }
        _ => bail!("an outcome has a revision or a reason"),
    }
}

pub(super) fn write(disk: &DurableFs, folder: &Path, hour: Hour, keys: &[(Name, Arc<Remembered>)]) -> Result<()> {
    let keys = keys.iter().map(|(name, kept)| written(name, kept)).collect();
    let path = hour.file(folder);
    disk.create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let document = serde_json::to_vec(&Document { version: VERSION, keys })?;
    disk.write(&path, &document).with_context(|| format!("cannot write {}", path.display()))
}

fn written((hub, key): &Name, kept: &Remembered) -> Key {
    let run = |(count, outcome): &(u32, Outcome)| match outcome {
        Outcome::Admitted { revision, repairs } => Run {
            count: *count,
            revision: Some(revision.hash.to_string()),
            reason: None,
            detail: None,
            repairs: repairs.bits(),
        },
        Outcome::Quarantined { reason, detail, repairs } => Run {
            count: *count,
            revision: None,
            reason: Some(*reason as u8),
            detail: Some(detail.to_string()),
            repairs: repairs.bits(),
        },
    };
    Key {
        hub: hub.to_string(),
        key: key.to_string(),
        sha256: hex(&kept.digest),
        received: kept.received.micros(),
        collector: kept.collector.to_string(),
        first: kept.first.0,
        outcomes: kept.outcomes.runs().iter().map(run).collect(),
    }
}

/// Removes the file of `hour`, if there is one.
pub(super) fn remove(disk: &DurableFs, folder: &Path, hour: Hour) -> Result<()> {
    let path = hour.file(folder);
    if !path.exists() {
        return Ok(());
    }
    disk.remove(&path).with_context(|| format!("cannot remove {}", path.display()))
}
