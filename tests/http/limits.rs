//! Many connections, slow senders and more than can be kept: each costs little, and nobody else pays for it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use acceptance::{Sandbox, Server, TIME_LIMIT};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const IDLE_CONNECTIONS: usize = 10_000;
const IDLE_BYTES_MAX: u64 = 20_000;
const SLOW_SENDERS: usize = 2_000;

const EVENT: &str = r#"{"timestamp": "2026-11-21T00:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 3, "provider": "GitHub", "spec": "a/b/c", "status": "success"}"#;

/// This process opens as many sockets as the server.
fn allow_files(files: usize) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    assert!(maximum.is_none_or(|maximum| maximum > files as u64 + 500), "{files} files may not be opened here");
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("a soft limit may be raised");
}

fn connections(server: &Server) -> usize {
    let text = server.get("/metrics").text();
    let open = text.lines().find_map(|line| line.strip_prefix("hubscope_connections_open ")).expect("it is counted");
    open.parse().expect("a number")
}

fn wait_for_connections(server: &Server, count: usize) {
    let end = Instant::now() + TIME_LIMIT;
    while connections(server) < count {
        assert!(Instant::now() < end, "{count} connections are taken");
    }
}

fn connect(address: SocketAddr, first_words: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a place");
    stream.write_all(first_words).expect("it is taken");
    stream
}

fn status(stream: &mut TcpStream) -> String {
    let mut status = [0; 12];
    stream.set_read_timeout(Some(TIME_LIMIT)).expect("a socket of ours");
    stream.read_exact(&mut status).expect("an answer");
    String::from_utf8_lossy(&status).into_owned()
}

/// Half of them silent from the start, as a notebook server's second socket is; half silent after a request.
#[test]
fn ten_thousand_idle_connections_cost_little_each_and_leave_room_for_others() {
    allow_files(IDLE_CONNECTIONS);
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    // What is allocated once is not theirs.
    drop((0..200).map(|_| connect(server.address(), b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")).collect::<Vec<_>>());
    server.post_events(EVENT.as_bytes());
    let before = server.memory_now();
    let mut idle = Vec::with_capacity(IDLE_CONNECTIONS);
    for number in 0..IDLE_CONNECTIONS {
        let asked: &[u8] = if number % 2 == 0 { b"" } else { b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" };
        let mut stream = connect(server.address(), asked);
        if !asked.is_empty() {
            let mut status = [0; 15];
            stream.read_exact(&mut status).expect("an answer");
            assert_eq!(&status, b"HTTP/1.1 200 OK");
        }
        idle.push(stream);
    }
    wait_for_connections(&server, IDLE_CONNECTIONS);
    let each = server.memory_now().saturating_sub(before) / IDLE_CONNECTIONS as u64;
    println!("{each} bytes of memory for each idle connection");
    assert!(each <= IDLE_BYTES_MAX, "{each} bytes for each of {IDLE_CONNECTIONS} idle connections");
    assert_eq!(server.post_events(EVENT.as_bytes()).status, 200);
    drop(idle);
}

#[test]
fn slow_senders_hold_nobody_up_and_end_with_a_word() {
    allow_files(SLOW_SENDERS);
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        EVENT.len()
    );
    let begun = [head.as_bytes(), &EVENT.as_bytes()[..20]].concat();
    let mut slow: Vec<TcpStream> = (0..SLOW_SENDERS).map(|_| connect(server.address(), &begun)).collect();
    wait_for_connections(&server, SLOW_SENDERS);
    for _ in 0..50 {
        assert_eq!(server.post_events(EVENT.as_bytes()).status, 200);
    }
    let mut late: Vec<TcpStream> = (0..10).map(|_| connect(server.address(), &begun)).collect();
    for stream in &mut late {
        stream.write_all(&EVENT.as_bytes()[20..]).expect("it listens");
        assert_eq!(status(stream), "HTTP/1.1 200", "one that goes on is served");
    }
    for stream in slow.iter_mut().take(20) {
        assert_eq!(status(stream), "HTTP/1.1 408", "one that does not is told");
    }
    assert_eq!(server.query("SELECT count(*) AS n FROM events")[0]["n"], 60);
}

/// A table that cannot be written fast enough, as far as the door can tell: a tail that is full at once.
#[test]
fn what_is_too_much_is_refused_at_once_and_what_was_acknowledged_stays_true() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[("HUBSCOPE_STORE__TAIL_SIZE", "64 KiB")]);
    let batch = vec![EVENT; 100].join("\n");
    let (mut acknowledged, mut refused) = (0, 0);
    for _ in 0..20 {
        let answer = server.post_events(batch.as_bytes());
        match answer.status {
            200 => acknowledged += 100,
            503 => {
                assert_eq!(answer.header("retry-after"), Some("1"));
                assert_eq!(answer.json()["code"], "overloaded");
                refused += 1;
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    assert!(acknowledged > 0 && refused > 0, "{acknowledged} and {refused}");
    assert_eq!(server.query("SELECT count(*) AS n FROM events")[0]["n"], acknowledged);
    assert!(
        server.get("/metrics").text().contains(&format!("requests_refused_total{{code=\"overloaded\"}} {refused}\n"))
    );
    server.terminate();
    assert_eq!(server.ended_within(TIME_LIMIT).0.code, Some(0));
    let server = sandbox.serve(&[]);
    assert_eq!(server.query("SELECT count(*) AS n FROM events")[0]["n"], acknowledged);
    assert_eq!(server.post_events(batch.as_bytes()).status, 200, "once there is room, it goes on");
}
