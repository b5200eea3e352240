//! What a query may use, each limit by name.

use std::time::Duration;

/// Bounds of the engine. The defaults suit a machine of two cores and 4 GB that also ingests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the question to the answer, waiting for a free place included. 30 s: longer than any catalogue question,
    /// shorter than a proxy's patience.
    pub time_max: Duration,
    /// What the operators of all running queries hold together, so that the whole process stays under 1 GB.
    pub memory_bytes_max: usize,
    /// Rows of an answer when the caller does not say.
    pub rows_default: usize,
    /// Rows of an answer, whatever the caller says.
    pub rows_max: usize,
    /// Bytes of an answer in memory; further rows are cut off as by `rows_max`. Half of the default memory: an answer
    /// is held beside the query that makes it.
    pub answer_bytes_max: usize,
    /// Length of a statement. Generated statements of dashboards stay under 10 kB; planning time grows with it.
    pub statement_bytes_max: usize,
    /// Queries that run at the same time; others wait. Each uses every thread of the engine, so more only take memory.
    pub queries_max: usize,
    /// Threads of the engine, apart from those that ingest. 0: one for each core.
    pub threads: usize,
    /// Footers of parts kept in memory, since parts never change: about 20 kB each, so about 3,000 parts.
    pub footer_cache_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time_max: Duration::from_secs(30),
            memory_bytes_max: 512 << 20,
            rows_default: 10_000,
            rows_max: 1_000_000,
            answer_bytes_max: 256 << 20,
            statement_bytes_max: 64 << 10,
            queries_max: 4,
            threads: 0,
            footer_cache_bytes_max: 64 << 20,
        }
    }
}

impl Limits {
    /// Rows to answer when `wanted` were asked for.
    pub(crate) fn rows(&self, wanted: Option<usize>) -> usize {
        wanted.unwrap_or(self.rows_default).min(self.rows_max)
    }

    /// Threads to start.
    pub(crate) fn threads_resolved(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            threads => threads,
        }
    }
}
