//! The folder of data: one owner, a clear word to the second, nothing left behind.

use std::time::Duration;

use acceptance::{Listening, Sandbox, Server, TIME_LIMIT};

/// An operator expects an idle server to be gone at once; tests run beside others and without optimisation.
const IDLE_STOP_TIME_MAX: Duration = Duration::from_secs(5);

#[test]
fn a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    match Server::start(sandbox.serve_command(&[])) {
        Listening::No(ended, None) => {
            assert_eq!(ended.code, Some(1), "{ended:#?}");
            let folder = sandbox.data();
            let names_it = ended.stderr.contains(folder.to_str().expect("a UTF-8 path"));
            assert!(ended.stderr.contains("in use") && names_it, "{}", ended.stderr);
        }
        other => panic!("two servers on one folder: {other:?}"),
    }
    assert_eq!(server.get("/healthz").status, 200);
    assert!(sandbox.query("SELECT count(*) AS n FROM events").len() == 1, "its control socket still answers");
}

#[test]
fn a_port_that_is_taken_is_told() {
    let sandbox = Sandbox::new();
    let other = Sandbox::new();
    let server = sandbox.serve(&[]);
    let address = server.address().to_string();
    let ended = other.run(["serve", "--listen", &address]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(&address) && ended.stderr.contains("--listen"), "{}", ended.stderr);
}

#[test]
fn both_signals_end_an_idle_server_cleanly_and_it_starts_again() {
    let sandbox = Sandbox::new();
    for round in 0..4 {
        let server = sandbox.serve(&[]);
        if round % 2 == 0 {
            server.terminate()
        } else {
            server.interrupt()
        }
        let (ended, signal) = server.ended_within(IDLE_STOP_TIME_MAX);
        assert_eq!((ended.code, signal), (Some(0), None), "{ended:#?}");
    }
}

#[test]
fn the_socket_of_a_server_that_was_killed_is_in_nobodys_way() {
    let sandbox = Sandbox::new();
    let mut server = sandbox.serve(&[]);
    server.kill();
    let (_, signal) = server.ended_within(TIME_LIMIT);
    assert_eq!(signal, Some(9));
    assert_eq!(sandbox.query("SELECT count(*) AS n FROM events")[0]["n"], 0);
    let server = sandbox.serve(&[]);
    assert_eq!(sandbox.query("SELECT count(*) AS n FROM events")[0]["n"], 0);
    drop(server);
}

#[test]
fn a_folder_without_data_is_told_to_whoever_asks_it() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(["query", "SELECT 1"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("--data"), "{}", ended.stderr);
    assert!(!sandbox.data().exists(), "asking makes no folder");
}

#[test]
fn nothing_about_people_is_logged_at_the_default_level() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[("HUBSCOPE_STORE__FLUSH_INTERVAL", "50 ms")]);
    let person = "zaphod.beeblebrox@example.org";
    let event = |schema: &str| {
        format!(
            r#"{{"__timestamp__": "2026-11-21T00:34:29Z", "__schema__": "{schema}", "__schema_version__": "1", "__metadata_version__": 1, "action": "start", "username": "{person}", "servername": ""}}"#
        )
    };
    let known = event("https://schema.jupyter.org/jupyterhub/events/server-action");
    for body in [known.as_str(), &event("https://example.org/unknown"), &known[..known.len() - 5]] {
        server.post_events(body.as_bytes());
    }
    server.get(&format!("/api/v1/events?user={person}"));
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert!(ended.stderr.contains("stopped"), "diagnostics are written: {}", ended.stderr);
    assert!(!ended.stderr.contains("zaphod") && !ended.stdout.contains("zaphod"), "{ended:#?}");
}
