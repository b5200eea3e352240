//! Killed amid the removal of what is older than its term.

use acceptance::{Sandbox, TIME_LIMIT};
use serde_json::{Value, json};

use crate::backup::verify;

/// Where it dies, and which time it comes there. Nothing else commits: the table of events is rewritten first.
const POINTS: [(&str, u64); 3] = [("store::parquet_write", 1), ("store::before_commit", 1), ("store::after_commit", 1)];

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

#[test]
fn a_term_that_ended_is_carried_out_once_whenever_the_program_is_killed() {
    for (point, passage) in POINTS {
        let sandbox = Sandbox::new();
        let server = sandbox.serve(&[]);
        let now = &sandbox.query("SELECT to_char(now(), '%Y-%m-%dT%H:%M:%SZ') AS now")[0]["now"];
        // One part holds both, so that it is rewritten and not dropped.
        for (kind, time) in [("old", "2019-03-01T09:00:00Z"), ("new", now.as_str().expect("an instant"))] {
            let sent = server.client().post("/api/v1/events", "application/x-ndjson", launches(kind, time).as_bytes());
            assert_eq!(sent.expect("an answer").status, 200);
        }
        server.terminate();
        assert_eq!(server.ended_within(TIME_LIMIT).0.code, Some(0));

        let terms = [("HUBSCOPE_RETENTION__EVENTS", "30 days")];
        let mut command = sandbox.serve_command(&terms);
        command.env("HUBSCOPE_KILL_AT", format!("{point}:{passage}"));
        let ended = sandbox.run_command(command);
        assert_eq!(ended.code, None, "it did not die at {point}: {}", ended.stderr);

        let count = |kind: &str| {
            let rows = sandbox.query(&format!("SELECT count(*) AS n FROM launches WHERE starts_with(spec, '{kind}/')"));
            rows[0]["n"].as_u64().and_then(|count| usize::try_from(count).ok()).expect("a count")
        };
        let server = sandbox.serve(&terms);
        server.wait_until(TIME_LIMIT, || count("old") == 0);
        assert_eq!(count("new"), EVENTS, "after {point}");
        let distinct = sandbox.query("SELECT count(DISTINCT position) AS n FROM events");
        assert_eq!(distinct[0]["n"], Value::from(EVENTS), "after {point}");
        server.terminate();
        assert_eq!(server.ended_within(TIME_LIMIT).0.code, Some(0));
        let verified = verify(&sandbox, &sandbox.data());
        assert_eq!(verified.code, Some(0), "after {point}: {}", verified.stdout);
    }
}
