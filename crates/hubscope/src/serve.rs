//! `hubscope serve`: opens, wires, runs, stops in flow order.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use event::{Day, SystemClock};
use server::{Access as _, App, Note, PolledHub, Unready, Vitals};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::control::{self, Control};
use crate::folder::{Folder, control_socket};
use crate::jobs::{self, Health};
use crate::listening::Listening;
use crate::metrics::{self, Figures};
use crate::operations::Operations;
use crate::pipeline::Shortage;
use crate::polling::Polling;
use crate::tokens::Tokens;
use crate::{runtime, shutdown};

/// The hub of events that come without a token.
const DEFAULT_HUB: &str = "default";

/// Runs until it is told to stop.
pub(crate) fn run(data: &Path, config: &Config) -> Result<()> {
    runtime::start()?.block_on(async {
        let stop = shutdown::on_signals()?;
        let folder = Folder::create(data)?;
        let listener = bind(config.listen).await?;
        let running = Running::start(&folder, config, listener, Shown::default(), stop.clone()).await?;
        warn_if_open(&running.operations.tokens);
        println!("listening on http://{}", running.address);
        stop.cancelled().await;
        running.finish().await
    })
}

/// Takes the address, or says who might have it.
async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another address with --listen"))
}

/// What the pages show beside the data.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// Where the data come from, when a reader must know.
    pub(crate) notes: Vec<Note>,
    /// The days shown first; without it the last 28.
    pub(crate) opening_range: Option<(Day, Day)>,
}

/// A server at work.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) operations: Arc<Operations>,
    server: JoinHandle<()>,
    jobs: TaskTracker,
}

impl Running {
    /// Opens `folder` and starts doors, jobs and pages; they end when `stop` is cancelled.
    pub(crate) async fn start(
        folder: &Folder,
        config: &Config,
        listener: TcpListener,
        shown: Shown,
        stop: CancellationToken,
    ) -> Result<Self> {
        let address = listener.local_addr()?;
        let operations = Arc::new(Operations::open(folder, config).await?);
        let pipeline = &operations.pipeline;
        pipeline.hold_reserve();
        let health = Arc::new(Health::new(config));
        let polling = Arc::new(Polling::new(config)?);
        let archive = config.archive.enabled.then(|| operations.archive.clone());
        let status = Arc::new(Status {
            operations: Arc::clone(&operations),
            health: Arc::clone(&health),
            polling: Arc::clone(&polling),
        });
        let mut shown_metrics = metrics::registry();
        let counters = server::Metrics::new(&mut shown_metrics);
        shown_metrics.register_collector(Box::new(Figures {
            operations: Arc::clone(&operations),
            polling: Arc::clone(&polling),
            health: Arc::clone(&health),
            unready: Box::new({
                let status = Arc::clone(&status);
                move || server::Status::unready(&*status).len()
            }),
        }));
        let app = Arc::new(App {
            admission: Arc::clone(&pipeline.admission),
            collect: Arc::clone(pipeline) as Arc<dyn ingest::Collect>,
            engine: Arc::clone(&operations.engine),
            catalogue: Arc::clone(&operations.catalogue),
            archive,
            status,
            metrics: counters,
            shown_metrics,
            access: Arc::clone(&operations.tokens) as Arc<dyn server::Access>,
            erasures: Arc::clone(&operations.desk) as Arc<dyn server::Erasures>,
            hub: DEFAULT_HUB.into(),
            notes: shown.notes,
            opening_range: shown.opening_range,
            clock: Arc::new(SystemClock),
            limits: limits(config)?,
        });
        let socket = control::listen(&control_socket(folder.root()))?;
        let control = Arc::new(Control(Arc::clone(&operations)));
        let (rollups, publisher) = (&operations.rollups, &operations.publisher);
        let jobs = jobs::start(pipeline, rollups, publisher, operations.archive.clone(), config, &health, &stop);
        jobs.spawn(Arc::clone(&operations.rollups).keep(stop.clone()));
        jobs.spawn({
            let (desk, stop) = (Arc::clone(&operations.desk), stop.clone());
            async move { desk.work(stop).await }
        });
        let listening = Listening::of(folder.root());
        jobs.spawn(listening.keep(Arc::clone(pipeline), Arc::clone(&operations.engine), stop.clone()));
        polling.start(pipeline, &jobs, &stop);
        jobs.spawn(Arc::clone(&operations.rollups).keep_sessions(stop.clone()));
        let server = tokio::spawn(server::serve(listener, Some((socket, control)), app, stop));
        Ok(Self { address, operations, server, jobs })
    }

    /// Stops in flow order, after the stop signal: doors, jobs, journal, table.
    pub(crate) async fn finish(self) -> Result<()> {
        self.server.await.context("the server ended early")?;
        self.jobs.wait().await;
        self.operations.pipeline.close().await?;
        self.operations.rollups.finish().await;
        tracing::info!("stopped; everything acknowledged is in the table");
        Ok(())
    }
}

/// Says who may send as long as there is no token.
fn warn_if_open(tokens: &Tokens) {
    if !tokens.has_tokens() {
        tracing::warn!(
            "there is no token: every program on this machine may send and read, and none elsewhere; make one for each \
             hub with 'hubscope token create --hub NAME --may ingest'"
        );
    }
}

/// Files that are no connections: segments, parts under way, queries' readers, the log.
const FILES_BESIDE: u64 = 512;

fn limits(config: &Config) -> Result<server::Limits> {
    let wanted = config.http.connections_max;
    let files = runtime::raise_file_limit()?;
    let possible = usize::try_from(files.saturating_sub(FILES_BESIDE)).unwrap_or(usize::MAX);
    if possible < wanted {
        tracing::warn!(
            files,
            wanted,
            possible,
            "fewer connections are taken than configured: too few files may be open"
        );
    }
    Ok(server::Limits {
        connections_max: wanted.min(possible),
        body_bytes_max: config.http.body_size_max.in_memory(),
        ..server::Limits::default()
    })
}

/// What readiness and the page tell of the program.
#[derive(Debug)]
struct Status {
    operations: Arc<Operations>,
    health: Arc<Health>,
    polling: Arc<Polling>,
}

impl server::Status for Status {
    fn polls(&self) -> Vec<PolledHub> {
        let told = |(hub, state): (&str, poll::State)| PolledHub {
            hub: hub.to_owned(),
            succeeded: state.succeeded,
            servers: state.servers,
            problem: state.problem,
        };
        self.polling.states().map(told).collect()
    }

    fn unready(&self) -> Vec<Unready> {
        let mut reasons = Vec::new();
        if self.operations.pipeline.journal_status().poisoned.is_some() {
            let detail = "the disk failed to sync the journal; nothing more is accepted until a restart".to_owned();
            reasons.push(Unready { code: "journal_poisoned", detail });
        }
        match self.operations.pipeline.shortage() {
            None => {}
            Some(Shortage::Disk) => {
                let detail = "the disk is full; nothing more is accepted until there is room".to_owned();
                reasons.push(Unready { code: "disk_full", detail });
            }
            Some(Shortage::Quota) => {
                let detail =
                    "the journal takes as much of the disk as it may; nothing more is accepted until the table \
                              was written"
                        .to_owned();
                reasons.push(Unready { code: "journal_quota_reached", detail });
            }
        }
        if self.health.flush().failure.is_some() {
            let detail = "the table cannot be written; events are safe in the journal, see the log".to_owned();
            reasons.push(Unready { code: "flush_failing", detail });
        }
        if self.health.publication().failure.is_some() {
            let detail = "the archive cannot be published; it is tried again, see the log".to_owned();
            reasons.push(Unready { code: "publication_failing", detail });
        } else if self.health.publication_is_late() {
            let detail = "the archive was not published for more than a period; see the log".to_owned();
            reasons.push(Unready { code: "publication_late", detail });
        }
        reasons
    }

    fn vitals(&self) -> Vitals {
        let status = self.operations.pipeline.store.status();
        Vitals {
            events: status.events.rows + status.events.tail_rows,
            quarantined: status.quarantine.rows + status.quarantine.tail_rows,
            newest: self.operations.pipeline.newest_received(),
            waiting: status.tail_rows,
            published: self.health.publication().succeeded,
        }
    }
}
