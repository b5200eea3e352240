//! The events of one day while they are read. What does not fit into memory is put down in sorted runs, in files
//! without a name, and merged when the day's file is written.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use crate::day::{Event, Order, Origin};
use crate::line::Line;

/// What an event takes beside its texts, about.
const EVENT_BYTES: usize = 160;

/// Bytes of a run that are read or written at once; there are as many runs as the day has bytes for.
const BUFFER_BYTES: usize = 256 << 10;

/// The events of a day, those beyond a limit of memory in runs.
#[derive(Debug)]
pub(crate) struct Runs {
    bytes_max: usize,
    held: Vec<Event>,
    held_bytes: usize,
    order: Order,
    /// Each sorted, with the order it is in.
    runs: Vec<(File, Order)>,
}

impl Runs {
    /// Holds so many bytes of events in memory, about.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, held: Vec::new(), held_bytes: 0, order: Order::default(), runs: Vec::new() }
    }

    /// Takes an event. Runs go to the folder `spill`, under no name.
    pub(crate) fn push(&mut self, event: Event, spill: &Path) -> io::Result<()> {
        let bytes = EVENT_BYTES + event.line.text.len() + event.line.timestamp.len();
        if self.held_bytes + bytes > self.bytes_max && !self.held.is_empty() {
            self.put_down(spill)?;
        }
        self.order.look(&event);
        self.held_bytes += bytes;
        self.held.push(event);
        Ok(())
    }

    fn put_down(&mut self, spill: &Path) -> io::Result<()> {
        let mut events = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        self.order.sort(&mut events);
        self.runs.push((written(&events, spill)?, self.order.clone()));
        Ok(())
    }

    /// All events in the order of the day's file.
    pub(crate) fn sorted(mut self, spill: &Path) -> io::Result<Sorted> {
        self.order.sort(&mut self.held);
        if self.runs.is_empty() {
            return Ok(Sorted::Held(self.held));
        }
        let mut sources = vec![Source::Held(self.held.into_iter())];
        for (file, order) in self.runs {
            let file = if order.is_same(&self.order) { file } else { sorted_anew(file, &self.order, spill)? };
            sources.push(Source::run(file)?);
        }
        Ok(Sorted::Merged(Merge::new(sources, self.order)?))
    }
}

/// A day's events in order.
pub(crate) enum Sorted {
    /// All in memory.
    Held(Vec<Event>),
    /// From runs.
    Merged(Merge),
}

/// A run was sorted before another source's events showed that the day has another order.
fn sorted_anew(file: File, order: &Order, spill: &Path) -> io::Result<File> {
    let mut source = Source::run(file)?;
    let mut events = Vec::new();
    while let Some(event) = source.next()? {
        events.push(event);
    }
    order.sort(&mut events);
    written(&events, spill)
}

fn written(events: &[Event], spill: &Path) -> io::Result<File> {
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, tempfile::tempfile_in(spill)?);
    for event in events {
        write(event, &mut writer)?;
    }
    let mut file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(file)
}

/// Events in order, of which one at a time is held.
enum Source {
    Held(std::vec::IntoIter<Event>),
    Run(BufReader<File>),
}

impl Source {
    fn run(file: File) -> io::Result<Self> {
        Ok(Self::Run(BufReader::with_capacity(BUFFER_BYTES, file)))
    }

    fn next(&mut self) -> io::Result<Option<Event>> {
        match self {
            Self::Held(events) => Ok(events.next()),
            Self::Run(reader) => read(reader),
        }
    }
}

/// Several sorted sources as one.
pub(crate) struct Merge {
    sources: Vec<Source>,
    heads: BinaryHeap<Reverse<Head>>,
    order: Order,
}

impl Merge {
    fn new(sources: Vec<Source>, order: Order) -> io::Result<Self> {
        let mut merge = Self { heads: BinaryHeap::with_capacity(sources.len()), sources, order };
        for source in 0..merge.sources.len() {
            merge.advance(source)?;
        }
        Ok(merge)
    }

    fn advance(&mut self, source: usize) -> io::Result<()> {
        if let Some(event) = self.sources.get_mut(source).map(Source::next).transpose()?.flatten() {
            self.heads.push(Reverse(Head { event, order: self.order.clone(), source }));
        }
        Ok(())
    }

    /// The next event of the day.
    pub(crate) fn next(&mut self) -> io::Result<Option<Event>> {
        let Some(Reverse(Head { event, source, .. })) = self.heads.pop() else { return Ok(None) };
        self.advance(source)?;
        Ok(Some(event))
    }
}

/// The next event of a source.
struct Head {
    event: Event,
    order: Order,
    source: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.compare(&self.event, &other.event).then(self.source.cmp(&other.source))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

/// An event in a run: origin, position, withheld fields, then collector, timestamp and text, each after its length.
fn write(event: &Event, to: &mut impl Write) -> io::Result<()> {
    to.write_all(&[event.origin as u8])?;
    to.write_all(&event.position.to_le_bytes())?;
    to.write_all(&event.line.withheld.to_le_bytes())?;
    for text in [&*event.collector, &event.line.timestamp, &event.line.text] {
        to.write_all(&(text.len() as u64).to_le_bytes())?;
        to.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// What [`write`] wrote; `None` at the end.
fn read(from: &mut impl Read) -> io::Result<Option<Event>> {
    let mut origin = [0];
    if from.read(&mut origin)? == 0 {
        return Ok(None);
    }
    let origin = match origin[0] {
        0 => Origin::Archive,
        1 => Origin::Import,
        _ => Origin::Live,
    };
    let position = i64::from_le_bytes(bytes(from)?);
    let withheld = u64::from_le_bytes(bytes(from)?);
    let collector: Arc<str> = text(from)?.into();
    let (timestamp, text) = (text(from)?, text(from)?);
    Ok(Some(Event { origin, collector, position, line: Line { timestamp, text, withheld } }))
}

fn bytes(from: &mut impl Read) -> io::Result<[u8; 8]> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn text(from: &mut impl Read) -> io::Result<String> {
    let length = u64::from_le_bytes(bytes(from)?);
    let mut text = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    from.read_exact(&mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(origin: Origin, collector: &str, position: i64, timestamp: &str) -> Event {
        let line = Line { timestamp: timestamp.to_owned(), text: format!("{{\"é\": \"{position}\"}}"), withheld: 1 };
        Event { origin, collector: collector.into(), position, line }
    }

    fn listed(events: &[Event], bytes_max: usize) -> (usize, Vec<String>) {
        let spill = tempfile::tempdir().unwrap();
        let mut runs = Runs::new(bytes_max);
        events.iter().for_each(|event| runs.push(event.clone(), spill.path()).unwrap());
        let count = runs.runs.len();
        let name = |event: Event| format!("{}{}{}", event.collector, event.line.text, event.line.withheld);
        let found = match runs.sorted(spill.path()).unwrap() {
            Sorted::Held(events) => events.into_iter().map(name).collect(),
            Sorted::Merged(mut merge) => std::iter::from_fn(|| merge.next().unwrap()).map(name).collect(),
        };
        assert_eq!(std::fs::read_dir(spill.path()).unwrap().count(), 0, "runs have no name");
        (count, found)
    }

    #[test]
    fn a_day_in_runs_is_the_day_in_memory() {
        let minute = |n: i64| format!("2024-02-29T00:{:02}:00Z", n * 7 % 60);
        let archive: Vec<Event> =
            (0..100).map(|n| event(Origin::Archive, "import/a", n * 13 % 100, &minute(n))).collect();
        let live = (0..50).map(|n| event(Origin::Live, "0a", n, &minute(n)));
        let mixed: Vec<Event> = archive.iter().cloned().chain(live).collect();
        let late: Vec<Event> =
            archive.iter().cloned().chain([event(Origin::Import, "import/b", 0, &minute(3))]).collect();
        for events in [&archive, &mixed, &late] {
            let (none, expected) = listed(events, usize::MAX);
            assert_eq!((none, expected.len()), (0, events.len()));
            for (bytes_max, runs_min) in [(10_000, 1), (1_000, 10), (1, events.len() - 1)] {
                let (runs, found) = listed(events, bytes_max);
                assert!(runs >= runs_min, "{runs} runs");
                assert_eq!(found, expected, "{bytes_max}");
            }
        }
    }
}
