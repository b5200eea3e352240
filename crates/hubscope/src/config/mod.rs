//! The configuration: defaults, then the file, then `HUBSCOPE_*`, then flags. [`settings`] lists what there is.

mod settings;
mod value;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use event::EventTime;
use insight::session::{Aliases, Culler, Micros, Rename};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use settings::{Layers, Shown};
use value::{ByteSize, Keep, Secret, Span, Url, count, instant, switch, zone};

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) log: String,
    pub(crate) http: HttpConfig,
    pub(crate) journal: JournalConfig,
    pub(crate) store: StoreConfig,
    pub(crate) idempotency: IdempotencyConfig,
    pub(crate) archive: ArchiveConfig,
    pub(crate) query: QueryConfig,
    pub(crate) retention: RetentionConfig,
    #[serde(deserialize_with = "hubs")]
    pub(crate) hub: Vec<HubConfig>,
    #[serde(deserialize_with = "schemas")]
    pub(crate) schema: Vec<SchemaConfig>,
    pub(crate) rename: Vec<RenameConfig>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpConfig {
    #[serde(deserialize_with = "count")]
    pub(crate) connections_max: usize,
    pub(crate) body_size_max: ByteSize,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct JournalConfig {
    pub(crate) segment_size: ByteSize,
    pub(crate) queue_size: ByteSize,
    pub(crate) quota: ByteSize,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreConfig {
    pub(crate) flush_size: ByteSize,
    pub(crate) flush_interval: Span,
    pub(crate) commit_interval: Span,
    pub(crate) tail_size: ByteSize,
    pub(crate) reserve: ByteSize,
    #[serde(deserialize_with = "count")]
    pub(crate) compact_parts: usize,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct IdempotencyConfig {
    pub(crate) keep: Span,
    #[serde(deserialize_with = "count")]
    pub(crate) keys_max: usize,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ArchiveConfig {
    #[serde(deserialize_with = "switch")]
    pub(crate) enabled: bool,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) interval: Span,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct QueryConfig {
    pub(crate) memory: ByteSize,
    pub(crate) timeout: Span,
    pub(crate) questions: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RetentionConfig {
    pub(crate) events: Keep,
    pub(crate) derived: Keep,
    pub(crate) quarantine: Keep,
}

/// What one schema has for itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemaConfig {
    pub(crate) id: String,
    pub(crate) keep: Keep,
}

/// One hub.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HubConfig {
    pub(crate) name: String,
    #[serde(default = "query::Zone::utc", with = "zone")]
    pub(crate) zone: query::Zone,
    pub(crate) url: Option<Url>,
    pub(crate) token: Option<Secret>,
    pub(crate) token_file: Option<PathBuf>,
    #[serde(default = "poll_interval")]
    pub(crate) poll_interval: Span,
    pub(crate) cull_timeout: Option<Span>,
    #[serde(default = "cull_every")]
    pub(crate) cull_every: Span,
    pub(crate) max_age: Option<Span>,
}

/// Somebody who got another name.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenameConfig {
    #[serde(default = "default_hub")]
    pub(crate) hub: String,
    pub(crate) from: String,
    pub(crate) to: String,
    #[serde(with = "instant")]
    pub(crate) at: Timestamp,
}

/// Whose events come without a token.
fn default_hub() -> String {
    "default".to_owned()
}

fn poll_interval() -> Span {
    Span::seconds(60)
}

/// The culler's own default is half of its timeout, at most ten minutes.
fn cull_every() -> Span {
    Span::seconds(600)
}

impl HubConfig {
    /// How the hub ends servers by itself, as sessions want to know it.
    fn ends(&self) -> derive::HubSettings {
        let micros = |span: Span| Micros(i64::try_from(span.duration().as_micros()).unwrap_or(i64::MAX));
        let culler =
            self.cull_timeout.map(|timeout| Culler { timeout: micros(timeout), period: micros(self.cull_every) });
        // The culler looks only now and then.
        let max_age = self.max_age.map(|age| micros(age).plus(micros(self.cull_every)));
        derive::HubSettings { culler, max_age, ..derive::HubSettings::default() }
    }

    /// What is wrong with it, if anything is.
    fn problem(&self) -> Option<&'static str> {
        match (&self.url, &self.token, &self.token_file) {
            (Some(_), None, None) => Some("has a url and no token: give it token or token_file"),
            (None, Some(_), _) | (None, _, Some(_)) => Some("has a token and no url"),
            (_, Some(_), Some(_)) => Some("has both token and token_file"),
            _ if self.poll_interval.duration() < POLL_INTERVAL_MIN => Some("is polled more often than every 100 ms"),
            _ => None,
        }
    }
}

/// A hub is never asked more often.
const POLL_INTERVAL_MIN: std::time::Duration = std::time::Duration::from_millis(100);

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            log: "info".into(),
            http: HttpConfig::default(),
            journal: JournalConfig::default(),
            store: StoreConfig::default(),
            idempotency: IdempotencyConfig::default(),
            archive: ArchiveConfig::default(),
            query: QueryConfig::default(),
            retention: RetentionConfig::default(),
            hub: Vec::new(),
            schema: Vec::new(),
            rename: Vec::new(),
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        let limits = server::Limits::default();
        Self { connections_max: limits.connections_max, body_size_max: ByteSize::of(limits.body_bytes_max) }
    }
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self { segment_size: ByteSize::mebi(64), queue_size: ByteSize::mebi(64), quota: ByteSize::mebi(4096) }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            flush_size: ByteSize::mebi(64),
            flush_interval: Span::seconds(15 * 60),
            commit_interval: Span::seconds(5),
            tail_size: ByteSize::mebi(192),
            reserve: ByteSize::mebi(32),
            compact_parts: 8,
        }
    }
}

impl Default for IdempotencyConfig {
    fn default() -> Self {
        Self { keep: Span::seconds(24 * 3600), keys_max: 100_000 }
    }
}

impl Default for ArchiveConfig {
    fn default() -> Self {
        Self { enabled: true, directory: None, interval: Span::seconds(15 * 60) }
    }
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self { memory: ByteSize::mebi(512), timeout: Span::seconds(30), questions: None }
    }
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { events: Keep::FOR_EVER, derived: Keep::FOR_EVER, quarantine: Keep::FOR_EVER }
    }
}

impl Config {
    /// For how long rows are kept, as the store wants to know it.
    pub(crate) fn retention(&self) -> store::Retention {
        store::Retention {
            events: self.retention.events.days(),
            by_schema: self.schema.iter().map(|schema| (schema.id.as_str().into(), schema.keep.days())).collect(),
            quarantine: self.retention.quarantine.days(),
        }
    }

    /// What is said of each hub, as sessions want to know it.
    pub(crate) fn of_hubs(&self) -> BTreeMap<Arc<str>, derive::HubSettings> {
        let mut renames: BTreeMap<Arc<str>, Vec<Rename>> = BTreeMap::new();
        for RenameConfig { hub, from, to, at } in &self.rename {
            let at = EventTime::from_micros(at.as_microsecond());
            let rename = Rename { at, from: from.as_str().into(), to: to.as_str().into() };
            renames.entry(hub.as_str().into()).or_default().push(rename);
        }
        let mut hubs: BTreeMap<Arc<str>, derive::HubSettings> =
            self.hub.iter().map(|hub| (hub.name.as_str().into(), hub.ends())).collect();
        for (hub, renames) in renames {
            hubs.entry(hub).or_default().renamed = Aliases::new(renames);
        }
        hubs
    }
}

/// Schemas of distinct ids.
fn schemas<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<SchemaConfig>, D::Error> {
    let schemas = Vec::<SchemaConfig>::deserialize(deserializer)?;
    for (index, schema) in schemas.iter().enumerate() {
        if schemas.iter().take(index).any(|other| other.id == schema.id) {
            return Err(serde::de::Error::custom(format!("the schema '{}' is named twice", schema.id)));
        }
    }
    Ok(schemas)
}

/// Hubs of distinct names.
fn hubs<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<HubConfig>, D::Error> {
    let hubs = Vec::<HubConfig>::deserialize(deserializer)?;
    for (index, hub) in hubs.iter().enumerate() {
        if hubs.iter().take(index).any(|other| other.name == hub.name) {
            return Err(serde::de::Error::custom(format!("two hubs are called '{}'", hub.name)));
        }
        if let Some(problem) = hub.problem() {
            return Err(serde::de::Error::custom(format!("the hub '{}' {problem}", hub.name)));
        }
    }
    Ok(hubs)
}
