//! The definitions once more, written as slowly as they read: every statement looks at all evidence again.

use std::collections::{BTreeMap, BTreeSet};

use event::EventTime;
use insight::session::{
    Between, CAP, COLD, EVENT_LAG, EndKnownBy, Evidence, Flags, Kept, Life, Micros, REPEAT, SPAWN_MAX, ServerEvent,
    Session, StartKnownBy, Timeline,
};

use crate::random::{Heap, Random};

struct Oracle<'a> {
    heap: &'a Heap,
    starts: BTreeMap<EventTime, ServerEvent>,
    stops: BTreeMap<EventTime, ServerEvent>,
    lives: BTreeMap<EventTime, Life>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Begun {
    opened: EventTime,
    event: Option<ServerEvent>,
    life: Option<Life>,
}

impl Begun {
    fn start(self) -> EventTime {
        match self.event {
            Some(event) => event.at,
            None => self.opened,
        }
    }

    fn is_before(self, stop: ServerEvent) -> bool {
        if let (Some(event), None) = (self.event, self.life) {
            let key = |event: ServerEvent| (event.at, event.received, event.id.position, event.id.collector);
            return key(event) < key(stop);
        }
        stop.at > self.opened
    }
}

impl<'a> Oracle<'a> {
    fn new(heap: &'a Heap) -> Self {
        let (mut starts, mut stops, mut lives) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let first = |all: &mut BTreeMap<EventTime, ServerEvent>, event: ServerEvent| {
            let known = *all.get(&event.at).unwrap_or(&event);
            all.insert(event.at, if (event.received, event.id) < (known.received, known.id) { event } else { known });
        };
        for evidence in &heap.evidence {
            match evidence {
                Evidence::Start(event) => first(&mut starts, *event),
                Evidence::Stop(event) => first(&mut stops, *event),
                Evidence::Life(life) => {
                    let all = heap.evidence.iter().filter_map(|other| match other {
                        Evidence::Life(other) if other.started == life.started => Some(*other),
                        _ => None,
                    });
                    let all: Vec<Life> = all.collect();
                    let merged = Life {
                        started: life.started,
                        seen_last: all.iter().map(|life| life.seen_last).max().unwrap(),
                        ready_by: all.iter().filter_map(|life| life.ready_by).min(),
                        last_activity: all.iter().filter_map(|life| life.last_activity).max(),
                    };
                    lives.insert(life.started, merged);
                }
                Evidence::Absent(_) | Evidence::Idle(_) => {}
            }
        }
        Self { heap, starts, stops, lives }
    }

    fn begun(&self) -> Vec<Begun> {
        let mut begun: Vec<Begun> =
            self.lives.values().map(|life| Begun { opened: life.started, event: None, life: Some(*life) }).collect();
        for start in self.starts.values() {
            // The latest of those that opened by then: lives that open at the same instant come first.
            let latest = (0..begun.len()).filter(|i| begun[*i].opened <= start.at).max_by_key(|i| begun[*i].opened);
            let Some(index) = latest else {
                begun.insert(0, Begun { opened: start.at, event: Some(*start), life: None });
                continue;
            };
            let known = begun[index];
            let stopped = self.stops.values().any(|stop| known.is_before(*stop) && stop < start);
            let repeats = known.event.is_some() && Micros::between(known.start(), start.at) <= REPEAT && !stopped;
            let mut begins = !repeats;
            if let Some(life) = known.life {
                let seen_later = life.seen_last >= start.at;
                let ready_before = life.ready_by.is_some_and(|by| Micros::between(by, start.at) > EVENT_LAG);
                let polls = self
                    .heap
                    .polls
                    .iter()
                    .filter(|poll| poll.after > life.seen_last && !self.is_cold(poll, life.seen_last));
                let gone = polls.min().is_some_and(|poll| poll.before < start.at);
                let soon = Micros::between(life.started, start.at) <= SPAWN_MAX && !stopped && !gone;
                if known.event.is_none() && !ready_before && (seen_later || soon) {
                    begun[index].event = Some(*start);
                    begins = false;
                }
                if seen_later {
                    begins = false;
                }
            }
            if begins {
                begun.push(Begun { opened: start.at, event: Some(*start), life: None });
            }
            begun.sort_by_key(|begun| begun.opened);
        }
        begun
    }

    /// Every instant at which something could be proven, in order.
    fn instants(&self, alive: EventTime, start: EventTime, next: Option<Begun>) -> BTreeSet<EventTime> {
        let mut instants: BTreeSet<EventTime> = self.heap.polls.iter().map(|poll| poll.before).collect();
        instants.extend(self.heap.restarts.iter().map(|restart| restart.at));
        instants.extend(next.map(|next| next.opened.max(alive)));
        instants.insert(self.cap(alive, start));
        for evidence in &self.heap.evidence {
            match evidence {
                Evidence::Absent(at) => instants.extend([*at]),
                Evidence::Idle(idle) => instants.extend(self.culled_by(idle.since, alive, next)),
                _ => {}
            }
        }
        instants
    }

    /// When the culler must have come by, if a list told so before the next beginning.
    fn culled_by(&self, since: EventTime, alive: EventTime, next: Option<Begun>) -> Option<EventTime> {
        let culler = self.heap.settings.culler?;
        let until = self.idle_until(since);
        let until = next.map_or(until, |next| next.opened.min(until));
        let quiet_from = alive.max(since);
        let ups = self.heap.restarts.iter().map(|restart| restart.at).filter(|at| quiet_from < *at && *at <= until);
        let mut by = culler.period.after(culler.timeout.after(quiet_from));
        for up in ups {
            by = by.max(culler.period.after(COLD.after(up)));
        }
        (by <= until).then_some(by)
    }

    fn cap(&self, alive: EventTime, start: EventTime) -> EventTime {
        match self.heap.settings.max_age {
            None => CAP.after(alive),
            Some(age) if age.after(start) > alive => age.after(start),
            Some(_) => alive,
        }
    }

    fn is_cold(&self, poll: &Between, alive: EventTime) -> bool {
        let latest = self.heap.restarts.iter().map(|restart| restart.at).filter(|at| *at <= poll.before).max();
        latest.is_some_and(|at| Micros::between(at, poll.after) < COLD && at >= alive)
    }

    /// Whether `instant` is seen to prove the death of a server last seen at `alive`, by E2 or E4.
    fn seen_dead(&self, instant: EventTime, alive: EventTime) -> Option<EndKnownBy> {
        let first_poll = self
            .heap
            .polls
            .iter()
            .filter(|poll| poll.after > alive && !self.is_cold(poll, alive))
            .min_by_key(|poll| (poll.after, poll.before));
        let polled = first_poll.is_some_and(|poll| poll.before == instant);
        let absent = self.heap.evidence.contains(&Evidence::Absent(instant)) && instant > alive;
        let emptied = |restart: &&insight::session::Restart| restart.at == instant && restart.at >= alive;
        let known = self.heap.restarts.iter().filter(emptied).any(|restart| restart.kept == Kept::None);
        match (polled || absent, known) {
            (true, _) => Some(EndKnownBy::Gone),
            (false, true) => Some(EndKnownBy::Restart),
            (false, false) => None,
        }
    }

    fn end(&self, alive: EventTime, start: EventTime, next: Option<Begun>) -> Option<(EventTime, EndKnownBy)> {
        let instants = self.instants(alive, start, next);
        let by_next = |instant: EventTime| next.is_none_or(|next| instant <= next.opened);
        let is_seen = instants.iter().any(|at| by_next(*at) && self.seen_dead(*at, alive).is_some());
        let mut found = None;
        for instant in instants {
            let idle = self.heap.evidence.iter().any(|piece| match piece {
                Evidence::Idle(idle) => self.culled_by(idle.since, alive, next) == Some(instant),
                _ => false,
            });
            let dead = self.seen_dead(instant, alive).filter(|_| by_next(instant));
            let by = if dead == Some(EndKnownBy::Gone) {
                dead
            } else if next.is_some_and(|next| next.opened.max(alive) == instant) {
                Some(EndKnownBy::Replaced)
            } else if dead.is_some() {
                dead
            } else if idle && !is_seen {
                Some(EndKnownBy::Idle)
            } else if self.cap(alive, start) == instant {
                Some(EndKnownBy::Capped)
            } else {
                None
            };
            if let Some(by) = by {
                found = Some((instant, by));
                break;
            }
        }
        let only_cap = found.is_some_and(|(_, by)| by == EndKnownBy::Capped)
            && next.is_none()
            && !is_seen
            && !self.ever_idle(alive);
        found.filter(|(at, _)| !only_cap || *at <= self.heap.as_of)
    }

    fn idle_until(&self, since: EventTime) -> EventTime {
        let same = self.heap.evidence.iter().filter_map(|piece| match piece {
            Evidence::Idle(idle) if idle.since == since => Some(idle.until),
            _ => None,
        });
        same.max().unwrap()
    }

    fn ever_idle(&self, alive: EventTime) -> bool {
        self.heap.evidence.iter().any(|piece| match piece {
            Evidence::Idle(idle) => self.culled_by(idle.since, alive, None).is_some(),
            _ => false,
        })
    }

    fn sessions(&self) -> Vec<Session> {
        let begun = self.begun();
        let mut rows: Vec<Session> = Vec::new();
        let mut taken: BTreeSet<EventTime> = BTreeSet::new();
        let leading = |stop: &&ServerEvent| !begun.iter().any(|begun| begun.is_before(**stop));
        let leading: Vec<ServerEvent> = self.stops.values().filter(leading).copied().collect();
        self.truncated(&leading, &mut rows, &mut taken);
        for (index, own) in begun.iter().enumerate() {
            let next = begun.get(index + 1).copied();
            let stops: Vec<ServerEvent> = self
                .stops
                .values()
                .filter(|stop| own.is_before(**stop) && !next.is_some_and(|next| next.is_before(**stop)))
                .copied()
                .collect();
            let row = self.session(*own, next, &stops);
            let left = if row.end_id.is_some() { &stops[1..] } else { &stops[..] };
            if let Some(stop) = stops.first().filter(|_| row.end_id.is_some()) {
                taken.insert(stop.at);
            }
            rows.push(row);
            self.truncated(left, &mut rows, &mut taken);
        }
        rows
    }

    fn session(&self, own: Begun, next: Option<Begun>, stops: &[ServerEvent]) -> Session {
        let start = own.start();
        let mut proofs = vec![start];
        proofs.extend(own.life.map(|life| life.seen_last));
        proofs.extend(own.life.and_then(|life| life.last_activity));
        let last_proof = proofs.into_iter().max().unwrap();
        let overlaps = next.is_some_and(|next| next.opened < last_proof);
        let alive = if overlaps { next.unwrap().opened.max(start) } else { last_proof };
        let instants = self.instants(alive, start, next);
        let by_next = |at: &&EventTime| next.is_none_or(|next| **at <= next.opened);
        let dead = instants.iter().filter(by_next).find(|at| self.seen_dead(**at, alive).is_some());
        let mut row = Session {
            start_low: start,
            start,
            start_known_by: if own.event.is_some() { StartKnownBy::Event } else { StartKnownBy::Hub },
            hub_started: own.life.map(|life| life.started),
            end_low: alive,
            end: None,
            end_high: None,
            end_known_by: EndKnownBy::Open,
            last_activity: own.life.and_then(|life| life.last_activity),
            flags: Flags { conflicted: overlaps, ..Flags::default() },
            start_id: own.event.map(|event| event.id),
            end_id: None,
        };
        let stop = stops.first().filter(|stop| dead.is_none_or(|dead| Micros::between(*dead, stop.at) <= EVENT_LAG));
        if let Some(stop) = stop {
            let heard = own.life.map_or(start, |life| life.seen_last.max(start));
            row.flags.unheard = self.heap.outages.iter().any(|outage| outage.from < stop.at && outage.to > heard);
            row.flags.conflicted |= alive > stop.at;
            row.start = start.min(stop.at);
            row.start_low = row.start;
            row.end_low = if row.flags.unheard { alive.min(stop.at) } else { stop.at };
            (row.end, row.end_high, row.end_known_by) = (Some(stop.at), Some(stop.at), EndKnownBy::Stop);
            row.end_id = Some(stop.id);
            return row;
        }
        let Some((high, by)) = self.end(alive, start, next) else { return row };
        let point = match (by, self.heap.settings.culler) {
            (EndKnownBy::Gone, _) => EventTime::from_micros(alive.micros() + (high.micros() - alive.micros()) / 2),
            (EndKnownBy::Capped, _) | (_, None) => alive,
            (_, Some(culler)) => {
                let idle = culler.timeout.after(row.last_activity.unwrap_or(start));
                if idle < alive { alive } else { idle.min(high) }
            }
        };
        row.flags.capped = by == EndKnownBy::Capped;
        row.flags.restarted = self.heap.restarts.iter().any(|restart| restart.at > alive && restart.at <= high);
        (row.end, row.end_high, row.end_known_by) = (Some(point), Some(high), by);
        row
    }

    fn truncated(&self, stops: &[ServerEvent], rows: &mut Vec<Session>, taken: &mut BTreeSet<EventTime>) {
        for stop in stops {
            let last = taken.iter().next_back();
            if last.is_some_and(|last| Micros::between(*last, stop.at) <= REPEAT) {
                continue;
            }
            taken.insert(stop.at);
            let cap = self.heap.settings.max_age.unwrap_or(CAP).before(stop.at);
            let dead = rows.iter().rev().find_map(|row| row.end_high);
            let known = dead.filter(|dead| *dead >= cap);
            rows.push(Session {
                start_low: known.map_or(cap, |dead| dead.min(stop.at)),
                start: stop.at,
                start_known_by: StartKnownBy::Nothing,
                hub_started: None,
                end_low: stop.at,
                end: Some(stop.at),
                end_high: Some(stop.at),
                end_known_by: EndKnownBy::Stop,
                last_activity: None,
                flags: Flags { truncated: true, capped: known.is_none(), ..Flags::default() },
                start_id: None,
                end_id: Some(stop.id),
            });
        }
    }
}

/// What the definitions say of a heap.
pub(crate) fn sessions(heap: &Heap) -> Vec<Session> {
    Oracle::new(heap).sessions()
}

/// What the crate says of it.
pub(crate) fn derived(heap: &Heap) -> Vec<Session> {
    let hub = heap.hub();
    let mut timeline = Timeline::default();
    heap.evidence.iter().for_each(|evidence| timeline.add(*evidence, &hub).unwrap());
    timeline.rows(&hub, heap.as_of)
}

#[test]
fn rows_are_what_the_definitions_say() {
    let mut random = Random::new(1);
    let mut seen: BTreeMap<(StartKnownBy, EndKnownBy), usize> = BTreeMap::new();
    let mut flagged = [0_usize; 5];
    for round in 0..30_000 {
        let heap = Heap::random(&mut random);
        let rows = derived(&heap);
        assert_eq!(rows, sessions(&heap), "round {round}: {heap:#?}");
        for row in rows {
            *seen.entry((row.start_known_by, row.end_known_by)).or_default() += 1;
            (0..5).filter(|bit| row.flags.bits() >> bit & 1 == 1).for_each(|bit| flagged[bit] += 1);
            assert_eq!(Flags::from_bits(row.flags.bits()), row.flags);
            assert!(row.start_low <= row.start && row.start <= row.end_low, "{row:?}");
            assert!(row.end.is_none_or(|end| row.end_low <= end && Some(end) <= row.end_high), "{row:?}");
        }
    }
    // Nothing that a row can say was left untried.
    for start in [StartKnownBy::Event, StartKnownBy::Hub] {
        for end in EndKnownBy::ALL {
            assert!(seen.get(&(start, end)).is_some_and(|count| *count > 50), "{start:?} {end:?}: {seen:?}");
        }
    }
    assert!(seen[&(StartKnownBy::Nothing, EndKnownBy::Stop)] > 100);
    assert!(flagged.iter().all(|count| *count > 100), "{flagged:?}");
}

#[test]
fn the_order_of_arrival_and_repetition_change_nothing() {
    let mut random = Random::new(2);
    for _ in 0..5_000 {
        let mut heap = Heap::random(&mut random);
        let rows = derived(&heap);
        let again: Vec<Evidence> = heap.evidence.iter().filter(|_| random.percent(30)).copied().collect();
        heap.evidence.extend(again);
        random.shuffle(&mut heap.evidence);
        random.shuffle(&mut heap.polls);
        random.shuffle(&mut heap.restarts);
        random.shuffle(&mut heap.outages);
        assert_eq!(derived(&heap), rows, "{heap:#?}");
    }
}
