//! Looking up the names in the texts of one request: each name once, and not more of them than the limit.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use event::EventTime;
use insight::mention::mentions;

/// Different names that the texts of one request may make us look up: 16 MiB of honest events have a few ten thousand.
/// At two hashes each it is a fraction of a second, where the shortest words would take many.
const NAMES_A_REQUEST_MAX: usize = 1 << 18;
/// Names whose answer is remembered: 24 bytes each.
const NAMES_REMEMBERED_MAX: usize = NAMES_A_REQUEST_MAX;

/// How much is done to find out whom a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// At most 262,144 different names are looked up. For what a sender brings, who waits and may be hostile.
    Limited,
    /// Every name is looked up. For what was acknowledged or is the operator's own: nothing of it may be lost to a
    /// limit.
    Whole,
}

/// What is known of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is about nobody who was forgotten.
    Nobody,
    /// It is about somebody who was.
    Somebody,
    /// It holds more names than may still be looked up.
    Unsure,
}

/// The names of one request, looked up by `until`: until when what concerns the name is erased, if it is.
pub(crate) struct Names<F> {
    until: F,
    /// Names that may still be looked up.
    left: usize,
    /// What was found, by a hash of the name under random keys. Two names with one hash would be taken for each other:
    /// among as many names as are remembered, once in 2^46 lookups, and nobody can bring it about.
    found: HashMap<u64, Option<EventTime>, RandomState>,
    hasher: RandomState,
}

impl<F: FnMut(&str) -> Option<EventTime>> Names<F> {
    pub(crate) fn new(effort: Effort, until: F) -> Self {
        let left = match effort {
            Effort::Limited => NAMES_A_REQUEST_MAX,
            Effort::Whole => usize::MAX,
        };
        Self { until, left, found: HashMap::default(), hasher: RandomState::new() }
    }

    /// Whether what concerns `name` and happened at `time` is erased. Takes nothing of the limit: an event has one such
    /// name, and a request a limited number of events.
    pub(crate) fn cover(&mut self, name: &str, time: EventTime) -> bool {
        let hash = self.hasher.hash_one(name);
        let until = self.found.get(&hash).copied();
        until.unwrap_or_else(|| self.look_up(hash, name)).is_some_and(|until| time <= until)
    }

    /// What `ask` finds in a text of `time`, which it takes apart into names; it stops at the first that it is told to
    /// be the one.
    pub(crate) fn judge(&mut self, time: EventTime, ask: impl FnOnce(&mut dyn FnMut(&str) -> bool) -> bool) -> Told {
        let mut is_unsure = false;
        let mut is = |name: &str| {
            let hash = self.hasher.hash_one(name);
            let until = match self.found.get(&hash) {
                Some(until) => *until,
                None if self.left == 0 => {
                    is_unsure = true;
                    return true;
                }
                None => {
                    self.left -= 1;
                    self.look_up(hash, name)
                }
            };
            until.is_some_and(|until| time <= until)
        };
        match ask(&mut is) {
            false => Told::Nobody,
            true if is_unsure => Told::Unsure,
            true => Told::Somebody,
        }
    }

    /// The same of a text of which nothing is known.
    pub(crate) fn judge_text(&mut self, time: EventTime, text: &[u8]) -> Told {
        self.judge(time, |is| mentions(text, is))
    }

    fn look_up(&mut self, hash: u64, name: &str) -> Option<EventTime> {
        let until = (self.until)(name);
        if self.found.len() < NAMES_REMEMBERED_MAX {
            self.found.insert(hash, until);
        }
        until
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const TIME: EventTime = EventTime::from_micros(10);

    /// As many different words as fit into `bytes`, the shortest there are.
    fn words(bytes: usize) -> String {
        let mut text = String::new();
        for number in 0.. {
            if text.len() >= bytes {
                break;
            }
            write!(text, "{number:x} ").unwrap();
        }
        text
    }

    fn ann(asked: &mut usize, name: &str) -> Option<EventTime> {
        *asked += 1;
        (name == "ann").then_some(TIME)
    }

    #[test]
    fn the_longest_request_of_different_words_costs_a_limited_number_of_hashes() {
        // The longest request; and one that is just long enough.
        let (longest, longer) = (words(16 << 20), words(2 << 20));
        for (effort, before, text, told) in [
            (Effort::Limited, "ann ", &longest, Told::Somebody),
            (Effort::Limited, "", &longest, Told::Unsure),
            (Effort::Whole, "", &longer, Told::Somebody),
        ] {
            let mut asked = 0;
            let mut names = Names::new(effort, |name| ann(&mut asked, name));
            assert_eq!(names.judge_text(TIME, format!("{before}{text} ann").as_bytes()), told, "{effort:?}");
            let remembered = names.found.len();
            if told == Told::Unsure {
                // Nothing is left for the next text, but what is known already is still told.
                assert_eq!(names.judge_text(TIME, b"0 1 2"), Told::Nobody);
                assert_eq!(names.judge_text(TIME, b"ann"), Told::Unsure);
                assert!(names.cover("ann", TIME), "the one name of an event is looked up all the same");
            }
            assert!(remembered <= NAMES_REMEMBERED_MAX);
            assert!(effort == Effort::Whole || asked <= NAMES_A_REQUEST_MAX + 1, "{asked} looked up");
            assert!(effort == Effort::Limited || asked > NAMES_A_REQUEST_MAX, "{asked} looked up");
        }
    }

    #[test]
    fn a_name_is_looked_up_once_whatever_the_times() {
        let mut asked = 0;
        let mut names = Names::new(Effort::Limited, |name| ann(&mut asked, name));
        let later = EventTime::from_micros(11);
        for (time, told) in [(TIME, Told::Somebody), (later, Told::Nobody), (TIME, Told::Somebody)] {
            assert_eq!(names.judge_text(time, b"ann ann \"ann\" bob"), told);
            assert_eq!(names.cover("ann", time), told == Told::Somebody);
        }
        assert_eq!(asked, 2, "ann and bob");
    }
}
