//! One publication, from a snapshot to the index.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event::Day;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use store::{Selection, Snapshot, Store, Table};

use crate::coverage::Coverage;
use crate::day::{self, Event};
use crate::folder::Folder;
use crate::index::{self, Entry};
use crate::memory::{Known, Memory};
use crate::rows::{self, Policies};
use crate::runs::{Merge, Runs, Sorted};
use crate::state::{self, DayState};
use crate::{Options, PublishError, Published};

/// Record batches that are shown at the same time, each by one core.
const BATCHES_AT_ONCE: usize = 16;

/// What a run needs.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) store: Arc<Store>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) options: Options,
    pub(crate) to: PathBuf,
    /// The last run to the same folder.
    pub(crate) before: Option<Memory>,
    /// Nobody waits for it any more: it ends early.
    pub(crate) given_up: Arc<AtomicBool>,
}

/// Of one day, read and shown.
#[derive(Debug)]
struct Read {
    events: Runs,
    events_withheld: u64,
}

impl Run {
    /// Does all of it. Blocks.
    pub(crate) fn publish(self) -> Result<(Published, Memory), PublishError> {
        let folder = Folder::open(&self.to)?;
        let mut coverage =
            Coverage::of(&self.store, &self.snapshot, &self.policies, self.before.as_ref(), &|| self.go_on())?;
        let mut days = self.kept(&folder, &mut coverage);
        let mut published = Published { data_version: self.snapshot.data_version(), ..Published::default() };
        published.days_unchanged = days.len() as u64;
        for chunk in coverage.chunks() {
            self.write_days(&folder, &coverage, chunk, &mut published, &mut days)?;
        }
        folder.sync()?;
        let now = self.options.clock.now();
        let entries: Vec<Entry> =
            days.values().map(|known| Entry { day: known.state.day, events: known.state.events }).collect();
        folder.put(index::STYLE, index::STYLE_TEXT.as_bytes())?;
        folder.put(index::PAGE, index::page(&self.options.title, &entries, now).as_bytes())?;
        folder.put(index::INDEX, index::jsonl(&entries).as_bytes())?;
        folder.sync()?;
        published.set_aside = set_aside_others(&folder, &coverage)?;
        published.add(days.values().map(|known| &known.state));
        state::record(&self.store, &self.to, now, &published, &days)?;
        let memory = Memory::new(self.to, &self.snapshot, days);
        Ok((published, memory))
    }

    /// The days of which nothing changed and whose file is still right. A day whose file is not becomes stale.
    fn kept(&self, folder: &Folder, coverage: &mut Coverage) -> BTreeMap<Day, Known> {
        let mut kept = BTreeMap::new();
        for (day, known) in self.before.iter().flat_map(|memory| &memory.days) {
            if coverage.stale.contains(day) {
                continue;
            }
            if folder.still_holds(&index::file_name(*day), &known.stamp, &known.state.sha256) {
                kept.insert(*day, known.clone());
            } else {
                coverage.stale.insert(*day);
            }
        }
        kept
    }

    /// Writes the files of the stale days in `chunk` that differ.
    fn write_days(
        &self,
        folder: &Folder,
        coverage: &Coverage,
        chunk: Range<Day>,
        published: &mut Published,
        days: &mut BTreeMap<Day, Known>,
    ) -> Result<(), PublishError> {
        let mut by_day = self.read(folder, coverage, chunk.clone())?;
        for day in coverage.stale.range(chunk).copied() {
            let Read { events, events_withheld } = by_day.remove(&day).unwrap_or_else(|| self.nothing_read());
            let name = index::file_name(day);
            let runs = PublishError::io("write what does not fit into memory to", folder.root());
            let (is_written, mut state) = match events.sorted(folder.root()).map_err(runs)? {
                Sorted::Held(events) => put(folder, day, &name, &events)?,
                Sorted::Merged(events) => self.merge(folder, day, &name, events)?,
            };
            state.events_withheld = events_withheld;
            if is_written {
                published.days_written += 1;
            } else {
                published.days_unchanged += 1;
            }
            days.insert(day, Known { state, stamp: folder.stamp(&name)? });
        }
        Ok(())
    }

    /// Writes the file of a day that is not; whether it differed.
    fn merge(
        &self,
        folder: &Folder,
        day: Day,
        name: &str,
        mut events: Merge,
    ) -> Result<(bool, DayState), PublishError> {
        let mut begun = folder.begin(name)?;
        let (mut count, mut fields_withheld) = (0, 0);
        while let Some(event) = events.next().map_err(PublishError::io("read runs in", folder.root()))? {
            self.go_on()?;
            begun.write(event.line.text.as_bytes())?;
            begun.write(b"\n")?;
            count += 1;
            fields_withheld += event.line.withheld;
        }
        let (is_written, sha256, bytes) = begun.finish()?;
        Ok((is_written, DayState { day, events: count, bytes, sha256, fields_withheld, events_withheld: 0 }))
    }

    /// Ends the run if nobody waits for it.
    fn go_on(&self) -> Result<(), PublishError> {
        if self.given_up.load(Ordering::Relaxed) { Err(PublishError::CutShort) } else { Ok(()) }
    }

    fn nothing_read(&self) -> Read {
        Read { events: Runs::new(self.options.day_bytes_max), events_withheld: 0 }
    }

    /// The events of the stale days in `days`, shown, by day.
    fn read(
        &self,
        folder: &Folder,
        coverage: &Coverage,
        days: Range<Day>,
    ) -> Result<BTreeMap<Day, Read>, PublishError> {
        let mut by_day: BTreeMap<Day, Read> = BTreeMap::new();
        let scan = self.store.scan(Table::Events, &self.snapshot).columns(&rows::ALL).select(Selection::Days(days));
        let wanted = |day: Day| coverage.stale.contains(&day);
        let mut batches = scan.read();
        let mut read = || batches.by_ref().take(BATCHES_AT_ONCE).collect::<Result<Vec<_>, _>>();
        let mut some = read()?;
        loop {
            if some.is_empty() {
                return Ok(by_day);
            }
            let show = || some.par_iter().map(|batch| rows::events(batch, &self.policies, wanted)).collect();
            self.go_on()?;
            let (next, shown): (_, Result<Vec<_>, _>) = rayon::join(&mut read, show);
            some = next?;
            for (day, event) in shown?.into_iter().flatten() {
                let read = by_day.entry(day).or_insert_with(|| self.nothing_read());
                let Some(event) = event else {
                    read.events_withheld += 1;
                    continue;
                };
                let runs = PublishError::io("write what does not fit into memory to", folder.root());
                read.events.push(event, folder.root()).map_err(runs)?;
            }
        }
    }
}

/// Writes the file of a day that is in memory; whether it differed.
fn put(folder: &Folder, day: Day, name: &str, events: &[Event]) -> Result<(bool, DayState), PublishError> {
    let file = day::file(events);
    let (is_written, sha256) = rayon::join(|| folder.put(name, &file), || Sha256::digest(&file).into());
    let (count, bytes) = (events.len() as u64, file.len() as u64);
    let fields_withheld = events.iter().map(|event| event.line.withheld).sum();
    Ok((is_written?, DayState { day, events: count, bytes, sha256, fields_withheld, events_withheld: 0 }))
}

impl Published {
    fn add<'a>(&mut self, days: impl Iterator<Item = &'a DayState>) {
        for day in days {
            self.events += day.events;
            self.bytes += day.bytes;
            self.fields_withheld += day.fields_withheld;
            self.events_withheld += day.events_withheld;
        }
    }
}

/// P3: a file that stands there as a day that nothing covers would be in no index, so it gets another name. It is not
/// ours to delete.
fn set_aside_others(folder: &Folder, coverage: &Coverage) -> Result<Vec<String>, PublishError> {
    let mut set_aside = Vec::new();
    for day in folder.days()? {
        if !coverage.days.contains_key(&day) {
            let name = folder.set_aside(&index::file_name(day))?;
            tracing::warn!(name, "a file of a day that nothing covers was set aside");
            set_aside.push(name);
        }
    }
    set_aside.sort();
    if !set_aside.is_empty() {
        folder.sync()?;
    }
    Ok(set_aside)
}
