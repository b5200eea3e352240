//! What real programs sent through their logging handlers, replayed byte for byte.
//!
//! Only the path is ours: the handlers were set up with `/events`, and their query string (`?k=v`) is kept.

use std::path::Path;

use acceptance::{Response, Sandbox, Server, fixture, fixtures_below, lines_of};
use serde_json::Value;

/// The programs that were captured. One uses schemas that are not built in: its events belong in quarantine.
const PROGRAMS: [(&str, bool); 5] = [
    ("binderhub-eventlog-py311", true),
    ("jupyter_events-0.12.1-py311", false),
    ("jupyter_server-2.21.1-py311", true),
    ("jupyterhub-4.1.6-py39-telemetry", true),
    ("jupyterhub-6.1.1-py311", true),
];

/// The handlers, by what the capture calls them. Left out is `http_post_map_json`, which loses the types of all values.
const HANDLERS: [&str; 6] = [
    "http_get",
    "http_post_after_formatter",
    "http_post_basic_auth",
    "http_post_behind_queue",
    "http_post_first",
    "http_post_json_body",
];

#[test]
fn every_capture_is_kept_as_the_line_that_its_emitter_wrote_to_a_file() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let mut replayed = 0;
    for (program, is_built_in) in PROGRAMS {
        let expected = lines_of(&fixture(&format!("captures/{program}/expected.jsonl")));
        for handler in HANDLERS {
            let captures = fixtures_below(&format!("captures/{program}/{handler}"));
            for (capture, line) in captures.iter().zip(&expected) {
                check(&server, capture, line, is_built_in);
                replayed += 1;
            }
        }
    }
    assert_eq!(replayed, 6 * (8 + 4 + 8 + 8 + 10), "captures replayed");
}

fn check(server: &Server, capture: &Path, expected: &str, is_built_in: bool) {
    let place = capture.display();
    let answer = replay(server, &std::fs::read(capture).expect("a capture can be read"));
    assert_eq!(answer.status, 200, "{place}: {}", answer.text());
    let event = &answer.json()["events"][0];
    let (table, verdict) = if is_built_in { ("events", "admitted") } else { ("quarantine", "quarantined") };
    assert_eq!(event["verdict"], verdict, "{place}: {event}");
    if !is_built_in {
        assert_eq!(event["reason"], "unknown_schema", "{place}");
    }
    let id = event["id"].as_str().unwrap_or_default();
    let (collector, position) = id.split_once(':').unwrap_or_else(|| panic!("{place}: the id is '{id}'"));
    let sql = format!("SELECT text FROM {table} WHERE collector = '{collector}' AND position = {position}");
    let rows = server.query(&sql);
    let text = rows.first().and_then(|row| row["text"].as_str()).unwrap_or_else(|| panic!("{place}: no row {id}"));
    match (message_apart(text), message_apart(expected)) {
        (None, None) => assert_eq!(text, expected, "{place}"),
        (kept, wanted) => {
            let (kept, wanted) = (kept.unwrap_or_else(|| whole(text)), wanted.unwrap_or_else(|| whole(expected)));
            assert_eq!(kept, wanted, "{place}");
        }
    }
}

/// A line's `message` if it says something, and all the rest: names and values in their order.
type Parts = (Option<Value>, Vec<(String, Value)>);

/// The emitter's formatter touches one property of lines in files, and not what goes over the wire: it puts `message`
/// first, and adds an empty one where there was none. A line that has one is compared apart from that; `None` for any
/// other, which is compared byte for byte.
fn message_apart(text: &str) -> Option<Parts> {
    let mut rest = parsed(text);
    let place = rest.iter().position(|(name, _)| name == "message")?;
    let (_, message) = rest.remove(place);
    Some(((message != "").then_some(message), rest))
}

fn whole(text: &str) -> Parts {
    (None, parsed(text))
}

fn parsed(text: &str) -> Vec<(String, Value)> {
    match serde_json::from_str(text) {
        Ok(Value::Object(event)) => event.into_iter().collect(),
        other => panic!("{other:?} in {text}"),
    }
}

/// Sends a captured request, its path turned into ours.
fn replay(server: &Server, capture: &[u8]) -> Response {
    let start = capture.windows(8).position(|bytes| bytes == b" /events").expect("captures go to /events");
    let mut request = capture[..start].to_vec();
    request.extend_from_slice(b" /api/v1");
    request.extend_from_slice(&capture[start + 1..]);
    server.client().exchange(&request).expect("an answer")
}
