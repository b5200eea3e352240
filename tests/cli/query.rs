//! `hubscope query`, with and without a running server.

use acceptance::{Sandbox, TIME_LIMIT};

const LAUNCH: &str = r#"{"timestamp": "2024-03-01T12:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 1, "provider": "GitHub", "spec": "a/b/c", "status": "success"}"#;
const COUNT: &str = "SELECT provider, count(*) AS n FROM launches GROUP BY provider";

#[test]
fn the_same_question_has_the_same_answer_beside_a_running_server_and_without_one() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    for _ in 0..3 {
        assert_eq!(server.post_events(LAUNCH.as_bytes()).status, 200);
    }
    let beside = sandbox.query(COUNT);
    assert_eq!(beside.len(), 1);
    assert_eq!(beside[0]["n"], 3);
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(sandbox.query(COUNT), beside);
}

#[test]
fn an_answer_comes_in_every_form() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    assert_eq!(server.post_events(LAUNCH.as_bytes()).status, 200);
    let ask = |format: &str| sandbox.run(["query", "--format", format, COUNT]).output();
    assert_eq!(ask("csv"), "provider,n\r\nGitHub,1\r\n", "lines end as RFC 4180 has it");
    assert!(ask("markdown").starts_with("| provider"), "{}", ask("markdown"));
    assert!(ask("table").contains("GitHub"), "{}", ask("table"));
    assert!(ask("parquet").starts_with("PAR1"), "a Parquet file begins so");
    let unasked = sandbox.run(["query", COUNT]).output();
    assert_eq!(unasked, ask("csv"), "a program that reads a pipe gets CSV");
}

/// A file of the first rows looks like a whole one.
#[test]
fn who_gets_a_part_of_the_rows_is_told() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    for _ in 0..3 {
        assert_eq!(server.post_events(LAUNCH.as_bytes()).status, 200);
    }
    let ask = |format: &str, limit: &str| {
        sandbox.run(["query", "--format", format, "--limit", limit, "SELECT provider FROM launches"])
    };
    let cut = "the first 2 rows; there are more";
    let told = |format: &str| {
        let (part, whole) = (ask(format, "2"), ask(format, "3"));
        assert!(!whole.stderr.contains("there are more") && !whole.stdout.contains("there are more"), "{whole:?}");
        assert_eq!(part.code, Some(0), "{part:?}");
        (part.stdout.contains(cut), part.stderr.contains(cut))
    };
    let everywhere = || {
        for format in ["csv", "json", "parquet"] {
            assert_eq!(told(format), (false, true), "{format}: beside the answer, which stays what it is");
        }
        for format in ["table", "markdown"] {
            assert_eq!(told(format), (true, false), "{format}: in it, once");
        }
    };
    everywhere();
    server.terminate();
    assert_eq!(server.ended_within(TIME_LIMIT).0.code, Some(0));
    everywhere();
}

#[test]
fn a_fault_in_the_question_is_told_and_is_no_success() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    for (sql, told) in
        [("SELECT nothing FROM launches", "nothing"), ("SELEC 1", "SELEC"), ("DROP TABLE events", "SELECT")]
    {
        let beside = sandbox.run(["query", sql]);
        assert_eq!((beside.code, beside.stdout.as_str()), (Some(1), ""), "{sql}: {beside:?}");
        assert!(beside.stderr.contains(told), "{sql}: {}", beside.stderr);
    }
    drop(server);
}
