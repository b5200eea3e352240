//! Sessions that outlive the events that told of them: what retention takes from `events` it leaves here.
//!
//! Two kinds of rows are kept, in files of plain Parquet with the columns of `sessions`:
//!
//! - *told*: sessions that ended before the events that stay, by the month (UTC) in which they began. They are
//!   answered as they stand; what events still say of the same time tells nothing beside them.
//! - *carried*: sessions that ended later, or go on, although the event that began them leaves. They are no answer but
//!   evidence: the start from which, with the events that are left, the same session is told as before.
//!
//! The form of the files is that of [`store::Derived`], and so is what a crash does to them: nothing.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use arrow::array::RecordBatch;
use event::EventTime;
use insight::session::{EndKnownBy, EventId, Evidence, Life, Server, ServerEvent, Session, StartKnownBy};
use serde::{Deserialize, Serialize};
use store::{Derived, DerivedDamaged, NewFile};

use crate::columns::{kept, sessions, sorted};
use crate::file::{SessionFile, bytes_of};
use crate::months::{Months, NotKept, stem};
use crate::rows::schema;

/// Version of the files' form.
const FORM: u32 = 1;

/// Stem of the file of carried rows; those of told ones are called by their month.
const CARRIED: &str = "carried";

/// What a folder's manifest says of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    form: u32,
    /// Events from before this (microseconds since 1970) may have left.
    until: i64,
}

/// The rows that are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// Events from before this may have left.
    pub(crate) until: EventTime,
    told: Months,
    carried: RecordBatch,
    /// The files, as they were read or written last.
    files: Vec<String>,
}

/// The last row of a server, and the last `stop` of any of its rows.
type Last = (Session, Option<EventTime>);

impl Default for History {
    fn default() -> Self {
        let carried = RecordBatch::new_empty(schema());
        Self { until: EventTime::from_micros(i64::MIN), told: Months::default(), carried, files: Vec::new() }
    }
}

impl History {
    /// What `folder` holds. Blocks.
    ///
    /// # Errors
    /// A file that is missing, damaged or of another version.
    pub(crate) fn read(folder: &Derived) -> Result<Self, DerivedDamaged> {
        let mut history = Self::default();
        let Some(manifest) = folder.manifest()? else { return Ok(history) };
        let wrong = |detail: String| DerivedDamaged { path: folder.path("manifest"), detail };
        let of = Of::deserialize(&manifest.of).map_err(|error| wrong(error.to_string()))?;
        if of.form != FORM {
            return Err(wrong(format!("it has form {}; this program knows {FORM}", of.form)));
        }
        history.until = EventTime::from_micros(of.until);
        for name in manifest.files.keys() {
            if stem(name) == CARRIED {
                history.carried = Arc::new(SessionFile::open(folder, &manifest, name)?).read()?;
            } else {
                history.told.open(folder, &manifest, name)?;
            }
        }
        history.files = manifest.files.into_keys().collect();
        Ok(history)
    }

    /// The rows that are answered.
    pub(crate) fn told(&self) -> &Months {
        &self.told
    }

    /// Names what is kept: two with the same names keep the same, to the same time.
    pub(crate) fn names(&self) -> Vec<String> {
        [self.until.micros().to_string()].into_iter().chain(self.files.iter().cloned()).collect()
    }

    /// How many rows there are, carried ones too.
    pub(crate) fn rows(&self) -> u64 {
        (self.told.rows() + self.carried.num_rows()) as u64
    }

    /// Of each server that is told of, its hub, its last row and the last `stop` of any of its rows. Blocks.
    pub(crate) fn lasts(&self) -> Result<BTreeMap<(Arc<str>, Server), Last>, DerivedDamaged> {
        let mut lasts: BTreeMap<(Arc<str>, Server), Last> = BTreeMap::new();
        for batch in self.told.read() {
            for (hub, server, session) in sessions(&batch?) {
                let stopped = session.end.filter(|_| session.end_known_by == EndKnownBy::Stop);
                let (last, last_stopped) = lasts.entry((hub, server)).or_insert((session, stopped));
                if (session.start, session.end_high) > (last.start, last.end_high) {
                    *last = session;
                }
                *last_stopped = stopped.max(*last_stopped);
            }
        }
        Ok(lasts)
    }

    /// How sessions began that go on.
    pub(crate) fn carried(&self) -> impl Iterator<Item = (Arc<str>, Server, Evidence)> {
        sessions(&self.carried).into_iter().flat_map(|(hub, server, session)| {
            let (at, last_activity) = (session.start, session.last_activity);
            let life = session.hub_started.map(|started| {
                Evidence::Life(Life { started, seen_last: session.end_low, ready_by: None, last_activity })
            });
            let is_told = session.start_known_by == StartKnownBy::Event;
            let start = Evidence::Start(ServerEvent { at, received: at, id: EventId::default() });
            let all = life.into_iter().chain(is_told.then_some(start));
            all.map(move |evidence| (Arc::clone(&hub), server.clone(), evidence))
        })
    }

    /// The same as of `until`, with more rows, without those that began before `from`, and with other carried ones.
    /// Whether told rows changed.
    pub(crate) fn with(
        &self,
        until: EventTime,
        more: &[RecordBatch],
        carried: &[RecordBatch],
        from: Option<EventTime>,
    ) -> Result<(Self, bool), NotKept> {
        let mut next = Self { until, ..self.clone() };
        let mut changed = next.told.add(more)?;
        if let Some(from) = from {
            changed |= next.told.drop_before(from)?;
        }
        next.carried = sorted(carried)?;
        Ok((next, changed))
    }

    /// The same without the rows that began until the time that `until` tells by hub and name. Whether there were any.
    pub(crate) fn without(&self, until: &dyn Fn(&str, &str) -> Option<EventTime>) -> Result<(Self, bool), NotKept> {
        let mut next = self.clone();
        let stays = |hub: &str, server: &Server, session: &Session| {
            until(hub, &server.user).is_none_or(|until| session.start > until)
        };
        let mut changed = next.told.keep_only(&stays)?;
        let carried = kept(&next.carried, &stays)?;
        changed |= carried.num_rows() < next.carried.num_rows();
        next.carried = carried;
        Ok((next, changed))
    }

    /// Makes `folder` hold this and nothing else. Returns the files that are gone. Blocks.
    pub(crate) fn write(&mut self, folder: &Derived) -> Result<Vec<String>, NotKept> {
        let mut files = self.told.files_wanted()?;
        if self.carried.num_rows() > 0 {
            let bytes = bytes_of(&self.carried)?;
            files.push(NewFile::Bytes { stem: CARRIED.to_owned(), extension: "parquet", bytes });
        }
        let of = serde_json::to_value(Of { form: FORM, until: self.until.micros() }).map_err(io::Error::from)?;
        let replaced = folder.replace(of, files)?;
        self.told.written(folder, &replaced.manifest)?;
        self.files = replaced.manifest.files.into_keys().collect();
        Ok(replaced.removed)
    }

    /// Whether both carry the same to the same time.
    pub(crate) fn carries_the_same(&self, other: &Self) -> bool {
        self.until == other.until && self.carried == other.carried
    }
}
