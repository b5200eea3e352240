//! What the polls of one hub saw, taken together: who was there from when to when, although only changes are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::EventTime;
use insight::session::{Between, Evidence, Idle, Ledger, Life, Outage, Restart, kept};
use serde::{Deserialize, Serialize};

use crate::evidence::{Named, Watched, What};

/// All that was told for one instant: the events of one poll, or of a list, a restart, an outage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moment {
    poll: Option<Told>,
    seen: BTreeMap<Named, Life>,
    gone: BTreeSet<Named>,
    users: Option<Told>,
    active: BTreeMap<Arc<str>, Option<EventTime>>,
    restart: Option<Restart>,
    unheard: Option<EventTime>,
}

/// How a poll went.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Between,
    is_complete: bool,
    is_full: bool,
    begins: bool,
}

impl Moment {
    /// Takes an event of this moment.
    pub(crate) fn add(&mut self, told: Watched) {
        let at = told.at;
        match told.what {
            What::Poll { at, is_complete, is_full, begins } => {
                self.poll = Some(Told { at, is_complete, is_full, begins });
            }
            What::Seen { server, started, is_ready, last_activity } => {
                let last_activity = last_activity.filter(|activity| *activity >= started);
                // Until it is known how long the poll took, nothing is ready: see `Watch::seen`.
                let ready_by = is_ready.then_some(at);
                self.seen.insert(server, Life { started, seen_last: at, ready_by, last_activity });
            }
            What::Gone { server } => drop(self.gone.insert(server)),
            What::Users { at, is_complete, is_full } => {
                self.users = Some(Told { at, is_complete, is_full, begins: false });
            }
            What::User { user, last_activity } => drop(self.active.insert(user, last_activity)),
            What::Restart { kept } => self.restart = Some(Restart { at, kept }),
            What::Unheard { to } => self.unheard = Some(to),
            // What logs tell belongs to no poll.
            What::Logged { .. } => {}
        }
    }
}

/// Something was told of an instant before one that was taken already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disorder;

/// What is known of a hub by its polls so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// The servers that the last complete poll listed, with the life of each as it was last told.
    #[serde(with = "kept::pairs")]
    present: BTreeMap<Named, Life>,
    /// The last poll, complete or not.
    last: Option<Between>,
    last_complete: Option<Between>,
    /// The last activity of users as the last complete list told it.
    idle: BTreeMap<Arc<str>, EventTime>,
    listed: Option<Between>,
    restarts: BTreeSet<Restart>,
    /// The last poll, and the last list of users, that were taken.
    until: Option<EventTime>,
    users_until: Option<EventTime>,
}

impl Watch {
    /// Takes what was told for `at`.
    ///
    /// # Errors
    /// When a later moment was taken before: moments must come in order. Nothing was changed.
    pub(crate) fn take(&mut self, at: EventTime, moment: Moment, ledger: &mut Ledger) -> Result<(), Disorder> {
        // What says nothing but that it failed may lie anywhere.
        let is_poll = moment.poll.is_some_and(|poll| poll.is_complete) || !moment.seen.is_empty();
        let is_list = moment.users.is_some();
        let is_past = |until: Option<EventTime>| until.is_some_and(|until| at <= until);
        if is_poll && is_past(self.until) || is_list && is_past(self.users_until) {
            return Err(Disorder);
        }
        if let Some(restart) = moment.restart
            && self.restarts.insert(restart)
        {
            ledger.add_restart(restart);
        }
        if let Some(to) = moment.unheard {
            ledger.add_outage(Outage { from: at, to });
        }
        if is_poll {
            self.until = Some(at);
        }
        if is_list {
            self.users_until = Some(at);
        }
        self.poll(&moment, ledger);
        self.users(&moment, ledger);
        Ok(())
    }

    fn poll(&mut self, moment: &Moment, ledger: &mut Ledger) {
        let poll = moment.poll;
        if let Some(Told { at, begins: true, .. }) = poll
            && let Some(last) = self.last.filter(|last| last.before < at.after)
        {
            ledger.add_outage(Outage { from: last.before, to: at.after });
        }
        let is_complete = poll.is_some_and(|poll| poll.is_complete);
        if poll.is_some_and(|poll| poll.is_complete && poll.is_full) {
            let left: Vec<Named> =
                self.present.keys().filter(|name| !moment.seen.contains_key(name)).cloned().collect();
            left.iter().for_each(|server| self.leave(server, ledger));
        }
        moment.gone.iter().for_each(|server| self.leave(server, ledger));
        for (server, life) in &moment.seen {
            // It was ready by the end of the poll at the latest.
            let ready_by = life.ready_by.map(|at| poll.map_or(at, |poll| poll.at.before));
            self.see(server, Life { ready_by, ..*life }, ledger);
        }
        if let Some(poll) = poll {
            self.last = self.last.max(Some(poll.at));
            if is_complete {
                let complete = insight::session::Poll { at: poll.at, seen: Vec::new(), is_complete: true };
                ledger.add_poll(&complete);
                self.last_complete = Some(poll.at);
            }
        }
    }

    fn see(&mut self, server: &Named, life: Life, ledger: &mut Ledger) {
        if self.present.get(server).is_some_and(|known| known.started != life.started) {
            self.leave(server, ledger);
        }
        tell(ledger, server, life);
        let known = self.present.get(server).map_or(life, |known| known.merged(life));
        self.present.insert(server.clone(), known);
    }

    /// It was there until the last complete poll, and not in this one.
    fn leave(&mut self, server: &Named, ledger: &mut Ledger) {
        if let Some(life) = self.present.remove(server) {
            self.stay(server, life, ledger);
        }
    }

    /// Tells that the last complete poll, too, listed it.
    fn stay(&self, server: &Named, life: Life, ledger: &mut Ledger) {
        if let Some(last) = self.last_complete.filter(|last| last.after > life.seen_last) {
            tell(ledger, server, Life { seen_last: last.after, ..life });
        }
    }

    fn users(&mut self, moment: &Moment, ledger: &mut Ledger) {
        let Some(list) = moment.users else { return };
        for (user, activity) in &moment.active {
            self.settle_idle(user, ledger);
            match activity.filter(|activity| *activity <= list.at.after) {
                Some(since) => {
                    self.idle.insert(Arc::clone(user), since);
                    tell_idle(ledger, user, Idle { since, until: list.at.after });
                }
                None => drop(self.idle.remove(user)),
            }
        }
        if !list.is_complete {
            return;
        }
        if list.is_full {
            let left: Vec<Arc<str>> =
                self.idle.keys().filter(|user| !moment.active.contains_key(*user)).cloned().collect();
            for user in left {
                self.settle_idle(&user, ledger);
                self.idle.remove(&user);
            }
        }
        self.listed = Some(list.at);
    }

    fn settle_idle(&self, user: &Arc<str>, ledger: &mut Ledger) {
        if let (Some(since), Some(list)) = (self.idle.get(user), self.listed) {
            tell_idle(ledger, user, Idle { since: *since, until: list.after });
        }
    }

    /// Tells the ledger what polls said by mentioning nothing: whoever is there was there at the last one.
    pub(crate) fn tell_present(&mut self, ledger: &mut Ledger) {
        for (server, life) in &self.present {
            self.stay(server, *life, ledger);
        }
        if ledger.hub().settings().culler.is_some() {
            let users: Vec<Arc<str>> = self.idle.keys().cloned().collect();
            users.iter().for_each(|user| self.settle_idle(user, ledger));
        }
        if let Some(last) = self.last_complete {
            self.present.values_mut().for_each(|life| life.seen_last = life.seen_last.max(last.after));
        }
    }
}

fn tell(ledger: &mut Ledger, server: &Named, life: Life) {
    let named = ledger.server(&server.user, &server.server, life.seen_last);
    ledger.add(named, Evidence::Life(life));
}

fn tell_idle(ledger: &mut Ledger, user: &Arc<str>, idle: Idle) {
    let at = Between { after: idle.until, before: idle.until };
    ledger.add_users(&insight::session::UserList { at, users: vec![(Arc::clone(user), Some(idle.since))] });
}
