//! The sessions of one server while evidence keeps coming: what can change no more is handed out and forgotten.
//!
//! A timeline holds the evidence from its *floor* on. Whatever comes in order lies above the floor and is added in
//! constant time; the rows above the floor, mostly one, are derived anew when asked for. Evidence below the floor is
//! refused as [`Late`]: then the server's evidence is read again as a whole and derived as if it had come in order,
//! which gives the rows of a rebuild because it is one. A server of which nothing is open keeps next to nothing.

use event::EventTime;
use serde::{Deserialize, Serialize};

use super::derive::{Before, Derived, derive};
use super::{EVENT_LAG, EndKnownBy, Evidence, Hub, Micros, ServerEvidence, Session};

/// Evidence older than what is settled came: this server must be derived from all its evidence again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("evidence came for a time whose sessions are settled; derive this server again from all its evidence")]
pub struct Late;

/// One server's evidence that still matters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeline {
    #[serde(skip_serializing_if = "is_default")]
    evidence: ServerEvidence,
    #[serde(skip_serializing_if = "is_default")]
    before: Before,
    /// All that lies before it is settled.
    #[serde(skip_serializing_if = "is_default")]
    floor: Option<EventTime>,
    /// The end of the last settled session whose end a list of users could still have told better.
    #[serde(skip_serializing_if = "is_default")]
    idle_floor: Option<EventTime>,
    /// Until then everything was told by rows whose evidence is gone.
    #[serde(skip_serializing_if = "is_default")]
    told_until: Option<EventTime>,
}

impl Timeline {
    /// What follows `last`, the last row of a server whose evidence is gone and which is kept elsewhere, where
    /// `stopped` is the last `stop` of any of its rows. What is told of the time until then tells nothing any more.
    pub fn after(last: &Session, stopped: Option<EventTime>) -> Self {
        let ended = last.end_high.unwrap_or(last.end_low);
        // What took its place began when it ended.
        let until = if last.end_known_by == EndKnownBy::Replaced { Micros(1).before(ended) } else { ended };
        Self {
            before: Before { dead_since: Some(ended), stopped },
            told_until: Some(until.max(last.start)),
            ..Self::default()
        }
    }

    /// The instant before which no row changes, if any row is settled.
    pub fn floor(&self) -> Option<EventTime> {
        self.floor
    }

    /// Whether no row could change without late evidence: then little more than the floor is kept.
    pub fn is_settled(&self) -> bool {
        self.evidence.tells_of_no_server()
    }

    /// Takes a piece of evidence.
    ///
    /// # Errors
    /// When it lies before the floor, so that settled rows may be wrong. The timeline is unchanged.
    pub fn add(&mut self, evidence: Evidence, hub: &Hub) -> Result<(), Late> {
        if self.is_told(&evidence) {
            return Ok(());
        }
        if self.is_late(&evidence, hub) {
            return Err(Late);
        }
        match (evidence, hub.settings().culler) {
            // Without a culler it proves nothing.
            (Evidence::Idle(_), None) => {}
            (Evidence::Idle(_), Some(culler)) => {
                self.evidence.add(evidence);
                self.evidence.keep_long_idles(culler.timeout.plus(culler.period));
            }
            _ => self.evidence.add(evidence),
        }
        Ok(())
    }

    /// Takes how a session began that follows those kept elsewhere: also where it did at the instant at which the last
    /// of them ended.
    pub fn carry(&mut self, began: Evidence) {
        self.evidence.add(began);
    }

    /// Whether it is about a session that is kept elsewhere.
    fn is_told(&self, evidence: &Evidence) -> bool {
        let at = match evidence {
            Evidence::Start(event) | Evidence::Stop(event) => event.at,
            Evidence::Life(life) => life.started,
            Evidence::Absent(at) => *at,
            Evidence::Idle(idle) => idle.until,
        };
        self.told_until.is_some_and(|until| at <= until)
    }

    fn is_late(&self, evidence: &Evidence, hub: &Hub) -> bool {
        let Some(floor) = self.floor else { return false };
        match evidence {
            // At the floor itself lies a beginning, and which of two events comes first there decides their rows.
            Evidence::Start(event) | Evidence::Stop(event) => event.at <= floor,
            Evidence::Absent(at) => *at <= floor,
            Evidence::Life(life) => {
                let is_known = || self.evidence.lives.first().is_some_and(|known| known.started == life.started);
                life.started <= floor && !is_known()
            }
            Evidence::Idle(idle) => {
                let bears = hub.settings().culler.map(|culler| culler.timeout.plus(culler.period));
                let Some((bears, settled)) = bears.zip(self.idle_floor) else { return false };
                let is_known = self.evidence.idles.iter().any(|known| known.since == idle.since);
                !is_known && bears.after(idle.since) <= settled
            }
        }
    }

    /// The rows that are not settled, as things stood at `as_of`.
    pub fn rows(&self, hub: &Hub, as_of: EventTime) -> Vec<Session> {
        derive(&self.evidence, hub, self.before, as_of).into_iter().map(|derived| derived.session).collect()
    }

    /// Hands out the rows that ended before `horizon` and forgets their evidence: only late evidence changes them.
    ///
    /// `horizon` should lie back as far as evidence is usually late (a day is much). `as_of` is as for [`Self::rows`].
    pub fn settle(&mut self, hub: &Hub, horizon: EventTime, as_of: EventTime) -> Vec<Session> {
        let derived = derive(&self.evidence, hub, self.before, as_of);
        let mut settled = 0;
        for (index, row) in derived.iter().enumerate() {
            if let Some(floor) = settles_at(row, derived.get(index + 1), horizon) {
                self.floor = Some(floor);
                self.before = row.after;
                settled = index + 1;
            }
        }
        if settled == derived.len() {
            // Nothing is open, and nothing is known that could open something before the horizon.
            self.floor = self.floor.max(Some(horizon));
        }
        let Some(floor) = self.floor else { return Vec::new() };
        for row in &derived[..settled] {
            let idle_counts =
                matches!(row.session.end_known_by, EndKnownBy::Replaced | EndKnownBy::Idle | EndKnownBy::Capped);
            if idle_counts {
                self.idle_floor = self.idle_floor.max(row.session.end_high);
            }
        }
        self.evidence.forget_before(floor);
        derived[..settled].iter().map(|row| row.session).collect()
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The floor above which evidence can be dropped once `row` and those before it are settled, if they can be.
fn settles_at(row: &Derived, following: Option<&Derived>, horizon: EventTime) -> Option<EventTime> {
    if row.next_opened.is_none() && following.is_some() {
        // Another row of the same beginning follows.
        return None;
    }
    if let Some(opened) = row.next_opened.filter(|opened| *opened < horizon) {
        return Some(opened);
    }
    // Else what ended by a proof that no later evidence outdoes.
    let is_seen = matches!(row.session.end_known_by, EndKnownBy::Stop | EndKnownBy::Gone | EndKnownBy::Restart);
    let ended = row.session.end_high.filter(|_| is_seen)?;
    let floor = Micros(1).after(EVENT_LAG.after(ended).max(row.taken_until));
    (floor < horizon && row.next_opened.is_none_or(|opened| floor <= opened)).then_some(floor)
}
