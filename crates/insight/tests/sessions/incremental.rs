//! Evidence that keeps coming, now and then late, gives the rows that a rebuild gives, bit for bit.

use event::EventTime;
use insight::session::{Evidence, Hub, Session, Timeline};

use crate::oracle;
use crate::random::{Heap, Random, seconds};

/// What keeps the rows of one server, as a table does.
struct Kept<'a> {
    hub: &'a Hub,
    timeline: Timeline,
    settled: Vec<Session>,
    all: Vec<Evidence>,
    rebuilt: usize,
}

impl Kept<'_> {
    fn add(&mut self, evidence: Evidence) {
        self.all.push(evidence);
        if self.timeline.add(evidence, self.hub).is_err() {
            self.rebuilt += 1;
            self.timeline = Timeline::default();
            self.settled.clear();
            for evidence in &self.all {
                self.timeline.add(*evidence, self.hub).unwrap();
            }
        }
    }

    fn settle(&mut self, horizon: EventTime, as_of: EventTime) {
        self.settled.extend(self.timeline.settle(self.hub, horizon, as_of));
    }
}

fn time_of(evidence: &Evidence) -> EventTime {
    match evidence {
        Evidence::Start(event) | Evidence::Stop(event) => event.at,
        Evidence::Life(life) => life.seen_last,
        Evidence::Absent(at) => *at,
        Evidence::Idle(idle) => idle.until,
    }
}

#[test]
fn rows_that_were_settled_on_the_way_are_those_of_a_rebuild() {
    let mut random = Random::new(3);
    let (mut settled, mut rebuilt, mut kept_all) = (0, 0, 0);
    for round in 0..20_000 {
        let mut heap = Heap::random(&mut random);
        heap.evidence.sort_by_key(time_of);
        for _ in 0..random.below(3) {
            // Some come late.
            let (from, to) =
                (random.below(1 + heap.evidence.len() as i64), random.below(1 + heap.evidence.len() as i64));
            if let (Ok(from), Ok(to)) = (usize::try_from(from), usize::try_from(to))
                && from < heap.evidence.len()
                && to < heap.evidence.len()
            {
                let moved = heap.evidence.remove(from);
                heap.evidence.insert(to, moved);
            }
        }
        let hub = heap.hub();
        let mut kept =
            Kept { hub: &hub, timeline: Timeline::default(), settled: Vec::new(), all: Vec::new(), rebuilt: 0 };
        let lateness = random.below(700);
        for evidence in heap.evidence.clone() {
            kept.add(evidence);
            if random.percent(60) {
                let horizon = EventTime::from_micros(time_of(&evidence).micros() - lateness * 1_000_000);
                kept.settle(horizon, time_of(&evidence));
            }
        }
        let mut rows = kept.settled.clone();
        rows.extend(kept.timeline.rows(&hub, heap.as_of));
        assert_eq!(rows, oracle::sessions(&heap), "round {round}: {heap:#?}");
        (settled, rebuilt) = (settled + kept.settled.len(), rebuilt + kept.rebuilt);
        kept_all += usize::from(kept.settled.is_empty());
    }
    assert!(settled > 5_000 && rebuilt > 1_000 && kept_all > 1_000, "{settled} {rebuilt} {kept_all}");
}

#[test]
fn what_ended_long_ago_takes_no_memory_but_its_floor() {
    let heap = Heap {
        evidence: Vec::new(),
        settings: insight::session::Settings::default(),
        polls: Vec::new(),
        restarts: Vec::new(),
        outages: Vec::new(),
        as_of: seconds(0),
    };
    let hub = heap.hub();
    let mut timeline = Timeline::default();
    for day in 0..2_000 {
        let event = |at| insight::session::ServerEvent { at, received: at, id: insight::session::EventId::default() };
        let begin = seconds(day * 86_400);
        timeline.add(Evidence::Start(event(begin)), &hub).unwrap();
        timeline.add(Evidence::Stop(event(seconds(day * 86_400 + 3_600))), &hub).unwrap();
        assert_eq!(timeline.settle(&hub, begin, begin).len(), usize::from(day > 0));
        assert_eq!(timeline.rows(&hub, begin).len(), 1);
    }
    assert_eq!(timeline.settle(&hub, seconds(2_000 * 86_400), seconds(0)).len(), 1);
    assert!(timeline.is_settled());
}
