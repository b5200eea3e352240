//! The list of settings, and the layers from which each may come: default, file, environment, flag.
//!
//! Everything is checked where it was written, so that a fault is told with its place and the name that was meant.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Serialize, Serializer};
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::Config;
use super::value::{ByteSize, nearest, or_rather};

/// Environment variables begin so; two underscores stand for the dot: `HUBSCOPE_STORE__FLUSH_INTERVAL`.
const ENVIRONMENT_PREFIX: &str = "HUBSCOPE_";

/// Variables that begin like settings and are none: two are flags, the third is for tests of crashes.
const NOT_SETTINGS: [&str; 3] = ["HUBSCOPE_DATA", "HUBSCOPE_CONFIG", "HUBSCOPE_KILL_AT"];

/// A setting: its key and what it means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    pub(crate) means: &'static str,
}

const fn setting(key: &'static str, means: &'static str) -> Setting {
    Setting { key, means }
}

/// Every setting but those of lists.
pub(crate) const SETTINGS: [Setting; 24] = [
    setting("listen", "address of the HTTP door"),
    setting("log", "which diagnostics are written: a level, or as RUST_LOG has it"),
    setting("http.connections_max", "connections at once; one more is answered 503"),
    setting("http.body_size_max", "bytes of one request as sent; one more is answered 413"),
    setting("journal.segment_size", "a segment of the journal is closed at this size"),
    setting("journal.queue_size", "requests waiting for their fsync; beyond it the answer is 503"),
    setting("journal.quota", "bytes that the journal may take on disk; beyond it the answer is 507"),
    setting("store.flush_size", "the tail goes to the table at this size"),
    setting("store.flush_interval", "… or when its oldest event is this old"),
    setting("store.commit_interval", "commits are at least this far apart"),
    setting("store.tail_size", "a tail that cannot be written refuses more at this size"),
    setting("store.reserve", "room that is kept free for writing the table when the disk is full"),
    setting("store.compact_parts", "this many small parts are made one"),
    setting("idempotency.keep", "for how long a request's Idempotency-Key is remembered"),
    setting("idempotency.keys_max", "how many keys are remembered; the oldest are forgotten first"),
    setting("archive.enabled", "whether serve publishes"),
    setting("archive.directory", "where; DATA/archive if not set"),
    setting("archive.interval", "how often"),
    setting("query.memory", "for all queries together"),
    setting("query.timeout", "for one query"),
    setting("query.questions", "folder with questions of your own, beside those that are built in"),
    setting("retention.events", "events leave this long after their time"),
    setting(
        "retention.derived",
        "sessions and facts of days leave this long after their time, if their events have left",
    ),
    setting("retention.quarantine", "what is kept aside leaves this long after its time"),
];

/// The settings of one `[[hub]]`.
pub(crate) const HUB_SETTINGS: [Setting; 9] = [
    setting("hub.name", "name of a hub, as its token has it"),
    setting("hub.zone", "zone in which its days are cut, by its IANA name"),
    setting("hub.url", "address at which its REST API is polled; without it, it is not polled"),
    setting("hub.token", "token of hubscope's service at the hub; never shown"),
    setting("hub.token_file", "file that holds the token instead"),
    setting("hub.poll_interval", "how often it is polled"),
    setting("hub.cull_timeout", "timeout of its culler of idle servers, if one runs"),
    setting("hub.cull_every", "how often that culler looks"),
    setting("hub.max_age", "servers are stopped at this age, if so"),
];

/// The settings of one `[[schema]]`.
pub(crate) const SCHEMA_SETTINGS: [Setting; 2] = [
    setting("schema.id", "id of a schema"),
    setting("schema.keep", "its events leave this long after their time, whatever `retention.events` says"),
];

/// The settings of one `[[rename]]`.
pub(crate) const RENAME_SETTINGS: [Setting; 4] = [
    setting("rename.hub", "hub at which somebody got another name"),
    setting("rename.from", "the name before"),
    setting("rename.to", "the name from then on"),
    setting("rename.at", "when, as an instant with its offset"),
];

/// The lists of the file, and the settings of each of their entries.
const LISTS: [(&str, &[Setting]); 3] =
    [("hub", &HUB_SETTINGS), ("schema", &SCHEMA_SETTINGS), ("rename", &RENAME_SETTINGS)];

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Environment(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Environment(name) => write!(f, "environment, {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A setting with its value, for people: `hub[0].zone`, `Europe/Berlin`, where from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Shown {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) origin: Origin,
    pub(crate) means: &'static str,
}

/// Layers of settings, each laid over those before it.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    settings: Table,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    /// Lays the file over what is there.
    ///
    /// # Errors
    /// The file cannot be read or is no TOML, a key does not exist or has a value that it cannot have; with its line.
    pub(crate) fn file(&mut self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let document = DeTable::parse(&text).with_context(|| format!("in {}", path.display()))?;
        let mut lines = BTreeMap::new();
        for (key, line) in keys(&text, document.get_ref()) {
            let plain = key.replace(|c: char| c.is_ascii_digit() || c == '[' || c == ']', "");
            check(&plain).with_context(|| format!("in {}, line {line}", path.display()))?;
            lines.insert(key, line);
        }
        // Checked alone, so that a fault is told with its line.
        toml::from_str::<Config>(&text).with_context(|| format!("in {}", path.display()))?;
        let table = text.parse::<Table>().with_context(|| format!("in {}", path.display()))?;
        for (name, value) in table {
            match (self.settings.get_mut(&name), value) {
                (Some(Value::Table(known)), Value::Table(new)) => known.extend(new),
                (_, value) => drop(self.settings.insert(name, value)),
            }
        }
        let origins = lines.into_iter().map(|(key, line)| (key, Origin::File { path: path.to_owned(), line }));
        self.origins.extend(origins);
        Ok(())
    }

    /// Lays the variables `HUBSCOPE_*` over what is there.
    ///
    /// # Errors
    /// A variable that is no setting, or a value that it cannot have; with its name.
    pub(crate) fn environment(&mut self, variables: &BTreeMap<String, String>) -> Result<()> {
        for (name, value) in variables {
            let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            if NOT_SETTINGS.contains(&name.as_str()) {
                continue;
            }
            let key = key.to_ascii_lowercase().replace("__", ".");
            self.lay(&key, value, Origin::Environment(name.clone()), name)?;
        }
        Ok(())
    }

    /// Lays the value of a flag over what is there.
    ///
    /// # Errors
    /// As [`Layers::environment`].
    pub(crate) fn flag(&mut self, key: &str, value: &str, flag: &'static str) -> Result<()> {
        self.lay(key, value, Origin::Flag(flag), flag)
    }

    fn lay(&mut self, key: &str, value: &str, origin: Origin, name: &str) -> Result<()> {
        check(key).with_context(|| name.to_owned())?;
        if let Some((list, _)) = LISTS.iter().find(|(list, _)| key.split('.').next() == Some(list)) {
            bail!("{name}: {list}s are listed in the configuration file, as [[{list}]]");
        }
        // Checked alone, so that a fault is told with its name.
        let mut alone = Table::new();
        put(&mut alone, key, value);
        configuration(alone).with_context(|| name.to_owned())?;
        put(&mut self.settings, key, value);
        self.origins.insert(key.to_owned(), origin);
        Ok(())
    }

    /// What the layers come to.
    ///
    /// # Errors
    /// Values that are right each and wrong together.
    pub(crate) fn config(&self) -> Result<Config> {
        let config = configuration(self.settings.clone())?;
        // A record holds the body and a verdict for each event: about twice the body at worst.
        if config.journal.quota.bytes() / 2 < config.http.body_size_max.bytes() {
            bail!("journal.quota: at least twice http.body_size_max, or there are requests that never fit");
        }
        Ok(config)
    }

    /// Every setting with its value and origin, in the order of [`SETTINGS`]; lists last.
    ///
    /// # Errors
    /// As [`Layers::config`].
    pub(crate) fn shown(&self) -> Result<Vec<Shown>> {
        let config = Value::try_from(self.config()?).context("the configuration cannot be written")?;
        let origin = |key: &str| self.origins.get(key).cloned().unwrap_or(Origin::Default);
        let mut shown = Vec::new();
        for Setting { key, means } in SETTINGS {
            let value = key.split('.').try_fold(&config, |value, name| value.get(name));
            let value = value.map(plain).unwrap_or_default();
            shown.push(Shown { key: key.to_owned(), value, origin: origin(key), means });
        }
        for (list, settings) in LISTS {
            let entries = config.get(list).and_then(Value::as_array).into_iter().flatten().enumerate();
            for (index, entry) in entries {
                for Setting { key, means } in settings {
                    let name = key.rsplit_once('.').map_or(*key, |(_, name)| name);
                    let Some(value) = entry.get(name) else { continue };
                    let key = format!("{list}[{index}].{name}");
                    shown.push(Shown { origin: origin(&key), key, value: plain(value), means });
                }
            }
        }
        Ok(shown)
    }
}

fn configuration(settings: Table) -> Result<Config> {
    let config: Config =
        Value::Table(settings).try_into().map_err(|error: toml::de::Error| anyhow!("{}", error.message()))?;
    let longest = ingest::Limits::default().body_bytes_max;
    if config.http.body_size_max.in_memory() > longest {
        bail!("http.body_size_max: at most {}, which is what one record of the journal takes", ByteSize::of(longest));
    }
    Ok(config)
}

/// Sets `key`, of which [`check`] knows that it is one or two names.
fn put(settings: &mut Table, key: &str, value: &str) {
    let value = Value::String(value.to_owned());
    match key.split_once('.') {
        None => drop(settings.insert(key.to_owned(), value)),
        Some((section, name)) => {
            let section = settings.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(name.to_owned(), value);
            }
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        // No setting is of any other kind.
        _ => String::new(),
    }
}

fn check(key: &str) -> Result<()> {
    let lists = || LISTS.iter().flat_map(|(_, settings)| settings.iter());
    let known = || SETTINGS.iter().chain(lists()).map(|setting| setting.key);
    if known().any(|name| name == key) {
        return Ok(());
    }
    // A slip in the section and one in the name are looked for alike; a name alone may lack its section.
    let near = nearest(key, known())
        .or_else(|| known().find(|name| name.rsplit_once('.').is_some_and(|(_, leaf)| leaf == key)));
    bail!("there is no setting '{key}'{}; 'hubscope config show' lists all", or_rather(near))
}

/// Every key of a document as `section.name` or `hub[0].name`, with its line.
fn keys(text: &str, document: &DeTable<'_>) -> Vec<(String, usize)> {
    let line = |at: usize| text.get(..at).map_or(0, |before| before.matches('\n').count()) + 1;
    let mut found = Vec::new();
    for (name, value) in document {
        let mut inner = |prefix: String, table: &DeTable<'_>| {
            for name in table.keys() {
                found.push((format!("{prefix}.{}", name.get_ref()), line(name.span().start)));
            }
        };
        match value.get_ref() {
            DeValue::Table(table) => inner(name.get_ref().to_string(), table),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let DeValue::Table(table) = item.get_ref() {
                        inner(format!("{}[{index}]", name.get_ref()), table);
                    }
                }
            }
            _ => found.push((name.get_ref().to_string(), line(name.span().start))),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hubscope.toml");
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn the_table_lists_what_there_is_to_set() {
        let written = Value::try_from(Config {
            archive: super::super::ArchiveConfig { directory: Some("x".into()), ..Default::default() },
            query: super::super::QueryConfig { questions: Some("x".into()), ..Default::default() },
            ..Config::default()
        })
        .unwrap();
        let mut keys = Vec::new();
        for (name, value) in written.as_table().unwrap() {
            match value {
                Value::Table(section) => keys.extend(section.keys().map(|leaf| format!("{name}.{leaf}"))),
                Value::Array(_) => assert!(LISTS.iter().any(|(list, _)| list == name), "{name}"),
                _ => keys.push(name.clone()),
            }
        }
        let mut listed: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
        keys.sort();
        listed.sort_unstable();
        assert_eq!(keys, listed);
    }

    #[test]
    fn the_manual_lists_every_setting_with_its_default() {
        let manual = include_str!("../../../../docs/operate/settings.md");
        for Shown { key, value, means, .. } in Layers::default().shown().unwrap() {
            let value = if value.is_empty() { String::new() } else { format!("`{value}`") };
            let line = format!("| `{key}` | {value} | {means} |");
            assert!(manual.lines().any(|found| found == line), "docs/operate/settings.md lacks this line:\n{line}");
        }
        for Setting { key, means } in HUB_SETTINGS.into_iter().chain(SCHEMA_SETTINGS).chain(RENAME_SETTINGS) {
            assert!(manual.contains(&format!("| `{key}` |")) && manual.contains(means), "{key}");
        }
    }

    #[test]
    fn each_layer_lies_over_the_one_before_and_is_named() {
        let text = "listen = '[::1]:9'\n[store]\nflush_interval = '60 s'\nflush_size = '1 MiB'\n\n[[hub]]\nname = 'north'\nzone = 'Europe/Berlin'\n";
        let (_dir, path) = file(text);
        let mut layers = Layers::default();
        layers.file(&path).unwrap();
        layers
            .environment(&variables(&[
                ("HUBSCOPE_STORE__FLUSH_INTERVAL", "2 s"),
                ("HUBSCOPE_ARCHIVE__ENABLED", "false"),
                ("HUBSCOPE_DATA", "/x"),
                ("PATH", "/"),
            ]))
            .unwrap();
        layers.flag("listen", "127.0.0.1:7", "--listen").unwrap();
        let config = layers.config().unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:7");
        assert_eq!(config.store.flush_interval.to_string(), "2 s");
        assert_eq!(config.store.flush_size.bytes(), 1 << 20);
        assert_eq!(config.store.commit_interval.to_string(), "5 s");
        assert!(!config.archive.enabled);
        assert_eq!(config.hub[0].name, "north");
        let told: BTreeMap<String, (String, String)> = layers
            .shown()
            .unwrap()
            .into_iter()
            .map(|shown| (shown.key, (shown.value, shown.origin.to_string())))
            .collect();
        let expected = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
        assert_eq!(told["listen"], expected("127.0.0.1:7", "flag --listen"));
        assert_eq!(told["store.flush_interval"], expected("2 s", "environment, HUBSCOPE_STORE__FLUSH_INTERVAL"));
        assert_eq!(told["store.flush_size"], expected("1 MiB", &format!("{}, line 4", path.display())));
        assert_eq!(told["hub[0].zone"], expected("Europe/Berlin", &format!("{}, line 8", path.display())));
        assert_eq!(told["query.timeout"], expected("30 s", "default"));
        assert_eq!(told["archive.directory"], expected("", "default"));
        assert_eq!(told["hub[0].poll_interval"], expected("1 min", "default"));
        // Of a hub those settings that have a value: both that were written, and two defaults.
        assert_eq!(told.len(), SETTINGS.len() + 4);
    }

    #[test]
    fn faults_of_the_environment_name_the_variable_and_what_would_be_right() {
        for (name, value, told) in [
            (
                "HUBSCOPE_STORE__FLUSH_INTERVAL",
                "soon",
                "HUBSCOPE_STORE__FLUSH_INTERVAL: 'soon' is not a duration; write for example '5 s'",
            ),
            ("HUBSCOPE_JOURNAL__SEGMENT_SIZE", "64 MB", "'64 MB' is not a size; write for example '64 MiB'"),
            (
                "HUBSCOPE_STORE__FLUSH_INTERWAL",
                "5 s",
                "there is no setting 'store.flush_interwal' (did you mean 'store.flush_interval'?)",
            ),
            ("HUBSCOPE_FLUSH_INTERVAL", "5 s", "(did you mean 'store.flush_interval'?)"),
            ("HUBSCOPE_ARCHIVE__ENABLED", "maybe", "HUBSCOPE_ARCHIVE__ENABLED: 'maybe' is not true or false"),
            ("HUBSCOPE_LISTEN", "8080", "HUBSCOPE_LISTEN: invalid socket address syntax"),
            ("HUBSCOPE_HTTP__BODY_SIZE_MAX", "17 MiB", "http.body_size_max: at most 16 MiB"),
            ("HUBSCOPE_HUB__NAME", "x", "hubs are listed in the configuration file"),
            ("HUBSCOPE_STORE", "x", "there is no setting 'store'"),
        ] {
            let error = Layers::default().environment(&variables(&[(name, value)])).unwrap_err();
            let text = format!("{error:#}");
            assert!(text.contains(told), "{name}: {text}");
        }
    }

    #[test]
    fn values_that_are_right_each_and_wrong_together_are_told() {
        let mut layers = Layers::default();
        layers.environment(&variables(&[("HUBSCOPE_JOURNAL__QUOTA", "19 MiB")])).unwrap();
        let error = format!("{:#}", layers.config().unwrap_err());
        assert!(error.contains("journal.quota: at least twice http.body_size_max"), "{error}");
        layers.environment(&variables(&[("HUBSCOPE_HTTP__BODY_SIZE_MAX", "9 MiB")])).unwrap();
        assert_eq!(layers.config().unwrap().journal.quota.bytes(), 19 << 20);
    }

    #[test]
    fn faults_of_the_file_name_the_line_and_what_would_be_right() {
        for (text, told) in [
            (
                "[store]\nflush_sice = '1 MiB'\n",
                "line 2: there is no setting 'store.flush_sice' (did you mean 'store.flush_size'?)",
            ),
            ("listen = '127.0.0.1:80'\n[stroe]\nflush_size = '1 MiB'\n", "(did you mean 'store.flush_size'?)"),
            ("[store]\nflush_size = '1 MB'\n", "line 2"),
            ("[[hub]]\nname = 'a'\nzone = 'Europe/Berlni'\n", "no time zone 'Europe/Berlni'"),
            ("[[hub]]\nzone = 'Europe/Berlin'\n", "missing field `name`"),
            (
                "[[hub]]\nname = 'a'\nzome = 'UTC'\n",
                "line 3: there is no setting 'hub.zome' (did you mean 'hub.zone'?)",
            ),
            ("[[hub]]\nname = 'a'\n[[hub]]\nname = 'a'\n", "two hubs are called 'a'"),
            ("[retention]\nevents = '0 days'\n", "a term has one day at least"),
            ("[retention]\nevents = '90'\n", "'90' is no term; write for example '90 days' or 'for ever'"),
            ("[[schema]]\nid = 'a'\nkeep = '1 day'\n[[schema]]\nid = 'a'\nkeep = '2 days'\n", "named twice"),
            ("[[rename]]\nfrom = 'a'\nto = 'b'\nat = 'May'\n", "'May' is not an instant; write for example"),
            ("listen = ", "line 1"),
        ] {
            let (_dir, path) = file(text);
            let mut layers = Layers::default();
            let error = layers.file(&path).and_then(|()| layers.config()).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(told), "{text:?}: {error}");
            assert!(error.contains("hubscope.toml"), "{error}");
        }
    }
}
