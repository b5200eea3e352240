//! The public archive: in by two doors, out byte for byte.
//!
//! `fixtures/archive/golden` holds exports of our own making and what mybinder.org's own publisher makes of them.

use std::collections::BTreeMap;
use std::path::Path;

use acceptance::{Sandbox, fixture};

/// The files of an archive that are compared byte for byte.
type Files = BTreeMap<String, String>;

fn files_of(folder: &Path) -> Files {
    let mut files = Files::new();
    for entry in std::fs::read_dir(folder).expect("the archive can be read") {
        let path = entry.expect("its entries can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a UTF-8 name").to_owned();
        if name.ends_with(".jsonl") {
            files.insert(name, std::fs::read_to_string(&path).expect("a text"));
        }
    }
    files
}

fn golden() -> Files {
    files_of(&fixture("archive/golden/archive"))
}

fn import(sandbox: &Sandbox, kind: &str, folder: &Path) -> String {
    sandbox.run(["import", kind, folder.to_str().expect("a UTF-8 path")]).output()
}

fn publish(sandbox: &Sandbox, name: &str) -> Files {
    let to = sandbox.path(name);
    sandbox.run(["archive", "publish", "--to", to.to_str().expect("a UTF-8 path")]).output();
    files_of(&to)
}

fn count(sandbox: &Sandbox) -> u64 {
    let rows = sandbox.query("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM quarantine) AS n");
    rows[0]["n"].as_u64().expect("a count")
}

#[test]
fn an_exported_log_becomes_the_archive_that_its_publisher_makes() {
    let sandbox = Sandbox::new();
    let log = fixture("archive/golden/raw-export");
    import(&sandbox, "cloud-log", &log);
    assert_eq!(publish(&sandbox, "out"), golden());
    let before = count(&sandbox);
    let again = import(&sandbox, "cloud-log", &log);
    assert!(again.contains("4 unchanged"), "{again}");
    assert_eq!(count(&sandbox), before, "the second import adds nothing");
    assert_eq!(publish(&sandbox, "again"), golden());
}

#[test]
fn the_folder_of_one_log_is_the_same_as_the_bucket() {
    let sandbox = Sandbox::new();
    import(&sandbox, "cloud-log", &fixture("archive/golden/raw-export/binderhub-events-text"));
    assert_eq!(publish(&sandbox, "out"), golden());
}

#[test]
fn an_archive_is_published_again_as_it_was() {
    let sandbox = Sandbox::new();
    let archive = fixture("archive/golden/archive");
    import(&sandbox, "archive", &archive);
    assert_eq!(publish(&sandbox, "out"), golden());
    let before = count(&sandbox);
    let again = import(&sandbox, "archive", &archive);
    assert!(again.contains("4 unchanged"), "{again}");
    assert_eq!(count(&sandbox), before, "the second import adds nothing");
    assert_eq!(publish(&sandbox, "again"), golden());
}

#[test]
fn a_day_that_changed_at_its_source_is_replaced() {
    let sandbox = Sandbox::new();
    let source = sandbox.path("source");
    std::fs::create_dir(&source).expect("a folder can be made");
    for (name, text) in golden() {
        std::fs::write(source.join(name), text).expect("a file can be written");
    }
    import(&sandbox, "archive", &source);
    let changed = "events-2020-06-18.jsonl";
    let line = golden()[changed].lines().next().expect("it has lines").to_owned() + "\n";
    std::fs::write(source.join(changed), &line).expect("a file can be written");
    let told = import(&sandbox, "archive", &source);
    assert!(told.contains("1 changed") && told.contains("3 unchanged"), "{told}");
    let mut expected = golden();
    expected.insert(changed.into(), line);
    let index = &golden()["index.jsonl"];
    let entry = r#""date": "2020-06-18", "count": "2""#;
    assert!(index.contains(entry), "{index}");
    expected.insert("index.jsonl".into(), index.replace(entry, &entry.replace("\"2\"", "\"1\"")));
    assert_eq!(publish(&sandbox, "out"), expected);
}

#[test]
fn only_what_changed_is_written_again() {
    let sandbox = Sandbox::new();
    import(&sandbox, "archive", &fixture("archive/golden/archive"));
    publish(&sandbox, "out");
    let modified = |name: &str| {
        let file = std::fs::metadata(sandbox.path("out").join(name)).expect("the file is there");
        file.modified().expect("the system keeps times")
    };
    let names: Vec<String> = golden().into_keys().collect();
    let before: Vec<_> = names.iter().map(|name| modified(name)).collect();
    publish(&sandbox, "out");
    let after: Vec<_> = names.iter().map(|name| modified(name)).collect();
    assert_eq!(before, after);
}

#[test]
fn the_page_of_the_archive_keeps_the_headings_that_programs_read() {
    let sandbox = Sandbox::new();
    import(&sandbox, "archive", &fixture("archive/golden/archive"));
    publish(&sandbox, "out");
    let page = std::fs::read_to_string(sandbox.path("out").join("index.html")).expect("the page was written");
    let headings: Vec<&str> = page.split("<th").skip(1).filter(|rest| !rest.starts_with("ead")).collect();
    let headings: Vec<&str> = headings
        .iter()
        .filter_map(|rest| rest.split_once('>').and_then(|(_, rest)| rest.split_once('<')).map(|(text, _)| text.trim()))
        .collect();
    assert_eq!(headings, ["Date", "Filename", "Number of Events"], "{page}");
    let newest = page.find("events-2023-08-22.jsonl").expect("the empty day is listed");
    let oldest = page.find("events-2018-11-03.jsonl").expect("the first day is listed");
    assert!(newest < oldest, "newest first");
}

#[test]
fn a_server_publishes_by_itself_and_serves_what_it_published() {
    let sandbox = Sandbox::new();
    import(&sandbox, "archive", &fixture("archive/golden/archive"));
    let server = sandbox.serve(&[("HUBSCOPE_ARCHIVE__INTERVAL", "50 ms")]);
    let index = loop {
        let answer = server.get("/archive/index.jsonl");
        if answer.status == 200 {
            break answer;
        }
        assert_eq!(answer.status, 404, "{}", answer.text());
    };
    assert_eq!(index.text(), golden()["index.jsonl"], "it is written last, so the rest is there");
    assert_eq!(server.get("/archive/events-2018-11-03.jsonl").text(), golden()["events-2018-11-03.jsonl"]);
    assert_eq!(server.get("/archive/").status, 200);
    for path in ["/archive/../journal/", "/archive/%2e%2e/lock", "/archive/nothing.jsonl", "/archive//etc/passwd"] {
        assert_ne!(server.get(path).status, 200, "{path}");
    }
}

#[test]
fn nothing_but_declared_schemas_is_published() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let action = r#"{"__timestamp__": "2024-03-01T00:34:29Z", "__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": "1", "__metadata_version__": 1, "action": "start", "username": "alice", "servername": ""}"#;
    let launch = r#"{"timestamp": "2024-03-01T12:00:31.5Z", "schema": "binderhub.jupyter.org/launch", "version": 1, "provider": "GitHub", "spec": "a/b/c", "status": "success", "password": "swordfish"}"#;
    for event in [action, launch] {
        let answer = server.post_events(event.as_bytes());
        assert_eq!(answer.json()["admitted"], 1, "{}", answer.text());
    }
    let files = publish(&sandbox, "out");
    let text: String = files.values().cloned().collect();
    assert!(text.contains("\"a/b/c\"") && text.contains("2024-03-01T12:00:00+00:00"), "{text}");
    assert!(!text.contains("alice") && !text.contains("swordfish") && !text.contains("password"), "{text}");
}
