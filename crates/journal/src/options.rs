use crate::OpenError;
use crate::format::RECORD_HEADER_BYTES;

const MIB: u64 = 1024 * 1024;

/// Limits of a journal. Sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A segment that holds this much is finished and a new one begun. A segment is the unit of trimming: small ones
    /// return room sooner, each costs two fsyncs. 64 MiB: a flush at its usual size frees one.
    pub segment_bytes_max: u64,
    /// Most that one write and one fsync cover. 8 MiB: where a disk's rate stops growing with the size of the write.
    pub group_bytes_max: u64,
    /// Most that may wait, in memory, to be written, with what is being written; beyond it an append is refused at
    /// once. 64 MiB: under half a second of a slow disk, and a quarter of what the way in may take in memory.
    pub queue_bytes_max: u64,
    /// Most that all segments together may take on disk; a group that would go beyond it is refused until trimming has
    /// made room. `u64::MAX`: whatever the disk has.
    pub disk_bytes_max: u64,
    /// Largest payload of one record. 32 MiB: more than the largest request body, half of the queue.
    pub record_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes_max: 64 * MIB,
            group_bytes_max: 8 * MIB,
            queue_bytes_max: 64 * MIB,
            disk_bytes_max: u64::MAX,
            record_bytes_max: 32 * MIB,
        }
    }
}

/// The format gives lengths 32 bits; a quarter of that leaves room for headers, and no buffer beyond it makes sense.
const BUFFER_BYTES_LIMIT: u64 = 1024 * MIB;

impl Options {
    /// Checks the limits against each other.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let complaint = if self.record_bytes_max > self.queue_bytes_max {
            "record_bytes_max is larger than queue_bytes_max: such a record could never be queued"
        } else if self.record_bytes_max > BUFFER_BYTES_LIMIT || self.group_bytes_max > BUFFER_BYTES_LIMIT {
            "record_bytes_max and group_bytes_max may be at most 1 GiB"
        } else if self.group_bytes_max == 0 || self.record_bytes_max == 0 || self.segment_bytes_max == 0 {
            "a limit of 0 bytes admits nothing"
        } else {
            return Ok(());
        };
        Err(OpenError::Options { complaint })
    }
}

/// What an entry of the queue costs beside its payload: its header on disk, its place in the queue, the boxed answer.
pub(crate) const ENTRY_OVERHEAD_BYTES: u64 = RECORD_HEADER_BYTES as u64 + 220;
