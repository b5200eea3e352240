//! The publication's own books: `DATA/state/publication/<target>.json`, which tell what was given away, when and from
//! which snapshot. Nothing is decided by them; whoever asks what the public has can read it here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use event::{Day, EventTime};
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::{Store, Table};

use crate::folder::put_synced;
use crate::memory::Known;
use crate::{PublishError, Published};

/// A day as it was published.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DayState {
    #[serde(serialize_with = "as_text")]
    pub(crate) day: Day,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    #[serde(serialize_with = "as_hexadecimal")]
    pub(crate) sha256: [u8; 32],
    pub(crate) fields_withheld: u64,
    pub(crate) events_withheld: u64,
}

#[derive(Serialize)]
struct State<'a> {
    to: &'a Path,
    published: String,
    data_version: &'a str,
    events: u64,
    days: Vec<&'a DayState>,
}

/// Writes down what was published to `to` at `when`.
pub(crate) fn record(
    store: &Store,
    to: &Path,
    when: EventTime,
    published: &Published,
    days: &BTreeMap<Day, Known>,
) -> Result<(), PublishError> {
    let to = to.canonicalize().map_err(PublishError::io("find", to))?;
    let state = State {
        to: &to,
        published: when.to_string(),
        data_version: &published.data_version,
        events: published.events,
        days: days.values().map(|known| &known.state).collect(),
    };
    let mut text = serde_json::to_vec_pretty(&state).map_err(|error| {
        let path = folder(store);
        PublishError::Io { doing: "write the books in", path, source: error.into() }
    })?;
    text.push(b'\n');
    put_synced(&folder(store), &format!("{}.json", name(&to)), &text)
}

/// `DATA/state/publication`; the tables lie in `DATA/tables/<table>`.
fn folder(store: &Store) -> PathBuf {
    let tables = store.table_dir(Table::Events).parent().unwrap_or(Path::new("."));
    tables.parent().unwrap_or(tables).join("state").join("publication")
}

/// Tells targets apart: the last part of the path, and a hash of all of it.
fn name(to: &Path) -> String {
    let hash = hexadecimal(&Sha256::digest(to.as_os_str().as_encoded_bytes()));
    let last = to.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let plain: String = last.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(40).collect();
    format!("{plain}-{}", hash.get(..16).unwrap_or(&hash))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn as_text<S: serde::Serializer>(day: &Day, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(day)
}

fn as_hexadecimal<S: serde::Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hexadecimal(bytes))
}
