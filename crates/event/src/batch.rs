//! One request, understood.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::{EventTime, Reason, Repairs, Revision, Value};

/// The way by which an event reached us. Stored in the column `door`, so the names are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// `POST` or `GET /api/v1/events`.
    Http,
    /// `import cloud-log`: hourly files of an exported Cloud Logging log.
    CloudLog,
    /// `import archive`: daily files of a public archive.
    Archive,
    /// Our own polls of a hub's REST API.
    Poll,
    /// `import hub-log`: a hub's own log.
    HubLog,
    /// `import hub-db`: a hub's own database.
    HubDb,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 6] = [Self::Http, Self::CloudLog, Self::Archive, Self::Poll, Self::HubLog, Self::HubDb];

    /// The name as it stands in tables and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::CloudLog => "cloud-log",
            Self::Archive => "archive",
            Self::Poll => "poll",
            Self::HubLog => "hub-log",
            Self::HubDb => "hub-db",
        }
    }

    /// The door of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.name() == name)
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One request: what all its events share, and the events in the order in which they were sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// When we admitted it.
    pub received: EventTime,
    /// Whose token sent it; `default` as long as no token exists.
    pub hub: Arc<str>,
    /// How it came.
    pub door: Door,
    /// What its sender calls it, if it may be sent again.
    pub key: Option<RequestKey>,
    /// The events; position is first position + index.
    pub rows: Vec<Row>,
}

/// What a sender calls a request (`Idempotency-Key`), so that its retry adds nothing. Names are a hub's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// The name.
    pub name: Arc<str>,
    /// SHA-256 of the request's texts: another request under the same name is a mistake of the sender.
    pub digest: [u8; 32],
}

/// One event and what was decided about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The emitter's JSON, untouched (a slice of the request where possible). Of an admitted row always UTF-8; of a
    /// quarantined one whatever was sent.
    pub text: Bytes,
    /// The decision, which replay obeys.
    pub verdict: Verdict,
}

/// What was decided about an event at the door.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It satisfies the schema revision named.
    Admitted(Admitted),
    /// It is kept aside.
    Quarantined(Quarantined),
}

/// An event that satisfies its schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// The emitter's time.
    pub time: EventTime,
    /// The schema text it was checked against.
    pub revision: Arc<Revision>,
    /// Faults of the emitter that were set right.
    pub repairs: Repairs,
    /// Values of `revision.columns`, in that order; `None` where the event has none.
    pub promoted: Vec<Option<Value>>,
}

/// An event kept aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Stable code.
    pub reason: Reason,
    /// What was wrong, where, and what would be right; one sentence, for people.
    pub detail: Box<str>,
    /// The schema id that it claims, if that could be read.
    pub schema: Option<Box<str>>,
    /// The version that it claims, as text.
    pub version: Option<Box<str>>,
    /// The time that it claims, if that could be read.
    pub time: Option<EventTime>,
    /// Repairs applied before the decision.
    pub repairs: Repairs,
}

impl Row {
    /// The text, unless it is not UTF-8 (possible in quarantine alone).
    pub fn text_utf8(&self) -> Option<&str> {
        std::str::from_utf8(&self.text).ok()
    }
}
