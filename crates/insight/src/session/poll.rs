//! What a poll of the hub's REST API says, as evidence.

use std::sync::Arc;

use event::EventTime;

use super::{Between, Idle, Life};

/// One server that a poll showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The user's name at the time of the poll.
    pub user: Arc<str>,
    /// The server's; the default server's is empty.
    pub server: Arc<str>,
    /// Since when it runs, by the hub.
    pub started: EventTime,
    /// Whether its spawn is done.
    pub is_ready: bool,
    /// Its last activity.
    pub last_activity: Option<EventTime>,
}

/// One poll of all active servers (`GET /users?state=active&sort=id`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// When, by the hub's clock, from before the first page was asked for until after the last one was answered.
    pub at: Between,
    /// What it showed.
    pub seen: Vec<Sighting>,
    /// Whether every page was read and none was missed ([`Listing`](super::Listing)). An incomplete poll, one that
    /// failed half-way, proves life and never death.
    pub is_complete: bool,
}

impl Poll {
    /// What it says of each server that it shows: user, server, evidence.
    pub fn lives(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, Life)> {
        self.seen.iter().map(|seen| {
            let life = Life {
                started: seen.started,
                seen_last: self.at.after,
                ready_by: seen.is_ready.then_some(self.at.before),
                last_activity: seen.last_activity.filter(|activity| *activity >= seen.started),
            };
            (&seen.user, &seen.server, life)
        })
    }
}

/// One list of all users (`GET /users`), with the last activity of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserList {
    /// As [`Poll::at`].
    pub at: Between,
    /// Names and last activities; a user without any was never active.
    pub users: Vec<(Arc<str>, Option<EventTime>)>,
}

impl UserList {
    /// What it says of each user. It holds for each of their servers.
    pub fn idles(&self) -> impl Iterator<Item = (&Arc<str>, Idle)> {
        self.users.iter().filter_map(|(user, activity)| {
            let since = activity.filter(|activity| *activity <= self.at.after)?;
            Some((user, Idle { since, until: self.at.after }))
        })
    }
}
