//! Limits of connections, heads and bodies, and the end.

use std::time::Duration;

use server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::door::assert_problem;
use crate::http::{self, Answer};
use crate::sandbox::{Sandbox, Wishes, launch};

async fn limited(limits: Limits) -> Sandbox {
    Sandbox::with(Wishes { limits, ..Wishes::default() }).await
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_is_sent() {
    let sandbox = Sandbox::new().await;
    let mut stream = TcpStream::connect(sandbox.address).await.unwrap();
    let head = b"POST /api/v1/events HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 20971520\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let answer = Answer::parse(&http::to_the_end(&mut stream).await);
    assert_eq!(answer.status, 413);
    assert_problem(&answer);
}

#[tokio::test]
async fn a_sender_of_too_much_reads_the_answer_and_not_a_reset() {
    let sandbox = Sandbox::new().await;
    let body = vec![b' '; 20 << 20];
    let answer = sandbox.post_json("/api/v1/events", std::str::from_utf8(&body).unwrap()).await;
    assert_eq!(answer.status, 413);
    assert_problem(&answer);
    assert_eq!(sandbox.journal.kept(), 0);
}

#[tokio::test]
async fn a_body_in_chunks_is_counted_while_it_comes() {
    let sandbox = limited(Limits { body_bytes_max: 1_000, ..Limits::default() }).await;
    let head = "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("1f4\r\n{}\r\n", " ".repeat(500));
    let answer = http::exchange(sandbox.address, format!("{head}{chunk}{chunk}{chunk}0\r\n\r\n").as_bytes()).await;
    assert_eq!(answer.status, 413);
    assert_problem(&answer);
}

#[tokio::test]
async fn bodies_share_their_memory_and_what_does_not_fit_is_to_come_again() {
    let sandbox = limited(Limits { bodies_bytes_max: 100, ..Limits::default() }).await;
    let answer = sandbox.post_json("/api/v1/events", &launch("a/b/main", 1)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_problem(&answer);
}

#[tokio::test]
async fn a_body_that_would_wait_too_long_for_its_turn_is_to_come_again() {
    let limits = Limits { admissions_max: 0, admission_wait_time: Duration::from_millis(20), ..Limits::default() };
    let sandbox = limited(limits).await;
    let lines = vec![launch("a/b/c", 1); 1 + limits.inline_bytes_max / 100].join("\n");
    let refused = sandbox.post("/api/v1/events", &[("content-type", "application/x-ndjson")], lines.as_bytes()).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    sandbox.keep(&[launch("a/b/c", 1)]).await;
    assert_eq!(sandbox.journal.kept(), 1, "a short one needs no turn");
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let sandbox = limited(Limits { head_time: Duration::from_millis(50), ..Limits::default() }).await;
    let mut stream = TcpStream::connect(sandbox.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost:").await.unwrap();
    let rest = http::to_the_end(&mut stream).await;
    assert!(rest.is_empty() || Answer::parse(&rest).status == 408);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let sandbox = limited(Limits { body_idle_time: Duration::from_millis(50), ..Limits::default() }).await;
    let mut stream = TcpStream::connect(sandbox.address).await.unwrap();
    let head = b"POST /api/v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head).await.unwrap();
    let mut head = vec![0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_head_beyond_the_limits_is_refused() {
    let sandbox = Sandbox::new().await;
    let long = "x".repeat(70_000);
    for (request, status) in [
        (http::request("GET", &format!("/api/v1/events?{long}"), &[], b""), 414),
        (http::request("GET", "/healthz", &vec![("x", "y"); 101], b""), 431),
    ] {
        assert_eq!(http::exchange(sandbox.address, &request).await.status, status);
    }
}

#[tokio::test]
async fn a_connection_over_the_limit_is_told_so_and_the_next_is_served_when_one_has_ended() {
    let sandbox = limited(Limits { connections_max: 1, ..Limits::default() }).await;
    let mut first = TcpStream::connect(sandbox.address).await.unwrap();
    first.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut started = [0; 12];
    first.read_exact(&mut started).await.unwrap();

    let refused = sandbox.get("/healthz").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_problem(&refused);

    drop(first);
    loop {
        let answer = sandbox.get("/healthz").await;
        if answer.status == 200 {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn after_the_stop_an_open_request_is_answered_idle_connections_close_and_no_other_is_taken() {
    let mut sandbox = Sandbox::new().await;
    let gate = sandbox.journal.hold();
    let mut idle = TcpStream::connect(sandbox.address).await.unwrap();
    let mut open = TcpStream::connect(sandbox.address).await.unwrap();
    let body = launch("a/b/main", 1);
    open.write_all(&http::request("POST", "/api/v1/events", &[], body.as_bytes())).await.unwrap();
    gate.reached.notified().await;

    sandbox.stop.cancel();
    assert!(http::to_the_end(&mut idle).await.is_empty());
    gate.open.notify_one();
    assert_eq!(Answer::parse(&http::to_the_end(&mut open).await).status, 200);
    (&mut sandbox.served).await.unwrap();
    assert!(TcpStream::connect(sandbox.address).await.is_err());
}

#[tokio::test]
async fn the_control_socket_serves_the_routes_and_its_own_verbs_which_the_other_does_not() {
    let sandbox = Sandbox::new().await;
    let over_unix = async |request: Vec<u8>| {
        let mut stream = UnixStream::connect(sandbox.dir.path().join("control.sock")).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Answer::parse(&bytes)
    };
    let echo = http::request("POST", "/control/echo", &[], b"{\"n\":1}");
    let answer = over_unix(echo.clone()).await;
    assert_eq!(answer.text(), "{\"progress\":0.5}\n{\"verb\":\"echo\",\"argument\":{\"n\":1}}\n");
    assert_eq!(over_unix(http::request("GET", "/healthz", &[], b"")).await.status, 200);
    assert_eq!(over_unix(http::request("POST", "/control/nonsense", &[], b"")).await.status, 404);
    assert_eq!(over_unix(http::request("POST", "/control/echo", &[], b"{")).await.status, 400);
    assert_eq!(http::exchange(sandbox.address, &echo).await.status, 404);
}
