//! `/metrics`: what a scraper reads is what happened.

use std::collections::BTreeMap;

use acceptance::{Sandbox, Server};

/// Every sample by name and labels.
fn scrape(server: &Server) -> BTreeMap<String, f64> {
    let answer = server.get("/metrics");
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type").expect("a type").to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        (name.to_owned(), value.parse().unwrap_or_else(|error| panic!("{line}: {error}")))
    };
    text.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

const GOOD: &str = r#"{"timestamp": "2026-11-21T00:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 3, "provider": "GitHub", "spec": "a/b/c", "status": "success"}"#;

#[test]
fn every_series_is_there_from_the_start_and_counts_what_happens() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let before = scrape(&server);
    for name in [
        "hubscope_events_admitted_total",
        "hubscope_events_quarantined_total{reason=\"no_schema\"}",
        "hubscope_events_quarantined_total{reason=\"invalid\"}",
        "hubscope_requests_refused_total{code=\"overloaded\"}",
        "hubscope_requests_refused_total{code=\"not_json\"}",
        "hubscope_requests_repeated_total",
        "hubscope_request_acknowledged_seconds_count",
        "hubscope_journal_fsync_seconds_count",
        "hubscope_journal_queue_bytes",
        "hubscope_tail_events",
        "hubscope_flush_lag_seconds",
        "hubscope_queries_total{outcome=\"answered\"}",
        "hubscope_query_answered_seconds_count",
        "hubscope_connections_refused_total",
        "hubscope_idempotency_keys_remembered",
    ] {
        assert_eq!(before.get(name), Some(&0.0), "{name} in {before:#?}");
    }
    assert_eq!(before["hubscope_ready"], 1.0);
    let manual = include_str!("../../docs/operate/metrics.md");
    for series in before.keys() {
        let name = series.split('{').next().unwrap_or(series);
        let name = ["_count", "_sum", "_bucket"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
        assert!(manual.contains(&format!("`{name}")), "docs/operate/metrics.md does not tell of {name}");
    }

    let body = format!("{GOOD}\n{GOOD}\n{{\"a\": 1}}\n");
    let headers = [("content-type", "application/x-ndjson"), ("idempotency-key", "k")];
    for _ in 0..2 {
        server.client().post_with("/api/v1/events", &headers, body.as_bytes()).expect("an answer");
    }
    assert_eq!(server.post_events(b"nothing of this is JSON").status, 400);
    server.query("SELECT 1 AS one");
    server.get("/api/v1/kpis/no-such-question");
    let after = scrape(&server);
    for (name, expected) in [
        ("hubscope_events_admitted_total", 2.0),
        ("hubscope_events_quarantined_total{reason=\"no_schema\"}", 1.0),
        ("hubscope_requests_refused_total{code=\"not_json\"}", 1.0),
        ("hubscope_requests_repeated_total", 1.0),
        ("hubscope_request_acknowledged_seconds_count", 1.0),
        ("hubscope_journal_fsync_seconds_count", 1.0),
        ("hubscope_journal_fsync_seconds_bucket{le=\"+Inf\"}", 1.0),
        ("hubscope_journal_requests_written_total", 1.0),
        ("hubscope_tail_events", 3.0),
        ("hubscope_events_kept", 2.0),
        ("hubscope_events_aside", 1.0),
        ("hubscope_queries_total{outcome=\"answered\"}", 1.0),
        ("hubscope_queries_total{outcome=\"refused\"}", 1.0),
        ("hubscope_idempotency_keys_remembered", 1.0),
    ] {
        assert_eq!(after.get(name), Some(&expected), "{name} in {after:#?}");
    }
    assert!(after["hubscope_flush_lag_seconds"] > 0.0);
    assert!(after["hubscope_journal_bytes"] > before["hubscope_journal_bytes"]);
    assert!(after.len() >= before.len(), "no series goes away");
}
