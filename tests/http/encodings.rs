//! The forms and encodings in which events may come.

use std::io::Write;

use acceptance::{Client, Response, Sandbox};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

const FIRST: &str = r#"{"timestamp": "2024-03-01T12:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 1, "provider": "GitHub", "spec": "a/b/1", "status": "success"}"#;
const SECOND: &str = r#"{"timestamp": "2024-03-01T12:00:01Z", "schema": "binderhub.jupyter.org/launch", "version": 1, "provider": "GitHub", "spec": "a/b/2", "status": "success"}"#;

#[test]
fn an_object_an_array_and_lines_are_kept_whatever_they_were_compressed_with() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let mut client = server.client();
    let array = format!("[{FIRST}, {SECOND}]");
    let lines = format!("{FIRST}\n\n{SECOND}\r\n");
    let forms = [
        ("application/json", FIRST, 1),
        ("application/json", array.as_str(), 2),
        ("application/x-ndjson", lines.as_str(), 2),
    ];
    let mut sent = 0;
    for (content_type, body, count) in forms {
        for encoding in ["identity", "gzip", "zstd", "deflate"] {
            let answer = send(&mut client, content_type, encoding, body);
            let place = format!("{content_type}, {encoding}: {}", answer.text());
            assert_eq!(answer.status, 200, "{place}");
            assert_eq!(answer.json()["admitted"], count, "{place}");
            sent += count;
        }
    }
    let rows = server.query("SELECT text, count(*) AS n FROM events GROUP BY text ORDER BY text");
    let kept: Vec<(&str, u64)> = rows.iter().map(|row| (text(row), row["n"].as_u64().unwrap_or(0))).collect();
    assert_eq!(kept, [(FIRST, 12), (SECOND, sent - 12)], "texts are kept untouched");
}

#[test]
fn an_event_can_be_asked_for_as_soon_as_it_was_acknowledged() {
    let sandbox = Sandbox::new();
    // No flush comes to help: only the tail can know.
    let server = sandbox.serve(&[("HUBSCOPE_STORE__FLUSH_INTERVAL", "1 h")]);
    for count in 1..=20 {
        assert_eq!(server.post_events(FIRST.as_bytes()).status, 200);
        let rows = server.query("SELECT count(*) AS n FROM launches");
        assert_eq!(rows[0]["n"], count);
    }
}

fn send(client: &mut Client, content_type: &str, encoding: &str, body: &str) -> Response {
    let encoded = match encoding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body.as_bytes()).and_then(|()| encoder.finish()).expect("memory")
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body.as_bytes()).and_then(|()| encoder.finish()).expect("memory")
        }
        "zstd" => zstd::encode_all(body.as_bytes(), 3).expect("memory"),
        _ => body.as_bytes().to_vec(),
    };
    let headers = [("Content-Type", content_type), ("Content-Encoding", encoding)];
    client.post_with("/api/v1/events", &headers, &encoded).expect("an answer")
}

fn text(row: &Value) -> &str {
    row["text"].as_str().unwrap_or_default()
}
