//! A client that costs little: requests are bytes made before, of an answer only its status and its end are looked at.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

const HEAD_END: &[u8] = b"\r\n\r\n";

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends `request` and reads its answer to the end; returns the status.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await.context("cannot send")?;
        self.answer().await.map(|(status, _)| status)
    }

    /// The answer to `GET path`.
    pub(crate) async fn read(&mut self, path: &str) -> Result<String> {
        self.text(format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").as_bytes()).await
    }

    /// The answer to a whole request.
    pub(crate) async fn text(&mut self, request: &[u8]) -> Result<String> {
        self.stream.write_all(request).await.context("cannot send")?;
        let (_, body) = self.answer().await?;
        String::from_utf8(body).context("the answer is no text")
    }

    async fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        self.buffer.clear();
        let head_bytes = loop {
            if let Some(at) = self.buffer.windows(HEAD_END.len()).position(|window| window == HEAD_END) {
                break at + HEAD_END.len();
            }
            self.more().await?;
        };
        let head = std::str::from_utf8(&self.buffer[..head_bytes]).context("the answer's head is no text")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("no length")?;
        let end = head_bytes + length.parse::<usize>().context("no length")?;
        while self.buffer.len() < end {
            self.more().await?;
        }
        Ok((status, self.buffer[head_bytes..end].to_vec()))
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await.context("cannot read")? == 0 {
            bail!("the connection was closed amid an answer");
        }
        Ok(())
    }
}
