//! From evidence to sessions: the definitions of [`super`], in order.

use event::EventTime;
use serde::{Deserialize, Serialize};

use super::{
    CAP, COLD, EVENT_LAG, EndKnownBy, Flags, Hub, Life, Micros, REPEAT, SPAWN_MAX, ServerEvent, ServerEvidence,
    Session, StartKnownBy,
};

/// What came before the evidence that is at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// The last proof of death.
    pub(crate) dead_since: Option<EventTime>,
    /// The last `stop`.
    pub(crate) stopped: Option<EventTime>,
}

/// A session, and what is known after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Derived {
    pub(crate) session: Session,
    /// What stands before the evidence that follows.
    pub(crate) after: Before,
    /// The time of the last evidence that its beginning took as its own.
    pub(crate) taken_until: EventTime,
    /// Where the next beginning opens, if this is the last row of its beginning and one follows.
    pub(crate) next_opened: Option<EventTime>,
}

/// Derives every session of one server, in order of time, as things stood at `as_of`.
///
/// Nothing but the cap of a session that nothing followed depends on `as_of`.
pub(crate) fn derive(evidence: &ServerEvidence, hub: &Hub, before: Before, as_of: EventTime) -> Vec<Derived> {
    let beginnings = beginnings(evidence, hub);
    let mut derivation = Derivation { evidence, hub, as_of, before, rows: Vec::with_capacity(beginnings.len()) };
    let mut stops = evidence.stops.as_slice();
    let of_none = stops.partition_point(|stop| beginnings.first().is_none_or(|first| !first.precedes(stop)));
    derivation.truncated(&stops[..of_none]);
    stops = &stops[of_none..];
    for (index, beginning) in beginnings.iter().enumerate() {
        let next = beginnings.get(index + 1);
        let own = stops.partition_point(|stop| next.is_none_or(|next| !next.precedes(stop)));
        derivation.session(beginning, next, &stops[..own]);
        stops = &stops[own..];
    }
    derivation.rows
}

/// The start of a server that evidence shows.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    /// From when on the server before it cannot have run any more.
    opened: EventTime,
    event: Option<ServerEvent>,
    life: Option<Life>,
}

impl Beginning {
    fn start(&self) -> EventTime {
        self.event.map_or(self.opened, |event| event.at)
    }

    /// Whether `stop` comes after it.
    fn precedes(&self, stop: &ServerEvent) -> bool {
        match (self.life, self.event) {
            (None, Some(event)) => event < *stop,
            _ => self.opened < stop.at,
        }
    }

    /// Whether `start` tells of this beginning and not of another one.
    fn takes(&mut self, start: ServerEvent, stops: &[ServerEvent], hub: &Hub) -> bool {
        let stopped_between = || {
            let first = stops.partition_point(|stop| !self.precedes(stop));
            stops.get(first).is_some_and(|stop| *stop < start)
        };
        if let Some(life) = self.life {
            let was_ready = life.ready_by.is_some_and(|ready_by| EVENT_LAG.after(ready_by) < start.at);
            let ends_spawn = self.event.is_none() && !was_ready;
            let is_seen_later = start.at <= life.seen_last;
            let is_gone = hub.absent_by(life.seen_last).is_some_and(|gone| gone < start.at);
            let is_soon = start.at <= SPAWN_MAX.after(life.started) && !is_gone && !stopped_between();
            if ends_spawn && (is_seen_later || is_soon) {
                self.event = Some(start);
                return true;
            }
            if is_seen_later {
                return true;
            }
        }
        self.event.is_some() && start.at <= REPEAT.after(self.start()) && !stopped_between()
    }
}

fn beginnings(evidence: &ServerEvidence, hub: &Hub) -> Vec<Beginning> {
    let mut found: Vec<Beginning> = Vec::with_capacity(evidence.starts.len().max(evidence.lives.len()));
    let mut lives = evidence.lives.iter().peekable();
    let of_life = |life: &Life| Beginning { opened: life.started, event: None, life: Some(*life) };
    for start in &evidence.starts {
        while let Some(life) = lives.next_if(|life| life.started <= start.at) {
            found.push(of_life(life));
        }
        if !found.last_mut().is_some_and(|last| last.takes(*start, &evidence.stops, hub)) {
            found.push(Beginning { opened: start.at, event: Some(*start), life: None });
        }
    }
    found.extend(lives.map(of_life));
    found
}

/// A proof of death: ordered by time, the best first among those of one time.
type Death = (EventTime, EndKnownBy);

struct Derivation<'a> {
    evidence: &'a ServerEvidence,
    hub: &'a Hub,
    as_of: EventTime,
    before: Before,
    rows: Vec<Derived>,
}

impl Derivation<'_> {
    /// The session of a beginning, and those of whatever stopped after its death and before the `next` one.
    fn session(&mut self, beginning: &Beginning, next: Option<&Beginning>, stops: &[ServerEvent]) {
        let next_opened = next.map(|next| next.opened);
        let mut flags = Flags::default();
        let mut alive = beginning.start();
        if let Some(life) = beginning.life {
            alive = alive.max(life.seen_last).max(life.last_activity.unwrap_or(life.started));
        }
        if let Some(opened) = next_opened.filter(|opened| *opened < alive) {
            flags.conflicted = true;
            alive = opened.max(beginning.start());
        }
        let seen_dead = self.seen_dead(alive, next_opened);
        let own_stop = stops.first().filter(|stop| seen_dead.is_none_or(|(by, _)| stop.at <= EVENT_LAG.after(by)));
        let row = Session {
            start_low: beginning.start(),
            start: beginning.start(),
            start_known_by: if beginning.event.is_some() { StartKnownBy::Event } else { StartKnownBy::Hub },
            hub_started: beginning.life.map(|life| life.started),
            end_low: alive,
            end: None,
            end_high: None,
            end_known_by: EndKnownBy::Open,
            last_activity: beginning.life.and_then(|life| life.last_activity),
            flags,
            start_id: beginning.event.map(|event| event.id),
            end_id: None,
        };
        let rest = match own_stop {
            Some(stop) => {
                self.push(self.stopped(row, beginning, stop), Some(stop.at));
                &stops[1..]
            }
            None => {
                self.push(self.inferred(row, seen_dead, next_opened), None);
                stops
            }
        };
        self.truncated(rest);
        if let Some(last) = self.rows.last_mut() {
            last.next_opened = next_opened;
            last.taken_until = beginning.life.map_or(beginning.start(), |life| life.seen_last.max(beginning.start()));
        }
    }

    /// E1.
    fn stopped(&self, row: Session, beginning: &Beginning, stop: &ServerEvent) -> Session {
        let heard = beginning.life.map_or(row.start, |life| life.seen_last.max(row.start));
        let unheard = self.hub.unheard_between(heard, stop.at);
        let conflicted = row.flags.conflicted || row.end_low > stop.at;
        let start = row.start.min(stop.at);
        Session {
            start_low: start,
            start,
            end_low: if unheard { row.end_low.min(stop.at) } else { stop.at },
            end: Some(stop.at),
            end_high: Some(stop.at),
            end_known_by: EndKnownBy::Stop,
            flags: Flags { conflicted, unheard, ..row.flags },
            end_id: Some(stop.id),
            ..row
        }
    }

    /// E2 to E6, or open.
    fn inferred(&self, row: Session, seen_dead: Option<Death>, next_opened: Option<EventTime>) -> Session {
        let (start, alive) = (row.start, row.end_low);
        let idle = if seen_dead.is_none() { self.idle(alive, next_opened) } else { None };
        let replaced = next_opened.map(|opened| (opened.max(alive), EndKnownBy::Replaced));
        let cap = (self.cap(start, alive), EndKnownBy::Capped);
        let first = [seen_dead, replaced, idle].into_iter().flatten().min();
        if first.is_none() && cap.0 > self.as_of {
            return row;
        }
        let (high, known_by) = first.map_or(cap, |first| first.min(cap));
        let point = match known_by {
            EndKnownBy::Gone => middle(alive, high),
            EndKnownBy::Capped => alive,
            _ => match self.hub.settings().culler {
                Some(culler) => culler.timeout.after(row.last_activity.unwrap_or(start)).clamp(alive, high),
                None => alive,
            },
        };
        let capped = known_by == EndKnownBy::Capped;
        let restarted = self.hub.restarted_between(alive, high);
        Session {
            end: Some(point),
            end_high: Some(high),
            end_known_by: known_by,
            flags: Flags { capped, restarted, ..row.flags },
            ..row
        }
    }

    /// Rows of stops that have no beginning.
    fn truncated(&mut self, stops: &[ServerEvent]) {
        for stop in stops {
            if self.before.stopped.is_some_and(|last| stop.at <= REPEAT.after(last)) {
                continue;
            }
            let cap = self.hub.settings().max_age.unwrap_or(CAP).before(stop.at);
            let (start_low, capped) = match self.before.dead_since {
                Some(dead) if dead >= cap => (dead.min(stop.at), false),
                _ => (cap, true),
            };
            let row = Session {
                start_low,
                start: stop.at,
                start_known_by: StartKnownBy::Nothing,
                hub_started: None,
                end_low: stop.at,
                end: Some(stop.at),
                end_high: Some(stop.at),
                end_known_by: EndKnownBy::Stop,
                last_activity: None,
                flags: Flags { truncated: true, capped, ..Flags::default() },
                start_id: None,
                end_id: Some(stop.id),
            };
            self.push(row, Some(stop.at));
        }
    }

    fn push(&mut self, session: Session, stopped: Option<EventTime>) {
        self.before = Before {
            dead_since: session.end_high.or(self.before.dead_since),
            stopped: stopped.or(self.before.stopped),
        };
        let taken_until = session.end_low;
        self.rows.push(Derived { session, after: self.before, taken_until, next_opened: None });
    }

    /// The first of E2 and E4 before the next beginning.
    fn seen_dead(&self, alive: EventTime, next_opened: Option<EventTime>) -> Option<Death> {
        let absences = &self.evidence.absences;
        let absent = absences.get(absences.partition_point(|at| *at <= alive)).copied();
        let gone = [self.hub.absent_by(alive), absent].into_iter().flatten().min();
        let emptied = self.hub.emptied_at(alive);
        let deaths = [gone.map(|at| (at, EndKnownBy::Gone)), emptied.map(|at| (at, EndKnownBy::Restart))];
        let first = deaths.into_iter().flatten().min()?;
        next_opened.is_none_or(|opened| first.0 <= opened).then_some(first)
    }

    /// E5: the first instant by which the culler must have come by.
    fn idle(&self, alive: EventTime, next_opened: Option<EventTime>) -> Option<Death> {
        let culler = self.hub.settings().culler?;
        let bears = culler.timeout.plus(culler.period);
        let mut first: Option<EventTime> = None;
        for idle in &self.evidence.idles {
            let quiet_from = idle.since.max(alive);
            let until = next_opened.map_or(idle.until, |opened| opened.min(idle.until));
            // While the hub was down, nothing was culled.
            let up = self.hub.restarted_last(quiet_from, until);
            let up = up.map_or(quiet_from, |up| culler.period.plus(COLD).after(up));
            let culled_by = bears.after(quiet_from).max(up);
            if culled_by <= until {
                first = Some(first.map_or(culled_by, |known| known.min(culled_by)));
            }
        }
        first.map(|at| (at, EndKnownBy::Idle))
    }

    /// E6: from when on nothing is claimed any more.
    fn cap(&self, start: EventTime, alive: EventTime) -> EventTime {
        match self.hub.settings().max_age {
            Some(max_age) => max_age.after(start).max(alive),
            None => CAP.after(alive),
        }
    }
}

fn middle(low: EventTime, high: EventTime) -> EventTime {
    Micros(Micros::between(low, high).0 / 2).after(low)
}
