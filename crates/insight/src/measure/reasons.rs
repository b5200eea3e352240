//! Why sessions end, as far as it can be inferred.

use std::collections::BTreeMap;

use crate::session::{Culler, EndKnownBy, Micros, Session};

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndReason {
    /// Somebody stopped it.
    Stopped,
    /// The stop lies where the culler's would: timeout after the last activity, give or take its period.
    LikelyCulled,
    /// It was gone without a stop.
    Vanished,
    /// It was gone without a stop, and the hub had restarted.
    HubRestart,
    /// Not known: another one took its place, or nothing was heard for too long.
    Unknown,
    /// It has not ended.
    Open,
}

impl EndReason {
    /// All.
    pub const ALL: [Self; 6] =
        [Self::Stopped, Self::LikelyCulled, Self::Vanished, Self::HubRestart, Self::Unknown, Self::Open];

    /// For tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::LikelyCulled => "likely culled",
            Self::Vanished => "vanished",
            Self::HubRestart => "hub restart",
            Self::Unknown => "unknown",
            Self::Open => "open",
        }
    }
}

/// Why this one ended.
pub fn reason(session: &Session, culler: Option<Culler>) -> EndReason {
    match session.end_known_by {
        EndKnownBy::Open => EndReason::Open,
        EndKnownBy::Restart => EndReason::HubRestart,
        EndKnownBy::Idle => EndReason::LikelyCulled,
        EndKnownBy::Stop if is_culled(session, culler) => EndReason::LikelyCulled,
        EndKnownBy::Stop => EndReason::Stopped,
        _ if session.flags.restarted => EndReason::HubRestart,
        EndKnownBy::Gone => EndReason::Vanished,
        EndKnownBy::Replaced | EndKnownBy::Capped => EndReason::Unknown,
    }
}

/// How many ended why; reasons that did not occur are there with 0.
pub fn reasons<'a>(
    sessions: impl IntoIterator<Item = &'a Session>,
    culler: Option<Culler>,
) -> BTreeMap<EndReason, u64> {
    let mut counts: BTreeMap<EndReason, u64> = EndReason::ALL.into_iter().map(|reason| (reason, 0)).collect();
    for session in sessions {
        *counts.entry(reason(session, culler)).or_default() += 1;
    }
    counts
}

fn is_culled(session: &Session, culler: Option<Culler>) -> bool {
    let Some(((culler, activity), end)) = culler.zip(session.last_activity).zip(session.end) else { return false };
    let late = Micros::between(culler.timeout.after(activity), end).0;
    late.unsigned_abs() <= culler.period.0.unsigned_abs()
}
