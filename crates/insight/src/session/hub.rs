//! What is known of a hub as a whole: when it was polled, when it restarted, when we could not hear it, how it is set.

use event::EventTime;
use serde::{Deserialize, Serialize};

use super::Micros;

/// An instant between two others: a poll takes a while, and clocks differ.
///
/// Both are of the hub's clock. Who polls takes them from the hub's `Date` header (the second that it names), or
/// from its own clock with the difference that it allows for taken off and added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Between {
    /// Not before.
    pub after: EventTime,
    /// Not after.
    pub before: EventTime,
}

/// What became of the servers when a hub's process started anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kept {
    /// Nothing is known; it may have adopted them.
    Unknown,
    /// None was adopted: `running_servers` was 0 when the hub was up, or its log says that it cleaned up.
    None,
}

/// A process of the hub started (`process_start_time_seconds` of its metrics changed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Restart {
    /// By the hub's clock.
    pub at: EventTime,
    /// What is known of the servers that ran before.
    pub kept: Kept,
}

/// Events that the hub told between these instants may be missing: we were down, or could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Outage {
    /// Its beginning.
    pub from: EventTime,
    /// Its end.
    pub to: EventTime,
}

/// How the hub ends servers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Culler {
    /// A server without activity for longer is stopped (`--timeout`).
    pub timeout: Micros,
    /// How often the culler looks (`--cull-every`), with what the hub is late in learning of activity.
    pub period: Micros,
}

/// What the hub's configuration promises. Ends of ranks E5 and E6 rest on it; all others rest on what was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settings {
    /// The culler of idle servers, if one runs.
    pub culler: Option<Culler>,
    /// No server runs for longer (the culler's `--max-age` and its period), if so.
    pub max_age: Option<Micros>,
}

/// Evidence about a hub, which each of its servers shares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hub {
    settings: Settings,
    /// Polls that listed every active server, ordered.
    #[serde(with = "super::kept::steps")]
    polls: Vec<Between>,
    restarts: Vec<Restart>,
    outages: Vec<Outage>,
}

/// How long after its start a hub may not yet list the servers that it adopts: it looks for each of them first.
pub const COLD: Micros = Micros::from_secs(120);

impl Hub {
    /// A hub of which nothing is known but its settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// How it is set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Adds a poll that listed **every** active server. One of which that is not certain (a page failed, or the list
    /// shifted between its pages: see [`Listing`](super::Listing)) proves the life of those it shows and nothing else.
    pub fn add_poll(&mut self, poll: Between) {
        insert(&mut self.polls, poll);
    }

    /// Adds a start of the hub's process; of two that tell of the same one, what is known more exactly stays.
    pub fn add_restart(&mut self, restart: Restart) {
        match self.restarts.binary_search_by_key(&restart.at, |known| known.at) {
            Ok(index) => self.restarts[index] = self.restarts[index].max(restart),
            Err(index) => self.restarts.insert(index, restart),
        }
    }

    /// Adds an outage of ours.
    pub fn add_outage(&mut self, outage: Outage) {
        insert(&mut self.outages, outage);
    }

    /// Drops polls that ended before `horizon`: right once no server's floor lies before it.
    pub fn forget_polls_before(&mut self, horizon: EventTime) {
        self.polls.retain(|poll| poll.before >= horizon);
    }

    /// The instant by which a poll proved that a server, of which nothing was seen after `alive`, had ended.
    pub(crate) fn absent_by(&self, alive: EventTime) -> Option<EventTime> {
        // A poll that began at `alive` may be the one that showed it.
        let first = self.polls.partition_point(|poll| poll.after <= alive);
        self.polls[first..].iter().find(|poll| !self.is_cold(poll, alive)).map(|poll| poll.before)
    }

    /// Whether the hub may not have known yet, of its predecessor's servers, one that lived at `alive`. One of which
    /// the hub itself has told since its start it does know.
    fn is_cold(&self, poll: &Between, alive: EventTime) -> bool {
        let since = self.restarts.partition_point(|restart| restart.at <= poll.before);
        let up = since.checked_sub(1).map(|index| self.restarts[index].at);
        up.is_some_and(|up| poll.after < COLD.after(up) && alive <= up)
    }

    /// The first restart not before `alive` that kept no server.
    pub(crate) fn emptied_at(&self, alive: EventTime) -> Option<EventTime> {
        let first = self.restarts.partition_point(|restart| restart.at < alive);
        self.restarts[first..].iter().find(|restart| restart.kept == Kept::None).map(|restart| restart.at)
    }

    /// Whether the hub restarted after `from`, `to` included.
    pub(crate) fn restarted_between(&self, from: EventTime, to: EventTime) -> bool {
        let first = self.restarts.partition_point(|restart| restart.at <= from);
        self.restarts.get(first).is_some_and(|restart| restart.at <= to)
    }

    /// The last restart after `from`, `to` included.
    pub(crate) fn restarted_last(&self, from: EventTime, to: EventTime) -> Option<EventTime> {
        let after = self.restarts.partition_point(|restart| restart.at <= to);
        let last = self.restarts[..after].last().map(|restart| restart.at);
        last.filter(|at| *at > from)
    }

    /// Whether some of the time between was not heard.
    pub(crate) fn unheard_between(&self, from: EventTime, to: EventTime) -> bool {
        self.outages.iter().any(|outage| outage.to > from && outage.from < to)
    }
}

fn insert<T: Ord + Copy>(list: &mut Vec<T>, item: T) {
    if list.last().is_none_or(|last| *last < item) {
        list.push(item);
    } else if let Err(index) = list.binary_search(&item) {
        list.insert(index, item);
    }
}
