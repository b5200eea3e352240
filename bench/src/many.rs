//! Many connections that do nothing, and many that do it slowly: what they cost, and what others feel of them.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::events;
use crate::latency::millis;
use crate::load::closed_loop;
use crate::program::Program;
use crate::table::Table;

/// Those who are served meanwhile.
const OTHERS: usize = 16;
const LENGTH: Duration = Duration::from_secs(5);

/// Senders that are slow send a byte so often: within the pause that the server forgives.
const BYTE_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn measure(program: &Path, folder: &Path, idle: usize, slow: usize, table: &mut Table) -> Result<()> {
    let server = Program::start(program, &folder.join("many"), &[])?;
    let normal = closed_loop(&server, events::requests(1), OTHERS, LENGTH, Duration::ZERO).await?.acknowledged;
    let before = server.memory()?;
    let mut connections = Vec::with_capacity(idle);
    for _ in 0..idle {
        connections.push(TcpStream::connect(server.address).await?);
    }
    crate::client::Client::connect(server.address).await?.read("/healthz").await?;
    let each = server.memory()?.saturating_sub(before) / idle.max(1) as u64;
    table.add(format!("{idle} idle connections"), format!("{each} bytes each"), "budget 20,000");
    drop(connections);

    let mut tasks = Vec::with_capacity(slow);
    for number in 0..slow {
        let apart = BYTE_EVERY * u32::try_from(number)? / u32::try_from(slow)?;
        tasks.push(tokio::spawn(dribble(server.address, apart)));
    }
    // All of them are there before anybody is timed.
    tokio::time::sleep(BYTE_EVERY * 2).await;
    let beside = closed_loop(&server, events::requests(1), OTHERS, LENGTH, Duration::ZERO).await?.acknowledged;
    let (normal_p99, beside_p99) = (normal.percentile(0.99), beside.percentile(0.99));
    table.add(
        format!("p99 of {OTHERS} senders beside {slow} slow ones"),
        format!("{} ms", millis(beside_p99)),
        format!(
            "{:.2} × {} ms without them (budget 2)",
            beside_p99.as_secs_f64() / normal_p99.as_secs_f64(),
            millis(normal_p99)
        ),
    );
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    server.stop()
}

/// Sends a request a byte at a time, for as long as it lives. Begins `apart` from others: senders that know nothing of
/// each other do not write all at the same instant, and the generator, were it to, would time itself.
async fn dribble(address: std::net::SocketAddr, apart: Duration) -> Result<()> {
    tokio::time::sleep(apart).await;
    let mut stream = TcpStream::connect(address).await?;
    let head = b"POST /api/v1/events HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
    stream.write_all(head).await?;
    loop {
        tokio::time::sleep(BYTE_EVERY).await;
        stream.write_all(b" ").await?;
    }
}
