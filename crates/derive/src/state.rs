//! What is known of every hub's sessions at one snapshot.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use event::EventTime;
use insight::session::Micros;
use serde::{Deserialize, Serialize};
use store::{Contents, DerivedDamaged, Snapshot};

use crate::file::SessionFile;
use crate::history::History;
use crate::hub::{HubLedger, Hubs, Late, Owned};
use crate::months::Months;
use crate::rows::{Recent, Rows, batches};
use crate::sessions::{DeriveError, Status};

/// Answers of so many snapshots are kept, so that the statements of one question see the same sessions.
const ANSWERS_MAX: usize = 4;

/// As long as nothing came, the same answer is given for so long: only the cap of a session depends on the time.
const ANSWER_AGE_MAX: Micros = Micros::from_secs(60);

/// Of each hub that has late evidence, how late that was.
pub(crate) type Lateness = BTreeMap<Arc<str>, Micros>;

#[derive(Debug, Default)]
pub(crate) struct State {
    /// `None` as long as nobody asked.
    pub(crate) history: Option<Result<History, Arc<DerivedDamaged>>>,
    /// Whether it was looked for what the last process left.
    pub(crate) is_loaded: bool,
    pub(crate) followed: Option<Followed>,
    pub(crate) hubs: Hubs,
    /// Settled rows, in files.
    pub(crate) months: Months,
    /// Settled rows that stand in no file yet.
    pub(crate) recent: Recent,
    /// The snapshot as of which everything stands in files.
    pub(crate) saved: Option<String>,
    pub(crate) rebuilds: u64,
    answers: VecDeque<Answer>,
}

/// The last snapshot that was followed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Followed {
    pub(crate) version: String,
    pub(crate) contents: Contents,
    pub(crate) parts: BTreeSet<Arc<str>>,
}

#[derive(Debug)]
struct Answer {
    version: String,
    at: EventTime,
    rows: Rows,
}

impl State {
    pub(crate) fn status(&self) -> Status {
        let counts = self.hubs.values().map(HubLedger::counts);
        let (servers, servers_open) = counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let kept = self.kept().map_or(0, |history| history.told().rows());
        let settled = kept + self.months.rows() + self.recent.rows();
        Status { settled, servers, servers_open, rebuilds: self.rebuilds, making: None }
    }

    pub(crate) fn forget(&mut self) {
        let (history, is_loaded) = (self.history.take(), self.is_loaded);
        *self = Self { rebuilds: self.rebuilds, history, is_loaded, ..Self::default() };
    }

    /// What is kept of events that have left, if that was read and is whole.
    pub(crate) fn kept(&self) -> Option<&History> {
        self.history.as_ref().and_then(|history| history.as_ref().ok())
    }

    /// The rows that may change, as things stand at `now`; no batch is empty.
    pub(crate) fn open(&self, now: EventTime) -> Result<Vec<RecordBatch>, ArrowError> {
        let of_hub = |(name, hub): (&Arc<str>, &HubLedger)| batches(name, hub.culler(), &hub.open(now));
        self.hubs.iter().flat_map(of_hub).collect()
    }

    pub(crate) fn follow(&mut self, snapshot: &Snapshot, contents: Contents) {
        let parts = snapshot.events.parts.iter().map(|part| Arc::clone(&part.path)).collect();
        self.followed = Some(Followed { version: snapshot.data_version(), contents, parts });
    }

    /// The hubs of which settled rows may be wrong.
    pub(crate) fn catch_up(&mut self, now: EventTime) -> Lateness {
        let late = self.hubs.iter_mut().filter_map(|(name, hub)| {
            let Late { lateness } = hub.catch_up(now).err()?;
            Some((Arc::clone(name), lateness))
        });
        late.collect()
    }

    /// Takes the rows that `settle` hands out of each hub.
    pub(crate) fn settle(&mut self, settle: &dyn Fn(&mut HubLedger) -> Vec<Owned>) -> Result<(), ArrowError> {
        for (name, hub) in &mut self.hubs {
            let rows = settle(hub);
            for batch in batches(name, hub.culler(), &rows) {
                self.recent.push(batch?)?;
            }
        }
        Ok(())
    }

    /// Settled rows stand in files from now on, these `months`.
    pub(crate) fn put_into_files(&mut self, months: Months) {
        self.months = months;
        self.recent = Recent::default();
        // They hold the rows as they were.
        self.answers.clear();
    }

    pub(crate) fn answered(&self, version: &str, now: EventTime) -> Option<Rows> {
        let is_fresh = |answer: &&Answer| {
            let age = Micros::between(answer.at, now);
            answer.version == version && Micros(0) <= age && age < ANSWER_AGE_MAX
        };
        self.answers.iter().find(is_fresh).map(|answer| answer.rows.clone())
    }

    pub(crate) fn answer(&mut self, now: EventTime) -> Result<Rows, DeriveError> {
        let kept = self.kept().into_iter().flat_map(|history| history.told().files());
        let files: Vec<Arc<SessionFile>> = kept.chain(self.months.files()).cloned().collect();
        let open = self.open(now)?;
        let rows = Rows::new(files, self.recent.batches().iter().cloned().chain(open).collect());
        if let Some(followed) = &self.followed {
            let version = followed.version.clone();
            self.answers.retain(|answer| answer.version != version);
            self.answers.truncate(ANSWERS_MAX - 1);
            self.answers.push_front(Answer { version, at: now, rows: rows.clone() });
        }
        Ok(rows)
    }
}
