//! One publication, from a snapshot to the index.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use event::Day;
use schema::Registry;
use store::{Selection, Snapshot, Store, Table};

use crate::coverage::Coverage;
use crate::day::{self, Event};
use crate::folder::Folder;
use crate::index::{self, Entry};
use crate::rows::{self, Policies};
use crate::state::{self, DayState};
use crate::{Options, PublishError, Published};

/// What a run needs.
#[derive(Debug)]
pub(crate) struct Run {
    store: Arc<Store>,
    snapshot: Arc<Snapshot>,
    policies: Policies,
    options: Options,
    to: PathBuf,
}

impl Run {
    pub(crate) fn new(store: Arc<Store>, registry: &Registry, options: Options, to: PathBuf) -> Self {
        let snapshot = store.snapshot();
        Self { store, snapshot, policies: Policies::of(registry), options, to }
    }

    /// Does all of it. Blocks.
    pub(crate) fn publish(&self) -> Result<Published, PublishError> {
        let folder = Folder::open(&self.to)?;
        let coverage = Coverage::of(&self.store, &self.snapshot, &self.policies)?;
        let mut published = Published { data_version: self.snapshot.data_version(), ..Published::default() };
        let mut days = Vec::new();
        for chunk in coverage.chunks() {
            self.days(&folder, &coverage, chunk, &mut published, &mut days)?;
        }
        folder.sync()?;
        let now = self.options.clock.now();
        let entries: Vec<Entry> = days.iter().map(|day| Entry { day: day.day, events: day.events }).collect();
        folder.put(index::STYLE, index::STYLE_TEXT.as_bytes())?;
        folder.put(index::INDEX, index::jsonl(&entries).as_bytes())?;
        folder.put(index::PAGE, index::page(&self.options.title, &entries, now).as_bytes())?;
        folder.sync()?;
        published.set_aside = set_aside_others(&folder, &coverage)?;
        state::record(&self.store, &self.to, now, &published, &days)?;
        Ok(published)
    }

    /// Writes the files of the covered days in `chunk` that differ.
    fn days(
        &self,
        folder: &Folder,
        coverage: &Coverage,
        chunk: Range<Day>,
        published: &mut Published,
        days: &mut Vec<DayState>,
    ) -> Result<(), PublishError> {
        let mut by_day = self.read(chunk.clone(), published)?;
        for day in coverage.within(chunk) {
            let mut events = by_day.remove(&day).unwrap_or_default();
            day::sort(&mut events);
            let file = day::file(&events);
            if folder.put(&index::file_name(day), &file)? {
                published.days_written += 1;
            } else {
                published.days_unchanged += 1;
            }
            let state = DayState::of(day, events.len() as u64, &file);
            published.events += state.events;
            published.bytes += state.bytes;
            days.push(state);
        }
        Ok(())
    }

    /// The events of `days`, shown, by day.
    fn read(&self, days: Range<Day>, published: &mut Published) -> Result<BTreeMap<Day, Vec<Event>>, PublishError> {
        let mut by_day: BTreeMap<Day, Vec<Event>> = BTreeMap::new();
        let scan = self.store.scan(Table::Events, &self.snapshot).columns(&rows::ALL).select(Selection::Days(days));
        for batch in scan.read() {
            rows::events(&batch?, &self.policies, |day, event| match event {
                None => published.events_withheld += 1,
                Some(event) => {
                    published.fields_withheld += event.line.withheld;
                    by_day.entry(day).or_default().push(event);
                }
            })?;
        }
        Ok(by_day)
    }
}

/// P3: a file that stands there as a day that nothing covers would be in no index, so it gets another name. It is not
/// ours to delete.
fn set_aside_others(folder: &Folder, coverage: &Coverage) -> Result<Vec<String>, PublishError> {
    let mut set_aside = Vec::new();
    for day in folder.days()? {
        if !coverage.contains(day) {
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
