//! The same questions answered by walking over plain values: what the statements of the catalogue are compared with.
//!
//! Nothing of the crate under test is used here. Days are those of `jiff`'s calendar, instant by instant.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

const SECOND: i64 = 1_000_000;

/// A start or stop of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) hub: &'static str,
    pub(crate) user: String,
    pub(crate) server: &'static str,
    pub(crate) is_start: bool,
    pub(crate) micros: i64,
    pub(crate) received: i64,
}

/// A launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    pub(crate) micros: i64,
    pub(crate) provider: &'static str,
    pub(crate) spec: &'static str,
    /// The repository that `spec` names.
    pub(crate) repo: Option<&'static str>,
    pub(crate) origin: Option<&'static str>,
}

/// Time step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Day,
    Week,
    Month,
}

impl Step {
    pub(crate) fn begin(self, date: Date) -> Date {
        match self {
            Self::Day => date,
            Self::Week => {
                let mut monday = date;
                while monday.weekday() != Weekday::Monday {
                    monday = monday.yesterday().unwrap();
                }
                monday
            }
            Self::Month => date.first_of_month(),
        }
    }
}

/// What happened, and how days are cut.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) zone: TimeZone,
    pub(crate) actions: Vec<Action>,
    pub(crate) launches: Vec<Launch>,
    /// When something unreadable came in.
    pub(crate) junk: Vec<i64>,
    pub(crate) now: i64,
}

impl World {
    pub(crate) fn date(&self, micros: i64) -> Date {
        Timestamp::from_microsecond(micros).unwrap().to_zoned(self.zone.clone()).date()
    }

    pub(crate) fn today(&self) -> Date {
        self.date(self.now)
    }

    /// The world of one hub.
    pub(crate) fn of(&self, hub: &str) -> Self {
        let actions = self.actions.iter().filter(|action| action.hub == hub).cloned().collect();
        Self { actions, ..self.clone() }
    }

    /// Starts that are not repeats: of the same server less than a second after the one before, or as much.
    pub(crate) fn starts(&self) -> Vec<&Action> {
        let starts: Vec<&Action> = self.actions.iter().filter(|action| action.is_start).collect();
        let mut counted: Vec<&Action> = Vec::new();
        for (at, start) in starts.iter().enumerate() {
            let is_repeat = starts.iter().enumerate().any(|(other_at, other)| {
                let is_before = (other.micros, other_at) < (start.micros, at);
                let is_same = (other.hub, &other.user, other.server) == (start.hub, &start.user, start.server);
                is_before && is_same && start.micros - other.micros <= SECOND
            });
            if !is_repeat {
                counted.push(start);
            }
        }
        counted
    }

    /// The days on which somebody watched servers.
    pub(crate) fn watched(&self) -> BTreeSet<Date> {
        let actions = self.actions.iter().flat_map(|action| [action.micros, action.received]);
        actions.chain(self.junk.iter().copied()).map(|micros| self.date(micros)).collect()
    }

    /// The days on which somebody watched launches.
    pub(crate) fn launches_watched(&self) -> BTreeSet<Date> {
        let launches = self.launches.iter().map(|launch| launch.micros);
        launches.chain(self.junk.iter().copied()).map(|micros| self.date(micros)).collect()
    }

    /// The periods of `from` to before `to` that have begun.
    pub(crate) fn periods(&self, step: Step, from: Date, to: Date) -> BTreeSet<Date> {
        let mut periods = BTreeSet::new();
        let mut date = from;
        while date < to {
            periods.insert(step.begin(date));
            date = date.tomorrow().unwrap();
        }
        periods.retain(|period| *period <= self.today());
        periods
    }

    /// A value for each period: that of `count`, 0 where somebody watched, none where nobody did.
    pub(crate) fn series(
        &self,
        step: Step,
        (from, to): (Date, Date),
        watched: &BTreeSet<Date>,
        count: &BTreeMap<Date, usize>,
    ) -> BTreeMap<Date, Option<usize>> {
        let watched: BTreeSet<Date> = watched.iter().map(|date| step.begin(*date)).collect();
        let value = |period: Date| watched.contains(&period).then(|| count.get(&period).copied().unwrap_or(0));
        self.periods(step, from, to).into_iter().map(|period| (period, value(period))).collect()
    }

    /// Different users with a start, by period.
    pub(crate) fn active(&self, step: Step) -> BTreeMap<Date, usize> {
        let mut users: BTreeMap<Date, BTreeSet<(&str, &str)>> = BTreeMap::new();
        for start in self.starts() {
            users.entry(step.begin(self.date(start.micros))).or_default().insert((start.hub, &start.user));
        }
        users.into_iter().map(|(period, users)| (period, users.len())).collect()
    }

    /// Starts by day.
    pub(crate) fn started(&self) -> BTreeMap<Date, usize> {
        let mut starts = BTreeMap::new();
        for start in self.starts() {
            *starts.entry(self.date(start.micros)).or_default() += 1;
        }
        starts
    }

    /// First starts of users by day.
    pub(crate) fn new_users(&self) -> BTreeMap<Date, usize> {
        let mut firsts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for start in self.starts() {
            let first = firsts.entry((start.hub, &start.user)).or_insert(start.micros);
            *first = (*first).min(start.micros);
        }
        let mut new = BTreeMap::new();
        for micros in firsts.into_values() {
            *new.entry(self.date(micros)).or_default() += 1;
        }
        new
    }

    /// Users with a start on the day, and in the 30 days that end with it.
    pub(crate) fn sticky(&self, starts: &[&Action], day: Date) -> (usize, usize) {
        let first = day.checked_sub(29.days()).unwrap();
        let users = |from: Date| -> BTreeSet<(&str, &str)> {
            let within = |start: &&&Action| (from..=day).contains(&self.date(start.micros));
            starts.iter().filter(within).map(|start| (start.hub, start.user.as_str())).collect()
        };
        (users(day).len(), users(first).len())
    }

    /// Launches, exact repeats once: times on a whole minute are no repeats.
    pub(crate) fn counted_launches(&self) -> Vec<&Launch> {
        let mut counted: Vec<&Launch> = Vec::new();
        for launch in &self.launches {
            if launch.micros % (60 * SECOND) == 0 || !counted.contains(&launch) {
                counted.push(launch);
            }
        }
        counted
    }

    /// Launches by day and the name that `named` gives each.
    pub(crate) fn split(&self, named: impl Fn(&Launch) -> String) -> BTreeMap<(Date, String), usize> {
        let mut split = BTreeMap::new();
        for launch in self.counted_launches() {
            *split.entry((self.date(launch.micros), named(launch))).or_default() += 1;
        }
        split
    }

    /// Different repositories by day.
    pub(crate) fn repositories(&self) -> BTreeMap<Date, usize> {
        let mut repos: BTreeMap<Date, BTreeSet<&str>> = BTreeMap::new();
        for launch in &self.launches {
            repos.entry(self.date(launch.micros)).or_default().extend(launch.repo);
        }
        repos.into_iter().map(|(date, repos)| (date, repos.len())).collect()
    }
}

/// Rows as CSV, joined by `;`.
pub(crate) fn rows(series: &BTreeMap<Date, Option<usize>>) -> String {
    let row = |(period, value): (&Date, &Option<usize>)| {
        format!("{period},{}", value.map_or(String::new(), |value| value.to_string()))
    };
    series.iter().map(row).collect::<Vec<_>>().join(";")
}

/// Numbers from a seed, the same everywhere.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 >> 2).unwrap() % end
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(i64::try_from(of.len()).unwrap())).unwrap()]
    }
}
