//! Sessions from evidence: against an oracle, against simulated hubs whose truth is known, and against real captures.

mod emitted;
mod incremental;
mod oracle;
mod random;
mod scenario;
mod simulated;
mod sound;
mod world;
