//! What a journal tells about itself.

use std::time::Duration;

/// A picture of a journal at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// The journal's id.
    pub id: u128,
    /// First position still kept (that of the oldest segment).
    pub first: u64,
    /// Position that the next record will get; everything below it is acknowledged.
    pub next: u64,
    /// Segments on disk.
    pub segments: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
    /// Bytes waiting or being written, with a fixed amount per record.
    pub queue_bytes: u64,
    /// Records waiting or being written.
    pub queue_records: u64,
    /// Why it refuses writes until a restart, if it does.
    pub poisoned: Option<String>,
    /// The last group found no room on the disk. Every append and [`crate::Journal::probe`] try anew.
    pub disk_full: bool,
    /// The last group would have taken more than [`crate::Options::disk_bytes_max`].
    pub quota_reached: bool,
    /// What lies in `damaged/`: bytes that were no record, and segments of which a part cannot be read.
    pub damaged: Aside,
    /// What lies in `former/`: segments of journals that were renewed.
    pub former: Aside,
    /// How often a check of J1, J2 or J3 failed. Always 0, or there is a bug; debug builds panic instead.
    pub invariants_broken: u64,
    /// The writer has ended.
    pub closed: bool,
    /// Groups written since it was opened.
    pub groups: u64,
    /// Records written since it was opened.
    pub records: u64,
    /// How long the fsyncs of groups took.
    pub fsync: Timing,
}

/// Files that are kept and never read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aside {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Durations, counted in buckets.
#[derive(Clone, Debug, Default)]
pub struct Timing {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub total: Duration,
    /// The longest.
    pub max: Duration,
    /// How many took at most the bound of the same index in [`Timing::BOUNDS`], and more than the one before; the last
    /// bucket holds what took longer than every bound.
    pub buckets: [u64; Timing::BOUNDS.len() + 1],
}

impl Timing {
    /// Upper bounds of the buckets: from a write cache to a disk in trouble.
    pub const BOUNDS: [Duration; 12] = [
        Duration::from_micros(125),
        Duration::from_micros(250),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_millis(2),
        Duration::from_millis(4),
        Duration::from_millis(8),
        Duration::from_millis(16),
        Duration::from_millis(32),
        Duration::from_millis(64),
        Duration::from_millis(250),
        Duration::from_secs(1),
    ];

    pub(crate) fn add(&mut self, took: Duration) {
        self.count += 1;
        self.total += took;
        self.max = self.max.max(took);
        let bucket = Self::BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(Self::BOUNDS.len());
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_falls_into_its_bucket() {
        let mut timing = Timing::default();
        for micros in [1, 125, 126, 3_000, 5_000_000] {
            timing.add(Duration::from_micros(micros));
        }
        assert_eq!((timing.count, timing.max), (5, Duration::from_secs(5)));
        assert_eq!(timing.buckets[..2], [2, 1]);
        assert_eq!((timing.buckets[5], timing.buckets[12]), (1, 1));
        assert_eq!(timing.buckets.iter().sum::<u64>(), 5);
    }
}
