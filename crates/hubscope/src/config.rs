//! The configuration: defaults, then the file, then `HUBSCOPE_*`, then flags.
//!
//! | key | default | means |
//! |---|---|---|
//! | `listen` | `127.0.0.1:8080` | address of the HTTP door |
//! | `log` | `info` | which diagnostics are written |
//! | `journal.segment_size` | `64 MiB` | a segment is closed at this size |
//! | `journal.queue_size` | `64 MiB` | requests waiting for their fsync; beyond it the answer is 503 |
//! | `store.flush_size` | `64 MiB` | the tail goes to the table at this size |
//! | `store.flush_interval` | `15 min` | … or when its oldest event is this old |
//! | `store.commit_interval` | `5 s` | commits are at least this far apart |
//! | `store.tail_size` | `256 MiB` | a tail that cannot be written refuses more at this size |
//! | `store.compact_parts` | `8` | this many small parts are made one |
//! | `archive.enabled` | `true` | whether `serve` publishes |
//! | `archive.directory` | `DATA/archive` | where |
//! | `archive.interval` | `15 min` | how often |
//! | `query.memory` | `512 MiB` | for all queries together |
//! | `query.timeout` | `30 s` | for one query |

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Deserializer};
use toml::{Table, Value};

/// Environment variables begin so; two underscores stand for the dot: `HUBSCOPE_STORE__FLUSH_INTERVAL`.
const ENVIRONMENT_PREFIX: &str = "HUBSCOPE_";

/// Variables that begin like settings and are none: the folder is a flag, the other is for tests of crashes.
const NOT_SETTINGS: [&str; 2] = ["HUBSCOPE_DATA", "HUBSCOPE_KILL_AT"];

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) log: String,
    pub(crate) journal: JournalConfig,
    pub(crate) store: StoreConfig,
    pub(crate) archive: ArchiveConfig,
    pub(crate) query: QueryConfig,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct JournalConfig {
    pub(crate) segment_size: ByteSize,
    pub(crate) queue_size: ByteSize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreConfig {
    pub(crate) flush_size: ByteSize,
    #[serde(deserialize_with = "duration")]
    pub(crate) flush_interval: Duration,
    #[serde(deserialize_with = "duration")]
    pub(crate) commit_interval: Duration,
    pub(crate) tail_size: ByteSize,
    #[serde(deserialize_with = "count")]
    pub(crate) compact_parts: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ArchiveConfig {
    #[serde(deserialize_with = "switch")]
    pub(crate) enabled: bool,
    pub(crate) directory: Option<PathBuf>,
    #[serde(deserialize_with = "duration")]
    pub(crate) interval: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct QueryConfig {
    pub(crate) memory: ByteSize,
    #[serde(deserialize_with = "duration")]
    pub(crate) timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            log: "info".into(),
            journal: JournalConfig::default(),
            store: StoreConfig::default(),
            archive: ArchiveConfig::default(),
            query: QueryConfig::default(),
        }
    }
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self { segment_size: ByteSize::mebi(64), queue_size: ByteSize::mebi(64) }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            flush_size: ByteSize::mebi(64),
            flush_interval: Duration::from_secs(15 * 60),
            commit_interval: Duration::from_secs(5),
            tail_size: ByteSize::mebi(256),
            compact_parts: 8,
        }
    }
}

impl Default for ArchiveConfig {
    fn default() -> Self {
        Self { enabled: true, directory: None, interval: Duration::from_secs(15 * 60) }
    }
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self { memory: ByteSize::mebi(512), timeout: Duration::from_secs(30) }
    }
}

impl Config {
    /// Reads the file, if one is given, and lays the environment over it.
    pub(crate) fn read(file: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<Self> {
        let mut settings = match file {
            Some(path) => read_file(path)?,
            None => Table::new(),
        };
        overlay(&mut settings, environment)?;
        Value::Table(settings).try_into().map_err(|error| anyhow!("the configuration is not valid: {error}"))
    }
}

fn read_file(path: &Path) -> Result<Table> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    // Checked alone first, so that a fault is told with its line.
    toml::from_str::<Config>(&text).with_context(|| format!("in {}", path.display()))?;
    text.parse::<Table>().with_context(|| format!("in {}", path.display()))
}

fn overlay(settings: &mut Table, environment: &BTreeMap<String, String>) -> Result<()> {
    for (name, value) in environment {
        let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
        if NOT_SETTINGS.contains(&name.as_str()) {
            continue;
        }
        let key = key.to_ascii_lowercase();
        let (section, leaf) = match key.split_once("__") {
            Some((section, leaf)) => (Some(section), leaf),
            None => (None, key.as_str()),
        };
        let table = match section {
            None => &mut *settings,
            Some(section) => match settings.entry(section).or_insert_with(|| Value::Table(Table::new())) {
                Value::Table(table) => table,
                _ => bail!("{name}: '{section}' is not a section"),
            },
        };
        table.insert(leaf.to_owned(), Value::String(value.clone()));
    }
    Ok(())
}

/// A size in bytes, written with its unit: `64 MiB`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteSize(u64);

impl ByteSize {
    const fn mebi(n: u64) -> Self {
        Self(n << 20)
    }

    /// The number of bytes.
    pub(crate) const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes as a size in memory.
    pub(crate) fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Debug for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = text[digits.len()..].trim();
        let shift = match unit {
            "" | "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => return Err(format!("'{text}' is not a size; write for example '64 MiB' (B, KiB, MiB, GiB)")),
        };
        let count: u64 =
            digits.trim().parse().map_err(|_| format!("'{text}' is not a size; write for example '64 MiB'"))?;
        count.checked_mul(1 << shift).map(Self).ok_or_else(|| format!("'{text}' is more bytes than there are"))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A duration, written with its unit: `5 s`, `15 min`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bad = || serde::de::Error::custom(format!("'{text}' is not a duration; write for example '5 s' or '15 min'"));
    let span: jiff::SignedDuration = text.parse().map_err(|_| bad())?;
    Duration::try_from(span).map_err(|_| bad())
}

/// What a file writes as itself, an environment variable writes as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Spelled<T> {
    Itself(T),
    Text(String),
}

fn spelled<'de, D: Deserializer<'de>, T: Deserialize<'de> + FromStr>(
    deserializer: D,
    what: &str,
) -> Result<T, D::Error> {
    match Spelled::<T>::deserialize(deserializer)? {
        Spelled::Itself(value) => Ok(value),
        Spelled::Text(text) => text.parse().map_err(|_| serde::de::Error::custom(format!("'{text}' is not {what}"))),
    }
}

fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    spelled(deserializer, "true or false")
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    spelled(deserializer, "a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_environment_lies_over_the_file_and_the_file_over_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hubscope.toml");
        std::fs::write(&file, "listen = '[::1]:9'\n[store]\nflush_interval = '60 s'\nflush_size = '1 MiB'\n").unwrap();
        let set = environment(&[
            ("HUBSCOPE_STORE__FLUSH_INTERVAL", "2 s"),
            ("HUBSCOPE_ARCHIVE__ENABLED", "false"),
            ("PATH", "/"),
        ]);
        let config = Config::read(Some(&file), &set).unwrap();
        assert_eq!(config.listen.to_string(), "[::1]:9");
        assert_eq!(config.store.flush_interval, Duration::from_secs(2));
        assert_eq!(config.store.flush_size.bytes(), 1 << 20);
        assert_eq!(config.store.commit_interval, Duration::from_secs(5));
        assert!(!config.archive.enabled);
    }

    #[test]
    fn faults_say_what_is_wrong_and_what_would_be_right() {
        for (name, value, told) in [
            ("HUBSCOPE_STORE__FLUSH_INTERVAL", "soon", "'soon' is not a duration; write for example '5 s'"),
            ("HUBSCOPE_JOURNAL__SEGMENT_SIZE", "64 MB", "'64 MB' is not a size; write for example '64 MiB'"),
            ("HUBSCOPE_STORE__FLUSH_INTERWAL", "5 s", "unknown field `flush_interwal`, expected one of `flush_size`"),
            ("HUBSCOPE_ARCHIVE__ENABLED", "maybe", "'maybe' is not true or false"),
        ] {
            let error = Config::read(None, &environment(&[(name, value)])).unwrap_err();
            let text = format!("{error:#}");
            assert!(text.contains(told), "{name}: {text}");
        }
    }

    #[test]
    fn a_fault_in_the_file_names_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hubscope.toml");
        std::fs::write(&file, "[store]\nflush_sice = '1 MiB'\n").unwrap();
        let text = format!("{:#}", Config::read(Some(&file), &BTreeMap::new()).unwrap_err());
        assert!(text.contains("line 2") && text.contains("flush_sice"), "{text}");
    }
}
