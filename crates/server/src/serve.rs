//! Connections: who may have one, for how long, and how they end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::{Listener, ListenerExt};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::access::Peer;
use crate::app::{App, Control};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::router;
use crate::stream::Patient;

/// What a connection over the limit reads.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 186\r\n\r\n\
    {\"type\":\"urn:hubscope:problem:too_many_connections\",\"title\":\"too many connections\",\"status\":503,\
    \"detail\":\"every connection is taken; come back in a second\",\"code\":\"too_many_connections\"}";

/// For how long a connection over the limit is listened to after it was told so.
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// Connections to the control socket at once: the operator's own commands, which a flood at the other door must not
/// shut out.
const CONTROL_CONNECTIONS_MAX: usize = 64;

/// Serves `app` on `listener`, and the same with the control routes on the control socket, until `stop`.
///
/// After `stop` no connection is taken any more; idle ones are closed, open requests are answered. It returns when all
/// of them are, or after [`Limits::stop_time`], whichever comes first.
///
/// Cancel safety: dropping the future only gives up waiting; the server goes on until `stop`.
pub async fn serve(
    listener: TcpListener,
    control: Option<(UnixListener, Arc<dyn Control>)>,
    app: Arc<App>,
    stop: CancellationToken,
) {
    let limits = app.limits;
    let metrics = app.metrics.clone();
    let state = router::State::new(app);
    let tasks = TaskTracker::new();
    let door = Door {
        routes: router::public(&state),
        metrics: metrics.clone(),
        limits,
        stop: stop.clone(),
        tasks: tasks.clone(),
    };
    let listener = listener.tap_io(|tcp| {
        // An answer is one write; without this it would wait for the peer's delayed ACK. It fails only on a socket
        // that is gone already, which the first read will tell.
        let _ = tcp.set_nodelay(true);
    });
    tasks.spawn(door.accept(listener, limits.connections_max, Peer::at));
    if let Some((listener, control)) = control {
        let door = Door {
            routes: router::control(&state, control),
            metrics: metrics.clone(),
            limits,
            stop: stop.clone(),
            tasks: tasks.clone(),
        };
        tasks.spawn(door.accept(listener, CONTROL_CONNECTIONS_MAX, |_| Peer::Operator));
    }
    stop.cancelled().await;
    tasks.close();
    if timeout(limits.stop_time, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "connections still open at the end of the stop time are cut");
    }
}

/// One listening socket and what it serves.
struct Door {
    routes: Router,
    metrics: Metrics,
    limits: Limits,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Door {
    async fn accept<L: Listener<Io: 'static>>(
        self,
        mut listener: L,
        connections_max: usize,
        peer: impl Fn(&L::Addr) -> Peer + Send,
    ) {
        let places = Arc::new(Semaphore::new(connections_max));
        let refusals = Arc::new(Semaphore::new(self.limits.refusals_max));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => return,
            };
            let (stream, address) = accepted;
            if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                let conversation =
                    converse(stream, peer(&address), self.routes.clone(), self.limits, self.stop.clone());
                self.spawn(conversation, (place, self.metrics.connected()));
                continue;
            }
            self.metrics.turned_away();
            if let Ok(place) = Arc::clone(&refusals).try_acquire_owned() {
                self.spawn(refuse(stream), place);
            }
        }
    }

    /// Runs `task`, which keeps `place` until it ends.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static, place: impl Send + 'static) {
        self.tasks.spawn(async move {
            task.await;
            drop(place);
        });
    }
}

/// Serves one connection to its end.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let stream = TokioIo::new(Patient::new(stream, limits.write_idle_time));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        routes.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_headers(limits.headers_max)
        .max_buf_size(limits.head_bytes_max)
        .serve_connection(stream, service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A peer that leaves, is too slow or speaks no HTTP: its affair, and hyper has answered what could be answered.
        tracing::debug!(cause = %error, "connection ended early");
    }
}

/// Tells a connection over the limit so, and reads on until the peer has had time to take the answer.
async fn refuse(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let telling = async {
        stream.write_all(TOO_MANY).await?;
        stream.shutdown().await?;
        let mut thrown_away = [0; 4096];
        while stream.read(&mut thrown_away).await? > 0 {}
        std::io::Result::Ok(())
    };
    // Whether it heard us is its affair.
    let _ = timeout(REFUSAL_TIME, telling).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_announces_its_own_length() {
        let text = std::str::from_utf8(TOO_MANY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        let document: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(document["status"], 503);
    }
}
