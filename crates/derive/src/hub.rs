//! The sessions of one hub: its ledger, what polls of it saw, and the rows that can change no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::EventTime;
use insight::session::{Aliases, Culler, Evidence, Hub, Ledger, Micros, Server, Session, Settings};
use serde::{Deserialize, Serialize};

use crate::evidence::{Acted, Logged, Watched, What};
use crate::watch::{Moment, Watch};

/// Evidence is mostly there within a day. What ended longer ago is settled, so that it takes no more work.
const LATE_MIN: Micros = Micros::from_hours(24);

/// The same while everything is read in order of its time: wide, since to begin anew costs more than to wait.
pub(crate) const LATE_OF_ALL: Micros = Micros::from_hours(24 * 31);

/// Rows are settled this often, and evidence for settled times makes everything be read again at most as often.
const SETTLE_INTERVAL: Micros = Micros::from_hours(1);

/// What a hub's operator says of it: how it ends servers by itself, and who was renamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubSettings {
    /// The timeout of its culler of idle servers and how often that looks, if one runs.
    pub culler: Option<Culler>,
    /// No server runs for longer, if so.
    pub max_age: Option<Micros>,
    /// Sessions are told under the names of today.
    pub renamed: Aliases,
}

impl From<&HubSettings> for Settings {
    fn from(settings: &HubSettings) -> Self {
        Self { culler: settings.culler, max_age: settings.max_age }
    }
}

/// A session and whose it is.
pub(crate) type Owned = (Server, Session);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HubLedger {
    culler: Option<Culler>,
    ledger: Ledger,
    watch: Watch,
    /// What polls told and was not taken yet, by its instant.
    #[serde(skip)]
    moments: BTreeMap<EventTime, Moment>,
    /// Evidence comes so late at most, as far as it was seen.
    lateness: Micros,
    settled: Option<EventTime>,
}

impl HubLedger {
    pub(crate) fn new(settings: &HubSettings, lateness: Option<Micros>) -> Self {
        Self {
            culler: settings.culler,
            ledger: Ledger::new(Hub::new(settings.into()), settings.renamed.clone()),
            watch: Watch::default(),
            moments: BTreeMap::new(),
            lateness: lateness.unwrap_or(LATE_MIN).max(LATE_MIN),
            settled: None,
        }
    }

    pub(crate) fn culler(&self) -> Option<Culler> {
        self.culler
    }

    /// Begins a server after the last of its sessions that is kept elsewhere.
    pub(crate) fn begin_after(&mut self, server: Server, last: &Session, stopped: Option<EventTime>) {
        self.ledger.begin_after(server, last, stopped);
    }

    /// Takes how a session began that goes on.
    pub(crate) fn carry(&mut self, server: Server, began: Evidence) {
        self.ledger.carry(server, began);
    }

    pub(crate) fn act(&mut self, acted: &Acted) {
        let server = self.ledger.server(&acted.server.user, &acted.server.server, acted.event.at);
        let evidence = if acted.is_start { Evidence::Start(acted.event) } else { Evidence::Stop(acted.event) };
        self.ledger.add(server, evidence);
    }

    pub(crate) fn watch(&mut self, told: Watched) {
        if let What::Logged { server, logged, event } = told.what {
            let server = self.ledger.server(&server.user, &server.server, event.at);
            let evidence = match logged {
                Logged::Started => Evidence::Start(event),
                Logged::Stopped => Evidence::Stop(event),
                Logged::Died => Evidence::Absent(event.at),
            };
            return self.ledger.add(server, evidence);
        }
        self.moments.entry(told.at).or_default().add(told);
    }

    /// Takes what polls told. Whether that, and all evidence before, could be taken as it came: if not, everything
    /// must be read again, and `lateness` is how much later than `now` its time was.
    pub(crate) fn catch_up(&mut self, now: EventTime) -> Result<(), Late> {
        let mut oldest: Option<EventTime> = None;
        for (at, moment) in std::mem::take(&mut self.moments) {
            if self.watch.take(at, moment, &mut self.ledger).is_err() {
                oldest = oldest.or(Some(at));
            }
        }
        self.watch.tell_present(&mut self.ledger);
        if self.ledger.late().next().is_none() && oldest.is_none() {
            return Ok(());
        }
        // Of late events the ledger does not say how late they were; twice as late as was allowed for is tried next.
        let late = oldest.map_or(Micros(0), |at| Micros::between(at, now));
        Err(Late { lateness: late.max(self.lateness.plus(self.lateness)) })
    }

    /// Hands out the rows that nothing but late evidence changes, if it is time to.
    pub(crate) fn settle(&mut self, now: EventTime) -> Vec<Owned> {
        if self.settled.is_some_and(|settled| Micros::between(settled, now) < SETTLE_INTERVAL) {
            return Vec::new();
        }
        if self.settled.is_some() {
            self.lateness = Micros(self.lateness.0 / 2).max(LATE_MIN);
        }
        self.settled = Some(now);
        owned(self.ledger.settle(self.lateness.before(now), now))
    }

    /// Hands out the rows that ended long before `until`, before which all evidence was taken that there is.
    pub(crate) fn settle_until(&mut self, until: EventTime, now: EventTime) -> Vec<Owned> {
        owned(self.ledger.settle(self.lateness.max(LATE_OF_ALL).before(until), now))
    }

    /// The rows that are not settled, as things stood at `now`.
    pub(crate) fn open(&self, now: EventTime) -> Vec<Owned> {
        owned(self.ledger.unsettled(now))
    }

    pub(crate) fn counts(&self) -> (usize, usize) {
        self.ledger.counts()
    }
}

/// Settled rows may be wrong; everything is to be read again, and settled no sooner than after `lateness`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late {
    pub(crate) lateness: Micros,
}

fn owned(rows: Vec<(Server, Vec<Session>)>) -> Vec<Owned> {
    rows.into_iter()
        .flat_map(|(server, sessions)| sessions.into_iter().map(move |session| (server.clone(), session)))
        .collect()
}

/// The ledgers of all hubs, by name.
pub(crate) type Hubs = BTreeMap<Arc<str>, HubLedger>;
