//! Half of what it can, for long; then ten times as many senders: memory stays, nothing acknowledged is lost.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::client::Client;
use crate::events;
use crate::load::{Outcome, closed_loop};
use crate::program::Program;
use crate::table::{Table, mebibytes, rate};

const BATCH_EVENTS: usize = 1_000;
const CONNECTIONS: usize = 8;
const CALIBRATION: Duration = Duration::from_secs(5);
/// Peaks of memory are taken of so many stretches. Compaction comes and goes, so that those of halves are compared.
const STRETCHES: u32 = 10;

pub(crate) async fn measure(
    program: &Path,
    folder: &Path,
    length: Duration,
    overload: Duration,
    table: &mut Table,
) -> Result<()> {
    let server = Program::start(program, &folder.join("soak"), &[])?;
    let requests = || events::requests(BATCH_EVENTS);
    let full = closed_loop(&server, requests(), CONNECTIONS, CALIBRATION, Duration::ZERO).await?;
    // As long a pause as the answer took: half of the rate.
    let pause = full.acknowledged.percentile(0.5);
    let mut kept = full.acknowledged.len();
    let mut peaks = Vec::new();
    server.memory_peak_since()?;
    for _ in 0..STRETCHES {
        let stretch = closed_loop(&server, requests(), CONNECTIONS, length / STRETCHES, pause).await?;
        kept += stretch.acknowledged.len();
        peaks.push(server.memory_peak_since()?);
    }
    let (first, second) = peaks.split_at(peaks.len() / 2);
    let most = |peaks: &[u64]| mebibytes(peaks.iter().copied().max().unwrap_or(0));
    table.add(
        format!("soak: {} s at half load", length.as_secs()),
        format!("memory {} at most in the first half, {} in the second", most(first), most(second)),
        format!("{} events", rate((kept * BATCH_EVENTS) as f64 / (length + CALIBRATION).as_secs_f64())),
    );
    let over = closed_loop(&server, requests(), CONNECTIONS * 10, overload, Duration::ZERO).await?;
    kept += over.acknowledged.len();
    tell_overload(&over, &server, overload, table)?;
    verify(&server, kept * BATCH_EVENTS).await?;
    table.add("soak: acknowledged events found again", format!("all {}", kept * BATCH_EVENTS), "");
    server.stop()
}

fn tell_overload(over: &Outcome, server: &Program, length: Duration, table: &mut Table) -> Result<()> {
    table.add(
        format!("soak: {} s at ten times the connections", length.as_secs()),
        format!("acknowledged {}, refused {}", over.acknowledged, over.refused),
        format!(
            "{} kept, {} refused (budget 250 ms); memory {} at most (budget 1 GiB in all)",
            over.acknowledged.len(),
            over.refused.len(),
            mebibytes(server.memory_peak()?)
        ),
    );
    Ok(())
}

/// Asks the program how many it has, once it has them all.
async fn verify(server: &Program, acknowledged: usize) -> Result<()> {
    let body = r#"{"sql": "SELECT count(*) AS n FROM events"}"#;
    let request = format!(
        "POST /api/v1/query HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = Client::connect(server.address).await?.text(request.as_bytes()).await?;
    let answer: serde_json::Value = serde_json::from_str(&answer).context("the count is no JSON")?;
    let found = answer.pointer("/rows/0/n").and_then(serde_json::Value::as_u64).context("no count")?;
    if found != acknowledged as u64 {
        bail!("{acknowledged} events were acknowledged, {found} are there");
    }
    Ok(())
}
