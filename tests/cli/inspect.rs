//! `hubscope inspect journal`: what is wrong is named to the byte, and nothing is changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use acceptance::{Ended, Sandbox};
use serde_json::Value;

/// Nothing is flushed by itself, so that the journal keeps what it got.
const LAZY: [(&str, &str); 2] = [("HUBSCOPE_STORE__FLUSH_INTERVAL", "1 h"), ("HUBSCOPE_ARCHIVE__ENABLED", "false")];

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.insert(path.clone(), fs::read(&path).expect("a file can be read"));
        }
    }
    found
}

fn report(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:#?}"))
}

#[test]
fn a_journal_is_inspected_beside_its_server_and_after_it_was_killed() {
    let sandbox = Sandbox::new();
    let json = ["inspect", "journal", "--format", "json"];
    let mut server = sandbox.serve(&LAZY);
    for number in 0..5 {
        assert_eq!(server.post_events(format!(r#"{{"number": {number}}}"#).as_bytes()).status, 200);
    }
    let beside = sandbox.run(json);
    assert_eq!(beside.code, Some(0), "{beside:#?}");
    let beside = report(&beside);
    assert_eq!((&beside["is_running"], &beside["next"], &beside["records"]), (&true.into(), &5.into(), &5.into()));
    server.kill();
    drop(server);

    let sound = report(&sandbox.run(json));
    assert_eq!((&sound["is_running"], &sound["segments"]), (&false.into(), &beside["segments"]));
    let table = sandbox.run(["inspect", "journal"]).output();
    assert!(table.contains("positions 0 to 5: 5 records") && table.ends_with("no damage\n"), "{table}");

    // One bit of the third record's payload, and half a record behind the last.
    let journal = sandbox.data().join("journal");
    let segment = files(&journal).into_keys().next().expect("a segment");
    let mut bytes = fs::read(&segment).expect("a file can be read");
    let record = (bytes.len() - 64) / 5;
    bytes[64 + 2 * record + 40] ^= 1;
    bytes.extend([7; 20]);
    fs::write(&segment, &bytes).expect("a file can be written");
    let before = files(&sandbox.data());
    let ended = sandbox.run(json);
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    let found = report(&ended);
    let damaged = &found["damaged"][0];
    let (from, to) = (64 + 2 * record, 64 + 3 * record);
    assert_eq!((&damaged["from_byte"], &damaged["to_byte"]), (&from.into(), &to.into()), "{found}");
    assert_eq!((&damaged["from_position"], &damaged["to_position"]), (&2.into(), &3.into()), "{found}");
    assert_eq!((&damaged["acknowledged"], &found["records"]), (&true.into(), &4.into()), "{found}");
    assert_eq!(found["torn"]["from_byte"], 64 + 5 * record, "{found}");
    let table = sandbox.run(["inspect", "journal"]);
    assert_eq!(table.code, Some(3));
    assert!(table.stdout.contains("positions 2 to 3 are missing; it had been acknowledged"), "{}", table.stdout);
    assert_eq!(files(&sandbox.data()), before, "looking changed something");

    // A start finds the same, reports it and goes on; the events behind the damage are there.
    let server = sandbox.serve(&LAZY);
    let rows = server.query("SELECT text FROM quarantine ORDER BY position");
    let texts: Vec<&str> = rows.iter().filter_map(|row| row["text"].as_str()).collect();
    let expected = [0, 1, 3, 4].map(|number| format!(r#"{{"number": {number}}}"#));
    assert_eq!(texts, expected);
    let beside = report(&sandbox.run(json));
    assert_eq!((&beside["set_aside"]["files"], &beside["torn"]), (&2.into(), &Value::Null), "{beside}");
}

#[test]
fn a_folder_without_a_journal_is_told() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(["inspect", "journal"]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.stderr.contains("cannot inspect") && !sandbox.data().exists(), "{}", ended.stderr);
}
