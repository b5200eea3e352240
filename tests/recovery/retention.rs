//! What is older than its term leaves, and what it told stays: also when the program is killed amid it, from a backup,
//! and without those who were forgotten.

use std::fs;
use std::path::PathBuf;

use acceptance::{Sandbox, Server, TIME_LIMIT};
use serde_json::{Value, json};

use crate::backup::{back_up, restore, verify};
use crate::ledger::Ledger;
use crate::person::{Person, files};

/// Where it dies, and which time it comes there. Nothing else commits: the table of events is rewritten first.
const POINTS: [(&str, u64); 5] = [
    ("retain::facts", 1),
    ("retain::kept", 1),
    ("store::parquet_write", 1),
    ("store::before_commit", 1),
    ("store::after_commit", 1),
];

/// How long events stay.
const TERMS: [(&str, &str); 1] = [("HUBSCOPE_RETENTION__EVENTS", "30 days")];

/// Events of each kind.
const EVENTS: usize = 300;

fn launches(kind: &str, time: &str) -> String {
    let launch = |number: usize| {
        json!({
            "timestamp": time, "schema": "binderhub.jupyter.org/launch", "version": 3, "provider": "GitHub",
            "spec": format!("{kind}/r{number}/HEAD"), "status": "success",
        })
        .to_string()
    };
    (0..EVENTS).map(launch).collect::<Vec<_>>().join("\n")
}

/// What is told of the old day: a question and its answer.
const ASKED: [(&str, &str); 4] = [
    ("launches", "2019-03-01,300\r\n"),
    ("repos-active", "2019-03-01,300\r\n"),
    ("active-users-daily", "2019-03-01,2\r\n"),
    ("session-hours", "2019-03-01,4,4,4\r\n"),
];

/// Two servers of an hour and of three, on the old day.
fn servers() -> String {
    let action = |(user, action, hour): (&str, &str, u8)| {
        json!({
            "__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": 1,
            "__timestamp__": format!("2019-03-01T{hour:02}:00:00Z"), "action": action, "username": user, "servername": "",
        })
        .to_string()
    };
    let actions = [("ada", "start", 9), ("ada", "stop", 10), ("bob", "start", 9), ("bob", "stop", 12)];
    actions.map(action).join("\n")
}

fn send(server: &Server, text: &str) {
    let sent = server.client().post("/api/v1/events", "application/x-ndjson", text.as_bytes());
    assert_eq!(sent.expect("an answer").status, 200);
}

fn ask(sandbox: &Sandbox, question: &str) -> String {
    let day = ["--param", "from=2019-03-01", "--param", "to=2019-03-02", "--format", "csv"];
    sandbox.run([&["kpi", "run", question], &day[..]].concat()).output()
}

fn stop(server: Server) {
    server.terminate();
    assert_eq!(server.ended_within(TIME_LIMIT).0.code, Some(0));
}

/// How many events of the old day there are.
fn old_events(sandbox: &Sandbox) -> Value {
    sandbox.query("SELECT count(*) AS n FROM events WHERE time < '2019-03-02T00:00:00Z'")[0]["n"].clone()
}

/// Serves until the old day has left.
fn leave(sandbox: &Sandbox) -> Server {
    let server = sandbox.serve(&TERMS);
    server.wait_until(TIME_LIMIT, || old_events(sandbox) == 0);
    server
}

#[test]
fn a_term_that_ended_is_carried_out_once_whenever_the_program_is_killed() {
    for (point, passage) in POINTS {
        let sandbox = Sandbox::new();
        let server = sandbox.serve(&[]);
        let now = &sandbox.query("SELECT to_char(now(), '%Y-%m-%dT%H:%M:%SZ') AS now")[0]["now"];
        // One part holds both, so that it is rewritten and not dropped.
        for (kind, time) in [("old", "2019-03-01T09:00:00Z"), ("new", now.as_str().expect("an instant"))] {
            send(&server, &launches(kind, time));
        }
        send(&server, &servers());
        stop(server);

        let mut command = sandbox.serve_command(&TERMS);
        command.env("HUBSCOPE_KILL_AT", format!("{point}:{passage}"));
        let ended = sandbox.run_command(command);
        assert_eq!(ended.code, None, "it did not die at {point}: {}", ended.stderr);

        let count = |kind: &str| {
            let rows = sandbox.query(&format!("SELECT count(*) AS n FROM launches WHERE starts_with(spec, '{kind}/')"));
            rows[0]["n"].as_u64().and_then(|count| usize::try_from(count).ok()).expect("a count")
        };
        let server = leave(&sandbox);
        assert_eq!(count("new"), EVENTS, "after {point}");
        let distinct = sandbox.query("SELECT count(DISTINCT position) AS n FROM launches");
        assert_eq!(distinct[0]["n"], Value::from(EVENTS), "after {point}");
        for (question, expected) in ASKED {
            let answer = ask(&sandbox, question);
            assert!(answer.contains(expected), "{question} after {point}: {answer}");
        }
        stop(server);
        let verified = verify(&sandbox, &sandbox.data());
        assert_eq!(verified.code, Some(0), "after {point}: {}", verified.stdout);
    }
}

/// Every file below `DATA/history`.
fn kept(sandbox: &Sandbox) -> Vec<PathBuf> {
    files(&sandbox.data().join("history"))
}

#[test]
fn what_outlives_its_events_is_verified_and_comes_back_from_a_backup() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    send(&server, &launches("old", "2019-03-01T09:00:00Z"));
    send(&server, &servers());
    stop(server);
    let before = ASKED.map(|(question, _)| ask(&sandbox, question));
    stop(leave(&sandbox));
    let answers = || ASKED.map(|(question, _)| ask(&sandbox, question));
    assert_eq!(answers(), before);
    sandbox.run(["rebuild"]).output();
    assert_eq!(answers(), before, "made anew");
    fs::remove_dir_all(sandbox.data().join("derived")).expect("a cache");
    assert_eq!(answers(), before, "without the cache");

    back_up(&sandbox, "backup").output();
    let whole = kept(&sandbox);
    assert!(whole.len() >= 5, "{whole:?}");
    for path in &whole {
        let bytes = fs::read(path).expect("it can be read");
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        fs::write(path, flipped).expect("it can be written");
        let verified = verify(&sandbox, &sandbox.data());
        let name = path.strip_prefix(sandbox.data()).expect("below it").display().to_string();
        assert_eq!(verified.code, Some(3), "{name}: {}", verified.stdout);
        assert!(
            verified.stdout.contains(&name) && verified.stdout.contains("take it from a backup"),
            "{}",
            verified.stdout
        );
        fs::write(path, bytes).expect("it can be written");
    }
    restore(&sandbox, "backup");
    assert_eq!(answers(), before, "from the backup");
    let verified = verify(&sandbox, &sandbox.data());
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
}

#[test]
fn who_is_forgotten_is_forgotten_in_what_outlived_their_events() {
    let sandbox = Sandbox::new();
    let person = Person::new("old");
    let server = sandbox.serve(&[]);
    person.send(&server, &Ledger::default());
    send(&server, &servers());
    stop(server);
    let server = leave(&sandbox);
    let users = |expected: u64| {
        let answer = sandbox
            .run([
                "kpi",
                "run",
                "ever-users",
                "--param",
                "from=2019-03-01",
                "--param",
                "to=2024-03-02",
                "--format",
                "json",
            ])
            .output();
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["headline"]["value"], expected, "{answer}");
    };
    users(3);
    let said = person.is_in(&sandbox.data().join("history"));
    assert!(said.is_some(), "what is derived names them as long as they are not forgotten");
    person.forget(&sandbox).output();
    assert_eq!(person.is_in(&sandbox.data()), None);
    users(2);
    stop(server);
    assert_eq!(person.is_in(&sandbox.data()), None);
    users(2);
    let verified = verify(&sandbox, &sandbox.data());
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
}
