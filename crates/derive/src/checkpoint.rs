//! What is known of sessions, on disk: so that a start goes on where the last process ended.
//!
//! A folder holds the rows that nothing but late evidence changes, by month, and in one file all that was known beside
//! them: of each hub its ledger and what polls of it saw, and which snapshot that was. It is a cache: a folder without
//! that file, of another program, of other settings or of another history tells nothing, and everything is made anew.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::{Derived, DerivedDamaged, NewFile};

use crate::hub::{HubSettings, Hubs};
use crate::months::{Months, NotKept, stem};
use crate::state::Followed;

/// Version of the files' form. Another program of the same version tells the same of the same events.
const FORM: u32 = 1;

/// Stem of the file beside those of months.
const STATE: &str = "state";

/// How hard it is compressed; polls of years are most of it.
const ZSTD_LEVEL: i32 = 1;

/// What the folder's manifest says of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    form: u32,
    program: String,
}

impl Of {
    fn present() -> Self {
        Self { form: FORM, program: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// What decides beside the events what is told.
pub(crate) type Settings = BTreeMap<Arc<str>, HubSettings>;

#[derive(Serialize)]
struct Told<'a> {
    settings: &'a Settings,
    history: &'a [String],
    followed: &'a Followed,
    hubs: &'a Hubs,
}

/// What a folder held.
#[derive(Debug, Deserialize)]
pub(crate) struct Checkpoint {
    settings: Settings,
    history: Vec<String>,
    pub(crate) followed: Followed,
    pub(crate) hubs: Hubs,
    #[serde(skip)]
    pub(crate) months: Months,
}

impl Checkpoint {
    /// What `folder` holds, if that was told with these settings and beside this history. Blocks.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub(crate) fn read(
        folder: &Derived,
        settings: &Settings,
        history: &[String],
    ) -> Result<Option<Self>, DerivedDamaged> {
        let Some(manifest) = folder.manifest()? else { return Ok(None) };
        let Some(state) = manifest.files.keys().find(|name| stem(name) == STATE) else { return Ok(None) };
        if Of::deserialize(&manifest.of).ok() != Some(Of::present()) {
            return Ok(None);
        }
        let damaged = |detail: String| DerivedDamaged { path: folder.path(state), detail };
        let json = zstd::decode_all(folder.read(&manifest, state)?.as_slice());
        let json = json.map_err(|error| damaged(error.to_string()))?;
        let mut found: Self = serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))?;
        if found.settings != *settings || found.history != history {
            return Ok(None);
        }
        for name in manifest.files.keys().filter(|name| stem(name) != STATE) {
            found.months.open(folder, &manifest, name)?;
        }
        Ok(Some(found))
    }
}

/// Makes `folder` hold `months` and what is known beside them. Blocks.
pub(crate) fn write(
    folder: &Derived,
    months: &mut Months,
    settings: &Settings,
    history: &[String],
    (followed, hubs): (&Followed, &Hubs),
) -> Result<(), NotKept> {
    let mut state = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
    serde_json::to_writer(io::BufWriter::new(&mut state), &Told { settings, history, followed, hubs })
        .map_err(io::Error::from)?;
    let state = NewFile::Bytes { stem: STATE.to_owned(), extension: "json.zst", bytes: state.finish()? };
    replace(folder, months, [state])
}

/// Makes `folder` hold `months` and nothing else, so that it is of no use until [`write`]. Blocks.
pub(crate) fn write_months(folder: &Derived, months: &mut Months) -> Result<(), NotKept> {
    replace(folder, months, [])
}

fn replace<const N: usize>(folder: &Derived, months: &mut Months, more: [NewFile; N]) -> Result<(), NotKept> {
    let mut files = months.files_wanted()?;
    files.extend(more);
    let of = serde_json::to_value(Of::present()).map_err(io::Error::from)?;
    let replaced = folder.replace(of, files)?;
    Ok(months.written(folder, &replaced.manifest)?)
}
