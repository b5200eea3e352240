//! What was counted on each day by key, small enough to be held for many years, and linked as in [`crate::active`].
//!
//! ```text
//! (day, key, n) ─▶ Names: key ↔ number ─▶ Block: a day's numbers and counts, two bytes each
//!                                          └─▶ Links: of a day, how many keys came last on which day before
//! ```
//!
//! A [`Series`] holds the days of one kind of key. A day is replaced as a whole, never changed, so a copy of a series
//! costs a pointer a day, and several may be held while one moves on. Links are rows of [`crate::active`] with the keys
//! added up: every distinct count over days is a sum over them. What needs the keys themselves (ranks, cohorts) is one
//! pass over the blocks; one key's history looks it up in each.

mod block;
mod names;
mod newcomers;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use event::Day;

pub use block::Block;
pub use names::{Names, SharedNames};
use newcomers::Newcomers;

/// Stands for a day that there is not.
const NEVER: i32 = i32::MIN;

/// So many days before the newest one it is remembered when each key came last, so that days after that can be linked
/// without a walk from the beginning: one for what comes late by days, one for what comes late by months.
const MARKS: [i32; 2] = [7, 400];

/// The keys of a day that came last on one certain day before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// That day; `None` when they never came before.
    pub previous_day: Option<Day>,
    /// How many keys.
    pub keys: u32,
    /// How often they came, added up.
    pub n: u64,
}

/// A key in a range of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InRange {
    /// Its number.
    pub id: u32,
    /// On how many days of the range it came.
    pub days: u32,
    /// How often.
    pub n: u64,
    /// The first day of all.
    pub first_day: Day,
    /// The first day in the range, and the last.
    pub from_day: Day,
    /// The last day in the range.
    pub last_day: Day,
}

/// A key on a day, as a pass gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key's number.
    pub id: u32,
    /// How often it came.
    pub n: u64,
    /// The last day before on which it came.
    pub previous_day: Option<Day>,
}

/// When each key came last, before a day.
#[derive(Clone, Debug)]
struct Mark {
    day: Day,
    last: Arc<[i32]>,
}

/// The days of one kind of key.
#[derive(Clone, Debug, Default)]
pub struct Series {
    names: SharedNames,
    days: BTreeMap<Day, Arc<Block>>,
    links: BTreeMap<Day, Arc<[Link]>>,
    firsts: Arc<[i32]>,
    /// How often each key came on all days together.
    totals: Arc<Vec<u64>>,
    /// Facts of all days together.
    rows: u64,
    marks: Vec<Mark>,
    newcomers: Newcomers,
}

impl Series {
    /// A series without days, whose keys have these names.
    pub fn named_by(names: SharedNames) -> Self {
        Self { names, ..Self::default() }
    }

    /// The keys' names.
    pub fn names(&self) -> &SharedNames {
        &self.names
    }

    /// Whether it holds no day.
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// Its days in `range`, in order.
    pub fn days(&self, range: Range<Day>) -> impl Iterator<Item = (Day, &Arc<Block>)> {
        within(&self.days, range).map(|(day, block)| (*day, block))
    }

    /// The first day and the last.
    pub fn span(&self) -> Option<(Day, Day)> {
        Some((*self.days.first_key_value()?.0, *self.days.last_key_value()?.0))
    }

    /// How many rows of [`crate::active`] it stands for.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Replaces days, each by what was counted on it; a day without anything goes. What follows from them is made anew.
    pub fn replace(&mut self, days: impl IntoIterator<Item = (Day, Vec<(u32, u64)>)>) {
        let mut earliest: Option<Day> = None;
        for (day, counts) in days {
            let block = Block::of(counts);
            let is_same = match self.days.get(&day) {
                Some(known) => **known == block,
                None => block.keys() == 0,
            };
            if is_same {
                continue;
            }
            earliest = Some(earliest.map_or(day, |earliest| earliest.min(day)));
            self.account(self.days.get(&day).cloned(), &block);
            match block.keys() {
                0 => drop(self.days.remove(&day)),
                _ => drop(self.days.insert(day, Arc::new(block))),
            }
        }
        if let Some(day) = earliest {
            self.newcomers.changed(day);
            self.link(day);
        }
    }

    /// Takes `before` out of the sums, and `now` in.
    fn account(&mut self, before: Option<Arc<Block>>, now: &Block) {
        let totals = Arc::make_mut(&mut self.totals);
        for (id, n) in before.iter().flat_map(|block| block.iter()) {
            if let Some(total) = usize::try_from(id).ok().and_then(|id| totals.get_mut(id)) {
                *total = total.saturating_sub(n);
            }
        }
        for (id, n) in now.iter() {
            let at = usize::try_from(id).unwrap_or(usize::MAX);
            if at >= totals.len() {
                totals.resize(at + 1, 0);
            }
            totals[at] = totals[at].saturating_add(n);
        }
        self.rows -= before.map_or(0, |block| u64::from(block.keys()));
        self.rows += u64::from(now.keys());
    }

    /// The same series whose names are those of its days alone: numbers are given anew.
    #[must_use]
    pub fn with_own_names(&self) -> Self {
        let names = SharedNames::default();
        let mut renumbered: BTreeMap<Day, Vec<(u32, u64)>> = BTreeMap::new();
        {
            let (old, mut new) = (self.names.read(), names.write());
            for (day, block) in &self.days {
                let counts = block.iter().filter_map(|(id, n)| Some((new.insert(old.get(id)?)?, n)));
                renumbered.insert(*day, counts.collect());
            }
        }
        let mut series = Self { names, ..Self::default() };
        series.replace(renumbered);
        series
    }

    /// Makes the links of `from` and of the days after it.
    fn link(&mut self, from: Day) {
        let newest = self.days.last_key_value().map_or(from, |(day, _)| *day);
        drop(self.links.split_off(&from));
        self.marks.retain(|mark| mark.day <= from);
        let start = self.marks.iter().max_by_key(|mark| mark.day).cloned();
        let (start, mut walk) = match start {
            Some(mark) => (mark.day, Walk::after(&mark, &self.firsts)),
            None => (Day::from_number(i32::MIN), Walk::default()),
        };
        let mut wanted = self.marks_wanted(newest);
        wanted.retain(|day| *day > start);
        let mut counted = Counted::default();
        for (day, block) in self.days.range(start..) {
            wanted.retain(|wish| {
                if *wish <= *day {
                    self.marks.push(Mark { day: *wish, last: walk.last.as_slice().into() });
                }
                *wish > *day
            });
            for (id, n) in block.iter() {
                let previous = walk.step(id, *day);
                if *day >= from {
                    counted.add(previous, n);
                }
            }
            if *day >= from {
                self.links.insert(*day, counted.take());
            }
        }
        let is_near = |mark: &Mark| nearest(&self.marks, newest).any(|near| near == mark.day);
        self.marks = self.marks.iter().filter(|mark| is_near(mark)).cloned().collect();
        self.firsts = walk.first.into();
    }

    /// Where marks are missing: a place has one when there is one not much before it.
    fn marks_wanted(&self, newest: Day) -> Vec<Day> {
        let place = |back: i32| Day::from_number(newest.number().saturating_sub(back));
        let is_missing = |back: &i32| {
            let enough = place(back.saturating_add(back / 2))..=place(*back);
            !self.marks.iter().any(|mark| enough.contains(&mark.day))
        };
        MARKS.into_iter().filter(is_missing).map(place).collect()
    }

    /// The links of the days in `range`, in order.
    pub fn links(&self, range: Range<Day>) -> impl Iterator<Item = (Day, &Arc<[Link]>)> {
        within(&self.links, range).map(|(day, links)| (*day, links))
    }

    /// The first day of a key.
    pub fn first_day(&self, id: u32) -> Option<Day> {
        known(*self.firsts.get(usize::try_from(id).ok()?)?)
    }

    /// What each key did in `range`, in order of numbers.
    pub fn in_range(&self, range: Range<Day>) -> Vec<InRange> {
        let mut found: Vec<Option<InRange>> = vec![None; self.firsts.len()];
        for (day, block) in self.days(range) {
            for (id, n) in block.iter() {
                let Some(place) = usize::try_from(id).ok().and_then(|id| found.get_mut(id)) else { continue };
                match place {
                    Some(key) => {
                        key.days += 1;
                        key.n += n;
                        key.last_day = day;
                    }
                    None => {
                        let first_day = self.first_day(id).unwrap_or(day);
                        *place = Some(InRange { id, days: 1, n, first_day, from_day: day, last_day: day });
                    }
                }
            }
        }
        found.into_iter().flatten().collect()
    }

    /// As [`Self::in_range`], where of each key only its number, `n` and the first day of all are told rightly: the
    /// sums of all days are known, so the days on one side of the range's ends are enough.
    pub fn sums(&self, range: Range<Day>) -> Vec<InRange> {
        let outside = || {
            within(&self.days, Day::from_number(i32::MIN)..range.start)
                .chain(self.days.range(range.end.max(range.start)..))
        };
        let rows_outside: u64 = outside().map(|(_, block)| u64::from(block.keys())).sum();
        let sums = if rows_outside == 0 {
            Arc::clone(&self.totals)
        } else if 2 * rows_outside < self.rows {
            let mut sums = self.totals.to_vec();
            for (id, n) in outside().flat_map(|(_, block)| block.iter()) {
                if let Some(sum) = usize::try_from(id).ok().and_then(|id| sums.get_mut(id)) {
                    *sum = sum.saturating_sub(n);
                }
            }
            Arc::new(sums)
        } else {
            let mut sums = vec![0; self.totals.len()];
            for (id, n) in self.days(range.clone()).flat_map(|(_, block)| block.iter()) {
                if let Some(sum) = usize::try_from(id).ok().and_then(|id| sums.get_mut(id)) {
                    *sum = u64::saturating_add(*sum, n);
                }
            }
            Arc::new(sums)
        };
        let mut found = Vec::with_capacity(sums.len());
        found.extend((0..).zip(sums.iter()).filter(|(_, n)| **n > 0).map(|(id, n)| {
            let first_day = self.first_day(id).unwrap_or(range.start);
            InRange { id, days: 0, n: *n, first_day, from_day: range.start, last_day: range.start }
        }));
        found
    }

    /// How many keys came in `range`, by the day on which they first came: `(first day, keys)`, in order of days. What
    /// was asked is remembered.
    pub fn by_first_day(&self, range: Range<Day>) -> Arc<[(Day, u32)]> {
        self.newcomers.of(&range, || {
            let mut has_come = vec![false; self.firsts.len()];
            let mut keys: BTreeMap<Day, u32> = BTreeMap::new();
            for (day, block) in self.days(range.clone()) {
                for (id, _) in block.iter() {
                    let Some(has_come) = usize::try_from(id).ok().and_then(|id| has_come.get_mut(id)) else { continue };
                    if !std::mem::replace(has_come, true) {
                        *keys.entry(self.first_day(id).unwrap_or(day)).or_default() += 1;
                    }
                }
            }
            keys.into_iter().collect()
        })
    }

    /// The rows of `ids` in `range`, which are few: each day that has any.
    pub fn rows_of(&self, range: Range<Day>, ids: &[u32]) -> Vec<(Day, Vec<Row>)> {
        let mut last: Vec<Option<Day>> = vec![None; ids.len()];
        let mut found = Vec::new();
        for (day, block) in within(&self.days, Day::from_number(i32::MIN)..range.end) {
            let mut rows = Vec::new();
            for (id, last) in ids.iter().zip(&mut last) {
                if let Some(n) = block.get(*id) {
                    rows.push(Row { id: *id, n, previous_day: last.replace(*day) });
                }
            }
            if *day >= range.start && !rows.is_empty() {
                found.push((*day, rows));
            }
        }
        found
    }

    /// A pass over the rows of `range` with the day on which each key came before.
    pub fn pass(&self, range: Range<Day>) -> Pass {
        let start = self.marks.iter().filter(|mark| mark.day <= range.start).max_by_key(|mark| mark.day);
        let (start, mut walk) = match start {
            Some(mark) => (mark.day, Walk::after(mark, &self.firsts)),
            None => (Day::from_number(i32::MIN), Walk::default()),
        };
        for (day, block) in within(&self.days, start..range.start) {
            for (id, _) in block.iter() {
                walk.step(id, *day);
            }
        }
        let days = within(&self.days, range).map(|(day, block)| (*day, Arc::clone(block))).collect::<Vec<_>>();
        Pass { days: days.into_iter(), walk }
    }

    /// Bytes that it takes, about; names apart.
    pub fn bytes(&self) -> usize {
        let blocks: usize = self.days.values().map(|block| block.bytes() + 64).sum();
        let links: usize = self.links.values().map(|links| links.len() * size_of::<Link>() + 64).sum();
        let numbers: usize =
            self.marks.iter().map(|mark| mark.last.len()).sum::<usize>() + self.firsts.len() + 2 * self.totals.len();
        blocks + links + numbers * size_of::<i32>() + self.newcomers.bytes()
    }
}

/// Goes through days; see [`Series::pass`].
#[derive(Debug)]
pub struct Pass {
    days: std::vec::IntoIter<(Day, Arc<Block>)>,
    walk: Walk,
}

impl Iterator for Pass {
    type Item = (Day, Vec<Row>);

    fn next(&mut self) -> Option<Self::Item> {
        let (day, block) = self.days.next()?;
        let rows = block.iter().map(|(id, n)| Row { id, n, previous_day: known(self.walk.step(id, day)) });
        Some((day, rows.collect()))
    }
}

/// When each key came first and last, as far as one has walked.
#[derive(Debug, Default)]
struct Walk {
    first: Vec<i32>,
    last: Vec<i32>,
}

impl Walk {
    fn after(mark: &Mark, firsts: &[i32]) -> Self {
        let first = mark.last.iter().zip(firsts).map(|(last, first)| if *last == NEVER { NEVER } else { *first });
        Self { first: first.collect(), last: mark.last.to_vec() }
    }

    /// Notes that `id` came on `day`, and tells when it had come before.
    fn step(&mut self, id: u32, day: Day) -> i32 {
        let at = usize::try_from(id).unwrap_or(usize::MAX);
        if at >= self.last.len() {
            self.last.resize(at + 1, NEVER);
            self.first.resize(at + 1, NEVER);
        }
        if self.first[at] == NEVER {
            self.first[at] = day.number();
        }
        std::mem::replace(&mut self.last[at], day.number())
    }
}

/// Adds up the rows of a day by the day before.
#[derive(Debug, Default)]
struct Counted(BTreeMap<i32, (u32, u64)>);

impl Counted {
    fn add(&mut self, previous: i32, n: u64) {
        let (keys, sum) = self.0.entry(previous).or_default();
        *keys += 1;
        *sum += n;
    }

    fn take(&mut self) -> Arc<[Link]> {
        let links = std::mem::take(&mut self.0);
        links.into_iter().map(|(day, (keys, n))| Link { previous_day: known(day), keys, n }).collect()
    }
}

/// The days of the marks that are nearest to each place.
fn nearest(marks: &[Mark], newest: Day) -> impl Iterator<Item = Day> + '_ {
    MARKS.into_iter().filter_map(move |back| {
        let place = Day::from_number(newest.number().saturating_sub(back));
        marks.iter().map(|mark| mark.day).filter(|day| *day <= place).max()
    })
}

fn known(day: i32) -> Option<Day> {
    (day != NEVER).then(|| Day::from_number(day))
}

/// The entries of `range`; none when it is upside down.
fn within<V>(days: &BTreeMap<Day, V>, range: Range<Day>) -> impl Iterator<Item = (&Day, &V)> {
    let end = range.end.max(range.start);
    days.range(range.start..end)
}
