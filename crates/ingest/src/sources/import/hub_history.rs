//! Logs of a hub as days of events: the history of its servers from before events were kept.
//!
//! Each line that says something of a server or of the hub becomes an event of ours, in the order of time, and the days
//! are units like those of other imports. What a line does not say is worked out from those before it: a stop names its
//! user and not the server, so it is that of the only server that runs; where several may have been meant, the event
//! names none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use event::{Day, Door, EventTime, schemas};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::content;
use super::hub_log::{HubLog, Logged, What, user_and_server};
use super::{ImportedDay, ReadError};
use crate::Admission;

/// Logs of one hub.
#[derive(Clone, Debug)]
pub struct HubLogs {
    /// The files, in any order; those whose names end in `.gz` are inflated.
    pub files: Vec<PathBuf>,
    /// The hub that the rows are filed under.
    pub hub: Arc<str>,
    /// The zone of the hub's clock.
    pub zone: TimeZone,
}

impl HubLogs {
    /// Name of the source; its rows' collector is `import/<source>`.
    pub fn source(&self) -> String {
        format!("hub-log/{}", self.hub)
    }

    /// Reads all files, and gives each day of which they say something, in order. The first and the last day of a log
    /// may be there in part only.
    ///
    /// # Errors
    /// See [`ReadError`]. A line that says nothing of servers is no error.
    pub fn read(&self, admission: &Admission, received: EventTime) -> Result<Vec<ImportedDay>, ReadError> {
        let mut said: Vec<Logged> = Vec::new();
        let mut bytes = 0;
        for file in &self.files {
            // A day cannot be told before the file is read; the limit holds for each file.
            let contents = content::read(file, received.day(), 0)?;
            bytes += u64::try_from(contents.len()).unwrap_or(u64::MAX);
            let mut log = HubLog::new(self.zone.clone());
            said.extend(content::lines(&contents).iter().filter_map(|line| log.read(line)));
        }
        said.sort_by_key(|logged| logged.at);
        let mut days: BTreeMap<Day, Vec<String>> = BTreeMap::new();
        let mut running = Running::of(&said);
        for logged in &said {
            if let Some(text) = running.text(logged) {
                days.entry(logged.at.day()).or_default().push(text);
            }
        }
        let day = |(day, texts)| {
            let read = ImportedDay::of_texts(day, texts, &self.hub, Door::HubLog, admission, received);
            ImportedDay { bytes, ..read }
        };
        Ok(days.into_iter().map(day).collect())
    }
}

/// Which servers run, as far as the log has said.
#[derive(Debug, Default)]
struct Running {
    /// Names that are certainly users': a stop or a death named them.
    users: BTreeSet<String>,
    servers: BTreeMap<String, BTreeSet<String>>,
    /// Users of whom the log names a server other than the default one.
    with_named: BTreeSet<String>,
    is_cleaning_up: bool,
}

/// An event, as its schema has it; the order of the fields is that of the text.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "__timestamp__")]
    timestamp: String,
    #[serde(rename = "__schema__")]
    schema: &'a str,
    #[serde(rename = "__schema_version__")]
    version: &'a str,
    #[serde(rename = "__metadata_version__")]
    metadata_version: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    servername: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<&'a str>,
}

impl Running {
    fn of(said: &[Logged]) -> Self {
        let named = said.iter().filter_map(|logged| match &logged.what {
            What::Stopped { user } | What::Died { user } => Some(user.clone()),
            _ => None,
        });
        Self { users: named.collect(), ..Self::default() }
    }

    /// The event of a line. A hub that stops its servers tells of it when it has come up again.
    fn text(&mut self, logged: &Logged) -> Option<String> {
        let at = logged.at;
        match &logged.what {
            What::Started { server, .. } => {
                let (user, name) = user_and_server(server, |name| self.users.contains(name));
                self.servers.entry(user.to_owned()).or_default().insert(name.to_owned());
                if !name.is_empty() {
                    self.with_named.insert(user.to_owned());
                }
                text(at, schemas::SERVER_LOGGED, Some("started"), Some(user), Some(name), None)
            }
            What::Stopped { user } => self.ended(at, "stopped", user),
            What::Died { user } => self.ended(at, "died", user),
            What::HubStopsServers => {
                self.is_cleaning_up = true;
                None
            }
            What::HubStarted => {
                let kept = if std::mem::take(&mut self.is_cleaning_up) { "none" } else { "unknown" };
                if kept == "none" {
                    self.servers.clear();
                }
                text(at, schemas::HUB_RESTART, None, None, None, Some(kept))
            }
        }
    }

    fn ended(&mut self, at: EventTime, what: &str, user: &str) -> Option<String> {
        let running = self.servers.entry(user.to_owned()).or_default();
        let only = match running.len() {
            0 if !self.with_named.contains(user) => Some(String::new()),
            1 => running.pop_first(),
            _ => None,
        };
        text(at, schemas::SERVER_LOGGED, Some(what), Some(user), only.as_deref(), None)
    }
}

fn text(
    at: EventTime,
    schema: &str,
    what: Option<&str>,
    username: Option<&str>,
    servername: Option<&str>,
    kept: Option<&str>,
) -> Option<String> {
    let timestamp = at.to_string();
    let event = Event { timestamp, schema, version: "1", metadata_version: 1, what, username, servername, kept };
    sonic_rs::to_string(&event).ok()
}
