//! Journals of requests as earlier versions wrote them: the program takes them up, whatever it has become.

use std::fs;

use acceptance::{Sandbox, fixture};
use serde_json::{Value, json};

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
