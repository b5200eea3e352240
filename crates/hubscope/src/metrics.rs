//! What `/metrics` shows of journal, table, archive and readiness: read at each scrape, counted nowhere twice.

use std::fmt;
use std::sync::Arc;

use event::{Clock, SystemClock};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::jobs::Health;
use crate::operations::Operations;
use crate::pipeline::Shortage;
use crate::polling::Polling;

/// Every name begins so.
const PREFIX: &str = "hubscope";

/// An empty registry of ours.
pub(crate) fn registry() -> Registry {
    Registry::with_prefix(PREFIX)
}

/// Reads the figures of the program when it is asked.
pub(crate) struct Figures {
    pub(crate) operations: Arc<Operations>,
    pub(crate) polling: Arc<Polling>,
    pub(crate) health: Arc<Health>,
    pub(crate) unready: Box<dyn Fn() -> usize + Send + Sync>,
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.journal(&mut page)?;
        self.table(&mut page)?;
        self.archive(&mut page)?;
        self.sessions(&mut page)?;
        let ready = i64::from((self.unready)() == 0);
        page.gauge("ready", "1 when events can be kept and questions answered", ready)?;
        let keys = self.operations.pipeline.keys_remembered();
        page.gauge(
            "idempotency_keys_remembered",
            "Keys of requests whose retries would add nothing",
            whole(keys as u64),
        )?;
        let facts = self.operations.engine.rollup_figures();
        page.gauge("rollups_ready", "1 when facts of days are kept ready for questions", i64::from(facts.is_ready))?;
        page.gauge("rollup_facts", "Facts of days kept ready", whole(facts.rows))?;
        page.gauge("rollup_bytes", "Bytes of memory that they take, about", whole(facts.bytes))?;
        let running = self.operations.engine.running();
        page.gauge("queries_running", "Questions being answered", whole(running as u64))
    }
}

impl Figures {
    fn journal(&self, page: &mut Page<'_>) -> fmt::Result {
        let status = self.operations.pipeline.journal_status();
        page.gauge("journal_bytes", "Bytes of the journal on disk", whole(status.bytes))?;
        page.gauge("journal_segments", "Files of the journal", whole(status.segments))?;
        page.gauge("journal_queue_bytes", "Bytes that wait for their fsync", whole(status.queue_bytes))?;
        page.gauge("journal_queue_requests", "Requests that wait for their fsync", whole(status.queue_records))?;
        page.counter("journal_requests_written", "Requests written and synced", status.records)?;
        page.counter("journal_groups_written", "Groups of requests, each of one fsync", status.groups)?;
        let poisoned = i64::from(status.poisoned.is_some());
        page.gauge("journal_poisoned", "1 when an fsync failed: nothing is taken until a restart", poisoned)?;
        let shortage = self.operations.pipeline.shortage();
        let (disk, quota) = (shortage == Some(Shortage::Disk), shortage == Some(Shortage::Quota));
        page.gauge("journal_disk_full", "1 while the disk is full: nothing is taken", i64::from(disk))?;
        page.gauge("journal_quota_reached", "1 while the journal may not grow: nothing is taken", i64::from(quota))?;
        let reserve = self.operations.pipeline.reserve_bytes();
        page.gauge("reserve_bytes", "Room kept free for a full disk; 0 while it is used", whole(reserve))?;
        page.gauge("journal_damaged_files", "Damaged pieces of the journal set aside", whole(status.damaged.files))?;
        page.gauge("journal_damaged_bytes", "Bytes of these", whole(status.damaged.bytes))?;
        page.gauge("journal_former_files", "Segments of former journals", whole(status.former.files))?;
        page.gauge("journal_former_bytes", "Bytes of these", whole(status.former.bytes))?;
        page.counter(
            "journal_invariants_broken",
            "Checks of the journal that failed; always 0, or there is a bug",
            status.invariants_broken,
        )?;
        page.timing("journal_fsync_seconds", "Time of fsyncs", &status.fsync)
    }

    fn table(&self, page: &mut Page<'_>) -> fmt::Result {
        let status = self.operations.pipeline.store.status();
        page.gauge("events_kept", "Events in table and tail", whole(status.events_rows))?;
        page.gauge("events_aside", "Events in quarantine, in table and tail", whole(status.quarantine_rows))?;
        page.gauge("tail_events", "Events acknowledged and not yet in the table", whole(status.tail_rows))?;
        page.gauge("tail_bytes", "Bytes of their texts", whole(status.tail_bytes as u64))?;
        let parts = status.events.parts + status.quarantine.parts;
        page.gauge("table_parts", "Files of both tables", whole(parts as u64))?;
        page.gauge("flush_failing", "1 when the last flush failed", i64::from(self.health.flush().failure.is_some()))?;
        page.seconds("flush_lag_seconds", "Age of the oldest event that is not in the table; 0 when all are", {
            self.operations.pipeline.tail_age().map_or(0.0, |age| age.as_secs_f64())
        })?;
        page.counter(
            "positions_broken",
            "Acknowledgements out of order; always 0, or there is a bug",
            status.positions_broken,
        )
    }

    fn sessions(&self, page: &mut Page<'_>) -> fmt::Result {
        let status = self.operations.sessions.status();
        page.gauge("sessions_settled", "Sessions that only late events change", whole(status.settled as u64))?;
        page.gauge("servers_open", "Servers that run, or may", whole(status.servers_open as u64))?;
        page.counter("sessions_rebuilt", "Times that all sessions were made anew", status.rebuilds)?;
        let polls = self.polling.states().map(|(hub, state)| (hub.to_owned(), state)).collect::<Vec<_>>();
        if polls.is_empty() {
            return Ok(());
        }
        let failing = polls.iter().map(|(hub, state)| (hub.as_str(), i64::from(state.problem.is_some())));
        page.by_hub("poll_failing", "1 while the hub cannot be polled as it should", failing)?;
        let servers = polls.iter().map(|(hub, state)| (hub.as_str(), whole(state.servers as u64)));
        page.by_hub("poll_servers", "Servers that the last whole list of the hub had", servers)?;
        let newest = polls.iter().filter_map(|(_, state)| state.succeeded).min();
        let Some(oldest) = newest else { return Ok(()) };
        let micros = SystemClock.now().micros().saturating_sub(oldest.micros()).max(0);
        #[expect(clippy::cast_precision_loss, reason = "an age")]
        let age = micros as f64 / 1e6;
        page.seconds("poll_age_seconds", "Time since the hub that was longest not polled was", age)
    }

    fn archive(&self, page: &mut Page<'_>) -> fmt::Result {
        let publication = self.health.publication();
        page.gauge(
            "publication_failing",
            "1 when the last publication failed",
            i64::from(publication.failure.is_some()),
        )?;
        // Until the first one there is no age.
        let Some(succeeded) = publication.succeeded else { return Ok(()) };
        let micros = SystemClock.now().micros().saturating_sub(succeeded.micros()).max(0);
        #[expect(clippy::cast_precision_loss, reason = "an age")]
        let age = micros as f64 / 1e6;
        page.seconds("archive_age_seconds", "Time since the archive was last published", age)
    }
}

/// The text being written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn begin<'s>(&'s mut self, name: &'s str, help: &str, kind: MetricType) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }

    fn gauge(&mut self, name: &str, help: &str, value: i64) -> fmt::Result {
        ConstGauge::new(value).encode(self.begin(name, help, MetricType::Gauge)?)
    }

    /// One value for each hub.
    fn by_hub<'h>(&mut self, name: &str, help: &str, values: impl Iterator<Item = (&'h str, i64)>) -> fmt::Result {
        let mut metric = self.begin(name, help, MetricType::Gauge)?;
        for (hub, value) in values {
            ConstGauge::new(value).encode(metric.encode_family(&[("hub", hub)])?)?;
        }
        Ok(())
    }

    fn seconds(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        ConstGauge::new(value).encode(self.begin(name, help, MetricType::Gauge)?)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        ConstCounter::new(value).encode(self.begin(name, help, MetricType::Counter)?)
    }

    fn timing(&mut self, name: &str, help: &str, timing: &journal::Timing) -> fmt::Result {
        let bounds = journal::Timing::BOUNDS.iter().map(std::time::Duration::as_secs_f64).chain([f64::MAX]);
        let buckets: Vec<(f64, u64)> = bounds.zip(timing.buckets).collect();
        let mut encoder = self.begin(name, help, MetricType::Histogram)?;
        encoder.encode_histogram::<NoLabelSet>(timing.total.as_secs_f64(), timing.count, &buckets, None)
    }
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
