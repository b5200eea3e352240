//! Who was forgotten, as it is kept: `DATA/state/erasure/<id>.json`, each with a keyed hash in the place of a name, and
//! the key beside them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use erasure::{Erasure, Erasures, Key, Subject};
use event::EventTime;
use serde::{Deserialize, Serialize};
use store::durable_write;

use crate::folder::{erasures_in, files_in};
use crate::hex::{hex, unhex};

/// Version of the files' form.
const VERSION: u32 = 1;
/// Name of the key's file.
const KEY_FILE: &str = "key";
/// Requests to forget somebody, at most: each is looked at when the folder is opened.
pub(crate) const ERASURES_MAX: usize = 100_000;

/// A request to forget somebody.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    version: u32,
    pub(crate) id: String,
    /// Keyed hash of hub and name, hexadecimal.
    pub(crate) subject: String,
    /// The one hub that it is about; every hub without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hub: Option<String>,
    pub(crate) asked: String,
    /// Whether every step has been taken; if not, the next start takes them.
    pub(crate) finished: bool,
}

impl Kept {
    pub(crate) fn new(id: String, subject: Subject, hub: Option<&str>, asked: EventTime) -> Self {
        let subject = hex(&subject.0);
        Self { version: VERSION, id, subject, hub: hub.map(str::to_owned), asked: asked.to_string(), finished: false }
    }

    pub(crate) fn erasure(&self) -> Result<Erasure> {
        if self.version != VERSION {
            bail!("it has version {}; this program knows {VERSION}", self.version);
        }
        let subject = unhex(&self.subject).context("'subject' is not 64 hexadecimal digits")?;
        let asked: jiff::Timestamp = self.asked.parse().context("'asked' is no time")?;
        Ok(Erasure { subject: Subject(subject), asked: EventTime::from_micros(asked.as_microsecond()) })
    }

    /// The same, with every step taken.
    pub(crate) fn finished(self) -> Self {
        Self { finished: true, ..self }
    }

    /// Keeps it in the folder of data `root`, durably.
    pub(crate) fn write(&self, root: &Path) -> Result<()> {
        let path = file(root, &self.id);
        durable_write(&path, &serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Everybody who was forgotten, to be obeyed; `None` as long as there is nobody.
pub(crate) fn read(root: &Path) -> Result<Option<Erasures>> {
    let requests = all(root)?;
    if requests.is_empty() {
        return Ok(None);
    }
    let mut erasures = Erasures::new(key(root)?);
    for request in &requests {
        erasures.add(request.erasure().with_context(|| format!("in {}", file(root, &request.id).display()))?);
    }
    Ok(Some(erasures))
}

/// Every request that was ever kept in the folder of data `root`, in the order of their ids.
pub(crate) fn all(root: &Path) -> Result<Vec<Kept>> {
    let paths = files_in(&erasures_in(root), "json")?;
    if paths.len() > ERASURES_MAX {
        bail!("{} holds more than {ERASURES_MAX} requests", erasures_in(root).display());
    }
    let read = |path: &PathBuf| -> Result<Kept> {
        let told = || format!("in {}", path.display());
        let kept: Kept = serde_json::from_slice(&std::fs::read(path).with_context(told)?).with_context(told)?;
        // Its other files are named after it.
        if path.file_stem().is_none_or(|stem| *stem != *kept.id) {
            return Err(anyhow!("its id is '{}', which is not its name", kept.id)).with_context(told);
        }
        Ok(kept)
    };
    paths.iter().map(read).collect()
}

/// The request `id`, which is one of ours.
pub(crate) fn one(root: &Path, id: &str) -> Result<Kept> {
    let path = file(root, id);
    let told = || format!("in {}", path.display());
    serde_json::from_slice(&std::fs::read(&path).with_context(told)?).with_context(told)
}

/// Whether one more request may be kept.
pub(crate) fn has_room(root: &Path) -> Result<bool> {
    Ok(files_in(&erasures_in(root), "json")?.len() < ERASURES_MAX)
}

fn file(root: &Path, id: &str) -> PathBuf {
    erasures_in(root).join(format!("{id}.json"))
}

/// The key, made at first use.
pub(crate) fn key(root: &Path) -> Result<Key> {
    let path = key_file(root);
    let told = || format!("the key of erasures in {}", path.display());
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Key::new(unhex(text.trim()).context("it is not 64 hexadecimal digits").with_context(told)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Without the key nobody could be known again, so a lost one must not be replaced in silence.
            if !files_in(&erasures_in(root), "json")?.is_empty() {
                bail!(
                    "{} is missing: what it says who was forgotten cannot be obeyed; restore it from a backup",
                    path.display()
                );
            }
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
            std::fs::create_dir_all(erasures_in(root)).with_context(told)?;
            durable_write(&path, hex(&bytes).as_bytes()).with_context(told)?;
            Ok(Key::new(bytes))
        }
        Err(error) => Err(error).with_context(told),
    }
}

fn key_file(root: &Path) -> PathBuf {
    erasures_in(root).join(KEY_FILE)
}
