//! The sessions of a hub while evidence keeps coming: one [`Timeline`] a server, and which of them changed.
//!
//! Who keeps the rows calls [`Ledger::changed`] after each batch and replaces the open rows of those servers; now and
//! then it calls [`Ledger::settle`] and keeps what that hands out for ever. Servers that [`Ledger::late`] names are
//! to be derived again from all their evidence ([`Ledger::rebuild`]), and all their rows replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::EventTime;
use serde::{Deserialize, Serialize};

use super::{Aliases, Evidence, Hub, Outage, Poll, Restart, Session, Timeline, UserList};

/// A server of a hub: its user by the name of today, and its own name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Server {
    /// Who bears the name today.
    pub user: Arc<str>,
    /// Empty for the default server.
    pub name: Arc<str>,
}

/// All servers of one hub.
///
/// Written and read again it goes on as if nothing had been, when nobody was waiting for [`Self::changed`] or
/// [`Self::late`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    hub: Hub,
    aliases: Aliases,
    #[serde(with = "super::kept::pairs")]
    timelines: BTreeMap<Server, Timeline>,
    #[serde(skip)]
    changed: BTreeSet<Server>,
    #[serde(skip)]
    late: BTreeSet<Server>,
}

impl Ledger {
    /// An empty one. Another alias or setting makes another ledger: both decide what all evidence means.
    pub fn new(hub: Hub, aliases: Aliases) -> Self {
        Self { hub, aliases, ..Self::default() }
    }

    /// What is known of the hub.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The server that was called so at `at`.
    pub fn server(&self, user: &str, name: &str, at: EventTime) -> Server {
        Server { user: self.aliases.today(user, at), name: name.into() }
    }

    /// Begins `server` after rows that are kept elsewhere, of which nothing was taken yet. See [`Timeline::after`].
    pub fn begin_after(&mut self, server: Server, last: &Session, stopped: Option<EventTime>) {
        self.timelines.insert(server, Timeline::after(last, stopped));
    }

    /// Takes how a session of `server` began that follows those kept elsewhere. See [`Timeline::carry`].
    pub fn carry(&mut self, server: Server, began: Evidence) {
        self.timelines.entry(server.clone()).or_default().carry(began);
        self.changed.insert(server);
    }

    /// Takes evidence about one server.
    pub fn add(&mut self, server: Server, evidence: Evidence) {
        let timeline = self.timelines.entry(server.clone()).or_default();
        match timeline.add(evidence, &self.hub) {
            Ok(()) => self.changed.insert(server),
            Err(_) => self.late.insert(server),
        };
    }

    /// Takes a poll. The rows of the servers that it shows change, and of those that it no longer shows.
    pub fn add_poll(&mut self, poll: &Poll) {
        if poll.is_complete {
            self.add_to_hub(poll.at.after, |hub| hub.add_poll(poll.at));
        }
        for (user, name, life) in poll.lives() {
            let server = self.server(user, name, poll.at.after);
            self.add(server, Evidence::Life(life));
        }
    }

    /// Takes a list of users. It concerns servers of which something is open.
    pub fn add_users(&mut self, list: &UserList) {
        for (user, idle) in list.idles() {
            let user = self.aliases.today(user, list.at.after);
            let first = Server { user: user.clone(), name: "".into() };
            let servers: Vec<Server> = self
                .timelines
                .range(first..)
                .map(|(server, _)| server)
                .take_while(|s| s.user == user)
                .cloned()
                .collect();
            for server in servers {
                self.add(server, Evidence::Idle(idle));
            }
        }
    }

    /// Takes a restart of the hub.
    pub fn add_restart(&mut self, restart: Restart) {
        self.add_to_hub(restart.at, |hub| hub.add_restart(restart));
    }

    /// Takes an outage of ours.
    pub fn add_outage(&mut self, outage: Outage) {
        self.add_to_hub(outage.from, |hub| hub.add_outage(outage));
    }

    /// What concerns the hub from `from` on concerns all servers with something open, and those settled beyond.
    fn add_to_hub(&mut self, from: EventTime, add: impl FnOnce(&mut Hub)) {
        add(&mut self.hub);
        for (server, timeline) in &self.timelines {
            if timeline.floor().is_some_and(|floor| from <= floor) {
                self.late.insert(server.clone());
            } else if !timeline.is_settled() {
                self.changed.insert(server.clone());
            }
        }
    }

    /// The servers whose open rows may have changed since this was last asked, with those rows. Servers that are
    /// [late](Self::late) are not among them.
    pub fn changed(&mut self, as_of: EventTime) -> Vec<(Server, Vec<Session>)> {
        let changed = std::mem::take(&mut self.changed);
        let in_order = changed.into_iter().filter(|server| !self.late.contains(server));
        in_order.map(|server| (server.clone(), self.rows(&server, as_of))).collect()
    }

    /// The rows of a server that are not settled.
    pub fn rows(&self, server: &Server, as_of: EventTime) -> Vec<Session> {
        self.timelines.get(server).map(|timeline| timeline.rows(&self.hub, as_of)).unwrap_or_default()
    }

    /// All rows that are not settled, in order of their servers. Late servers are among them, with what is known.
    pub fn unsettled(&self, as_of: EventTime) -> Vec<(Server, Vec<Session>)> {
        let open = self.timelines.iter().filter(|(_, timeline)| !timeline.is_settled());
        open.map(|(server, timeline)| (server.clone(), timeline.rows(&self.hub, as_of))).collect()
    }

    /// The servers to be rebuilt.
    pub fn late(&self) -> impl Iterator<Item = &Server> {
        self.late.iter()
    }

    /// Puts all evidence about a server in the place of what is known of it. No row of it is settled any more.
    pub fn rebuild(&mut self, server: &Server, all: impl IntoIterator<Item = Evidence>) {
        let mut timeline = Timeline::default();
        for evidence in all {
            // Nothing is settled, so nothing can be late.
            let _ = timeline.add(evidence, &self.hub);
        }
        self.timelines.insert(server.clone(), timeline);
        self.late.remove(server);
        self.changed.insert(server.clone());
    }

    /// Hands out the rows that ended before `horizon`, and forgets their evidence. Late servers wait for their rebuild.
    pub fn settle(&mut self, horizon: EventTime, as_of: EventTime) -> Vec<(Server, Vec<Session>)> {
        let mut settled = Vec::new();
        for (server, timeline) in &mut self.timelines {
            if self.late.contains(server) {
                continue;
            }
            let rows = timeline.settle(&self.hub, horizon, as_of);
            if !rows.is_empty() {
                settled.push((server.clone(), rows));
            }
        }
        settled
    }

    /// How many servers are known, and of how many something is open.
    pub fn counts(&self) -> (usize, usize) {
        (self.timelines.len(), self.timelines.values().filter(|timeline| !timeline.is_settled()).count())
    }
}
