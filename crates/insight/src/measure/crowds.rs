//! Which repositories were launched by a crowd, out of quiet, and when.

use std::num::NonZero;

use event::EventTime;

use super::Period;
use crate::session::Micros;

/// A crowd gathers within so long from a launch on.
const GATHERS: Micros = Micros::from_secs(3_600);

/// So long before a crowd, and so long after it, it is quiet: at most [`QUIET`] times as many launches as in it.
const AROUND: Micros = Micros::from_secs(24 * 3_600);
const QUIET: u64 = 3;

/// Crowds of one repository that gather less than this after each other are one workshop.
const APART: Micros = Micros::from_secs(4 * 3_600);

/// Launches as they were told: a number for the repository, when, in microseconds, and a number that is the same for
/// exact repeats of one launch, which count once. Without that number each counts.
#[derive(Clone, Debug, Default)]
pub struct Launches(Vec<(i64, i64, Option<NonZero<i64>>)>);

impl Launches {
    /// Adds one that was told.
    pub fn add(&mut self, repo: i64, at: EventTime, repeat: Option<i64>) {
        self.0.push((repo, at.micros(), repeat.map(|repeat| NonZero::new(repeat).unwrap_or(NonZero::<i64>::MIN))));
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(i64, i64, Option<NonZero<i64>>)>()
    }

    /// All of them as numbers, for [`Self::extend`]: three for each.
    pub fn into_numbers(self) -> Vec<i64> {
        self.0.into_iter().flat_map(|(repo, at, repeat)| [repo, at, repeat.map_or(0, NonZero::get)]).collect()
    }

    /// Adds those that [`Self::into_numbers`] gave.
    pub fn extend(&mut self, numbers: &[i64]) {
        self.0.extend(numbers.as_chunks::<3>().0.iter().map(|[repo, at, repeat]| (*repo, *at, NonZero::new(*repeat))));
    }

    /// When the workshops of `period` begin, of at least `people` launches each: in order of repositories, then of
    /// time. Launches from 28 hours before the period to 25 hours after it say whether one is.
    pub fn workshops(mut self, people: u64, period: Period) -> Vec<EventTime> {
        self.0.sort_unstable();
        self.0.dedup_by(|later, kept| later.2.is_some() && later == kept);
        let repositories = self.0.chunk_by(|one, other| one.0 == other.0);
        let times = repositories.map(|launches| launches.iter().map(|(_, at, _)| *at).collect::<Vec<_>>());
        times.flat_map(|times| begins(&times, people, period)).collect()
    }
}

/// When the workshops begin of a repository that was launched at `times`, which are in order.
fn begins(times: &[i64], people: u64, period: Period) -> Vec<EventTime> {
    let mut begins = Vec::new();
    let mut crowd_before: Option<i64> = None;
    let mut until = [0; 4];
    for (place, at) in times.iter().enumerate() {
        if place > 0 && times.get(place - 1) == Some(at) {
            continue;
        }
        // How many launches lie before each of these instants.
        let instants = [-AROUND.0, 0, GATHERS.0, GATHERS.0 + AROUND.0].map(|after| at.saturating_add(after));
        for (until, instant) in until.iter_mut().zip(instants) {
            while times.get(*until).is_some_and(|time| *time < instant) {
                *until += 1;
            }
        }
        let [around, begin, end, quiet] = until.map(|launches| u64::try_from(launches).unwrap_or(u64::MAX));
        let (before, crowd, after) = (begin - around, end - begin, quiet - end);
        let is_asked = at.saturating_add(APART.0) >= period.begin.micros() && *at < period.end.micros();
        if is_asked && crowd >= people && before.max(after) <= crowd.saturating_mul(QUIET) {
            let is_first = crowd_before.is_none_or(|before| at.saturating_sub(before) >= APART.0);
            if is_first && period.holds(EventTime::from_micros(*at)) {
                begins.push(EventTime::from_micros(*at));
            }
            crowd_before = Some(*at);
        }
    }
    begins
}
