//! How many at once, of millions of sessions: each is two numbers of eight bytes where its bounds agree.

use event::EventTime;

use super::{Bounds, Period, Span};

/// Numbers that are held in one piece, so that no piece is ever copied to grow.
const PIECE: usize = 1 << 16;

/// Bits of a number below its time: whether it is a beginning, and of which bounds it is one.
const BEGINS: i64 = 0b1000;
const TIME_SHIFT: u32 = 4;

/// Times that a number can hold: those of the years that have four digits.
const MICROS_MAX: i64 = i64::MAX >> TIME_SHIFT;

/// Beginnings and ends within a period, as numbers that are sorted as they come to pass: whatever ends at an instant
/// does so before whatever begins there.
#[derive(Clone, Debug, Default)]
pub struct Edges(Vec<Vec<i64>>);

/// How many ran at once, by low, point and high.
type Level = [i64; 3];

impl Edges {
    /// Adds what lies within `period` of one session, taken by low, point and high.
    pub fn add(&mut self, spans: [Span; 3], period: Period) {
        let mut begins: [(i64, i64); 3] = Default::default();
        let mut ends = begins;
        for (bound, span) in spans.into_iter().enumerate() {
            if let Some(span) = period.part_of(span) {
                note(&mut begins, span.from, 1 << bound);
                note(&mut ends, span.to, 1 << bound);
            }
        }
        for (at, bounds) in begins.into_iter().filter(|(_, bounds)| *bounds != 0) {
            self.push((at << TIME_SHIFT) | BEGINS | bounds);
        }
        for (at, bounds) in ends.into_iter().filter(|(_, bounds)| *bounds != 0) {
            self.push((at << TIME_SHIFT) | bounds);
        }
    }

    fn push(&mut self, number: i64) {
        match self.0.last_mut().filter(|piece| piece.len() < PIECE) {
            Some(piece) => piece.push(number),
            None => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(number);
                self.0.push(piece);
            }
        }
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|piece| piece.capacity() * size_of::<i64>()).sum()
    }

    /// All of them as numbers in order, for [`Self::extend`].
    pub fn into_numbers(self) -> Vec<i64> {
        let mut numbers = self.joined();
        numbers.sort_unstable();
        numbers
    }

    fn joined(self) -> Vec<i64> {
        let mut numbers = Vec::with_capacity(self.0.iter().map(Vec::len).sum());
        for piece in self.0 {
            numbers.extend(piece);
        }
        numbers
    }

    /// Adds those that [`Self::into_numbers`] gave.
    pub fn extend(&mut self, numbers: &[i64]) {
        numbers.chunks(PIECE).for_each(|piece| self.0.push(piece.to_vec()));
    }

    /// What was gathered on several threads is in order by stretches, which the stable sort finds and merges.
    fn sorted(self) -> Vec<i64> {
        let mut numbers = self.joined();
        numbers.sort();
        numbers
    }

    /// The first and the last instant at which anything begins or ends.
    pub fn reach(&self) -> Option<(EventTime, EventTime)> {
        let times = || self.0.iter().flatten().map(|number| number >> TIME_SHIFT);
        Some((EventTime::from_micros(times().min()?), EventTime::from_micros(times().max()?)))
    }

    /// The most that ran at one instant from each of `starts`, which are in order, to before the next. The bounds of
    /// the most are the most of the bounds, because at each instant they bound the number.
    pub fn peaks(self, starts: &[EventTime]) -> Vec<Bounds<i64>> {
        let numbers = self.sorted();
        let (mut level, mut next): (Level, usize) = (Level::default(), 0);
        let mut peaks = Vec::with_capacity(starts.len());
        for (index, start) in starts.iter().enumerate() {
            let until = starts.get(index + 1).map_or(i64::MAX, |start| start.micros());
            let begins = begin_at(*start);
            while let Some(number) = numbers.get(next).copied().filter(|number| *number < begins) {
                step(&mut level, number);
                next += 1;
            }
            let mut peak = if start.micros() < until { level } else { Level::default() };
            while let Some(number) = numbers.get(next).copied().filter(|number| number >> TIME_SHIFT < until) {
                step(&mut level, number);
                next += 1;
                for (peak, level) in peak.iter_mut().zip(level) {
                    *peak = level.max(*peak);
                }
            }
            let [low, point, high] = peak;
            peaks.push(Bounds { low, point, high });
        }
        peaks
    }

    /// For how many microseconds of `period` how many ran, by low, point and high: by number, from 0.
    pub fn levels(self, period: Period) -> [Vec<i64>; 3] {
        let mut levels: [Vec<i64>; 3] = Default::default();
        let (mut level, mut since) = (Level::default(), [period.begin.micros(); 3]);
        for number in self.sorted() {
            let before = level;
            step(&mut level, number);
            let at = number >> TIME_SHIFT;
            for bound in (0..3).filter(|bound| before[*bound] != level[*bound]) {
                lasted(&mut levels[bound], before[bound], at.saturating_sub(since[bound]));
                since[bound] = at;
            }
        }
        for bound in 0..3 {
            lasted(&mut levels[bound], level[bound], period.end.micros().saturating_sub(since[bound]));
        }
        levels
    }
}

/// Notes `bound` of an instant beside those bounds that have the same.
fn note(instants: &mut [(i64, i64); 3], at: EventTime, bound: i64) {
    let at = at.micros().clamp(-MICROS_MAX, MICROS_MAX);
    if let Some(instant) = instants.iter_mut().find(|(known, bounds)| *bounds == 0 || *known == at) {
        *instant = (at, instant.1 | bound);
    }
}

/// What is smaller ends at `start` or before, or begins before.
fn begin_at(start: EventTime) -> i64 {
    (start.micros().clamp(-MICROS_MAX, MICROS_MAX) << TIME_SHIFT) | BEGINS
}

fn step(level: &mut Level, number: i64) {
    let step = if number & BEGINS == 0 { -1 } else { 1 };
    for (bound, level) in level.iter_mut().enumerate() {
        if number & (1 << bound) != 0 {
            *level += step;
        }
    }
}

fn lasted(levels: &mut Vec<i64>, level: i64, micros: i64) {
    let Some(level) = usize::try_from(level).ok().filter(|_| micros > 0) else { return };
    levels.resize(levels.len().max(level + 1), 0);
    levels[level] = levels[level].saturating_add(micros);
}
