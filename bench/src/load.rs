//! Closed loops: so many connections, each sending its next request when the last is acknowledged.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::client::Client;
use crate::events;
use crate::latency::{Latency, millis};
use crate::program::Program;
use crate::table::{Table, mebibytes, rate};

/// Events of a batch, and connections that send them.
const BATCH_EVENTS: usize = 1_000;
const BATCH_CONNECTIONS: usize = 8;

/// The budgets are multiples of what jupyter_events' FileHandler writes: burst, sustained.
const BURST_OF_PEER: f64 = 50.0;
const SUSTAINED_OF_PEER: f64 = 38.0;

/// What a loop came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) acknowledged: Latency,
    pub(crate) refused: Latency,
    pub(crate) took: Duration,
}

/// Sends `requests` in turn over `connections` for so long. `pause` is waited between two requests of a connection.
pub(crate) async fn closed_loop(
    server: &Program,
    requests: Vec<Vec<u8>>,
    connections: usize,
    length: Duration,
    pause: Duration,
) -> Result<Outcome> {
    let address = server.address;
    let requests = Rc::new(requests);
    let tasks = LocalSet::new();
    let mut clients = Vec::with_capacity(connections);
    for _ in 0..connections {
        clients.push(Client::connect(address).await?);
    }
    let began = Instant::now();
    let handles: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(number, client)| tasks.spawn_local(sender(client, Rc::clone(&requests), number, began + length, pause)))
        .collect();
    tasks.await;
    let mut outcome = Outcome { took: began.elapsed(), ..Outcome::default() };
    for handle in handles {
        let one = handle.await.context("a sender panicked")??;
        outcome.acknowledged.merge(one.acknowledged);
        outcome.refused.merge(one.refused);
    }
    Ok(outcome)
}

async fn sender(
    mut client: Client,
    requests: Rc<Vec<Vec<u8>>>,
    number: usize,
    end: Instant,
    pause: Duration,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for request in requests.iter().cycle().skip(number % requests.len()) {
        let began = Instant::now();
        if began >= end {
            break;
        }
        match client.ask(request).await? {
            200 => outcome.acknowledged.add(began.elapsed()),
            503 => outcome.refused.add(began.elapsed()),
            status => bail!("answered {status}"),
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(outcome)
}

/// Batches as fast as they are taken.
pub(crate) async fn batches(
    server: &Program,
    name: &str,
    length: Duration,
    baseline: Option<f64>,
    table: &mut Table,
) -> Result<()> {
    let cpu = server.cpu()?;
    let outcome =
        closed_loop(server, events::requests(BATCH_EVENTS), BATCH_CONNECTIONS, length, Duration::ZERO).await?;
    let spent = server.cpu()?.saturating_sub(cpu);
    let events = outcome.acknowledged.len() * BATCH_EVENTS;
    let a_second = events as f64 / outcome.took.as_secs_f64();
    let budget = if name == "burst" { BURST_OF_PEER } else { SUSTAINED_OF_PEER };
    let beside = baseline.map(|peer| format!("{:.1} × jupyter_events' file (budget {budget:.0})", a_second / peer));
    let figure = format!("{} events, {}", rate(a_second), outcome.acknowledged);
    table.add(
        format!("{name}: batches of 1,000, 8 connections, {} s", length.as_secs()),
        figure,
        beside.unwrap_or_default(),
    );
    let a_core = spent.as_secs_f64() * 1e6 / events.max(1) as f64;
    let lag = metric(server, "hubscope_flush_lag_seconds ").await?;
    table.add(
        format!("{name}: cost"),
        format!("{a_core:.2} µs of CPU an event, memory {} at most", mebibytes(server.memory_peak()?)),
        format!("{} refused; flush lag at the end {lag:.1} s", outcome.refused.len()),
    );
    Ok(())
}

/// Single events.
pub(crate) async fn singles(
    server: &Program,
    connections: usize,
    length: Duration,
    fdatasync: &Latency,
    table: &mut Table,
) -> Result<()> {
    let outcome = closed_loop(server, events::requests(1), connections, length, Duration::ZERO).await?;
    let a_second = outcome.acknowledged.len() as f64 / outcome.took.as_secs_f64();
    let expected = connections as f64 / (1.5 * fdatasync.percentile(0.5).as_secs_f64());
    let p99 = outcome.acknowledged.percentile(0.99).as_secs_f64() / fdatasync.percentile(0.99).as_secs_f64();
    table.add(
        format!("single events, {connections} connections"),
        format!("{}, {}", rate(a_second), outcome.acknowledged),
        format!(
            "{:.2} of connections ÷ 1.5 fdatasync p50 (budget 0.9 until HTTP binds); p99 {p99:.1} × fdatasync's {} ms",
            a_second / expected,
            millis(fdatasync.percentile(0.99)),
        ),
    );
    Ok(())
}

/// The value of the series whose line begins so.
pub(crate) async fn metric(server: &Program, beginning: &str) -> Result<f64> {
    let text = Client::connect(server.address).await?.read("/metrics").await?;
    let value = text.lines().find_map(|line| line.strip_prefix(beginning));
    value.and_then(|value| value.parse().ok()).with_context(|| format!("no metric {beginning}"))
}
