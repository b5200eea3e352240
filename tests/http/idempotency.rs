//! `Idempotency-Key`: a retry adds nothing and gets the first answer, whatever happened in between.

use acceptance::{Response, Sandbox, Server};

fn launches(spec: &str, count: usize) -> String {
    let launch = |number: usize| {
        format!(
            r#"{{"timestamp": "2026-11-21T00:00:{:02}Z", "schema": "binderhub.jupyter.org/launch", "version": 3, "provider": "GitHub", "spec": "{spec}/{number}", "status": "success"}}"#,
            number % 60
        )
    };
    // The last is of no schema that there is: the answer has two kinds of verdict.
    let lines: Vec<String> = (0..count).map(launch).chain([r#"{"schema": "nobody/knows"}"#.to_owned()]).collect();
    lines.join("\n")
}

fn send(server: &Server, key: &str, body: &str) -> Response {
    let headers = [("content-type", "application/x-ndjson"), ("idempotency-key", key)];
    server.client().post_with("/api/v1/events", &headers, body.as_bytes()).expect("an answer")
}

fn rows(server: &Server) -> u64 {
    let count = |table: &str| server.query(&format!("SELECT count(*) AS n FROM {table}"))[0]["n"].as_u64().unwrap();
    count("events") + count("quarantine")
}

#[test]
fn a_retry_adds_nothing_and_gets_the_first_answer() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let body = launches("a/b", 40);
    let first = send(&server, "k-1", &body);
    assert_eq!((first.status, first.header("idempotency-replayed")), (200, None));
    for _ in 0..3 {
        let again = send(&server, "\"k-1\"", &body);
        assert_eq!((again.status, again.header("idempotency-replayed")), (200, Some("true")));
        assert_eq!(again.text(), first.text());
    }
    assert_eq!(rows(&server), 41);
    assert_ne!(send(&server, "k-2", &body).text(), first.text(), "another key is another request");
    assert_eq!(rows(&server), 82);
}

#[test]
fn other_events_under_a_key_are_refused_and_add_nothing() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    send(&server, "k", &launches("a/b", 2));
    let refused = send(&server, "k", &launches("a/c", 2));
    assert_eq!((refused.status, refused.json()["code"].as_str()), (422, Some("idempotency_key_reused")));
    let refused = send(&server, "two words", &launches("a/b", 2));
    assert_eq!((refused.status, refused.json()["code"].as_str()), (400, Some("bad_idempotency_key")));
    assert_eq!(rows(&server), 3);
}

/// In the journal alone, in journal and table, and in the table alone: wherever the request lies when the process dies,
/// its key is known afterwards.
#[test]
fn keys_are_known_after_a_crash_wherever_the_request_was() {
    let eager = [("HUBSCOPE_STORE__FLUSH_INTERVAL", "20 ms"), ("HUBSCOPE_STORE__COMMIT_INTERVAL", "10 ms")];
    for (name, settings, point) in [
        ("in the journal", &[][..], None),
        ("in table and journal, before the keys are written", &eager[..], Some("store::after_commit:2")),
        ("in the table", &eager[..], None),
    ] {
        let sandbox = Sandbox::new();
        let mut command = sandbox.serve_command(settings);
        if let Some(point) = point {
            command.env("HUBSCOPE_KILL_AT", point);
        }
        let server = Server::started(command);
        let body = launches("a/b", 5);
        let first = send(&server, "k", &body);
        assert_eq!(first.status, 200, "{name}");
        match point {
            Some(_) => assert_eq!(server.ended_within(acceptance::TIME_LIMIT).1, Some(9), "{name}"),
            None => {
                if !settings.is_empty() {
                    wait_until_flushed(&server);
                }
                kill(server);
            }
        }
        for round in 0..2 {
            let server = sandbox.serve(settings);
            let again = send(&server, "k", &body);
            assert_eq!(again.header("idempotency-replayed"), Some("true"), "{name}, start {round}");
            assert_eq!(again.text(), first.text(), "{name}, start {round}");
            assert_eq!(rows(&server), 6, "{name}, start {round}");
            kill(server);
        }
    }
}

fn kill(mut server: Server) {
    server.kill();
    assert_eq!(server.ended_within(acceptance::TIME_LIMIT).1, Some(9));
}

fn wait_until_flushed(server: &Server) {
    let end = std::time::Instant::now() + acceptance::TIME_LIMIT;
    while !server.get("/metrics").text().contains("\nhubscope_tail_events 0\n") {
        assert!(std::time::Instant::now() < end, "the tail is flushed");
    }
}
