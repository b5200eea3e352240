//! Numbers from a seed, and random heaps of evidence that need not make sense.

use event::{EventTime, Position};
use insight::session::{
    Between, Culler, EventId, Evidence, Hub, Idle, Kept, Life, Micros, Outage, Restart, ServerEvent, Settings,
};

/// Numbers from a seed (`SplitMix64`).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..below`.
    pub(crate) fn below(&mut self, below: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(below).unwrap()).unwrap()
    }

    /// True in so many cases of a hundred.
    pub(crate) fn percent(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    /// One of `0..seldom` in so many cases of a hundred, else one of `0..mostly`.
    pub(crate) fn rarely(&mut self, percent: i64, seldom: i64, mostly: i64) -> i64 {
        let below = if self.percent(percent) { seldom } else { mostly };
        self.below(below)
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for index in (1..list.len()).rev() {
            let other = self.below(i64::try_from(index).unwrap() + 1);
            list.swap(index, usize::try_from(other).unwrap());
        }
    }
}

pub(crate) fn seconds(seconds: i64) -> EventTime {
    EventTime::from_micros(seconds * 1_000_000)
}

/// A heap of evidence about one server and its hub. Times lie on a coarse grid, so that ties and near misses abound.
#[derive(Clone, Debug)]
pub(crate) struct Heap {
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) settings: Settings,
    pub(crate) polls: Vec<Between>,
    pub(crate) restarts: Vec<Restart>,
    pub(crate) outages: Vec<Outage>,
    pub(crate) as_of: EventTime,
}

impl Heap {
    pub(crate) fn hub(&self) -> Hub {
        let mut hub = Hub::new(self.settings);
        self.polls.iter().for_each(|poll| hub.add_poll(*poll));
        self.restarts.iter().for_each(|restart| hub.add_restart(*restart));
        self.outages.iter().for_each(|outage| hub.add_outage(*outage));
        hub
    }

    pub(crate) fn random(random: &mut Random) -> Self {
        // From a quarter of an hour to more than the cap; half-seconds make repeats.
        let span = [900, 4_000, 20_000, 900_000][usize::try_from(random.below(4)).unwrap()];
        let step = [1, 15, 60][usize::try_from(random.below(3)).unwrap()];
        let time = |random: &mut Random| {
            let whole = random.below(span / step) * step * 1_000_000;
            EventTime::from_micros(whole + random.below(2) * 500_000)
        };
        let culler = random.percent(60).then(|| Culler {
            timeout: Micros::from_secs(random.below(span / 4)),
            period: Micros::from_secs(random.below(60)),
        });
        let max_age = random.percent(40).then(|| Micros::from_secs(1 + random.below(span)));
        let size = random.below(9);
        let mut evidence: Vec<Evidence> = (0..size).map(|_| piece(random, &time)).collect();
        if random.percent(50) {
            // Two polls that tell of one server.
            let again: Vec<Evidence> = evidence.iter().filter_map(|known| again(*known, random, &time)).collect();
            evidence.extend(again);
        }
        let many = |random: &mut Random, most: i64| 0..random.below(most);
        let polls = many(random, 5)
            .map(|_| {
                let after = time(random);
                Between { after, before: Micros::from_secs(random.below(20)).after(after) }
            })
            .collect();
        let restarts = many(random, 3)
            .map(|_| Restart { at: time(random), kept: if random.percent(50) { Kept::None } else { Kept::Unknown } })
            .collect();
        let outages = many(random, 2)
            .map(|_| {
                let from = time(random);
                Outage { from, to: Micros::from_secs(random.below(600)).after(from) }
            })
            .collect();
        let as_of = seconds(span + random.below(2 * span));
        Self { evidence, settings: Settings { culler, max_age }, polls, restarts, outages, as_of }
    }
}

fn piece(random: &mut Random, time: &impl Fn(&mut Random) -> EventTime) -> Evidence {
    let at = time(random);
    let event = |random: &mut Random| ServerEvent {
        at,
        received: Micros::from_secs(random.below(2)).after(at),
        id: EventId { position: Position(random.next() % 4), collector: 0 },
    };
    match random.below(12) {
        0..4 => Evidence::Start(event(random)),
        4..8 => Evidence::Stop(event(random)),
        8 | 9 => {
            let length = Micros(Micros::between(seconds(0), time(random)).0 / 4);
            Evidence::Life(life(at, length.after(at), random))
        }
        10 => Evidence::Absent(at),
        _ => Evidence::Idle(Idle { since: at, until: at.max(time(random)) }),
    }
}

fn life(started: EventTime, seen_last: EventTime, random: &mut Random) -> Life {
    let within = |random: &mut Random| {
        let length = Micros::between(started, seen_last).0;
        EventTime::from_micros(started.micros() + random.below(length + 1))
    };
    let ready_by = random.percent(70).then(|| within(random));
    let last_activity = random.percent(70).then(|| within(random));
    Life { started, seen_last, ready_by, last_activity }
}

fn again(known: Evidence, random: &mut Random, time: &impl Fn(&mut Random) -> EventTime) -> Option<Evidence> {
    let Evidence::Life(known) = known else { return None };
    Some(Evidence::Life(life(known.started, known.started.max(time(random)), random)))
}
