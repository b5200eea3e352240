//! The domain, without I/O and without Arrow: what an event means for the questions that people ask.
//!
//! - [`spec`] tells which repository a launch was of.
//! - [`pin`] tells how firmly a launch names what was run.
//! - [`mention`] tells whether a text names a person.
//! - [`session`] derives sessions, with bounds, from what hubs tell of their servers.
//! - [`measure`] counts and sums over sessions: hours, concurrency, lengths, bursts, what another culler would change.
//! - [`active`] makes the rows by which distinct counts over any window are plain sums.
//! - [`facts`] holds them for many years in little memory.
//!
//! Everything here is a pure function of values, in whole microseconds where time is meant, so that it can be tested by
//! brute force and gives the same bits when it is done again.

pub mod active;
pub mod facts;
pub mod measure;
pub mod mention;
pub mod pin;
pub mod session;
pub mod spec;
