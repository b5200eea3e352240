//! A cell: the facts of one rollup, of all hubs or of one, with days cut in one zone.
//!
//! All hubs together have a cell of their own, since what two hubs tell of is counted once there, and once at each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use event::Day;
use insight::facts::{Series, SharedNames};

use super::define::halves;
use super::{Rollup, Until};
use crate::scope::Scope;

/// What the keys of facts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Ways in which launches differ, without what they are of; see `LaunchKey`.
    Launch,
    /// Repositories, by the key under which they are counted.
    Repo,
    /// Repositories as they were written, where that is not their key.
    Spelling,
    /// Owners of repositories.
    Owner,
    /// Hosts of pages from which launches were asked for.
    Embedder,
    /// Hours of the day.
    Start,
    /// Users: a name at a hub.
    User,
    /// Names of users, whatever the hub.
    Name,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 8] =
        [Self::Launch, Self::Repo, Self::Spelling, Self::Owner, Self::Embedder, Self::Start, Self::User, Self::Name];

    /// Its name in SQL and in files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Repo => "repo",
            Self::Spelling => "spelling",
            Self::Owner => "owner",
            Self::Embedder => "embedder",
            Self::Start => "start",
            Self::User => "user",
            Self::Name => "name",
        }
    }

    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether its keys are made of two texts.
    pub(crate) fn has_halves(self) -> bool {
        matches!(self, Self::User | Self::Spelling)
    }

    /// Whether its keys are somebody or something that comes and goes, rather than ways to split a number.
    pub(crate) fn comes_and_goes(self) -> bool {
        !matches!(self, Self::Launch | Self::Start)
    }
}

/// Names a cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CellId {
    pub(crate) rollup: Rollup,
    /// The one hub whose rows it is made of; all without.
    pub(crate) hub: Option<Arc<str>>,
    /// Name of the zone.
    pub(crate) zone: Arc<str>,
}

impl CellId {
    /// Whose rows it is made of.
    pub(crate) fn scope(&self) -> Scope {
        self.hub.clone().map_or(Scope::All, Scope::Hub)
    }
}

/// The facts of a cell. A copy costs little; days are shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell(BTreeMap<Kind, Series>);

impl Cell {
    /// The facts of `kind`; none when there are none.
    pub(crate) fn series(&self, kind: Kind) -> Option<&Series> {
        self.0.get(&kind)
    }

    /// Every kind that has facts.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (Kind, &Series)> {
        self.0.iter().map(|(kind, series)| (*kind, series))
    }

    /// How many facts: of a day and a key each.
    pub(crate) fn rows(&self) -> u64 {
        self.0.values().map(Series::rows).sum()
    }

    /// The days that have facts.
    pub(crate) fn days(&self) -> BTreeSet<Day> {
        let whole = Day::from_number(i32::MIN)..Day::from_number(i32::MAX);
        self.0.values().flat_map(|series| series.days(whole.clone())).map(|(day, _)| day).collect()
    }

    /// Takes the users out of `days` whom `until` names, and what they counted for the names of users. Whether there
    /// were any.
    pub(crate) fn forget(&mut self, days: &BTreeSet<Day>, until: Until<'_>) -> bool {
        let Some(users) = self.0.get_mut(&Kind::User) else { return false };
        let mut gone: BTreeMap<Day, HashMap<String, u64>> = BTreeMap::new();
        let mut left: Vec<(Day, Vec<(u32, u64)>)> = Vec::new();
        {
            let (names, mut asked) = (users.names().read(), HashMap::new());
            for (day, block) in days.iter().filter_map(|day| users.days(*day..day.next()).next()) {
                let mut is_theirs = |id: u32| -> Option<String> {
                    let (hub, name) = halves(Kind::User, names.get(id)?);
                    let until = *asked.entry(id).or_insert_with(|| until(hub.unwrap_or_default(), name));
                    until.filter(|until| day.start() <= *until).map(|_| name.to_owned())
                };
                let mut stays = Vec::new();
                for (id, n) in block.iter() {
                    match is_theirs(id) {
                        Some(name) => *gone.entry(day).or_default().entry(name).or_default() += n,
                        None => stays.push((id, n)),
                    }
                }
                left.push((day, stays));
            }
        }
        users.replace(left);
        let Some(names) = self.0.get_mut(&Kind::Name) else { return !gone.is_empty() };
        let mut left: Vec<(Day, Vec<(u32, u64)>)> = Vec::new();
        {
            let texts = names.names().read();
            for (day, gone) in &gone {
                let Some((_, block)) = names.days(*day..day.next()).next() else { continue };
                let rest = |(id, n): (u32, u64)| {
                    let gone = texts.get(id).and_then(|name| gone.get(name)).copied().unwrap_or(0);
                    (id, n.saturating_sub(gone))
                };
                left.push((*day, block.iter().map(rest).collect()));
            }
        }
        names.replace(left);
        !gone.is_empty()
    }

    /// Replaces the facts of `days` by `counts`, in which a day without any has none.
    pub(crate) fn replace(&mut self, rollup: Rollup, days: &BTreeSet<Day>, mut counts: Counts) {
        for kind in rollup.kinds() {
            let mut found = counts.days.remove(kind).unwrap_or_default();
            let facts: Vec<(Day, Vec<(u32, u64)>)> =
                days.iter().map(|day| (*day, found.remove(day).unwrap_or_default())).collect();
            let names = counts.names.get(kind).cloned().unwrap_or_default();
            let series = self.0.entry(*kind).or_insert_with(|| Series::named_by(names));
            series.replace(facts);
        }
    }

    /// The same without the names of keys that have no facts any more.
    pub(crate) fn with_own_names(&self) -> Self {
        Self(self.0.iter().map(|(kind, series)| (*kind, series.with_own_names())).collect())
    }

    /// Names by which its keys are known, for facts that are to be added.
    pub(crate) fn counts(&self) -> Counts {
        let names = self.0.iter().map(|(kind, series)| (*kind, series.names().clone())).collect();
        Counts { names, days: BTreeMap::new() }
    }

    /// Bytes that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.0.values().map(|series| series.bytes() + series.names().read().bytes()).sum()
    }
}

/// Facts being gathered.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    names: BTreeMap<Kind, SharedNames>,
    days: BTreeMap<Kind, BTreeMap<Day, Vec<(u32, u64)>>>,
}

impl Counts {
    /// Adds `n` to a key of a day.
    pub(crate) fn add(&mut self, day: Day, kind: Kind, key: &str, n: u64) -> Result<()> {
        let id = self.id(kind, key)?;
        self.add_to(day, kind, id, n);
        Ok(())
    }

    /// The number of a key.
    pub(crate) fn id(&mut self, kind: Kind, key: &str) -> Result<u32> {
        let id = self.names.entry(kind).or_default().write().insert(key);
        id.ok_or_else(|| DataFusionError::ResourcesExhausted("a rollup has too many names".to_owned()))
    }

    /// Adds `n` to the key of a day that has this number.
    pub(crate) fn add_to(&mut self, day: Day, kind: Kind, id: u32, n: u64) {
        self.days.entry(kind).or_default().entry(day).or_default().push((id, n));
    }

    /// The names of keys of `kind`.
    pub(crate) fn names(&mut self, kind: Kind) -> &SharedNames {
        self.names.entry(kind).or_default()
    }

    /// Makes sure that every kind of `rollup` has names, so that they can be shared.
    pub(crate) fn name_all(&mut self, rollup: Rollup) {
        for kind in rollup.kinds() {
            self.names.entry(*kind).or_default();
        }
    }

    /// No counts, with the same names.
    pub(crate) fn names_only(&self) -> Self {
        Self { names: self.names.clone(), days: BTreeMap::new() }
    }

    /// Adds what `other` counted under the same names.
    pub(crate) fn extend(&mut self, other: Self) {
        self.names.extend(other.names);
        for (kind, days) in other.days {
            let own = self.days.entry(kind).or_default();
            for (day, counts) in days {
                own.entry(day).or_default().extend(counts);
            }
        }
    }

    /// The days of which anything was counted.
    pub(crate) fn days_found(&self) -> BTreeSet<Day> {
        self.days.values().flat_map(|days| days.keys().copied()).collect()
    }
}
