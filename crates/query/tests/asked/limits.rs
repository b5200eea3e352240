//! A query that asks for too much is stopped, truly, and the engine goes on.

use std::time::{Duration, Instant};

use query::{Limits, SqlOptions};

use crate::sandbox::{Sandbox, launch, on};

fn tight() -> Limits {
    Limits {
        time_max: Duration::from_millis(500),
        memory_bytes_max: 32 << 20,
        threads: 2,
        queries_max: 2,
        ..Limits::default()
    }
}

async fn filled(limits: Limits) -> Sandbox {
    let mut sandbox = Sandbox::with_limits(limits).await;
    let rows = (0..3_000).map(|n| launch(on("2021-11-01", n * 1_000), &format!("owner{n}/name{n}/HEAD"))).collect();
    sandbox.acknowledge(rows);
    sandbox.flush().await;
    sandbox
}

/// Waits until no query runs, and fails when that takes far longer than any check of the clock.
async fn idle(sandbox: &Sandbox, sql: &str) {
    let patience = Instant::now() + Duration::from_secs(60);
    while sandbox.engine.running() > 0 {
        assert!(Instant::now() < patience, "it still runs: {sql}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn over_time_a_query_ends_and_frees_its_place() {
    let sandbox = filled(tight()).await;
    for sql in [
        "SELECT count(*) FROM events a CROSS JOIN events b CROSS JOIN events c WHERE a.spec < b.spec AND b.text <> c.text",
        "SELECT sum(value) FROM generate_series(1, 100000000000)",
        "SELECT count(*) FROM generate_series(1, 100000000) a JOIN generate_series(1, 100000000) b ON a.value + b.value = 7",
        "SELECT count(*) FROM launches a CROSS JOIN launches b WHERE levenshtein(a.repo, b.repo) = 3",
        "SELECT count(*) FROM launches a CROSS JOIN launches b WHERE regexp_like(a.repo || b.repo, '(.*a.*b.*){5}$')",
    ] {
        let error = sandbox.sql(sql).await.expect_err(sql);
        assert!(matches!(error.code(), "timed_out" | "too_much_memory"), "{sql}: {} {error}", error.code());
        idle(&sandbox, sql).await;
        assert_eq!(sandbox.rows("SELECT count(*) FROM events").await, "3000");
    }
    let error = sandbox.sql("SELECT sum(value) FROM generate_series(1, 100000000000)").await.unwrap_err();
    assert_eq!(error.to_string(), "the query was stopped after 0.5 s; ask for a shorter time range or fewer columns");
}

#[tokio::test]
async fn over_memory_a_query_ends() {
    let limits = Limits { time_max: Duration::from_secs(300), ..tight() };
    let sandbox = filled(limits).await;
    let doublings: String = (1..35).map(|n| format!(", t{n} AS (SELECT t || t AS t FROM t{})", n - 1)).collect();
    let doubled = format!("WITH t0 AS (SELECT spec AS t FROM events){doublings} SELECT t FROM t34");
    let concatenated = doubled.replace("t || t", "concat(t, t)");
    for sql in [
        "SELECT count(*) FROM (SELECT DISTINCT a.spec, b.spec AS other FROM events a JOIN events b ON a.hub = b.hub)",
        "SELECT array_agg(value) FROM generate_series(1, 100000000)",
        "SELECT repeat('x', 2000000000)",
        "SELECT length(repeat(text, 100000)) FROM events",
        "SELECT lpad('x', 2000000000)",
        "SELECT rpad(spec, 1000000) FROM events",
        "SELECT replace(repeat('a', 1000000), 'a', repeat('b', 1000000))",
        "SELECT regexp_replace(repeat('a', 1000000), 'a', repeat('b', 1000000), 'g')",
        "SELECT array_to_string(string_to_array(repeat('a,', 100000), ','), repeat('b', 1000000))",
        "SELECT regexp_like('a', repeat('(a|b)', 1000))",
        "SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000))",
        doubled.as_str(),
        concatenated.as_str(),
    ] {
        let error = sandbox.sql(sql).await.expect_err(sql);
        assert_eq!(error.code(), "too_much_memory", "{sql}: {error}");
        idle(&sandbox, sql).await;
    }
    assert_eq!(sandbox.rows("SELECT count(*) FROM events").await, "3000");
}

#[tokio::test]
async fn rows_are_cut_at_the_limit_and_the_answer_says_so() {
    let sandbox = filled(Limits { rows_default: 10, rows_max: 2_000, threads: 2, ..Limits::default() }).await;
    for (sql, limit, rows, truncated) in [
        ("SELECT spec FROM events", None, 10, true),
        ("SELECT spec FROM events", Some(5_000), 2_000, true),
        ("SELECT spec FROM events", Some(3), 3, true),
        ("SELECT spec FROM events LIMIT 10", None, 10, false),
        ("SELECT spec FROM events LIMIT 3", Some(3), 3, false),
        ("SELECT spec FROM events", Some(0), 0, true),
        ("SELECT spec FROM events WHERE false", None, 0, false),
    ] {
        let answer = sandbox.engine.sql(sql, SqlOptions { limit, ..SqlOptions::default() }).await.unwrap();
        assert_eq!((answer.rows(), answer.truncated), (rows, truncated), "{sql} {limit:?}");
    }
}

#[tokio::test]
async fn an_answer_of_too_many_bytes_is_cut() {
    let sandbox = filled(Limits { answer_bytes_max: 100_000, threads: 2, ..Limits::default() }).await;
    let answer = sandbox.sql("SELECT text FROM events, generate_series(1, 100)").await.unwrap();
    assert!(answer.truncated && answer.rows() < 10_000, "{}", answer.rows());
}

#[tokio::test]
async fn a_query_waits_for_its_place_and_gives_up_in_time() {
    let sandbox = filled(Limits { queries_max: 1, ..tight() }).await;
    let slow = "SELECT sum(value) FROM generate_series(1, 100000000000)";
    let (first, second) = tokio::join!(sandbox.sql(slow), sandbox.sql(slow));
    // The second gets its place when the first is over, if at all, and then has no time left.
    for error in [first.unwrap_err(), second.unwrap_err()] {
        assert!(matches!(error.code(), "busy" | "timed_out"), "{error}");
    }
    idle(&sandbox, slow).await;
}

#[tokio::test]
async fn a_query_whose_asker_is_gone_ends() {
    let sandbox = filled(Limits { time_max: Duration::from_secs(3_600), ..tight() }).await;
    let slow = "SELECT sum(value) FROM generate_series(1, 100000000000)";
    let asked = tokio::time::timeout(Duration::from_millis(100), sandbox.sql(slow)).await;
    assert!(asked.is_err());
    idle(&sandbox, slow).await;
}
