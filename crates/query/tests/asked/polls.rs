//! What polls of a hub tell of servers and users: a hub is played through, polled with gaps and failures as the poller
//! does it, and each answer is compared with loops over what was played.

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, Row};
use insight::session::Between;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use poll::{Account, Chosen, Problem, Reading, Seen, Users, Watch};
use query::KpiAnswer;

use crate::content::{ratios, rows};
use crate::oracle::Chance;
use crate::sandbox::{Sandbox, at, polled, server_action_of};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const PIECE: i64 = 5 * MINUTE;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A zone whose days begin at half past, and whose summer time ends within the play.
const ZONE: &str = "Australia/Lord_Howe";
const RANGE: [(&str, &str); 3] = [("from", "2024-03-28"), ("to", "2024-04-15"), ("zone", ZONE)];
const BEGIN: &str = "2024-03-25T00:00:00Z";
const DAYS: i64 = 24;
const USERS: i64 = 60;

type Server = (String, String);

/// One server from its start to its stop, by the hub.
struct Ran {
    server: Server,
    start: i64,
    stop: i64,
    profile: Option<&'static str>,
    active: Vec<i64>,
}

struct Person {
    name: String,
    created: i64,
    /// The groups from an instant on.
    groups: Vec<(i64, Vec<String>)>,
    /// When pages of the hub were opened.
    pages: Vec<i64>,
}

/// A poll of the servers: when, whether it was whole, and the runs that it listed.
struct Polled {
    at: i64,
    is_whole: bool,
    listed: Vec<usize>,
}

/// A list of users: the same.
struct Listed {
    at: i64,
    is_whole: bool,
    people: Vec<usize>,
    gauge: [Option<u64>; 3],
}

struct Play {
    ran: Vec<Ran>,
    people: Vec<Person>,
    polls: Vec<Polled>,
    lists: Vec<Listed>,
    now: i64,
}

impl Play {
    fn new(seed: u64) -> Self {
        let chance = &mut Chance::new(seed);
        let begin = at(BEGIN).micros();
        let end = begin + DAYS * DAY;
        let people: Vec<Person> = (0..USERS).map(|number| person(number, begin, chance)).collect();
        let ran = people.iter().flat_map(|person| runs(person, begin, end, chance)).collect();
        let mut play = Self { ran, people, polls: Vec::new(), lists: Vec::new(), now: end + DAY };
        let (mut now, mut list_due) = (begin, begin);
        while now < end {
            play.poll(now, chance);
            if list_due <= now {
                play.list(now, chance);
                list_due = now + HOUR;
            }
            // Now and then hubscope is down for hours.
            let pause = if chance.below(150) == 0 { chance.below(9 * HOUR) } else { 0 };
            now += MINUTE + chance.below(16 * MINUTE) + pause;
        }
        play
    }

    fn poll(&mut self, at: i64, chance: &mut Chance) {
        let is_whole = chance.below(20) > 0;
        let runs = (0..self.ran.len()).filter(|run| self.ran[*run].start <= at && at < self.ran[*run].stop);
        let listed = runs.filter(|_| is_whole || chance.below(2) > 0).collect();
        self.polls.push(Polled { at, is_whole, listed });
    }

    fn list(&mut self, at: i64, chance: &mut Chance) {
        let is_whole = chance.below(10) > 0;
        let people = (0..self.people.len()).filter(|person| self.people[*person].created <= at);
        let people = people.filter(|_| is_whole || chance.below(2) > 0).collect();
        let gauge = [24, 168, 720].map(|_| (chance.below(4) > 0).then(|| chance.below(50).unsigned_abs()));
        self.lists.push(Listed { at, is_whole, people, gauge });
    }

    /// The hub's last activity of a server, as a poll at `at` reads it.
    fn activity(&self, run: usize, at: i64) -> Option<i64> {
        self.ran[run].active.iter().copied().filter(|active| *active <= at).max()
    }

    /// The same of a person.
    fn activity_of(&self, person: usize, at: i64) -> Option<i64> {
        let person = &self.people[person];
        let servers = self.ran.iter().filter(|run| run.server.0 == person.name).flat_map(|run| &run.active);
        servers.chain(&person.pages).copied().filter(|active| *active <= at).max()
    }

    /// All of it as a store, asked at the end.
    async fn told(&self) -> Sandbox {
        let mut rows: Vec<(i64, Vec<Row>)> = Vec::new();
        for run in &self.ran {
            for (time, action) in [(run.start, "start"), (run.stop, "stop")] {
                if time <= self.now {
                    let row = server_action_of(instant(time), action, &run.server.0, &run.server.1);
                    rows.push((time, vec![row]));
                }
            }
        }
        let mut watch = Watch::default();
        let mut lists = self.lists.iter().peekable();
        for poll in &self.polls {
            let mut texts = watch.servers(&self.reading(poll));
            watch.kept();
            if let Some(list) = lists.next_if(|list| list.at == poll.at) {
                watch.gauge(list.gauge);
                texts.extend(watch.users(&self.users(list)));
                watch.kept();
            }
            rows.push((poll.at, texts.iter().map(|text| polled(text)).collect()));
        }
        rows.sort_by_key(|(time, _)| *time);
        let mut sandbox = Sandbox::new().await;
        for (number, (time, rows)) in rows.into_iter().enumerate() {
            sandbox.acknowledge_at(instant(time), rows);
            if number % 1_500 == 1_499 {
                sandbox.flush().await;
            }
        }
        sandbox.clock.set(instant(self.now));
        sandbox
    }

    fn reading(&self, poll: &Polled) -> Reading {
        let seen = |run: &usize| {
            let ran = &self.ran[*run];
            let seen = Seen {
                started: instant(ran.start),
                is_ready: true,
                last_activity: self.activity(*run, poll.at).map(instant),
                chosen: Chosen { profile: ran.profile.map(str::to_owned), image: None },
            };
            (ran.server.clone(), seen)
        };
        let problem = (!poll.is_whole).then_some(Problem::Shifted);
        Reading { at: between(poll.at), servers: poll.listed.iter().map(seen).collect(), problem }
    }

    fn users(&self, list: &Listed) -> Users {
        let account = |person: &usize| {
            let of = &self.people[*person];
            let account = Account {
                last_activity: self.activity_of(*person, list.at).map(instant),
                created: Some(instant(of.created)),
                groups: Some(of.groups_at(list.at).clone()),
            };
            (of.name.clone(), account)
        };
        let problem = (!list.is_whole).then_some(Problem::Shifted);
        Users { at: between(list.at), users: list.people.iter().map(account).collect(), problem }
    }

    /// The pieces of five minutes in which a poll learned that a server had been used.
    fn used(&self) -> BTreeSet<(&Server, i64)> {
        let of_poll = |poll: &'_ Polled| {
            let pieces = poll.listed.iter().filter_map(|run| Some((*run, self.activity(*run, poll.at)? / PIECE)));
            pieces.collect::<Vec<_>>()
        };
        self.polls.iter().flat_map(of_poll).map(|(run, piece)| (&self.ran[run].server, piece)).collect()
    }

    /// Runs of which a poll read an activity.
    fn watched(&self) -> BTreeSet<usize> {
        let of_poll = |poll: &'_ Polled| {
            poll.listed.iter().copied().filter(|run| self.activity(*run, poll.at).is_some()).collect::<Vec<_>>()
        };
        self.polls.iter().flat_map(of_poll).collect()
    }

    /// The runs that began in the range.
    fn asked(&self) -> impl Iterator<Item = &Ran> {
        self.ran.iter().filter(|run| is_asked(run.start))
    }
}

impl Person {
    fn groups_at(&self, at: i64) -> &Vec<String> {
        &self.groups.iter().rfind(|(from, _)| *from <= at).unwrap().1
    }
}

fn person(number: i64, begin: i64, chance: &mut Chance) -> Person {
    let domain = chance.pick(&["", "@uni-a.example", "@Uni-A.example", "@b.example"]);
    let created = if number % 4 == 0 { begin - DAY * number } else { begin + chance.below(20 * DAY) };
    let mut groups = Vec::new();
    let mut from = 0;
    for _ in 0..=chance.below(3) {
        let all = ["bio", "chem", "<b>", "in \"quotes\""];
        groups.push((from, all.iter().filter(|_| chance.below(3) == 0).map(|name| (*name).to_owned()).collect()));
        from = groups.last().map_or(begin, |(last, _)| (*last).max(begin)) + 1 + chance.below(12 * DAY);
    }
    let pages = (0..chance.below(6)).map(|_| created + chance.below(20 * DAY)).collect();
    Person { name: format!("user-{number}{domain}"), created, groups, pages }
}

fn runs(person: &Person, begin: i64, end: i64, chance: &mut Chance) -> Vec<Ran> {
    let mut runs = Vec::new();
    // Some never come, some late.
    let patience = chance.pick(&[DAY, DAY, 3 * DAY, 16 * DAY, 100 * DAY]);
    for name in ["", "gpu"] {
        let mut start = begin.max(person.created) + chance.below(patience) + if name.is_empty() { 0 } else { 4 * DAY };
        while start < end {
            let stop = start + MINUTE + chance.below(9 * HOUR);
            let mut active = Vec::new();
            let mut at = start + chance.below(20 * MINUTE);
            while at < stop {
                active.push(at);
                let is_pause = chance.below(12) == 0;
                at += 10 * SECOND + chance.below(if is_pause { 2 * HOUR } else { 4 * MINUTE });
            }
            let server = (person.name.clone(), name.to_owned());
            runs.push(Ran { server, start, stop, profile: chance.pick(&[Some("small"), Some("gpu"), None]), active });
            start = stop + 1 + chance.below(2 * DAY);
        }
    }
    runs
}

fn instant(micros: i64) -> EventTime {
    EventTime::from_micros(micros)
}

fn between(at: i64) -> Between {
    Between { after: instant(at), before: instant(at + SECOND) }
}

fn date(micros: i64) -> String {
    Timestamp::from_microsecond(micros).unwrap().to_zoned(TimeZone::get(ZONE).unwrap()).date().to_string()
}

fn is_asked(micros: i64) -> bool {
    let date = date(micros);
    RANGE[0].1 <= date.as_str() && date.as_str() < RANGE[1].1
}

async fn ask(sandbox: &Sandbox, id: &str, params: &[(&str, &str)]) -> KpiAnswer {
    let params: Vec<(&str, &str)> = RANGE.iter().chain(params).copied().collect();
    sandbox.kpi(id, &params).await.unwrap_or_else(|error| panic!("{id}: {error}"))
}

/// Name and number of each row, in order.
fn ranking(answer: &KpiAnswer, name: &str) -> Vec<(String, u64)> {
    let rows = rows(answer);
    rows.iter().map(|row| (row[name].as_str().unwrap().to_owned(), row["value"].as_u64().unwrap())).collect()
}

/// The largest first, equal ones by name.
fn ranked(counts: BTreeMap<String, BTreeSet<&str>>) -> Vec<(String, u64)> {
    let mut ranked: Vec<(String, u64)> = counts.into_iter().map(|(name, people)| (name, people.len() as u64)).collect();
    ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    ranked
}

#[tokio::test]
async fn work_and_idleness_are_counted_in_pieces_of_five_minutes() {
    let play = Play::new(1);
    let sandbox = play.told().await;
    let used = play.used();
    let mut hours: BTreeMap<String, f64> = BTreeMap::new();
    for (_, piece) in used.iter().filter(|(_, piece)| is_asked(piece * PIECE)) {
        *hours.entry(date(piece * PIECE)).or_default() += 1.0;
    }
    let answer = ask(&sandbox, "active-hours", &[]).await;
    assert_eq!(rows(&answer).len(), 18);
    for row in rows(&answer) {
        let expected = hours.get(row["period"].as_str().unwrap()).copied().unwrap_or_default() / 12.0;
        assert!((row["value"].as_f64().unwrap() - expected).abs() < 1e-9, "{row} and not {expected}");
    }

    let polled: BTreeSet<i64> = play.polls.iter().filter(|poll| poll.is_whole).map(|poll| poll.at / PIECE).collect();
    let mut expected: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for run in play.watched() {
        let Ran { server, start, stop, .. } = &play.ran[run];
        let pieces = (start.div_euclid(PIECE)..=stop / PIECE)
            .filter(|piece| *start <= piece * PIECE && piece * PIECE < (*stop).min(play.now));
        for piece in pieces.filter(|piece| polled.contains(piece) && is_asked(piece * PIECE)) {
            let of_day = expected.entry(date(piece * PIECE)).or_default();
            of_day.0 += u64::from(!used.contains(&(server, piece)));
            of_day.1 += 1;
        }
    }
    assert!(expected.values().all(|(idle, whole)| idle < whole) && expected.len() == 18, "{expected:?}");
    assert_eq!(ratios(&ask(&sandbox, "idle-share", &[]).await), expected);
}

#[tokio::test]
async fn the_hubs_gauge_stands_beside_what_its_list_and_its_starts_say() {
    let play = Play::new(2);
    let sandbox = play.told().await;
    let mut last: BTreeMap<String, &Listed> = BTreeMap::new();
    for list in play.lists.iter().filter(|list| list.is_whole && is_asked(list.at)) {
        last.insert(date(list.at), list);
    }
    for (place, (within, window)) in [("24h", DAY), ("7d", 7 * DAY), ("30d", 30 * DAY)].into_iter().enumerate() {
        let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut active_last = 0;
        for (period, list) in &last {
            let since = list.at - window;
            let is_active = |person: &&usize| play.activity_of(**person, list.at).is_some_and(|at| since <= at);
            active_last = list.people.iter().filter(is_active).count() as u64;
            let began = play.ran.iter().filter(|run| since <= run.start && run.start < list.at);
            let started = began.map(|run| &run.server.0).collect::<BTreeSet<_>>().len() as u64;
            for (name, value) in [
                ("the hub's gauge", list.gauge[place].unwrap_or_default()),
                ("active by the list", active_last),
                ("started a server", started),
            ] {
                if value > 0 {
                    expected.insert((period.clone(), name.to_owned()), value);
                }
            }
        }
        let answer = ask(&sandbox, "hub-gauge-check", &[("within", within)]).await;
        let mut told: BTreeMap<(String, String), u64> = BTreeMap::new();
        for row in rows(&answer) {
            let key = (row["period"].as_str().unwrap().to_owned(), row["counted_by"].as_str().unwrap().to_owned());
            told.extend(row["value"].as_u64().filter(|value| *value > 0).map(|value| (key, value)));
        }
        assert_eq!(told, expected, "{within}");
        assert_eq!(answer.headline.unwrap().value, active_last as f64, "{within}");
    }
}

#[tokio::test]
async fn accounts_without_a_start_are_told_by_the_month_in_which_they_were_made() {
    let play = Play::new(3);
    let sandbox = play.told().await;
    let heard = play.lists[0].at;
    let listed: BTreeSet<usize> = play.lists.iter().flat_map(|list| list.people.iter().copied()).collect();
    let mut expected: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for person in listed.iter().map(|person| &play.people[*person]) {
        let ripe = person.created + 14 * DAY;
        // The range is widened to whole months, which hold everything that was played.
        if heard <= person.created && ripe < play.now {
            let mut own = play.ran.iter().filter(|run| run.server.0 == person.name);
            let of_month = expected.entry(format!("{}-01", &date(person.created)[..7])).or_default();
            of_month.0 += u64::from(!own.any(|run| person.created <= run.start && run.start < ripe));
            of_month.1 += 1;
        }
    }
    assert!(expected.len() == 2 && expected.values().any(|(never, whole)| *never > 0 && never < whole), "{expected:?}");
    assert_eq!(ratios(&ask(&sandbox, "first-start-rate", &[]).await), expected);
}

#[tokio::test]
async fn people_are_counted_by_group_by_domain_and_by_what_they_chose() {
    let play = Play::new(4);
    let sandbox = play.told().await;

    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut domains: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for run in play.asked() {
        let name = run.server.0.as_str();
        let domain =
            name.split_once('@').map_or("no domain in the name".to_owned(), |(_, domain)| domain.to_lowercase());
        domains.entry(domain).or_default().insert(name);
        let person = play.people.iter().position(|person| person.name == name).unwrap();
        let mut told =
            play.lists.iter().filter(|list| list.people.contains(&person) && date(list.at) <= date(run.start));
        let names = match told.next_back().map(|list| play.people[person].groups_at(list.at)) {
            None => vec!["not told".to_owned()],
            Some(groups) if groups.is_empty() => vec!["in no group".to_owned()],
            Some(groups) => groups.clone(),
        };
        for group in names {
            groups.entry(group).or_default().insert(name);
        }
    }
    assert!(groups.contains_key("in no group") && groups.contains_key("in \"quotes\""), "{groups:?}");
    let answer = ask(&sandbox, "users-by-group", &[]).await;
    let of_groups = groups.keys().filter(|name| !["in no group", "not told"].contains(&name.as_str())).count();
    assert_eq!(answer.headline.as_ref().unwrap().value, of_groups as f64);
    assert_eq!(ranking(&answer, "name"), ranked(groups));

    let answer = ask(&sandbox, "institutions", &[]).await;
    assert_eq!(answer.headline.as_ref().unwrap().value, 2.0);
    assert_eq!(ranking(&answer, "domain"), ranked(domains));

    let seen: BTreeSet<usize> = play.polls.iter().flat_map(|poll| poll.listed.iter().copied()).collect();
    let mut profiles: BTreeMap<&str, u64> = BTreeMap::new();
    for run in seen.iter().map(|run| &play.ran[*run]).filter(|run| is_asked(run.start)) {
        if let Some(profile) = run.profile {
            *profiles.entry(profile).or_default() += 1;
        }
    }
    let told: BTreeMap<String, u64> = ranking(&ask(&sandbox, "images", &[]).await, "name").into_iter().collect();
    assert_eq!(told, profiles.into_iter().map(|(name, count)| (name.to_owned(), count)).collect());
    assert_eq!(ranking(&ask(&sandbox, "images", &[("by", "image")]).await, "name"), []);
}
