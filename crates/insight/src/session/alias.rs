//! Who bears a name. Hubs tell nobody that a user was renamed, so an operator says it.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::EventTime;
use serde::{Deserialize, Serialize};

/// From `at` on the user who was `from` is called `to`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rename {
    /// When.
    pub at: EventTime,
    /// The name before.
    pub from: Arc<str>,
    /// The name from then on.
    pub to: Arc<str>,
}

/// All renames of one hub. A name that was deleted and made anew is one user; a name that was freed by a rename and
/// taken again is another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aliases {
    /// Of each name, what it became and when, ordered.
    by_name: BTreeMap<Arc<str>, Vec<(EventTime, Arc<str>)>>,
    count: usize,
}

impl Aliases {
    /// The renames, in any order.
    pub fn new(renames: impl IntoIterator<Item = Rename>) -> Self {
        let mut ordered: Vec<Rename> = renames.into_iter().filter(|rename| rename.from != rename.to).collect();
        ordered.sort();
        ordered.dedup();
        let mut aliases = Self { by_name: BTreeMap::new(), count: ordered.len() };
        for Rename { at, from, to } in ordered {
            aliases.by_name.entry(from).or_default().push((at, to));
        }
        aliases
    }

    /// The name that whoever was called `name` at `at` has today.
    pub fn today(&self, name: &str, at: EventTime) -> Arc<str> {
        let (mut name, mut since) = (Arc::from(name), at);
        // Each step takes a later rename, of those at one time each at most once.
        for _ in 0..self.count {
            let Some((at, to)) = self.next(&name, since) else { break };
            (name, since) = (to, at);
        }
        name
    }

    /// The first rename of `name` after `since`.
    fn next(&self, name: &str, since: EventTime) -> Option<(EventTime, Arc<str>)> {
        let renames = self.by_name.get(name)?;
        renames.get(renames.partition_point(|(at, _)| *at <= since)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rename(at: i64, from: &str, to: &str) -> Rename {
        Rename { at: EventTime::from_micros(at), from: from.into(), to: to.into() }
    }

    #[test]
    fn names_lead_to_who_bears_them_today() {
        let aliases = Aliases::new([
            rename(10, "ada", "ada.l"),
            rename(20, "ada.l", "lovelace"),
            // The name was free and somebody else took it, who was renamed later.
            rename(30, "ada", "ada.2"),
            rename(40, "eve", "eve"),
            rename(50, "left", "right"),
            rename(60, "right", "left"),
        ]);
        for (name, at, today) in [
            ("ada", 9, "lovelace"),
            ("ada", 10, "ada.2"),
            ("ada", 30, "ada"),
            ("ada.l", 10, "lovelace"),
            ("ada.l", 20, "ada.l"),
            ("lovelace", 0, "lovelace"),
            ("eve", 0, "eve"),
            ("left", 0, "left"),
            ("right", 55, "left"),
            ("nobody", 0, "nobody"),
        ] {
            assert_eq!(&*aliases.today(name, EventTime::from_micros(at)), today, "{name} at {at}");
        }
    }
}
