//! Keys of requests (`Idempotency-Key`): a retry adds nothing and gets the first answer, also after a restart.
//!
//! A key becomes durable with its request, in the same journal record. Before the journal gives up a segment, the keys
//! of its records are written to `DATA/state/idempotency/<hour>.json`, one file for each hour in which requests came; a
//! file whose hour is over the time to keep is removed. So every key that is to be known lies in a file or in the
//! journal, or both.
//!
//! Bounded by [`Keys::new`]'s two limits and by [`BYTES_MAX`]: beyond any, the oldest are forgotten.

mod file;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use event::{CollectorId, EventTime, Position, RequestKey};
use ingest::{CollectError, Outcome, Outcomes, Receipt};
use schema::Registry;
use store::DurableFs;

use file::Hour;

/// Memory of all outcomes that are remembered. A usual request takes some 200 bytes; one of 10,000 events that are each
/// kept aside for a reason of its own takes 5 MB, and nobody is to fill the memory with those.
const BYTES_MAX: usize = 32 << 20;

/// What a key takes beside its outcomes, and a run of outcomes beside its detail: about.
const KEY_BYTES: usize = 200;
const RUN_BYTES: usize = 64;

/// A hub and what it calls a request.
type Name = (Arc<str>, Arc<str>);

/// A request that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) digest: [u8; 32],
    pub(crate) received: EventTime,
    pub(crate) collector: CollectorId,
    pub(crate) first: Position,
    pub(crate) outcomes: Outcomes,
}

impl Remembered {
    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        let run = |(_, outcome): &(u32, Outcome)| match outcome {
            Outcome::Admitted { .. } => RUN_BYTES,
            Outcome::Quarantined { detail, .. } => RUN_BYTES + detail.len(),
        };
        KEY_BYTES + self.outcomes.runs().iter().map(run).sum::<usize>()
    }

    fn receipt(&self) -> Receipt {
        Receipt {
            collector: self.collector.clone(),
            first: self.first,
            outcomes: self.outcomes.clone(),
            is_repeated: true,
        }
    }
}

#[derive(Debug)]
enum State {
    /// Its request is on its way to the disk.
    Writing,
    Kept(Arc<Remembered>),
}

#[derive(Debug, Default)]
struct Known {
    states: HashMap<Name, State>,
    /// Those that are kept, oldest first.
    order: BTreeSet<(EventTime, Name)>,
    /// Memory of those in `order`.
    bytes: usize,
    /// Hours of which something is known that their file lacks.
    unwritten: BTreeSet<Hour>,
}

/// All keys of a folder.
#[derive(Debug)]
pub(crate) struct Keys {
    disk: DurableFs,
    folder: PathBuf,
    keep: Duration,
    keys_max: usize,
    known: Mutex<Known>,
}

impl Keys {
    /// No keys yet; their files lie in `folder` and are changed through `disk`. They are remembered for `keep`, and at
    /// most `keys_max` of them.
    pub(crate) fn new(disk: DurableFs, folder: PathBuf, keep: Duration, keys_max: usize) -> Self {
        Self { disk, folder, keep, keys_max, known: Mutex::default() }
    }

    /// Reads the files, and removes what an earlier life left half written.
    ///
    /// # Errors
    /// A file that cannot be read or understood; with its path.
    pub(crate) fn read(&self, registry: &Registry) -> Result<()> {
        if self.folder.is_dir() {
            self.disk.remove_temporaries(&self.folder)?;
        }
        let mut known = self.known();
        for hour in file::hours(&self.folder)? {
            for (name, remembered) in file::read(&self.folder, hour, registry)? {
                known.keep(name, remembered);
            }
        }
        known.forget_beyond(self.keys_max);
        Ok(())
    }

    /// Begins a request of `hub` with `key`. `None`: it is new, and [`Keys::settle`] must follow.
    ///
    /// # Errors
    /// [`CollectError::KeyBusy`], [`CollectError::KeyReused`].
    pub(crate) fn begin(&self, hub: &Arc<str>, key: &RequestKey) -> Result<Option<Receipt>, CollectError> {
        let name = (Arc::clone(hub), Arc::clone(&key.name));
        let mut known = self.known();
        match known.states.get(&name) {
            Some(State::Writing) => Err(CollectError::KeyBusy),
            Some(State::Kept(kept)) if kept.digest != key.digest => Err(CollectError::KeyReused),
            Some(State::Kept(kept)) => Ok(Some(kept.receipt())),
            None => {
                known.states.insert(name, State::Writing);
                Ok(None)
            }
        }
    }

    /// Ends what [`Keys::begin`] began: with what was kept, or with nothing.
    pub(crate) fn settle(&self, hub: &Arc<str>, key: &RequestKey, kept: Option<Remembered>) {
        let name = (Arc::clone(hub), Arc::clone(&key.name));
        let mut known = self.known();
        match kept {
            None => drop(known.states.remove(&name)),
            Some(remembered) => self.remember_in(&mut known, name, remembered),
        }
    }

    /// Remembers a request that the journal gave back.
    pub(crate) fn remember(&self, hub: &Arc<str>, key: &RequestKey, remembered: Remembered) {
        let name = (Arc::clone(hub), Arc::clone(&key.name));
        self.remember_in(&mut self.known(), name, remembered);
    }

    fn remember_in(&self, known: &mut Known, name: Name, remembered: Remembered) {
        known.unwritten.insert(Hour::of(remembered.received));
        known.keep(name, remembered);
        known.forget_beyond(self.keys_max);
    }

    /// Writes the files of hours that have new keys, removes those that are over, and forgets their keys. When it
    /// returns, every key that was settled before is durable without the journal.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn persist(&self, now: EventTime) -> Result<()> {
        let oldest = EventTime::from_micros(now.micros().saturating_sub(micros(self.keep)));
        let (hours, unwritten) = {
            let mut known = self.known();
            known.forget_before(oldest);
            let unwritten = std::mem::take(&mut known.unwritten);
            (known.of_hours(&unwritten), unwritten)
        };
        let written: Result<()> = unwritten.iter().try_for_each(|hour| match hours.get(hour) {
            Some(keys) => file::write(&self.disk, &self.folder, *hour, keys),
            None => file::remove(&self.disk, &self.folder, *hour),
        });
        if let Err(error) = written {
            self.known().unwritten.extend(unwritten);
            return Err(error);
        }
        for hour in file::hours(&self.folder)? {
            if hour < Hour::of(oldest) {
                file::remove(&self.disk, &self.folder, hour)?;
            }
        }
        Ok(())
    }

    /// Forgets the answers of which a detail is named by `names` (text, hub), and writes their hours anew; returns how
    /// many. Their requests, sent again, are new ones.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn forget_named(&self, now: EventTime, names: &dyn Fn(&[u8], &str) -> bool) -> Result<u64> {
        let forgotten = {
            let mut known = self.known();
            let named: Vec<(EventTime, Name)> =
                known.order.iter().filter(|(_, name)| known.quotes(name, names)).cloned().collect();
            for (received, name) in &named {
                known.unwritten.insert(Hour::of(*received));
                known.order.remove(&(*received, name.clone()));
                if let Some(State::Kept(old)) = known.states.remove(name) {
                    known.bytes = known.bytes.saturating_sub(old.bytes());
                }
            }
            named.len() as u64
        };
        self.persist(now)?;
        Ok(forgotten)
    }

    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.known().order.len()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn keep(&mut self, name: Name, remembered: Remembered) {
        let received = remembered.received;
        self.bytes += remembered.bytes();
        if let Some(State::Kept(old)) = self.states.insert(name.clone(), State::Kept(Arc::new(remembered))) {
            self.order.remove(&(old.received, name.clone()));
            self.bytes = self.bytes.saturating_sub(old.bytes());
        }
        self.order.insert((received, name));
    }

    /// Whether a detail of the answer to `name` is one that `names` knows, or the key itself is.
    fn quotes(&self, name: &Name, names: &dyn Fn(&[u8], &str) -> bool) -> bool {
        let Some(State::Kept(kept)) = self.states.get(name) else { return false };
        let (hub, key) = name;
        names(key.as_bytes(), hub)
            || kept.outcomes.runs().iter().any(|(_, outcome)| match outcome {
                Outcome::Admitted { .. } => false,
                Outcome::Quarantined { detail, .. } => names(detail.as_bytes(), hub),
            })
    }

    fn forget_beyond(&mut self, keys_max: usize) {
        while self.order.len() > keys_max || self.bytes > BYTES_MAX {
            if !self.forget_oldest() {
                return;
            }
        }
    }

    fn forget_before(&mut self, oldest: EventTime) {
        while self.order.first().is_some_and(|(received, _)| *received < oldest) {
            self.forget_oldest();
        }
    }

    /// Whether there was one.
    fn forget_oldest(&mut self) -> bool {
        let Some((_, name)) = self.order.pop_first() else { return false };
        if let Some(State::Kept(old)) = self.states.remove(&name) {
            self.bytes = self.bytes.saturating_sub(old.bytes());
        }
        true
    }

    /// All keys of these hours, in the order in which they came.
    fn of_hours(&self, hours: &BTreeSet<Hour>) -> BTreeMap<Hour, Vec<(Name, Arc<Remembered>)>> {
        let mut found: BTreeMap<Hour, Vec<(Name, Arc<Remembered>)>> = BTreeMap::new();
        for hour in hours {
            let (from, to) = hour.bounds();
            let first = (from, (Arc::from(""), Arc::from("")));
            for (_, name) in self.order.range(first..).take_while(|(received, _)| *received < to) {
                if let Some(State::Kept(kept)) = self.states.get(name) {
                    found.entry(*hour).or_default().push((name.clone(), Arc::clone(kept)));
                }
            }
        }
        found
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use event::{Reason, Repairs};

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn key(name: &str, digest: u8) -> RequestKey {
        RequestKey { name: name.into(), digest: [digest; 32] }
    }

    /// A request of three events received at `micros`, one of which is kept aside.
    fn kept(micros: i64, digest: u8) -> Remembered {
        let entry = Arc::clone(Registry::builtin().iter().next().unwrap());
        let admitted = Outcome::Admitted { revision: Arc::clone(&entry.revision), repairs: Repairs::from_bits(5) };
        let aside = Outcome::Quarantined {
            reason: Reason::NotJson,
            detail: "a \"quote\" and\na line".into(),
            repairs: Repairs::default(),
        };
        Remembered {
            digest: [digest; 32],
            received: EventTime::from_micros(micros),
            collector: CollectorId::from("00000000000000000000000000000001"),
            first: Position(7),
            outcomes: Outcomes::from_runs(vec![(2, admitted), (1, aside)]),
        }
    }

    fn open(folder: &std::path::Path, keep_hours: u64, keys_max: usize) -> Keys {
        let keys = Keys::new(DurableFs::default(), folder.to_owned(), Duration::from_secs(3600 * keep_hours), keys_max);
        keys.read(&Registry::builtin()).unwrap();
        keys
    }

    fn at(micros: i64) -> EventTime {
        EventTime::from_micros(micros)
    }

    #[test]
    fn a_retry_gets_the_first_answer_and_other_events_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let keys = open(dir.path(), 24, 10);
        let (north, south): (Arc<str>, Arc<str>) = ("north".into(), "south".into());
        assert_eq!(keys.begin(&north, &key("a", 1)), Ok(None));
        assert_eq!(keys.begin(&north, &key("a", 1)), Err(CollectError::KeyBusy));
        assert_eq!(keys.begin(&south, &key("a", 1)), Ok(None), "keys are a hub's own");
        keys.settle(&south, &key("a", 1), None);
        assert_eq!(keys.begin(&south, &key("a", 2)), Ok(None), "nothing was kept, so nothing is remembered");
        keys.settle(&north, &key("a", 1), Some(kept(0, 1)));
        let receipt = keys.begin(&north, &key("a", 1)).unwrap().unwrap();
        assert!(receipt.is_repeated && receipt.first == Position(7) && receipt.outcomes.len() == 3);
        assert_eq!(keys.begin(&north, &key("a", 2)), Err(CollectError::KeyReused));
    }

    #[test]
    fn what_was_persisted_is_known_again_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let keys = open(dir.path(), 24, 10);
        let hub: Arc<str> = "a hub \u{1f600}".into();
        for (name, hour) in [("a", 0), ("b", 0), ("c", 5)] {
            keys.remember(&hub, &key(name, 1), kept(hour * HOUR + 1, 1));
        }
        keys.persist(at(6 * HOUR)).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "one file for each hour");
        let again = open(dir.path(), 24, 10);
        for name in ["a", "b", "c"] {
            assert_eq!(again.begin(&hub, &key(name, 1)), keys.begin(&hub, &key(name, 1)));
        }
        assert_eq!(again.begin(&hub, &key("d", 1)), Ok(None));
    }

    #[test]
    fn keys_are_forgotten_by_age_and_by_number_oldest_first() {
        let dir = tempfile::tempdir().unwrap();
        let keys = open(dir.path(), 2, 3);
        let hub: Arc<str> = "h".into();
        for hour in 0..4 {
            keys.remember(&hub, &key(&format!("k{hour}"), 1), kept(hour * HOUR, 1));
        }
        assert_eq!(keys.len(), 3);
        assert_eq!(keys.begin(&hub, &key("k0", 9)), Ok(None), "beyond the number");
        keys.settle(&hub, &key("k0", 9), None);
        keys.persist(at(3 * HOUR)).unwrap();
        assert_eq!(keys.len(), 3);
        keys.persist(at(4 * HOUR)).unwrap();
        assert_eq!(keys.len(), 2, "k1 is over two hours old");
        keys.persist(at(9 * HOUR)).unwrap();
        assert_eq!((keys.len(), std::fs::read_dir(dir.path()).unwrap().count()), (0, 0));
    }

    #[test]
    fn answers_of_many_reasons_do_not_fill_the_memory() {
        let dir = tempfile::tempdir().unwrap();
        let keys = open(dir.path(), 24, 100_000);
        let hub: Arc<str> = "h".into();
        let aside = |number: u32| {
            let detail = format!("{number:0>500}").into();
            (1, Outcome::Quarantined { reason: Reason::NotJson, detail, repairs: Repairs::default() })
        };
        let large = Outcomes::from_runs((0..10_000).map(aside).collect());
        for number in 0..20 {
            let remembered = Remembered { outcomes: large.clone(), ..kept(number, 1) };
            keys.remember(&hub, &key(&format!("k{number}"), 1), remembered);
        }
        let each = 200 + 10_000 * 564;
        assert_eq!((keys.len(), keys.known().bytes), (BYTES_MAX / each, BYTES_MAX / each * each));
        assert!(keys.begin(&hub, &key("k19", 1)).unwrap().is_some(), "the newest is known");
        keys.persist(at(100 * HOUR)).unwrap();
        assert_eq!((keys.len(), keys.known().bytes), (0, 0));
    }

    #[test]
    fn a_file_that_is_not_understood_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("1970-01-01T00.json"), "{").unwrap();
        let keys = Keys::new(DurableFs::default(), dir.path().to_owned(), Duration::MAX, 1);
        let error = format!("{:#}", keys.read(&Registry::builtin()).unwrap_err());
        assert!(error.contains("1970-01-01T00.json"), "{error}");
    }
}
