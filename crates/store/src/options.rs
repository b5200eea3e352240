//! What can be set, with the reasons for the defaults.

use std::time::Duration;

use crate::part::Part;

/// Options of a [`crate::Store`]. Who decides when to flush or compact is the caller.
#[derive(Clone, Debug)]
pub struct Options {
    /// A part is closed when it reaches this. Default 128 MiB: large enough that a year of a busy hub is a few dozen
    /// files, small enough to rewrite for an erasure.
    pub part_bytes_max: u64,
    /// A part with fewer bytes and fewer rows is small, and compaction takes it up. Default 32 MiB: after four joins a
    /// part is left alone.
    pub part_bytes_small: u64,
    /// See [`Self::part_bytes_small`]. Default 2 Mi: work goes by rows, and rows that repeat each other take next to no
    /// bytes.
    pub part_rows_small: u64,
    /// Compaction waits for so many small parts. Default 16: each row is then rewritten about
    /// log₁₆(128 MiB ÷ flush size) times.
    pub parts_small_max: usize,
    /// Compaction merges so many parts at once: each costs about 2 MiB while it is read. Default 32.
    pub merge_parts_max: usize,
    /// Neighbouring months with fewer bytes than this share a part. Default 4 MiB.
    pub month_bytes_min: u64,
    /// An import commits when its units' texts reach this. Default 64 MiB, as a flush.
    pub import_bytes_max: usize,
    /// A file that the table has let go of stays this long for readers outside this process. Readers within it are
    /// counted, whatever this says. Default one hour.
    pub removed_file_grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            part_bytes_max: 128 << 20,
            part_bytes_small: 32 << 20,
            part_rows_small: 2 << 20,
            parts_small_max: 16,
            merge_parts_max: 32,
            month_bytes_min: 4 << 20,
            import_bytes_max: 64 << 20,
            removed_file_grace: Duration::from_secs(3600),
        }
    }
}

impl Options {
    /// Whether compaction takes `part` up.
    pub(crate) fn is_small(&self, part: &Part) -> bool {
        part.size < self.part_bytes_small && part.rows < self.part_rows_small
    }
}
