//! Reads a body within its bounds: bytes, time, pauses, and the memory of all bodies together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::Problem;
use crate::limits::Limits;

/// A whole body, and the memory that it may take for as long as this lives.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// The memory that all bodies share, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    fn take(&self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, Problem> {
        if bytes == 0 {
            return Ok(None);
        }
        let permits = u32::try_from(bytes).map_err(|_| Problem::overloaded())?;
        Arc::clone(&self.0).try_acquire_many_owned(permits).map(Some).map_err(|_| Problem::overloaded())
    }
}

/// Reads the whole of `body`, at most `bytes_max` bytes.
///
/// A body that says beforehand that it is too long is refused without reading it. Whatever is refused is read on for a
/// moment and thrown away, since a socket closed with unread bytes resets the connection and the sender would never see
/// the answer.
///
/// # Errors
/// The problem to answer with: too long, too slow, broken off, or no room at the moment.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    room: &Room,
    limits: &Limits,
) -> Result<Held, Problem> {
    if announced_bytes(headers).is_some_and(|announced| announced > bytes_max as u64) {
        // A sender that waits for `100 Continue` has sent nothing yet.
        if !headers.contains_key(header::EXPECT) {
            linger(body, limits);
        }
        return Err(Problem::body_too_large(bytes_max));
    }
    let mut reading = Reading { body, pieces: Vec::new(), bytes: 0, room: None };
    match reading.finish_reading(bytes_max, room, limits).await {
        Ok(()) => Ok(reading.held()),
        Err(problem) => {
            linger(reading.body, limits);
            Err(problem)
        }
    }
}

fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

struct Reading {
    body: Body,
    pieces: Vec<Bytes>,
    bytes: usize,
    room: Option<OwnedSemaphorePermit>,
}

impl Reading {
    async fn finish_reading(&mut self, bytes_max: usize, room: &Room, limits: &Limits) -> Result<(), Problem> {
        let end = Instant::now() + limits.body_time;
        let too_slow = |limit: Duration| Problem::body_too_slow(limit.as_secs());
        loop {
            let next = timeout(limits.body_idle_time, timeout_at(end, self.body.frame())).await;
            let next = next.map_err(|_| too_slow(limits.body_idle_time))?.map_err(|_| too_slow(limits.body_time))?;
            let Some(frame) = next else { return Ok(()) };
            let Ok(piece) = frame.map_err(|_| Problem::body_broken())?.into_data() else { continue };
            self.bytes += piece.len();
            if self.bytes > bytes_max {
                return Err(Problem::body_too_large(bytes_max));
            }
            self.hold(room.take(piece.len())?);
            self.pieces.push(piece);
        }
    }

    fn hold(&mut self, more: Option<OwnedSemaphorePermit>) {
        match (&mut self.room, more) {
            (Some(room), Some(more)) => room.merge(more),
            (room @ None, more) => *room = more,
            (Some(_), None) => {}
        }
    }

    fn held(mut self) -> Held {
        let bytes = match self.pieces.len() {
            0 => Bytes::new(),
            1 => self.pieces.swap_remove(0),
            _ => {
                let mut whole = BytesMut::with_capacity(self.bytes);
                for piece in &self.pieces {
                    whole.extend_from_slice(piece);
                }
                whole.freeze()
            }
        };
        Held { bytes, _room: self.room }
    }
}

/// Reads what is left of a body for a moment and throws it away, so that its sender gets to read the answer.
pub(crate) fn linger(mut body: Body, limits: &Limits) {
    let (bytes_max, time) = (limits.linger_bytes_max, limits.linger_time);
    tokio::spawn(timeout(time, async move {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > bytes_max {
                return;
            }
        }
    }));
}
