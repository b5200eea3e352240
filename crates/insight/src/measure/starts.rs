//! How many starts come close together, of millions of them.

use event::EventTime;

use crate::session::Micros;

/// A start of a server within so long after another one is the same one, told twice.
const REPEAT: Micros = Micros::from_secs(1);

/// Starts as they were told: a number for the server, and when, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Starts(Vec<(i64, i64)>);

impl Starts {
    /// Adds one that was told.
    pub fn add(&mut self, server: i64, at: EventTime) {
        self.0.push((server, at.micros()));
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(i64, i64)>()
    }

    /// All of them as numbers, for [`Self::extend`].
    pub fn into_numbers(self) -> Vec<i64> {
        self.0.into_iter().flat_map(|(server, at)| [server, at]).collect()
    }

    /// Adds those that [`Self::into_numbers`] gave.
    pub fn extend(&mut self, numbers: &[i64]) {
        let both = |pair: &[i64]| Some((*pair.first()?, *pair.get(1)?));
        self.0.extend(numbers.chunks_exact(2).filter_map(both));
    }

    /// When those that count came, in order. A server that is told of again within a second has not started again.
    pub fn counted(mut self) -> Vec<EventTime> {
        self.0.sort_unstable();
        let mut before: Option<(i64, i64)> = None;
        self.0.retain(|(server, at)| {
            let last = before.replace((*server, *at)).filter(|(other, _)| other == server);
            last.is_none_or(|(_, last)| at.saturating_sub(last) > REPEAT.0)
        });
        let mut times: Vec<EventTime> = self.0.into_iter().map(|(_, at)| EventTime::from_micros(at)).collect();
        times.sort_unstable();
        times
    }
}

/// Of each of `times`, which are in order, how many of those before it lie within `width` of it, and it itself. Of
/// equal ones the last has all of them before it.
pub fn within(times: &[EventTime], width: Micros) -> impl Iterator<Item = u64> {
    let mut first = 0;
    times.iter().enumerate().map(move |(place, at)| {
        while first < place && times.get(first).is_some_and(|start| Micros::between(*start, *at) >= width) {
            first += 1;
        }
        u64::try_from(place - first).unwrap_or(u64::MAX).saturating_add(1)
    })
}
