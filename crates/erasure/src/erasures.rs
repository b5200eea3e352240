//! Everybody who was forgotten.

use std::collections::HashMap;

use event::EventTime;

use crate::subject::{Key, Subject};

/// Letters of a name; `JupyterHub` allows 255.
pub const NAME_LETTERS_MAX: usize = 255;

/// Bytes of a name: a letter has four at most.
const NAME_BYTES_MAX: usize = 4 * NAME_LETTERS_MAX;

/// One request to forget somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Whom.
    pub subject: Subject,
    /// When it was asked for: events until then are erased, also those that come later.
    pub asked: EventTime,
}

/// Everybody who was forgotten, and the key by which they are known.
#[derive(Clone, Debug)]
pub struct Erasures {
    key: Key,
    asked: HashMap<Subject, EventTime>,
}

impl Erasures {
    /// Nobody, under `key`.
    pub fn new(key: Key) -> Self {
        Self { key, asked: HashMap::new() }
    }

    /// Adds one; of several about one person the latest counts.
    pub fn add(&mut self, erasure: Erasure) {
        let asked = self.asked.entry(erasure.subject).or_insert(erasure.asked);
        *asked = (*asked).max(erasure.asked);
    }

    /// Whether nobody was forgotten.
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// The hash of `name` on `hub`; without a hub, of that name on every hub.
    pub fn subject(&self, hub: Option<&str>, name: &str) -> Subject {
        self.key.subject(hub, name)
    }

    /// Until when what concerns `name` on `hub` is erased, if it is.
    pub fn until(&self, hub: &str, name: &str) -> Option<EventTime> {
        // Nobody of a longer name was ever forgotten, so there is nothing to hash.
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        [Some(hub), None].into_iter().filter_map(|hub| self.asked.get(&self.subject(hub, name)).copied()).max()
    }

    /// Whether what concerns `name` on `hub` and happened at `time` is erased.
    pub fn covers(&self, hub: &str, name: &str, time: EventTime) -> bool {
        self.until(hub, name).is_some_and(|asked| time <= asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> EventTime {
        EventTime::from_micros(micros)
    }

    #[test]
    fn who_was_forgotten_on_one_hub_is_known_on_others() {
        let mut erasures = Erasures::new(Key::new([3; 32]));
        assert!(erasures.is_empty() && !erasures.covers("lab", "ann", at(0)));
        erasures.add(Erasure { subject: erasures.subject(Some("lab"), "ann"), asked: at(100) });
        erasures.add(Erasure { subject: erasures.subject(None, "bob"), asked: at(50) });
        erasures.add(Erasure { subject: erasures.subject(None, "bob"), asked: at(70) });
        erasures.add(Erasure { subject: erasures.subject(None, "bob"), asked: at(60) });
        for (hub, name, time, expected) in [
            ("lab", "ann", 100, true),
            ("lab", "ann", 101, false),
            ("other", "ann", 1, false),
            ("lab", "Ann", 1, false),
            ("lab", "bob", 70, true),
            ("other", "bob", 70, true),
            ("other", "bob", 71, false),
            ("lab", "", 0, false),
        ] {
            assert_eq!(erasures.covers(hub, name, at(time)), expected, "{name} on {hub} at {time}");
        }
    }

    #[test]
    fn the_longest_name_is_known() {
        let mut erasures = Erasures::new(Key::new([3; 32]));
        let longest = "😀".repeat(NAME_LETTERS_MAX);
        erasures.add(Erasure { subject: erasures.subject(None, &longest), asked: at(100) });
        assert_eq!(erasures.until("lab", &longest), Some(at(100)));
        assert_eq!(erasures.until("lab", &format!("{longest}😀")), None);
    }
}
