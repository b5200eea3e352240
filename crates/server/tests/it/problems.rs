//! Every problem document that the server itself makes, pinned: programs match on them.

use std::fmt::Write;

use ingest::CollectError;

use crate::http;
use crate::sandbox::{Failure, Sandbox, launch};

#[tokio::test]
async fn problem_documents_keep_their_form() {
    let sandbox = Sandbox::new().await;
    let json = [("content-type", "application/json")];
    let from_elsewhere = [("content-type", "text/plain"), ("sec-fetch-site", "cross-site")];
    let event = launch("a/b/main", 1);
    let long = "x".repeat(11 << 20);
    let requests = [
        ("no such address", http::request("GET", "/nowhere", &[], b"")),
        ("another method", http::request("DELETE", "/api/v1/events", &[], b"")),
        ("another site", http::request("POST", "/api/v1/events", &from_elsewhere, event.as_bytes())),
        ("a long body", http::request("POST", "/api/v1/events", &json, long.as_bytes())),
        ("a statement that is not JSON", http::request("POST", "/api/v1/query", &json, b"SELECT 1")),
        ("a statement of another type", http::request("POST", "/api/v1/query", &[], b"SELECT 1")),
        ("a form that there is not", http::request("GET", "/api/v1/kpis/launches?format=pdf", &[], b"")),
        ("a question that there is not", http::request("GET", "/api/v1/kpis/launchez", &[], b"")),
        ("a file that there is not", http::request("GET", "/archive/events-2020-01-01.jsonl", &[], b"")),
    ];
    let mut told = String::new();
    for (what, request) in requests {
        let answer = http::exchange(sandbox.address, &request).await;
        writeln!(told, "{what}\n{} {}", answer.status, answer.text()).unwrap();
    }
    let failures: [(&str, Failure); 5] = [
        ("overloaded", || CollectError::Overloaded),
        ("disk full", || CollectError::DiskFull),
        ("quota reached", || CollectError::QuotaReached),
        ("poisoned", || CollectError::Poisoned),
        ("closed", || CollectError::Closed),
    ];
    for (what, failure) in failures {
        sandbox.journal.fail(failure);
        let answer = sandbox.post_json("/api/v1/events", &event).await;
        writeln!(told, "{what}\n{} {}", answer.status, answer.text()).unwrap();
    }
    insta::assert_snapshot!(told);
}
