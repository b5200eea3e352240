//! Asks a hub what runs, and tells of it in events of our own.
//!
//! ```text
//! client ─▶ pages of the REST API ─▶ reading (the whole list, or why not) ─▶ watch: what changed ─▶ texts of events
//! ```
//!
//! Three questions and no other, with the least that each needs: the active servers (`list:users`, `read:servers`,
//! `read:users:activity`), all users, and the hub's `/metrics` (`read:metrics`). Users' servers are never asked: their
//! answer would count as activity. Nothing that a hub answers names an address that is asked next, and redirects are
//! not followed; pages, bytes and time have limits; the token stands in one header and in no message.
//!
//! [`Poller::run`] asks again and again and hands each poll on as one batch of events, to be kept together or not at
//! all. It does no I/O but that with the hub.
//!
//! [`read_database`] reads the same from a hub's database, once.

mod address;
mod client;
mod database;
mod metrics;
mod poller;
mod reading;
mod watch;

pub use address::{Address, BadAddress};
pub use client::{Client, Limits, Problem, Token};
pub use database::{DatabaseError, read_database};
pub use poller::{Poller, Refused, Settings, State, Tell};
pub use reading::{Account, Chosen, Reading, Seen, Users};
pub use watch::{Watch, texts_of_database, texts_of_failure};
