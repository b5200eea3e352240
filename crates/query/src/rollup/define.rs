//! The rollups: which statement each is the answer of, and which kinds of facts are made of its rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use event::Day;
use insight::facts::SharedNames;
use insight::pin::Pin;
use insight::spec::{parse, repo_key};

use super::cell::{Counts, Kind};
use crate::views::{Relation, find};

/// What stands in the place of a name that was not told.
const UNKNOWN: &str = "unknown";

/// Specs whose reading is remembered, some 100 bytes each; a day of mybinder.org has 25,000.
const SPECS_REMEMBERED_MAX: usize = 100_000;

/// A rollup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Rollup {
    /// Launches: how many, of what, from where.
    Launches,
    /// Starts of servers: how many, by whom, when.
    Starts,
}

impl Rollup {
    /// Every one.
    pub(crate) const ALL: [Self; 2] = [Self::Launches, Self::Starts];

    /// As questions name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Launches => "launches",
            Self::Starts => "starts",
        }
    }

    /// The rollup of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rollup| rollup.name() == name)
    }

    /// The statement whose answers it holds: of the days of `[$from, $to)` in `$zone`.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Launches => include_str!("launches.sql"),
            Self::Starts => include_str!("starts.sql"),
        }
    }

    /// What its statement reads.
    pub(crate) fn relation(self) -> Option<Relation> {
        match self {
            Self::Launches => find("launches"),
            Self::Starts => find("server_actions"),
        }
    }

    /// For how long after an event others may count differently because of it, in microseconds.
    pub(crate) fn reach_micros(self) -> i64 {
        match self {
            Self::Launches => 0,
            Self::Starts => 1_000_000,
        }
    }

    /// The kinds of its facts.
    pub(crate) fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Launches => &[Kind::Launch, Kind::Repo, Kind::Spelling, Kind::Owner, Kind::Embedder],
            Self::Starts => &[Kind::Start, Kind::User, Kind::Name],
        }
    }

    /// Adds what the rows of `batch` say to `counts`.
    pub(crate) fn count(self, batch: &RecordBatch, read: &mut Specs, counts: &mut Counts) -> Result<()> {
        match self {
            Self::Launches => launches(batch, read, counts),
            Self::Starts => starts(batch, counts),
        }
    }
}

/// What launches of one spec are of, by the numbers of names.
#[derive(Clone, Copy, Debug)]
struct Named {
    pin: Pin,
    repo: u32,
    /// Where it was written otherwise than the key under which it is counted.
    spelling: Option<u32>,
    owner: Option<u32>,
}

/// Specs that were read already, by provider; `None` of those that name nothing.
#[derive(Debug, Default)]
pub(crate) struct Specs {
    known: HashMap<Box<str>, HashMap<Box<str>, Option<Named>>>,
    len: usize,
    /// The names of repositories whose numbers these are; names of the other kinds live and die with them.
    names: SharedNames,
}

impl Specs {
    /// Forgets what was read for other names than those of `counts`.
    fn keep_for(&mut self, counts: &mut Counts) {
        let names = counts.names(Kind::Repo);
        if !self.names.is_same(names) {
            *self = Self { names: names.clone(), ..Self::default() };
        }
    }

    fn read(&mut self, provider: &str, spec: &str, counts: &mut Counts) -> Result<Option<Named>> {
        if let Some(known) = self.known.get(provider).and_then(|specs| specs.get(spec)) {
            return Ok(*known);
        }
        let named = parse(provider, spec).map(|repo| {
            let key = repo_key(&repo.repo);
            let spelling = (key != repo.repo).then(|| counts.id(Kind::Spelling, &joined(&key, &repo.repo)));
            let owner = owner(&key).map(|owner| counts.id(Kind::Owner, &owner));
            Ok::<_, DataFusionError>(Named {
                pin: Pin::of(provider, &repo),
                repo: counts.id(Kind::Repo, &key)?,
                spelling: spelling.transpose()?,
                owner: owner.transpose()?,
            })
        });
        let named = named.transpose()?;
        if self.len >= SPECS_REMEMBERED_MAX {
            self.known.clear();
            self.len = 0;
        }
        self.len += 1;
        self.known.entry(provider.into()).or_default().insert(spec.into(), named);
        Ok(named)
    }
}

/// Who owns a repository: host and first step of its address; an identifier of an archive tells of no owner.
fn owner(key: &str) -> Option<String> {
    let (_, rest) = key.split_once("://")?;
    let mut steps = rest.split(['/', '?', '#']);
    let (host, owner) = (steps.next()?, steps.next()?);
    steps.next().filter(|name| !name.is_empty() && !owner.is_empty())?;
    let host = host.rsplit('@').next().unwrap_or(host).to_ascii_lowercase();
    Some(format!("{host}/{owner}"))
}

/// The name of a host in lower case and without a port.
fn host(text: &str) -> &str {
    text.split(':').next().unwrap_or_default()
}

/// A day, and how a launch of it differs from others: how firmly its ref names what was run, whether a program asked,
/// its origin, its provider; as told.
type Way<'a> = (Day, Option<Pin>, Option<bool>, Option<&'a str>, Option<&'a str>);

fn launches(batch: &RecordBatch, read: &mut Specs, counts: &mut Counts) -> Result<()> {
    let columns = Columns::of(batch)?;
    let (days, n) = (columns.days("day")?, columns.numbers("n")?);
    let [provider, spec, origin, asker] = [
        columns.texts("provider")?,
        columns.texts("spec")?,
        columns.texts("origin")?,
        columns.texts("request_origin")?,
    ];
    let api = columns.booleans("build_token")?;
    read.keep_for(counts);
    // Of the ways in which launches differ, and of who asks, there are few: each is written out once a batch.
    let mut ways: BTreeMap<Way<'_>, u64> = BTreeMap::new();
    let mut askers: BTreeMap<(Day, &str), u64> = BTreeMap::new();
    for row in 0..batch.num_rows() {
        let (day, n) = (Day::from_number(days.value(row)), n.value(row).unsigned_abs());
        let (provider, origin) = (text(&provider, row), text(&origin, row));
        let named = match (provider, text(&spec, row)) {
            (Some(provider), Some(spec)) => read.read(provider, spec, counts)?,
            _ => None,
        };
        let pin = named.map(|named| named.pin);
        let build_token = api.is_valid(row).then(|| api.value(row));
        *ways.entry((day, pin, build_token, origin, provider)).or_default() += n;
        if let Some(named) = named {
            let others = [(Kind::Spelling, named.spelling), (Kind::Owner, named.owner)];
            counts.add_to(day, Kind::Repo, named.repo, n);
            for (kind, id) in others.into_iter().filter_map(|(kind, id)| Some((kind, id?))) {
                counts.add_to(day, kind, id, n);
            }
        }
        if let Some(asker) = text(&asker, row) {
            *askers.entry((day, asker)).or_default() += n;
        }
    }
    for ((day, pin, build_token, origin, provider), n) in ways {
        let served_by = origin.map(|origin| host(origin).to_lowercase()).filter(|host| !host.is_empty());
        let launch = LaunchKey {
            pin,
            build_token,
            origin: served_by.as_deref().unwrap_or(UNKNOWN),
            provider: provider.filter(|provider| !provider.is_empty()).unwrap_or(UNKNOWN),
        };
        counts.add(day, Kind::Launch, &launch.written(), n)?;
    }
    for ((day, asker), n) in askers {
        let asker = host(asker.rsplit("://").next().unwrap_or(asker)).to_lowercase();
        let asker = asker.split('/').next().filter(|host| !host.is_empty()).unwrap_or(UNKNOWN);
        counts.add(day, Kind::Embedder, asker, n)?;
    }
    Ok(())
}

fn starts(batch: &RecordBatch, counts: &mut Counts) -> Result<()> {
    let columns = Columns::of(batch)?;
    let (days, hours, n) = (columns.days("day")?, columns.numbers("hour")?, columns.numbers("n")?);
    let [hub, user] = [columns.texts("hub")?, columns.texts("username")?];
    for row in 0..batch.num_rows() {
        let (day, n) = (Day::from_number(days.value(row)), n.value(row).unsigned_abs());
        let (hub, user) = (text(&hub, row).unwrap_or_default(), text(&user, row).unwrap_or_default());
        counts.add(day, Kind::Start, &hours.value(row).to_string(), n)?;
        counts.add(day, Kind::User, &user_key(hub, user), n)?;
        counts.add(day, Kind::Name, user, n)?;
    }
    Ok(())
}

/// Two texts as a key: the length of the first, and both.
fn joined(first: &str, second: &str) -> String {
    format!("{}:{first}{second}", first.len())
}

/// A user as a key: a name at a hub.
fn user_key(hub: &str, user: &str) -> String {
    joined(hub, user)
}

/// Hub and name of a key of [`Kind::User`], repository and spelling of one of [`Kind::Spelling`]; of others the key.
pub(crate) fn halves(kind: Kind, key: &str) -> (Option<&str>, &str) {
    let split = || {
        let (length, both) = key.split_once(':')?;
        both.split_at_checked(length.parse().ok()?)
    };
    match kind.has_halves().then(split).flatten() {
        Some((first, second)) => (Some(first), second),
        None => (None, key),
    }
}

/// What launches are told apart by, as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaunchKey<'a> {
    /// How firmly the ref names what was run; `None` when the spec names no repository.
    pub(crate) pin: Option<Pin>,
    /// Whether a program asked; `None` when the launch does not say.
    pub(crate) build_token: Option<bool>,
    /// Host of the `BinderHub`.
    pub(crate) origin: &'a str,
    /// Where the repository lies.
    pub(crate) provider: &'a str,
}

impl<'a> LaunchKey<'a> {
    /// Two signs, the length of the origin, the origin, the provider.
    fn written(&self) -> String {
        let pin = match self.pin {
            Some(Pin::Commit) => 'c',
            Some(Pin::Version) => 'v',
            Some(Pin::Archive) => 'a',
            Some(Pin::Name) => 'n',
            None => '-',
        };
        let api = match self.build_token {
            Some(true) => 't',
            Some(false) => 'f',
            None => '-',
        };
        format!("{pin}{api}{}:{}{}", self.origin.len(), self.origin, self.provider)
    }

    /// Reads what [`Self::written`] wrote.
    pub(crate) fn read(key: &'a str) -> Option<Self> {
        let (signs, rest) = key.split_at_checked(2)?;
        let (length, rest) = rest.split_once(':')?;
        let (origin, provider) = rest.split_at_checked(length.parse().ok()?)?;
        let mut signs = signs.chars();
        let pin = match signs.next()? {
            'c' => Some(Pin::Commit),
            'v' => Some(Pin::Version),
            'a' => Some(Pin::Archive),
            'n' => Some(Pin::Name),
            _ => None,
        };
        let build_token = match signs.next()? {
            't' => Some(true),
            'f' => Some(false),
            _ => None,
        };
        Some(Self { pin, build_token, origin, provider })
    }
}

/// The columns of a rollup's answer.
struct Columns<'a>(&'a RecordBatch);

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self> {
        Ok(Self(batch))
    }

    fn cast(&self, name: &str, to: &DataType) -> Result<Arc<dyn Array>> {
        let column = self.0.column_by_name(name);
        let column = column.ok_or_else(|| DataFusionError::Internal(format!("a rollup without a column '{name}'")))?;
        Ok(cast(column, to)?)
    }

    fn days(&self, name: &str) -> Result<Date32Array> {
        Ok(self.cast(name, &DataType::Date32)?.as_primitive::<Date32Type>().clone())
    }

    fn numbers(&self, name: &str) -> Result<Int64Array> {
        Ok(self.cast(name, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
    }

    fn texts(&self, name: &str) -> Result<StringArray> {
        Ok(self.cast(name, &DataType::Utf8)?.as_string::<i32>().clone())
    }

    fn booleans(&self, name: &str) -> Result<BooleanArray> {
        Ok(self.cast(name, &DataType::Boolean)?.as_boolean().clone())
    }
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_key_reads_as_it_was_written() {
        for pin in [None, Some(Pin::Commit), Some(Pin::Version), Some(Pin::Archive), Some(Pin::Name)] {
            for build_token in [None, Some(true), Some(false)] {
                for (origin, provider) in [("hub.example.org", "GitHub"), ("", ""), ("1:é", "3:x"), ("é", "é:")] {
                    let key = LaunchKey { pin, build_token, origin, provider };
                    assert_eq!(LaunchKey::read(&key.written()), Some(key));
                }
            }
        }
        for wrong in ["", "c", "ct", "ct9:abc", "ctx:abc", "éé:"] {
            assert_eq!(LaunchKey::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn halves_of_a_key_are_what_was_joined() {
        for (first, second) in [("north", "ada"), ("", ""), ("1:é", ":2"), ("é", "")] {
            assert_eq!(halves(Kind::User, &joined(first, second)), (Some(first), second));
            assert_eq!(halves(Kind::Repo, &joined(first, second)), (None, joined(first, second).as_str()));
        }
        for wrong in ["", "x", "9:abc", "1:é"] {
            assert_eq!(halves(Kind::Spelling, wrong), (None, wrong));
        }
    }

    #[test]
    fn owners_are_read_from_addresses_and_not_from_identifiers() {
        for (key, expected) in [
            ("https://github.com/a/b", Some("github.com/a")),
            ("https://gitlab.com/group/sub/name", Some("gitlab.com/group")),
            ("https://user:pw@Git.Example.org/o/r.git", Some("git.example.org/o")),
            ("https://gist.github.com/ada/0123.git", Some("gist.github.com/ada")),
            ("10.5281/zenodo.1", None),
            ("https://example.org/repo.git", None),
            ("https://example.org//x", None),
            ("not an address", None),
        ] {
            assert_eq!(owner(key).as_deref(), expected, "{key}");
        }
    }
}
