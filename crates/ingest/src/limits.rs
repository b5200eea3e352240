//! Every limit of the door, with the sum that led to it.

/// What one request may be. A record of the journal holds up to 32 MiB, and must hold any request that keeps these
/// limits: 16 MiB of text and 10,000 × 832 bytes of what is told about quarantined events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest body as sent. 16 MiB: 60,000 launches, hours of the busiest hub.
    pub body_bytes_max: usize,
    /// Longest body after inflation: the same, since it becomes a journal record.
    pub inflated_bytes_max: usize,
    /// How many times longer a body may become by inflation, once it is longer than [`Self::inflation_free_bytes`].
    /// Batches of events that differ in their ids alone reach about 60; a bomb has 1,000.
    pub inflation_ratio_max: usize,
    /// Up to here the ratio does not matter. 1 MiB: costs nothing, and short repetitive bodies have high ratios.
    pub inflation_free_bytes: usize,
    /// Longest event. 1 MiB: a thousand times the longest seen.
    pub event_bytes_max: usize,
    /// Most events of a request. 10,000: ten times the batches that shippers send.
    pub events_max: usize,
    /// Deepest nesting of an event. 128: as common parsers have it; the deepest seen has 4.
    pub depth_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 16 << 20,
            inflated_bytes_max: 16 << 20,
            inflation_ratio_max: 200,
            inflation_free_bytes: 1 << 20,
            event_bytes_max: 1 << 20,
            events_max: 10_000,
            depth_max: 128,
        }
    }
}

/// Longest explanation kept of one quarantined event, in bytes.
pub(crate) const DETAIL_BYTES_MAX: usize = 512;

/// Longest schema id kept of one quarantined event, in bytes: ids are addresses.
pub(crate) const CLAIMED_SCHEMA_BYTES_MAX: usize = 256;

/// Longest version kept of one quarantined event, in bytes.
pub(crate) const CLAIMED_VERSION_BYTES_MAX: usize = 64;

/// The first `bytes_max` bytes of `text`, less what would cut a character.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
