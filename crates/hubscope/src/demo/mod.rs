//! `hubscope demo`: the real program on sample data, in a temporary folder.
//!
//! The sample comes in by the doors that an operator uses: past launches by `import archive`, the simulated hub's
//! events and the live ones by `POST /api/v1/events`.

mod sample;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use event::{Clock, Day, SystemClock};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use server::Note;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::folder::Folder;
use crate::operations::Request;
use crate::serve::{Running, Shown};
use crate::{runtime, shutdown};

/// Ports tried after the one asked for.
const PORTS_TRIED: u16 = 100;
/// A launch comes this often.
const LAUNCH_EVERY: Duration = Duration::from_millis(1500);
/// Lines of a request when the simulated hub's weeks are sent.
const LINES_A_REQUEST: usize = 1000;

/// Runs until Ctrl-C; then the folder is removed.
pub(crate) fn run(port: u16, quiet: bool, config: Config) -> Result<()> {
    runtime::start()?.block_on(async {
        let begun = Instant::now();
        let stop = shutdown::on_signals()?;
        let folder =
            tempfile::Builder::new().prefix("hubscope-demo-").tempdir().context("cannot make a temporary folder")?;
        let data = Folder::create(&folder.path().join("data"))?;
        let running = Running::start(&data, &config, bind(port).await?, shown(), stop.clone()).await?;
        load(&running, &folder.path().join("launches")).await?;
        let address = running.address;
        println!(
            "hubscope shows its sample data on http://{address} (ready in {:.1} s; Ctrl-C ends it)",
            begun.elapsed().as_secs_f64()
        );
        if !quiet {
            tokio::spawn(trickle(address, stop.clone()));
        }
        running.operations.run(Request::Publish { to: None }, &|_| {}).await?;
        stop.cancelled().await;
        running.finish().await
    })
}

fn shown() -> Shown {
    // The last year of the public figures: the days since hold only what trickles in.
    let opening_range = Day::from_ymd(2024, 8, 14).zip(Day::from_ymd(2025, 8, 14));
    let note = |label: &str, text: &str| Note { label: label.into(), text: text.into() };
    let notes = vec![
        note(
            "reconstructed",
            "Launches are rebuilt from mybinder.org's public figures: the day 2021-11-01 from the true counts of about half \
             its repositories, the years around it from weekly counts, one launch in a hundred.",
        ),
        note("simulated", "Server starts and stops, and the launches arriving now, are simulated."),
    ];
    Shown { notes, opening_range }
}

async fn bind(port: u16) -> Result<TcpListener> {
    for port in port..=port.saturating_add(PORTS_TRIED) {
        match TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).with_context(|| format!("cannot listen on port {port}")),
        }
    }
    bail!("no free port between {port} and {}; choose another with --port", port.saturating_add(PORTS_TRIED))
}

/// Brings in the past: launches as archive files, the simulated hub by HTTP.
async fn load(running: &Running, files: &Path) -> Result<()> {
    let directory = files.to_owned();
    tokio::task::spawn_blocking(move || write_archive(&directory)).await??;
    running.operations.run(Request::ImportArchive { directory: files.to_owned() }, &|_| {}).await?;
    std::fs::remove_dir_all(files)?;
    let events = sample::hub_events(SystemClock.now());
    let lines: Vec<&[u8]> = events.split_inclusive(|byte| *byte == b'\n').collect();
    for lines in lines.chunks(LINES_A_REQUEST) {
        send(running.address, "application/x-ndjson", lines.concat()).await?;
    }
    Ok(())
}

fn write_archive(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    for (day, lines) in sample::archive_days() {
        std::fs::write(directory.join(format!("events-{day}.jsonl")), lines)?;
    }
    Ok(())
}

/// Sends a launch now and then, until stopped.
async fn trickle(address: SocketAddr, stop: CancellationToken) {
    for number in 0.. {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LAUNCH_EVERY) => {}
        }
        if let Err(error) = send(address, "application/json", sample::live_launch(number, SystemClock.now())).await {
            tracing::warn!(error = format!("{error:#}"), "a sample launch could not be sent");
        }
    }
}

async fn send(address: SocketAddr, content_type: &str, body: Vec<u8>) -> Result<()> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let head =
        hyper::Request::post("/api/v1/events").header("host", address.to_string()).header("content-type", content_type);
    let answer = sender.send_request(head.body(Full::new(Bytes::from(body)))?).await?;
    let status = answer.status();
    let told = answer.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        bail!("answered {status}: {}", String::from_utf8_lossy(&told));
    }
    Ok(())
}
