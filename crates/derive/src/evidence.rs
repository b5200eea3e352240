//! Rows of `events`, read as what they say of servers.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use event::{CollectorId, EventTime, Position};
use insight::session::{Between, EventId, Kept, ServerEvent};
use serde::{Deserialize, Serialize};

use crate::schemas;

/// The columns that are read of what hubs emit.
pub(crate) const EMITTED_COLUMNS: [&str; 10] =
    ["collector", "position", "time", "received", "time_suspect", "hub", "schema", "action", "username", "servername"];

/// The columns that are read of what polls told.
pub(crate) const WATCHED_COLUMNS: [&str; 7] = ["collector", "position", "time", "received", "hub", "schema", "text"];

/// A server of a hub, by the names that the hub gave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) user: Arc<str>,
    pub(crate) server: Arc<str>,
}

/// A start or a stop that a hub told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acted {
    pub(crate) hub: Arc<str>,
    pub(crate) server: Named,
    pub(crate) is_start: bool,
    pub(crate) event: ServerEvent,
}

/// What a poll told, by the instant before which it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) hub: Arc<str>,
    pub(crate) at: EventTime,
    pub(crate) what: What,
}

/// What a hub's log says of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logged {
    Started,
    Stopped,
    Died,
}

/// What an event of ours says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Poll { at: Between, is_complete: bool, is_full: bool, begins: bool },
    Seen { server: Named, started: EventTime, is_ready: bool, last_activity: Option<EventTime> },
    Gone { server: Named },
    Users { at: Between, is_complete: bool, is_full: bool },
    User { user: Arc<str>, last_activity: Option<EventTime> },
    Restart { kept: Kept },
    Unheard { to: EventTime },
    Logged { server: Named, logged: Logged, event: ServerEvent },
}

/// One text for each name, however many rows have it.
#[derive(Debug, Default)]
pub(crate) struct Names(HashSet<Arc<str>>);

impl Names {
    fn of(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.insert(Arc::clone(&name));
        name
    }
}

/// The number of a collector that stands in ids of events: FNV-1a of its name, so that it is the same whenever it is
/// worked out. It orders events that agree in everything else.
fn number_of(collector: &str) -> u32 {
    collector.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The columns of a batch by which a row is found to be new.
pub(crate) struct Places<'a> {
    collector: &'a StringArray,
    position: &'a [i64],
}

impl<'a> Places<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Option<Self> {
        let collector = batch.column_by_name("collector")?.as_string_opt()?;
        let position = batch.column_by_name("position")?.as_primitive_opt::<Int64Type>()?.values();
        Some(Self { collector, position })
    }

    pub(crate) fn get(&self, row: usize) -> (CollectorId, Position) {
        (CollectorId::from(self.collector.value(row)), self.position(row))
    }

    fn position(&self, row: usize) -> Position {
        Position(u64::try_from(self.position[row]).unwrap_or(0))
    }
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_string_opt()
}

fn times<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a [i64]> {
    Some(batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?.values())
}

/// The starts and stops of a batch with [`EMITTED_COLUMNS`] of which `is_new` says so, to `take`. Nothing is told of
/// rows whose time cannot be true, and of those whose user was forgotten.
pub(crate) fn emitted(
    batch: &RecordBatch,
    names: &mut Names,
    is_new: impl Fn(&Places<'_>, usize) -> bool,
    mut take: impl FnMut(Acted),
) -> Option<()> {
    let places = Places::of(batch)?;
    let (time, received) = (times(batch, "time")?, times(batch, "received")?);
    let suspect: &BooleanArray = batch.column_by_name("time_suspect")?.as_boolean_opt()?;
    let hub = texts(batch, "hub")?;
    let (action, user, server) = (texts(batch, "action")?, texts(batch, "username")?, texts(batch, "servername")?);
    for row in 0..batch.num_rows() {
        let is_start = match action.is_valid(row).then(|| action.value(row)) {
            Some("start") => true,
            Some("stop") => false,
            _ => continue,
        };
        if suspect.value(row) || user.is_null(row) || !is_new(&places, row) {
            continue;
        }
        let server = if server.is_valid(row) { server.value(row) } else { "" };
        take(Acted {
            hub: names.of(hub.value(row)),
            server: Named { user: names.of(user.value(row)), server: names.of(server) },
            is_start,
            event: ServerEvent {
                at: EventTime::from_micros(time[row]),
                received: EventTime::from_micros(received[row]),
                id: EventId { position: places.position(row), collector: number_of(places.collector.value(row)) },
            },
        });
    }
    Some(())
}

/// What polls told in a batch with [`WATCHED_COLUMNS`], as [`emitted`]. What was blanked because somebody was
/// forgotten tells nothing.
pub(crate) fn watched(
    batch: &RecordBatch,
    names: &mut Names,
    is_new: impl Fn(&Places<'_>, usize) -> bool,
    mut take: impl FnMut(Watched),
) -> Option<()> {
    let places = Places::of(batch)?;
    let (time, received) = (times(batch, "time")?, times(batch, "received")?);
    let (hub, schema, text) = (texts(batch, "hub")?, texts(batch, "schema")?, texts(batch, "text")?);
    for row in (0..batch.num_rows()).filter(|row| is_new(&places, *row)) {
        let at = EventTime::from_micros(time[row]);
        let Ok(said) = serde_json::from_str::<Said>(text.value(row)) else { continue };
        let event = ServerEvent {
            at,
            received: EventTime::from_micros(received[row]),
            id: EventId { position: places.position(row), collector: number_of(places.collector.value(row)) },
        };
        if let Some(what) = said.what(schema.value(row), event, names) {
            take(Watched { hub: names.of(hub.value(row)), at, what });
        }
    }
    Some(())
}

/// The properties of all our schemas together; each has been checked against its own at the door.
#[derive(Debug, Deserialize)]
struct Said {
    username: Option<String>,
    servername: Option<String>,
    started: Option<jiff::Timestamp>,
    #[serde(default)]
    ready: bool,
    last_activity: Option<jiff::Timestamp>,
    before: Option<jiff::Timestamp>,
    to: Option<jiff::Timestamp>,
    #[serde(default)]
    complete: bool,
    #[serde(default)]
    full: bool,
    #[serde(default)]
    begins: bool,
    kept: Option<String>,
    what: Option<String>,
}

impl Said {
    fn what(self, schema: &str, event: ServerEvent, names: &mut Names) -> Option<What> {
        let at = event.at;
        let time = |timestamp: jiff::Timestamp| EventTime::from_micros(timestamp.as_microsecond());
        let last_activity = self.last_activity.map(time);
        let user = self.username.as_deref().map(|name| names.of(name));
        // Where a log does not say which server it was, nothing is known of any.
        let mut server = || Some(Named { user: user.clone()?, server: names.of(self.servername.as_deref()?) });
        let poll = || Some(Between { after: at, before: time(self.before?).max(at) });
        let (is_complete, is_full) = (self.complete, self.full);
        Some(match schema {
            schemas::HUB_POLL => What::Poll { at: poll()?, is_complete, is_full, begins: self.begins },
            schemas::SERVER_SEEN => {
                What::Seen { server: server()?, started: self.started.map(time)?, is_ready: self.ready, last_activity }
            }
            schemas::SERVER_GONE => What::Gone { server: server()? },
            schemas::USERS_POLL => What::Users { at: poll()?, is_complete, is_full },
            schemas::USER_SEEN => What::User { user: user?, last_activity },
            schemas::HUB_RESTART => {
                What::Restart { kept: if self.kept.as_deref() == Some("none") { Kept::None } else { Kept::Unknown } }
            }
            schemas::SERVER_LOGGED => {
                let logged = match self.what.as_deref()? {
                    "started" => Logged::Started,
                    "stopped" => Logged::Stopped,
                    _ => Logged::Died,
                };
                What::Logged { server: server()?, logged, event }
            }
            schemas::HUB_UNHEARD => What::Unheard { to: time(self.to?) },
            _ => return None,
        })
    }
}
