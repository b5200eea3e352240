//! The plain model: a list of what was sent and of what was told.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use ingest::{CollectError, Receipt};
use store::Table;

use crate::pipeline::Pipeline;

pub(super) type Check = Result<(), String>;

pub(super) fn ensure(holds: bool, complaint: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(complaint()) }
}

/// A request as its sender knows it.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// The number of each event, and whether it belongs into `events`.
    pub(super) events: Vec<(u64, bool)>,
    pub(super) key: Option<String>,
    pub(super) told: Told,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Kept, from this position of that collector on.
    Kept(String, u64),
    /// Nothing of it was kept.
    Refused,
    /// Nobody knows.
    Unsure,
}

/// What came to pass over many histories: a test in which nothing happens proves nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) kept: u64,
    pub(super) refused: u64,
    pub(super) unsure: u64,
    pub(super) unsure_found: u64,
    pub(super) repeated: u64,
    pub(super) flushes: u64,
    pub(super) flushes_failed: u64,
    pub(super) compactions: u64,
    pub(super) power_cuts: u64,
    pub(super) process_ends: u64,
    pub(super) starts_cut_off: u64,
    pub(super) room_found_again: u64,
    pub(super) renewed: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.kept += other.kept;
        self.refused += other.refused;
        self.unsure += other.unsure;
        self.unsure_found += other.unsure_found;
        self.repeated += other.repeated;
        self.flushes += other.flushes;
        self.flushes_failed += other.flushes_failed;
        self.compactions += other.compactions;
        self.power_cuts += other.power_cuts;
        self.process_ends += other.process_ends;
        self.starts_cut_off += other.starts_cut_off;
        self.room_found_again += other.room_found_again;
        self.renewed += other.renewed;
    }
}

impl Totals {
    pub(super) fn assert_that_much_happened(&self) {
        let Self { kept, refused, unsure, unsure_found, repeated, flushes, flushes_failed, .. } = *self;
        let Self { compactions, power_cuts, process_ends, starts_cut_off, room_found_again, .. } = *self;
        for (what, count) in [
            ("kept", kept),
            ("refused", refused),
            ("unsure", unsure),
            ("unsure and found", unsure_found),
            ("repeated", repeated),
            ("flushes", flushes),
            ("failed flushes", flushes_failed),
            ("compactions", compactions),
            ("power cuts", power_cuts),
            ("process ends", process_ends),
            ("starts cut off", starts_cut_off),
            ("room found again", room_found_again),
        ] {
            assert!(count >= 3, "{what}: {count} in {self:?}");
        }
    }
}

/// A row as a reader finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    in_events: bool,
    collector: String,
    position: u64,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) sent: Vec<Sent>,
    pub(super) totals: Totals,
}

impl Model {
    /// Notes the answer to the request `index`.
    pub(super) fn answered(&mut self, index: usize, answer: Result<Receipt, CollectError>) -> Check {
        let sent = self.sent.get_mut(index).ok_or("no such request")?;
        match answer {
            Ok(receipt) => {
                let told = Told::Kept(receipt.collector.to_string(), receipt.first.0);
                let repeats = receipt.is_repeated;
                match &sent.told {
                    Told::Kept(..) => {
                        ensure(repeats && sent.told == told, || format!("a retry of {sent:?} was told {receipt:?}"))?;
                    }
                    Told::Refused => ensure(!repeats, || format!("{sent:?} was refused, and now repeated"))?,
                    Told::Unsure => {}
                }
                ensure(receipt.outcomes.len() == sent.events.len(), || format!("{receipt:?} for {sent:?}"))?;
                self.totals.kept += 1;
                self.totals.repeated += u64::from(repeats);
                sent.told = told;
            }
            Err(CollectError::Poisoned | CollectError::Closed) => {
                self.totals.unsure += 1;
                if sent.told == Told::Refused {
                    sent.told = Told::Unsure;
                }
            }
            Err(CollectError::DiskFull | CollectError::QuotaReached | CollectError::Overloaded) => {
                self.totals.refused += 1;
            }
            Err(other) => return Err(format!("{sent:?} was answered: {other}")),
        }
        Ok(())
    }

    /// Compares with what a reader finds at this moment.
    pub(super) fn check(&mut self, pipeline: &Pipeline) -> Check {
        let found = rows(pipeline)?;
        let mut positions = BTreeSet::new();
        for rows in found.values() {
            for row in rows {
                let place = (row.collector.clone(), row.position);
                ensure(positions.insert(place), || format!("two events at one position: {row:?}"))?;
            }
        }
        let known: BTreeSet<u64> = self.sent.iter().flat_map(|sent| sent.events.iter().map(|event| event.0)).collect();
        let stranger = found.keys().find(|serial| !known.contains(serial));
        ensure(stranger.is_none(), || format!("event {stranger:?} was never sent"))?;
        for sent in &self.sent {
            let here: Vec<&Vec<Found>> = sent.events.iter().filter_map(|(serial, _)| found.get(serial)).collect();
            for ((serial, is_launch), index) in sent.events.iter().zip(0..) {
                let rows = found.get(serial).map(Vec::as_slice).unwrap_or_default();
                ensure(rows.len() <= 1, || format!("event {serial} is there {} times: {rows:?}", rows.len()))?;
                ensure(rows.iter().all(|row| row.in_events == *is_launch), || format!("another verdict: {rows:?}"))?;
                if let Told::Kept(collector, first) = &sent.told {
                    let place = Found { in_events: *is_launch, collector: collector.clone(), position: first + index };
                    ensure(rows == [place], || format!("event {serial} of {sent:?} is found as {rows:?}"))?;
                }
            }
            let all_or_none = here.is_empty() || here.len() == sent.events.len();
            ensure(all_or_none, || format!("a part of {sent:?} is there"))?;
            ensure(sent.told != Told::Refused || here.is_empty(), || format!("{sent:?} is there"))?;
            self.totals.unsure_found += u64::from(sent.told == Told::Unsure && !here.is_empty());
        }
        let status = pipeline.store.status();
        ensure(status.positions_broken == 0, || format!("{} positions broken", status.positions_broken))?;
        ensure(pipeline.journal_status().invariants_broken == 0, || "an invariant of the journal broke".into())
    }
}

/// Every row of both tables and the tail, by the number of its event.
fn rows(pipeline: &Pipeline) -> Result<BTreeMap<u64, Vec<Found>>, String> {
    let snapshot = pipeline.store.snapshot();
    let mut found: BTreeMap<u64, Vec<Found>> = BTreeMap::new();
    for table in Table::ALL {
        let scan = pipeline.store.scan(table, &snapshot).columns(&["collector", "position", "text"]);
        for batch in scan.read() {
            let batch = batch.map_err(|error| format!("a part cannot be read: {error}"))?;
            let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
            let positions = batch.column_by_name("position").unwrap().as_primitive::<Int64Type>().clone();
            for ((collector, position), text) in text("collector").iter().zip(positions.iter()).zip(text("text").iter())
            {
                let (collector, position) = (collector.unwrap().to_owned(), position.unwrap());
                let position = u64::try_from(position).map_err(|error| error.to_string())?;
                let row = Found { in_events: table == Table::Events, collector, position };
                found.entry(serial(text.unwrap())?).or_default().push(row);
            }
        }
    }
    Ok(found)
}

/// The number of the event stands in its `spec`, which begins with `o/`.
fn serial(text: &str) -> Result<u64, String> {
    let number =
        text.split("\"o/").nth(1).and_then(|rest| rest.split('/').next()).and_then(|number| number.parse().ok());
    number.ok_or_else(|| format!("no number in {text}"))
}
