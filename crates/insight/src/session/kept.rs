//! How what is known of sessions is written where it outlives the process.

use event::EventTime;
use serde::{Deserialize, Deserializer, Serializer};

use super::Between;

/// Maps whose keys are no texts: as lists of pairs.
pub mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// A list of pairs, in order.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer, K: Serialize, V: Serialize>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    /// From a list of pairs.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        D: Deserializer<'de>,
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
    {
        let pairs: Vec<(K, V)> = Vec::deserialize(deserializer)?;
        Ok(pairs.into_iter().collect())
    }
}

/// Polls in order: a hub of some years has millions, and each is little more than the one before.
pub(super) mod steps {
    use super::{Between, Deserialize, Deserializer, EventTime, Serializer};

    pub(in crate::session) fn serialize<S: Serializer>(polls: &[Between], serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0_i64;
        serializer.collect_seq(polls.iter().flat_map(|poll| {
            let (after, before) = (poll.after.micros(), poll.before.micros());
            let steps = [after.wrapping_sub(last), before.wrapping_sub(after)];
            last = after;
            steps
        }))
    }

    pub(in crate::session) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Between>, D::Error> {
        let steps: Vec<i64> = Vec::deserialize(deserializer)?;
        let mut last = 0_i64;
        let poll = |step: &[i64; 2]| {
            last = last.wrapping_add(step[0]);
            Between { after: EventTime::from_micros(last), before: EventTime::from_micros(last.wrapping_add(step[1])) }
        };
        Ok(steps.as_chunks().0.iter().map(poll).collect())
    }
}
