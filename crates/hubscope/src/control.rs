//! The control socket: how other commands reach the folder of a running `serve`.
//!
//! `POST /control/<command>` with the rest of a [`Request`] as JSON; the answer is any number of progress lines and one
//! last line (NDJSON). Only the user who runs `serve` can connect.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use bytes::{Buf, Bytes, BytesMut};
use futures::{StreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::operations::{COMMANDS, Operations, Progress, Reply, Request};

/// A line of an answer is an answer's text at most: a million rows.
const LINE_BYTES_MAX: usize = 1 << 30;

/// Lines of an answer that wait for the asker to read them; more steps than this nobody could follow anyway.
const LINES_WAITING_MAX: usize = 64;

/// One line of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Progress(Progress),
    Done(Reply),
    Failed(String),
}

/// Makes the socket, in place of one that an earlier life left behind (the folder's lock says that it is dead).
pub(crate) fn listen(path: &Path) -> Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
        _ => {}
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers what other commands ask.
#[derive(Debug)]
pub(crate) struct Control(pub(crate) Arc<Operations>);

impl server::Control for Control {
    fn call(&self, verb: &str, argument: Value) -> Option<server::ControlLines> {
        if !COMMANDS.contains(&verb) {
            return None;
        }
        let request = request(verb, argument);
        let operations = Arc::clone(&self.0);
        let (lines, told) = mpsc::channel(LINES_WAITING_MAX);
        tokio::spawn(async move {
            let last = match answer(&operations, request, &lines).await {
                Ok(reply) => Line::Done(reply),
                Err(error) => Line::Failed(format!("{error:#}")),
            };
            // An asker that went away early loses its answer; the work is done all the same.
            let _ = lines.send(last).await;
        });
        let values = stream::unfold(told, async |mut told| {
            let line: Line = told.recv().await?;
            Some((serde_json::to_value(line).unwrap_or(Value::Null), told))
        });
        Some(values.boxed())
    }
}

fn request(verb: &str, mut argument: Value) -> Result<Request> {
    if let Value::Object(fields) = &mut argument {
        fields.insert("command".into(), verb.into());
    }
    serde_json::from_value(argument).context("not a request that this version understands")
}

async fn answer(operations: &Operations, request: Result<Request>, lines: &mpsc::Sender<Line>) -> Result<Reply> {
    let progress = |step| {
        // A step that a slow asker leaves no room for is superseded by the next.
        let _ = lines.try_send(Line::Progress(step));
    };
    operations.run(request?, &progress).await
}

/// Asks the process that listens at `path`. `None` when nobody does.
///
/// # Errors
///
/// What the other side says, or that it went away amid the answer.
pub(crate) async fn ask(
    path: &Path,
    request: &Request,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Option<Reply>> {
    let Ok(stream) = UnixStream::connect(path).await else { return Ok(None) };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let argument = serde_json::to_value(request)?;
    let verb = argument.get("command").and_then(Value::as_str).unwrap_or_default();
    let head = hyper::Request::post(format!("/control/{verb}"))
        .header("host", "localhost")
        .header("content-type", "application/json");
    let answer = sender.send_request(head.body(Full::new(Bytes::from(argument.to_string())))?).await?;
    let status = answer.status();
    let mut body = answer.into_body();
    let mut pending = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            pending.extend_from_slice(&data);
        }
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line = pending.split_to(end);
            pending.advance(1);
            match serde_json::from_slice(&line).context("the running hubscope answered in an unknown form")? {
                Line::Progress(step) => progress(step),
                Line::Done(reply) => return Ok(Some(reply)),
                Line::Failed(told) => bail!(told),
            }
        }
        if pending.len() > LINE_BYTES_MAX {
            bail!("the running hubscope answered with a line of more than {LINE_BYTES_MAX} bytes");
        }
    }
    if !status.is_success() {
        bail!("the running hubscope answered {status}: {}", String::from_utf8_lossy(&pending));
    }
    Err(anyhow!("the running hubscope stopped before it had answered"))
}
