//! Journals of requests as earlier versions wrote them: the program takes them up, whatever it has become.

use std::fs;

use acceptance::{Sandbox, TIME_LIMIT, fixture};
use serde_json::{Value, json};

use crate::restore::copy;

/// What was sent when the sample was made, in order: two requests with a key, an object that is no event, and a request
/// without a key, each of one event.
fn written() -> Vec<Value> {
    let launch = |time: &str, spec: &str| {
        format!(
            r#"{{"timestamp": "{time}", "schema": "binderhub.jupyter.org/launch", "version": 3,"provider": "GitHub", "spec": "{spec}", "status": "success"}}"#
        )
    };
    let same = launch("2026-03-01T12:00:00Z", "ipython/ipython-in-depth/HEAD");
    let row =
        |kept_in: &str, position: u64, text: &str| json!({"kept_in": kept_in, "position": position, "text": text});
    vec![
        row("events", 0, &same),
        row("events", 1, &same),
        row("quarantine", 2, r#"{"x":1}"#),
        row("events", 3, &launch("2026-03-01T12:00:01Z", "without/a/key")),
    ]
}

const ROWS: &str = "SELECT 'events' AS kept_in, position, text FROM events UNION ALL \
    SELECT 'quarantine', position, text FROM quarantine ORDER BY position";

#[test]
fn requests_of_record_versions_1_and_2_are_replayed() {
    let sandbox = Sandbox::new();
    let journal = sandbox.data().join("journal");
    fs::create_dir_all(&journal).expect("a folder can be made");
    for entry in fs::read_dir(fixture("formats/requests-v1-v2")).expect("the sample") {
        let path = entry.expect("its entries can be read").path();
        fs::copy(&path, journal.join(path.file_name().expect("a name"))).expect("a file can be copied");
    }
    let server = sandbox.serve(&[]);
    assert_eq!(server.query(ROWS), written());
    let hubs = server.query("SELECT DISTINCT hub, collector FROM events WHERE position < 4 ORDER BY 1, 2");
    assert!(hubs.contains(&json!({"hub": "default", "collector": "c12abce3d721f62eb1281e91951aaad3"})), "{hubs:?}");
}

/// Ada's sessions of three and two hours, Bob's server that went on, and two launches: all of their events had left.
#[test]
fn what_outlived_its_events_in_form_1_is_answered() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    server.terminate();
    assert_eq!(server.ended_within(TIME_LIMIT).0.code, Some(0));
    copy(&fixture("formats/history-v1"), &sandbox.data().join("history"));
    let days = ["--param", "from=2024-02-28", "--param", "to=2024-03-02", "--format", "csv"];
    let ask = |question: &str| sandbox.run([&["kpi", "run", question], &days[..]].concat()).output();
    for (question, expected) in [
        ("launches", ["2024-02-28,", "2024-02-29,1", "2024-03-01,1"]),
        ("repos-active", ["2024-02-28,", "2024-02-29,1", "2024-03-01,1"]),
        ("starts", ["2024-02-28,1", "2024-02-29,2", "2024-03-01,"]),
        ("active-users-daily", ["2024-02-28,1", "2024-02-29,2", "2024-03-01,"]),
    ] {
        let answer = ask(question);
        assert_eq!(answer.lines().skip(1).collect::<Vec<_>>(), expected, "{question}");
    }
    let sessions =
        sandbox.query("SELECT username, servername, start, \"end\", end_known_by FROM sessions ORDER BY start");
    let row = |username: &str, servername: &str, start: &str, end: &str, end_known_by: &str| {
        json!({
            "username": username, "servername": servername, "start": start, "end": end, "end_known_by": end_known_by,
        })
    };
    let expected = [
        row("ada", "", "2024-02-28T22:00:00Z", "2024-02-29T01:00:00Z", "E1"),
        row("ada", "gpu", "2024-02-29T09:00:00Z", "2024-02-29T11:00:00Z", "E1"),
        row("bob", "", "2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z", "E6"),
    ];
    assert_eq!(sessions, expected);
}
