//! Sessions: one server from its start to its end, derived from whatever evidence there is, with bounds that hold.
//!
//! Hubs tell of starts, and of those ends that they bring about themselves. Of a server that dies, of a hub that takes
//! its servers along when it goes down, of a start whose route failed, no event tells. So a session's end is an
//! interval, and the row says by what it is known:
//!
//! ```text
//! events start, stop ─┐
//! polls of servers   ─┤  ServerEvidence ─▶ derive ─▶ Session { start, end_low, end, end_high, end_known_by, … }
//! user lists         ─┘        ▲
//! polls, restarts, our outages, settings ─ Hub
//! ```
//!
//! # Definitions
//!
//! All times are the hub's. Evidence is about one (hub, user, server), where the user is who bears the name today
//! ([`Aliases`]).
//!
//! - **Beginning.** Each `started` that polls showed, and each event `start` that belongs to none of them. A `start`
//!   belongs to the latest `started` not after it, if polls showed that server later than the event, or if it can
//!   be the end of its spawn: no other `start` was, neither a `stop` nor a poll without the server lies between, it
//!   comes within [`SPAWN_MAX`], and not more than [`EVENT_LAG`] after a poll showed the server ready. A `start` within
//!   [`REPEAT`] of the one before, without a `stop` between them, repeats it and begins nothing.
//! - **Start.** The time of the event if there is one, else `started`.
//! - **Proof of life.** The start, each poll that shows the server, its last activity. The last one is `end_low`.
//! - **Proof of death.** *E1* an event `stop`. *E2* a complete poll, begun after the last proof of life, that
//!   does not show the server; a poll within [`COLD`] of the hub's start says nothing of servers whose last proof of
//!   life is not younger than that start, and neither does one followed by a proof of life of the same server. *E3* the
//!   next beginning. *E4* a restart of the hub that kept no server. *E5* a list of users by which the
//!   user's last activity is so long ago that the culler must have come by, since the hub's last restart too. *E6* the
//!   cap: the hub's maximal age, else [`CAP`] after the last proof of life.
//! - **End.** The first `stop` between a beginning and the next, unless E2 or E4 proved death more than
//!   [`EVENT_LAG`] earlier: then that `stop` was of a server whose start nobody told. Without a `stop` the first proof
//!   of death in time is `end_high`, the best one among those of the same time; E5 counts only if there is neither E2
//!   nor E4.
//! - **Point.** E1 the event. E2 the middle. E3 to E5 the culler's timeout after the last activity (after the start, if
//!   none is known), within the bounds; without a culler, and for E6, `end_low`: what is not known is not imputed to a
//!   person.
//! - **Left-truncated.** A `stop` without a beginning: its start lies between the last proof of death, at most the cap
//!   before, and the stop itself, which stands as its point.
//! - A `stop` after an outage of ours may belong to another server than the `start` before it: unless a poll after the
//!   outage showed the same server, `end_low` is the last proof of life and the row is flagged.

mod alias;
mod derive;
mod evidence;
mod hub;
pub mod kept;
mod ledger;
mod listing;
mod micros;
mod poll;
mod timeline;

use event::EventTime;

pub use alias::{Aliases, Rename};
pub use evidence::{EventId, Evidence, Idle, Life, ServerEvent, ServerEvidence};
pub use hub::{Between, COLD, Culler, Hub, Kept, Outage, Restart, Settings};
pub use ledger::{Ledger, Server};
pub use listing::{Listing, Shifted};
pub use micros::Micros;
pub use poll::{Poll, Sighting, UserList};
pub use timeline::{Late, Timeline};

/// Two events of one kind that are not further apart are one: two handlers may stamp it one after the other.
pub const REPEAT: Micros = Micros::from_secs(1);
/// The longest spawn: hubs give up after a minute by default, on clouds after five, and are set to ten where nodes
/// have to be bought first.
pub const SPAWN_MAX: Micros = Micros::from_secs(600);
/// How much later than the REST API an event may tell of the same thing.
pub const EVENT_LAG: Micros = Micros::from_secs(60);
/// Where no maximal age is set, nothing is claimed of a server that was not heard of for so long.
pub const CAP: Micros = Micros::from_hours(7 * 24);

/// By what a start is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StartKnownBy {
    /// An event `start`.
    Event,
    /// The hub's `started`, which no event confirmed.
    Hub,
    /// Nothing: only the end was heard of.
    Nothing,
}

/// By what an end is known, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndKnownBy {
    /// E1: an event `stop`.
    Stop,
    /// E2: a poll without it.
    Gone,
    /// E3: another server in its place.
    Replaced,
    /// E4: the hub restarted and kept none.
    Restart,
    /// E5: idle for longer than the culler bears.
    Idle,
    /// E6: the cap.
    Capped,
    /// It has not ended, as far as is known.
    Open,
}

impl EndKnownBy {
    /// All, best first.
    pub const ALL: [Self; 7] =
        [Self::Stop, Self::Gone, Self::Replaced, Self::Restart, Self::Idle, Self::Capped, Self::Open];

    /// As it stands in the column `end_known_by`; never changes its meaning.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "E1",
            Self::Gone => "E2",
            Self::Replaced => "E3",
            Self::Restart => "E4",
            Self::Idle => "E5",
            Self::Capped => "E6",
            Self::Open => "open",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known_by| known_by.name() == name)
    }

    /// Whether the end was seen, not inferred: E1 and E2.
    pub const fn is_proven(self) -> bool {
        matches!(self, Self::Stop | Self::Gone)
    }
}

/// What else is to be said of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// Its start is not known.
    pub truncated: bool,
    /// A bound is the cap, an assumption where the hub has no maximal age.
    pub capped: bool,
    /// Pieces of evidence contradict each other: it was shown after its stop, or beside its successor.
    pub conflicted: bool,
    /// An outage of ours lies within it, so that it may be more than one.
    pub unheard: bool,
    /// The hub restarted between the last proof of life and the first proof of death.
    pub restarted: bool,
}

impl Flags {
    /// As bits, for a column: truncated 1, capped 2, conflicted 4, unheard 8, restarted 16.
    pub const fn bits(self) -> u8 {
        self.truncated as u8
            | (self.capped as u8) << 1
            | (self.conflicted as u8) << 2
            | (self.unheard as u8) << 3
            | (self.restarted as u8) << 4
    }

    /// From [`Flags::bits`]; other bits mean nothing.
    pub const fn from_bits(bits: u8) -> Self {
        Self {
            truncated: bits & 1 != 0,
            capped: bits & 2 != 0,
            conflicted: bits & 4 != 0,
            unheard: bits & 8 != 0,
            restarted: bits & 16 != 0,
        }
    }
}

/// One server from start to end. `start_low ≤ start ≤ end_low ≤ end ≤ end_high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// Not before; the start itself unless the row is truncated.
    pub start_low: EventTime,
    /// The start; the latest possible one if the row is truncated.
    pub start: EventTime,
    /// By what the start is known.
    pub start_known_by: StartKnownBy,
    /// When the spawn of the server began, by the hub, if polls showed the server.
    pub hub_started: Option<EventTime>,
    /// The last proof of life.
    pub end_low: EventTime,
    /// The best guess; none while it is open.
    pub end: Option<EventTime>,
    /// The first proof of death; none while it is open.
    pub end_high: Option<EventTime>,
    /// By what the end is known.
    pub end_known_by: EndKnownBy,
    /// The last activity that polls told of.
    pub last_activity: Option<EventTime>,
    /// What else is to be said.
    pub flags: Flags,
    /// The event by which the start is known.
    pub start_id: Option<EventId>,
    /// The event by which the end is known.
    pub end_id: Option<EventId>,
}
