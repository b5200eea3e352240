//! Rows by which distinct counts over any window of days are plain sums.
//!
//! One row for each day on which a key (a user, a repository) was active, with the day on which it was active
//! before. A row adds one to every window that begins after `previous_day` and holds `day`: of the rows that a key has
//! in a window, the first one does and no other. So any window, rolling windows, who is new, who came back and who is
//! lost are one pass over plain rows, and equal what counting distinct keys gives.

use std::collections::BTreeMap;
use std::ops::Range;

use event::Day;

/// A key on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Active<K> {
    /// Who or what.
    pub key: K,
    /// When.
    pub day: Day,
    /// How often on that day.
    pub n: u64,
    /// The last day before it with a row of this key.
    pub previous_day: Option<Day>,
}

impl<K> Active<K> {
    /// Whether it adds one to the window.
    pub fn counts_in(&self, window: &Range<Day>) -> bool {
        window.contains(&self.day) && self.previous_day.is_none_or(|previous| previous < window.start)
    }
}

/// The days of one key, and how often it was active on each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Days(BTreeMap<Day, u64>);

impl Days {
    /// Adds `n` to a day, and returns the days whose rows are new or changed thereby: that day, and the next one if it
    /// was not known before. Late days are days like others.
    pub fn add(&mut self, day: Day, n: u64) -> impl Iterator<Item = Day> {
        if n == 0 {
            return [None, None].into_iter().flatten();
        }
        let is_new = !self.0.contains_key(&day);
        *self.0.entry(day).or_default() += n;
        let next = if is_new { self.0.range(day.next()..).next().map(|(next, _)| *next) } else { None };
        [Some(day), next].into_iter().flatten()
    }

    /// The row of a day, if the key was active on it.
    pub fn row<K>(&self, key: K, day: Day) -> Option<Active<K>> {
        let n = *self.0.get(&day)?;
        let previous_day = self.0.range(..day).next_back().map(|(previous, _)| *previous);
        Some(Active { key, day, n, previous_day })
    }

    /// All rows, by day.
    pub fn rows<K: Clone>(&self, key: K) -> impl Iterator<Item = Active<K>> {
        let mut previous = None;
        self.0.iter().map(move |(day, n)| Active {
            key: key.clone(),
            day: *day,
            n: *n,
            previous_day: previous.replace(*day),
        })
    }
}

/// How many keys were active in the window.
pub fn distinct<'a, K: 'a>(rows: impl IntoIterator<Item = &'a Active<K>>, window: Range<Day>) -> u64 {
    rows.into_iter().map(|row| u64::from(row.counts_in(&window))).sum()
}

/// How many keys were active in the `width` days that end with each day of `days`, in one pass.
pub fn rolling<'a, K: 'a>(rows: impl IntoIterator<Item = &'a Active<K>>, width: u16, days: Range<Day>) -> Vec<u64> {
    let (first, end) = (i64::from(days.start.number()), i64::from(days.end.number()));
    let Ok(length) = usize::try_from(end - first) else { return Vec::new() };
    let mut changes = vec![0_i64; length + 1];
    for row in rows {
        let day = i64::from(row.day.number());
        // The windows that hold the day end with it or later; the first of those that begin after the previous day
        // ends `width` days after that.
        let begin_after = row.previous_day.map_or(i64::MIN, |previous| i64::from(previous.number()));
        let from = day.max(begin_after.saturating_add(i64::from(width))).clamp(first, end);
        let to = (day + i64::from(width)).clamp(first, end);
        if let (true, Ok(from), Ok(to)) = (from < to, usize::try_from(from - first), usize::try_from(to - first)) {
            changes[from] += 1;
            changes[to] -= 1;
        }
    }
    let mut now = 0;
    changes.truncate(length);
    changes
        .into_iter()
        .map(|change| {
            now += change;
            now.unsigned_abs()
        })
        .collect()
}

/// Who was active in a window, by what they were before, and who was not any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// Never active before the window.
    pub new: u64,
    /// Active in the window before it as well.
    pub returning: u64,
    /// Active earlier, and not in the window before it.
    pub resurrected: u64,
    /// Active in the window before it, and not in this one.
    pub lost: u64,
}

/// The classes of `window`, against the window from `before` to its begin.
pub fn lifecycle<'a, K: 'a>(
    rows: impl IntoIterator<Item = &'a Active<K>> + Clone,
    before: Day,
    window: Range<Day>,
) -> Lifecycle {
    let mut classes = Lifecycle { lost: distinct(rows.clone(), before..window.start), ..Lifecycle::default() };
    for row in rows.into_iter().filter(|row| row.counts_in(&window)) {
        match row.previous_day {
            None => classes.new += 1,
            Some(previous) if previous >= before => {
                classes.returning += 1;
                classes.lost -= 1;
            }
            Some(_) => classes.resurrected += 1,
        }
    }
    classes
}
