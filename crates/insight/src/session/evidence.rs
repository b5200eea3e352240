//! What can be known of one server, each piece as a value that may come in any order and more than once.

use event::{EventTime, Position};
use serde::{Deserialize, Serialize};

use super::Micros;

/// The id of an event: who gave the position, and the position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId {
    /// Place in the collector's sequence.
    pub position: Position,
    /// The number by which the caller knows the collector. It decides nothing but the order of events that agree in
    /// time, receipt and position, and must be the same in a rebuild.
    pub collector: u32,
}

/// An event `start` or `stop`. Events are ordered by their time; receipt orders ties, and the id ties of receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerEvent {
    /// When it happened, by the hub's clock.
    pub at: EventTime,
    /// When we admitted it.
    pub received: EventTime,
    /// Which event it is.
    pub id: EventId,
}

/// What all polls together showed of the server that the hub says to have `started` then.
///
/// A hub sets `started` when a spawn begins, forgets it when the server has stopped and keeps it when it adopts the
/// server after a restart. So it names one server, and all polls that show it are one piece of evidence: however
/// many there were, it takes the place of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Life {
    /// By the hub's clock.
    pub started: EventTime,
    /// The latest instant at which it was certainly shown: the beginning of the last poll that had it.
    pub seen_last: EventTime,
    /// The earliest instant by which it was shown as ready: the end of the first poll that told so.
    pub ready_by: Option<EventTime>,
    /// The latest activity that the hub told of.
    pub last_activity: Option<EventTime>,
}

impl Life {
    /// What both say together. Merging is commutative, associative and idempotent.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let ready_by = match (self.ready_by, other.ready_by) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self {
            started: self.started,
            seen_last: self.seen_last.max(other.seen_last),
            ready_by,
            last_activity: self.last_activity.max(other.last_activity),
        }
    }
}

/// A list of all users told at `until` that the last activity of this user, on whichever server, was at `since`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Idle {
    /// The user's last activity.
    pub since: EventTime,
    /// The beginning of the latest poll that still told so.
    pub until: EventTime,
}

/// One piece of evidence about one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// The hub said that it is up.
    Start(ServerEvent),
    /// The hub said that it stopped.
    Stop(ServerEvent),
    /// Polls showed it.
    Life(Life),
    /// It was not running at that instant, whatever polls of the whole hub say: its user or the server itself was
    /// deleted, or a poll listed its user without it.
    Absent(EventTime),
    /// Its user did nothing.
    Idle(Idle),
}

/// All evidence about one server that is kept, in order. Equal sets are equal values, whatever the order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerEvidence {
    /// Ordered; at most one for each time, of which the first is kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) starts: Vec<ServerEvent>,
    /// As `starts`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) stops: Vec<ServerEvent>,
    /// Ordered by `started`, which differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) lives: Vec<Life>,
    /// Ordered and distinct.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) absences: Vec<EventTime>,
    /// Ordered by `since`, which differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) idles: Vec<Idle>,
}

impl ServerEvidence {
    /// Adds a piece; what is known already changes nothing.
    pub fn add(&mut self, evidence: Evidence) {
        match evidence {
            Evidence::Start(event) => add_event(&mut self.starts, event),
            Evidence::Stop(event) => add_event(&mut self.stops, event),
            Evidence::Life(life) => match place(&self.lives, life.started, |life| life.started) {
                Ok(index) => self.lives[index] = self.lives[index].merged(life),
                Err(index) => self.lives.insert(index, life),
            },
            Evidence::Absent(at) => {
                if let Err(index) = place(&self.absences, at, |at| *at) {
                    self.absences.insert(index, at);
                }
            }
            Evidence::Idle(idle) => match place(&self.idles, idle.since, |idle| idle.since) {
                Ok(index) => self.idles[index].until = self.idles[index].until.max(idle.until),
                Err(index) => self.idles.insert(index, idle),
            },
        }
    }

    /// Whether no start, stop or sighting is among it.
    pub(crate) fn tells_of_no_server(&self) -> bool {
        self.starts.is_empty() && self.stops.is_empty() && self.lives.is_empty()
    }

    /// Drops stretches without activity that are too short for the culler: all but the last, which may still grow.
    pub(crate) fn keep_long_idles(&mut self, bears: Micros) {
        let last = self.idles.last().copied();
        self.idles.retain(|idle| bears.after(idle.since) <= idle.until || Some(*idle) == last);
    }

    /// Drops what lies before `floor` and can say nothing about what comes after it.
    pub(crate) fn forget_before(&mut self, floor: EventTime) {
        self.starts.retain(|event| event.at >= floor);
        self.stops.retain(|event| event.at >= floor);
        self.lives.retain(|life| life.started >= floor);
        self.absences.retain(|at| *at >= floor);
        self.idles.retain(|idle| idle.until >= floor);
    }
}

/// Two handlers that an admin lists both tell the same event, with the same time: it is one event.
fn add_event(events: &mut Vec<ServerEvent>, event: ServerEvent) {
    match place(events, event.at, |event| event.at) {
        Ok(index) => events[index] = events[index].min(event),
        Err(index) => events.insert(index, event),
    }
}

/// Where `key` is or belongs. Evidence mostly comes in order, so the end is looked at first.
fn place<T>(list: &[T], key: EventTime, of: impl Fn(&T) -> EventTime) -> Result<usize, usize> {
    match list.last() {
        Some(last) if of(last) >= key => list.binary_search_by_key(&key, of),
        _ => Err(list.len()),
    }
}
