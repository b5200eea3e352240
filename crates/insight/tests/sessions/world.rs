//! A simulated hub, with the truth beside what a sink hears of it.
//!
//! The simulation knows nothing of how sessions are derived: it lets people start and leave servers, cullers cull,
//! servers die, hubs crash, and writes down what a hub would tell of that. All times are those of the hub's clock; ours
//! is off by some seconds, which only `received` shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{EventTime, Position};
use insight::session::{
    Aliases, Between, Culler, EventId, Evidence, Hub, Kept, Listing, Micros, Outage, Poll, Rename, Restart,
    ServerEvent, Settings, Sighting, UserList,
};

use crate::random::{Random, seconds};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) seed: u64,
    /// Of a hundred stops, so many are not told.
    pub(crate) stops_lost: i64,
    /// Whether the hub is polled each minute.
    pub(crate) polls: bool,
    /// Whether its users are listed each hour.
    pub(crate) lists: bool,
    /// Whether the hub crashes, we are down, users are renamed and deleted.
    pub(crate) rough: bool,
    /// Whether idle servers are culled.
    pub(crate) culler: bool,
}

/// What really happened to one server.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    /// Who, by the name that they have at the end.
    pub(crate) user: Arc<str>,
    pub(crate) server: Arc<str>,
    /// When its spawn began, and when it was up (none: it never was).
    pub(crate) started: i64,
    pub(crate) up: Option<i64>,
    /// When the hub knew that it was over.
    pub(crate) end: i64,
    pub(crate) activity: Vec<i64>,
    /// What was heard of it.
    pub(crate) start_heard: bool,
    pub(crate) stop_heard: bool,
    pub(crate) shown: bool,
    /// When the hub last listed it.
    pub(crate) listed: Option<i64>,
}

impl Truth {
    /// The start by C3.
    pub(crate) fn start(&self) -> i64 {
        match self.up {
            Some(up) if self.start_heard || !self.shown => up,
            _ => self.started,
        }
    }

    pub(crate) fn is_heard(&self) -> bool {
        self.start_heard || self.stop_heard || self.shown
    }
}

/// Something that we were told, and when.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Event { user: Arc<str>, server: Arc<str>, evidence: Evidence },
    Poll(Poll),
    Users(UserList),
    Restart(Restart),
    Outage(Outage),
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) weather: Weather,
    pub(crate) truths: Vec<Truth>,
    /// In order of receipt.
    pub(crate) told: Vec<Told>,
    pub(crate) aliases: Aliases,
    pub(crate) settings: Settings,
    pub(crate) end: EventTime,
}

struct Crash {
    down: i64,
    up: i64,
    adopts: bool,
}

struct Person {
    id: usize,
    names: Vec<(i64, Arc<str>)>,
    deleted: Option<i64>,
    servers: Vec<Arc<str>>,
}

impl Person {
    fn name(&self, at: i64) -> Arc<str> {
        self.names.iter().rev().find(|(since, _)| *since <= at).unwrap().1.clone()
    }
}

impl World {
    pub(crate) fn new(weather: Weather) -> Self {
        let mut simulation = Simulation::new(weather);
        simulation.live();
        if weather.polls || weather.lists {
            simulation.poll();
        }
        simulation.into_world()
    }

    pub(crate) fn hub(&self) -> Hub {
        let mut hub = Hub::new(self.settings);
        for told in &self.told {
            match told {
                Told::Poll(poll) if poll.is_complete => hub.add_poll(poll.at),
                Told::Restart(restart) => hub.add_restart(*restart),
                Told::Outage(outage) => hub.add_outage(*outage),
                _ => {}
            }
        }
        hub
    }
}

struct Simulation {
    weather: Weather,
    random: Random,
    days: i64,
    people: Vec<Person>,
    crashes: Vec<Crash>,
    outages: Vec<(i64, i64)>,
    culler: Option<Culler>,
    truths: Vec<(usize, Truth)>,
    told: Vec<(i64, Told)>,
    next_position: u64,
}

impl Simulation {
    fn new(weather: Weather) -> Self {
        let mut random = Random::new(weather.seed);
        let days = 5;
        let people = (0..9).map(|id| person(id, days, weather.rough, &mut random)).collect();
        let (mut crashes, mut outages) = (Vec::new(), Vec::new());
        if weather.rough {
            for day in 0..days {
                let down = day * DAY + random.below(20 * HOUR);
                let up = down + 30 * SECOND + random.below(20 * MINUTE);
                crashes.push(Crash { down, up, adopts: random.percent(50) });
            }
            let from = DAY + random.below(DAY);
            outages.push((from, from + random.below(5 * HOUR)));
        }
        let period = Micros(5 * MINUTE);
        let culler = weather.culler.then_some(Culler { timeout: Micros(50 * MINUTE), period });
        let (truths, told) = (Vec::new(), Vec::new());
        Self { weather, random, days, people, crashes, outages, culler, truths, told, next_position: 0 }
    }

    fn live(&mut self) {
        for person in 0..self.people.len() {
            for server in self.people[person].servers.clone() {
                let mut now = self.random.below(DAY / 2);
                while now < self.days * DAY {
                    now = self.visit(person, &server, now) + self.pause();
                }
            }
        }
        for crash in &self.crashes {
            let kept = if !crash.adopts && self.random.percent(50) { Kept::None } else { Kept::Unknown };
            let at = EventTime::from_micros(crash.up);
            self.told.push((crash.up + SECOND, Told::Restart(Restart { at, kept })));
        }
        for (from, to) in &self.outages {
            let outage = Outage { from: EventTime::from_micros(*from), to: EventTime::from_micros(*to) };
            self.told.push((*to, Told::Outage(outage)));
        }
    }

    fn pause(&mut self) -> i64 {
        match self.random.below(4) {
            0 => 2 * SECOND + self.random.below(3 * MINUTE),
            1 => self.random.below(2 * HOUR) + SECOND,
            _ => self.random.below(14 * HOUR) + SECOND,
        }
    }

    /// One server from its spawn to its end; returns when it is over.
    fn visit(&mut self, person: usize, server: &Arc<str>, wanted: i64) -> i64 {
        let started = self.crashes.iter().find(|crash| crash.down <= wanted && wanted <= crash.up + 10 * SECOND);
        let started = started.map_or(wanted, |crash| crash.up + 11 * SECOND);
        let spawn = SECOND + self.random.rarely(10, 9 * MINUTE, 40 * SECOND);
        let crash = self.crashes.iter().find(|crash| crash.down > started).map(|crash| (crash.down, crash.up));
        let dies_with_hub = self.crashes.iter().find(|crash| crash.down > started && !crash.adopts);
        let dies_with_hub = dies_with_hub.map(|crash| crash.down);
        let mut truth = Truth {
            user: self.people[person].names.last().unwrap().1.clone(),
            server: server.clone(),
            started,
            up: None,
            end: started + spawn,
            activity: Vec::new(),
            start_heard: false,
            stop_heard: false,
            shown: false,
            listed: None,
        };
        let spawn_fails = self.random.percent(3) || crash.is_some_and(|(down, _)| down <= started + spawn);
        if spawn_fails {
            // Nothing tells of it but a poll that comes by.
            truth.end = crash.map_or(truth.end, |(down, _)| truth.end.min(down));
            return self.keep(person, truth);
        }
        let up = started + spawn;
        truth.up = Some(up);
        truth.start_heard = self.tell(person, server, up, true);
        if self.random.percent(2) {
            // Its route failed: it is stopped, and no event says so.
            truth.end = up + self.random.below(2 * SECOND) + 1;
            return self.keep(person, truth);
        }
        let (end, is_told) = self.use_it(&mut truth, up);
        let deleted = self.people[person].deleted.filter(|at| *at > up);
        let (end, is_told) = match deleted {
            Some(at) if at < end => (at, true),
            _ => (end, is_told),
        };
        // Servers go down with their hub, or die while it is down and are noticed when it is back.
        let (end, is_told) = match (dies_with_hub, self.crashes.iter().find(|c| c.down <= end && end <= c.up)) {
            (Some(down), _) if down <= end => (down, false),
            (_, Some(crash)) => (crash.up + 5 * SECOND, false),
            _ => (end, is_told),
        };
        truth.end = end;
        truth.activity.retain(|at| *at < end);
        if is_told && !self.random.percent(self.weather.stops_lost) {
            truth.stop_heard = self.tell(person, server, end, false);
        }
        if self.weather.polls && deleted == Some(end) {
            let evidence = Evidence::Absent(EventTime::from_micros(end + SECOND));
            let user = self.people[person].name(end + SECOND);
            self.told.push((end + SECOND, Told::Event { user, server: server.clone(), evidence }));
        }
        self.keep(person, truth)
    }

    /// Lets somebody work; returns when it ends and whether the hub ends it, so that an event could tell.
    fn use_it(&mut self, truth: &mut Truth, up: i64) -> (i64, bool) {
        let leaves = up + 30 * SECOND + self.random.rarely(8, 40 * HOUR, 4 * HOUR);
        let mut active = up;
        let mut culled = None;
        loop {
            let gap = SECOND + self.random.rarely(10, 90 * MINUTE, 10 * MINUTE);
            if let Some(culler) = self.culler.filter(|culler| gap > culler.timeout.0 || active + gap > leaves) {
                culled = Some(active + culler.timeout.0 + self.random.below(culler.period.0));
                if gap > culler.timeout.0 {
                    break;
                }
            }
            if active + gap > leaves {
                break;
            }
            active += gap;
            truth.activity.push(active);
        }
        match (self.random.below(100), culled) {
            // The process dies, and the hub notices at its next look.
            (0..10, _) => (up + 1 + self.random.below((leaves - up).min(active - up) + 1), false),
            (10..60, Some(culled)) => (culled, true),
            (_, Some(culled)) => (leaves.min(culled), true),
            _ => (leaves, true),
        }
    }

    /// Tells of an event, sometimes twice; returns whether it was heard.
    fn tell(&mut self, person: usize, server: &Arc<str>, at: i64, is_start: bool) -> bool {
        if self.outages.iter().any(|(from, to)| (*from..=*to).contains(&at)) {
            return false;
        }
        let user = self.people[person].name(at);
        for copy in 0..=i64::from(self.random.percent(3)) {
            let arrives = at + 17 * SECOND + copy * SECOND + self.random.below(SECOND);
            let late = if self.random.percent(2) { self.random.below(2 * HOUR) } else { 0 };
            let event = ServerEvent {
                at: EventTime::from_micros(at),
                received: EventTime::from_micros(arrives + late),
                id: EventId { position: Position(self.next_position), collector: 0 },
            };
            self.next_position += 1;
            let evidence = if is_start { Evidence::Start(event) } else { Evidence::Stop(event) };
            let told = Told::Event { user: user.clone(), server: server.clone(), evidence };
            self.told.push((arrives + late, told));
        }
        true
    }

    fn keep(&mut self, person: usize, truth: Truth) -> i64 {
        let end = truth.end;
        self.truths.push((person, truth));
        end
    }

    /// Polls each minute, page by page, while servers come and go.
    fn poll(&mut self) {
        self.truths.sort_by_key(|(person, truth)| (*person, truth.server.clone(), truth.started));
        let mut at = 0;
        let mut next_users = 0;
        while at < self.days * DAY {
            let down = self.crashes.iter().any(|crash| (crash.down..crash.up).contains(&at));
            let out = self.outages.iter().any(|(from, to)| (*from..=*to).contains(&at));
            if !down && !out {
                if self.weather.polls {
                    let poll = self.read_pages(at);
                    self.told.push((at + 20 * SECOND, Told::Poll(poll)));
                }
                if self.weather.lists && at >= next_users {
                    next_users = at + HOUR;
                    let users = self.read_users(at);
                    self.told.push((at + 21 * SECOND, Told::Users(users)));
                }
            }
            at += MINUTE - SECOND + self.random.below(2 * SECOND);
        }
    }

    fn read_pages(&mut self, begin: i64) -> Poll {
        const LIMIT: usize = 3;
        let is_cold = |crash: &&Crash| (crash.up..crash.up + 110 * SECOND).contains(&begin);
        let cold_since = self.crashes.iter().find(is_cold).map(|crash| crash.up);
        let mut now = begin;
        let mut listing: Listing<Row> = Listing::default();
        let mut seen = Vec::new();
        let mut is_whole = true;
        while !listing.is_complete() {
            if self.random.percent(1) {
                is_whole = false;
                break;
            }
            let list = self.active_at(now, cold_since);
            let end = (listing.offset() + LIMIT).min(list.len());
            let page: Vec<Row> = list.get(listing.offset()..end).unwrap_or_default().to_vec();
            seen.extend(page.iter().flat_map(|row| row.servers.clone()));
            if listing.add(page, end == list.len()).is_err() {
                is_whole = false;
                break;
            }
            now += self.random.below(2 * SECOND);
        }
        // The hub's `Date` has whole seconds.
        let at = Between { after: seconds(begin / SECOND), before: seconds(now / SECOND + 1) };
        Poll { at, seen, is_complete: is_whole }
    }

    /// The active users, by id, each with their active servers. A hub that has just come up has not found all those of
    /// its predecessor again; those that it has it lists from then on.
    fn active_at(&mut self, now: i64, cold_since: Option<i64>) -> Vec<Row> {
        let mut rows: BTreeMap<usize, Row> = BTreeMap::new();
        for (person, truth) in &mut self.truths {
            let is_to_be_found =
                cold_since.is_some_and(|up| truth.started < up && truth.listed.is_none_or(|at| at < up));
            if truth.started > now || now >= truth.end || (is_to_be_found && self.random.percent(50)) {
                continue;
            }
            truth.shown = true;
            truth.listed = Some(now);
            let activity = truth.activity.iter().rev().find(|at| **at <= now).copied();
            let sighting = Sighting {
                user: self.people[*person].name(now),
                server: truth.server.clone(),
                started: EventTime::from_micros(truth.started),
                is_ready: truth.up.is_some_and(|up| up <= now),
                last_activity: activity.map(EventTime::from_micros),
            };
            let row = rows.entry(*person).or_insert_with(|| Row { id: self.people[*person].id, servers: Vec::new() });
            row.servers.push(sighting);
        }
        rows.into_values().collect()
    }

    fn read_users(&self, now: i64) -> UserList {
        let last = |person: usize| {
            let own = self.truths.iter().filter(|(owner, truth)| *owner == person && truth.started <= now);
            let times = own.flat_map(|(_, truth)| truth.activity.iter().chain(&truth.up).chain([&truth.started]));
            times.filter(|at| **at <= now).max().copied().map(EventTime::from_micros)
        };
        let users = (0..self.people.len()).map(|person| (self.people[person].name(now), last(person))).collect();
        UserList { at: Between { after: seconds(now / SECOND), before: seconds(now / SECOND + 2) }, users }
    }

    fn into_world(mut self) -> World {
        self.told.sort_by_key(|(received, _)| *received);
        let renames = self.people.iter().flat_map(|person| {
            person.names.windows(2).map(|pair| Rename {
                at: EventTime::from_micros(pair[1].0),
                from: pair[0].1.clone(),
                to: pair[1].1.clone(),
            })
        });
        World {
            weather: self.weather,
            aliases: Aliases::new(renames),
            truths: self.truths.into_iter().map(|(_, truth)| truth).collect(),
            told: self.told.into_iter().map(|(_, told)| told).collect(),
            settings: Settings { culler: self.culler, max_age: None },
            end: EventTime::from_micros(self.days * DAY),
        }
    }
}

fn person(id: usize, days: i64, is_rough: bool, random: &mut Random) -> Person {
    let mut names: Vec<(i64, Arc<str>)> = vec![(i64::MIN, format!("user-{id}").into())];
    if is_rough && random.percent(30) {
        names.push((random.below(days * DAY), format!("renamed-{id}").into()));
    }
    let deleted = (is_rough && random.percent(30)).then(|| random.below(days * DAY));
    let servers: &[&str] = if random.percent(30) { &["", "gpu"] } else { &[""] };
    Person { id, names, deleted, servers: servers.iter().map(|name| Arc::from(*name)).collect() }
}

/// A user as the hub lists them; one is the same as another of the same id.
#[derive(Clone, Debug)]
struct Row {
    id: usize,
    servers: Vec<Sighting>,
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
