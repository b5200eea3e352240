//! The sample that the demo shows: launches rebuilt from mybinder.org's public figures, and a simulated hub.
//!
//! Everything is drawn from fixed seeds, so that every demo shows the same past. The figures and where they come from:
//! `assets/sample/NOTICE`. What is true of the launches: how many there were on 2021-11-01 per provider, origin and
//! spec (for about half of the specs), and in each week per origin (here one in a hundred). The hour, the day of the
//! week and, but for that one day, the repository are drawn.

mod hub;
mod launches;
mod live;
mod random;

pub(crate) use hub::hub_events;
pub(crate) use launches::archive_days;
pub(crate) use live::live_launch;
