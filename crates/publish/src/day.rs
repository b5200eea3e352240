//! One day of the archive: which events in which order.

use std::cmp::Ordering;
use std::sync::Arc;

use rayon::prelude::*;

use crate::line::Line;

/// Who brought an event in. Imports come before live events of the same minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// A public archive: its lines are in the order that was published once.
    Archive,
    /// Another import.
    Import,
    /// The journal of a collector.
    Live,
}

/// An event of the day, shown.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) origin: Origin,
    /// The same one for neighbours.
    pub(crate) collector: Arc<str>,
    pub(crate) position: i64,
    pub(crate) line: Line,
}

impl Event {
    /// Its place among the events of one minute: imports first, each in the order of its lines, then live events in the
    /// order in which each collector took them.
    fn arrival(&self, other: &Self) -> Ordering {
        let key = |event: &Self| (event.origin == Origin::Live, event.position);
        (key(self).0, &self.collector, key(self).1).cmp(&(key(other).0, &other.collector, key(other).1))
    }

    fn by_time(&self, other: &Self) -> Ordering {
        self.line.timestamp.cmp(&other.line.timestamp).then_with(|| self.arrival(other))
    }
}

/// The order of a day's file: by the time as it is shown, compared as text, which is how the archive has always been
/// sorted. A day that one archive alone brought keeps that archive's order, so that it comes out as it came in.
#[derive(Clone, Debug, Default)]
pub(crate) enum Order {
    /// No event was seen yet.
    #[default]
    Any,
    /// Every event so far is of this archive.
    OfArchive(Arc<str>),
    /// Others are among them.
    ByTime,
}

impl Order {
    /// Takes notice of an event.
    pub(crate) fn look(&mut self, event: &Event) {
        match self {
            Self::OfArchive(archive) if event.origin == Origin::Archive && event.collector == *archive => {}
            Self::Any if event.origin == Origin::Archive => *self = Self::OfArchive(Arc::clone(&event.collector)),
            _ => *self = Self::ByTime,
        }
    }

    /// Whether events in this order are in that one too.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        matches!(self, Self::ByTime) == matches!(other, Self::ByTime)
    }

    pub(crate) fn compare(&self, one: &Event, other: &Event) -> Ordering {
        match self {
            Self::ByTime => one.by_time(other),
            Self::Any | Self::OfArchive(_) => one.position.cmp(&other.position),
        }
    }

    /// Puts events into it.
    pub(crate) fn sort(&self, events: &mut [Event]) {
        events.par_sort_unstable_by(|one, other| self.compare(one, other));
    }
}

/// The bytes of the day's file; every line ends with a line end, and a day without events is empty.
pub(crate) fn file(events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(events.iter().map(|event| event.line.text.len() + 1).sum());
    for event in events {
        bytes.extend_from_slice(event.line.text.as_bytes());
        bytes.push(b'\n');
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(origin: Origin, collector: &str, position: i64, timestamp: &str) -> Event {
        let text = format!("{collector}{position}");
        let line = Line { timestamp: timestamp.to_owned(), text, withheld: 0 };
        Event { origin, collector: collector.into(), position, line }
    }

    fn sorted(mut events: Vec<Event>) -> String {
        let mut order = Order::default();
        events.iter().for_each(|event| order.look(event));
        order.sort(&mut events);
        String::from_utf8(file(&events)).unwrap().replace('\n', " ")
    }

    #[test]
    fn one_archive_keeps_its_order() {
        use Origin::{Archive, Import};
        let events = vec![event(Archive, "a", 2, "01"), event(Archive, "a", 0, "09"), event(Archive, "a", 1, "05")];
        assert_eq!(sorted(events.clone()), "a0 a1 a2 ");
        let mut with_another = events;
        with_another.push(event(Import, "b", 0, "07"));
        assert_eq!(sorted(with_another), "a2 a1 b0 a0 ");
    }

    #[test]
    fn others_are_sorted_by_time_then_by_arrival() {
        use Origin::{Import, Live};
        let events = vec![
            event(Live, "0f", 7, "02"),
            event(Live, "0a", 9, "02"),
            event(Live, "0f", 3, "02"),
            event(Import, "import/x", 5, "02"),
            event(Import, "import/x", 4, "02"),
            event(Live, "0a", 11, "01"),
        ];
        assert_eq!(sorted(events), "0a11 import/x4 import/x5 0a9 0f3 0f7 ");
    }

    #[test]
    fn an_empty_day_is_an_empty_file() {
        assert_eq!(sorted(Vec::new()), "");
        assert!(file(&[]).is_empty());
    }
}
