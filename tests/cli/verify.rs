//! `hubscope verify` and `inspect table`, beside a running server and on a folder that nobody uses.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use acceptance::{Sandbox, Server, TIME_LIMIT};
use serde_json::Value;

const LAUNCH: &str = r#"{"timestamp": "2024-03-01T12:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 1, "provider": "GitHub", "spec": "a/b/c", "status": "success"}"#;
const COUNT: &str = "SELECT count(*) AS n FROM events";

/// The exit code of a verification that found something wrong.
const UNSOUND: Option<i32> = Some(3);

fn stopped(server: Server) {
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

fn report(sandbox: &Sandbox) -> (Option<i32>, Value) {
    let ended = sandbox.run(["verify", "--format", "json"]);
    (ended.code, serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}")))
}

/// The files that `inspect table --files` lists.
fn parts(sandbox: &Sandbox) -> Vec<PathBuf> {
    sandbox.run(["inspect", "table", "--files"]).output().lines().map(PathBuf::from).collect()
}

#[test]
fn damage_is_named_beside_a_running_server_and_without_one() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[("HUBSCOPE_ARCHIVE__ENABLED", "false")]);
    assert_eq!(server.post_events(LAUNCH.as_bytes()).status, 200);
    stopped(server);
    let server = sandbox.serve(&[("HUBSCOPE_ARCHIVE__ENABLED", "false")]);
    assert_eq!(server.post_events(LAUNCH.as_bytes()).status, 200);

    let (code, sound) = report(&sandbox);
    assert_eq!((code, &sound["sound"]), (Some(0), &Value::Bool(true)), "{sound}");
    assert!(sound["files"].as_u64() >= Some(4) && sound["journal"]["records"].as_u64() >= Some(1), "{sound}");
    let people = sandbox.run(["verify"]).output();
    assert!(people.contains("everything is as it was written"), "{people}");
    let told = sandbox.run(["inspect", "table", "--format", "json"]).output();
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((&told["rows"], told["parts"].as_array().map(Vec::len)), (&Value::from(1), Some(1)), "{told}");
    assert_eq!(told["parts"][0]["schema"][0], "binderhub.jupyter.org/launch");

    let part = parts(&sandbox).pop().expect("one part");
    let right = fs::read(&part).expect("the part is there");
    let mut wrong = right.clone();
    wrong[right.len() / 2] ^= 0x10;
    fs::write(&part, &wrong).expect("the part can be written");
    let name = part.file_name().and_then(|name| name.to_str()).expect("a name");
    let check = |moment: &str| {
        let (code, found) = report(&sandbox);
        assert_eq!((code, &found["sound"]), (UNSOUND, &Value::Bool(false)), "{moment}: {found}");
        let fault = &found["faults"]["first"][0];
        assert_eq!(fault["kind"], "damaged", "{found}");
        assert!(fault["file"].as_str().is_some_and(|file| file.ends_with(name)), "{found}");
        let people = sandbox.run(["verify"]);
        assert!(people.code == UNSOUND && people.stdout.contains(name), "{people:?}");
        // A question that needs the part fails; it never has another answer.
        let asked = sandbox.run(["query", "SELECT text FROM events"]);
        assert_eq!((asked.code, asked.stdout.as_str()), (Some(1), ""), "{moment}: {asked:?}");
        assert!(asked.stderr.contains(name), "{}", asked.stderr);
    };
    check("beside the server");
    stopped(server);
    check("without one");
    fs::write(&part, &right).expect("the part can be written");
    assert_eq!(report(&sandbox).0, Some(0));
    assert_eq!(sandbox.query(COUNT)[0]["n"], 2);
}

#[test]
fn a_table_that_cannot_be_opened_is_verified_all_the_same() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[("HUBSCOPE_ARCHIVE__ENABLED", "false")]);
    assert_eq!(server.post_events(LAUNCH.as_bytes()).status, 200);
    stopped(server);
    let commit = sandbox.data().join("tables/events/_delta_log/00000000000000000001.json");
    let right = fs::read(&commit).expect("the commit of the flush");
    let mut wrong = right.clone();
    wrong[10] ^= 1;
    fs::write(&commit, &wrong).expect("the commit can be written");
    let (code, found) = report(&sandbox);
    assert_eq!(code, UNSOUND);
    let files: Vec<&str> =
        found["faults"]["first"].as_array().into_iter().flatten().filter_map(|fault| fault["file"].as_str()).collect();
    assert_eq!(files, ["tables/events/_delta_log/00000000000000000001.json"], "{found}");
    assert_eq!(sandbox.run(["query", COUNT]).code, Some(1));
    fs::write(&commit, &right).expect("the commit can be written");
    assert_eq!(sandbox.query(COUNT)[0]["n"], 1);
    assert_eq!(report(&sandbox).0, Some(0));
}

#[test]
fn a_folder_without_data_is_not_verified() {
    let ended = Sandbox::new().run(["verify"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
}

/// Every file below a folder with its bytes, and every folder.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            found.extend(contents(&path));
            found.insert(path, None);
        } else if path.is_file() {
            let bytes = fs::read(&path).expect("a file of ours");
            found.insert(path, Some(bytes));
        }
    }
    found
}

#[test]
fn verification_without_a_server_changes_nothing() {
    let sandbox = Sandbox::new();
    let mut server =
        sandbox.serve(&[("HUBSCOPE_ARCHIVE__ENABLED", "false"), ("HUBSCOPE_STORE__FLUSH_INTERVAL", "1 h")]);
    assert_eq!(server.post_events(LAUNCH.as_bytes()).status, 200);
    server.kill();
    // A server begins anew by what is left; then nothing of the tables is without its sum.
    let mut server =
        sandbox.serve(&[("HUBSCOPE_ARCHIVE__ENABLED", "false"), ("HUBSCOPE_STORE__FLUSH_INTERVAL", "1 h")]);
    assert_eq!(server.post_events(LAUNCH.as_bytes()).status, 200);
    server.kill();
    let journal = sandbox.data().join("journal");
    let mut segments = contents(&journal);
    segments.retain(|path, bytes| bytes.is_some() && path.parent() == Some(journal.as_path()));
    let segments: Vec<PathBuf> = segments.into_keys().collect();
    let [first, last] = segments.as_slice() else { panic!("each life began a segment: {segments:?}") };
    let bytes = fs::read(last).expect("the segment");
    fs::write(last, [&bytes[..], b"a write that did not finish"].concat()).expect("written");

    let before = contents(&sandbox.data());
    let (code, found) = report(&sandbox);
    assert_eq!((code, &found["sound"], &found["journal"]["records"]), (Some(0), &Value::Bool(true), &Value::from(2)));
    assert_eq!(found["adopted"]["count"], 0, "{found}");
    let people = sandbox.run(["verify"]).output();
    assert!(people.contains("did not finish; nothing acknowledged lay there"), "{people}");
    let after = contents(&sandbox.data());
    assert!(before.keys().eq(after.keys()), "files came or went: {:?}", after.keys());
    for (path, bytes) in before {
        assert!(after[&path] == bytes, "{} was changed", path.display());
    }
    // A record that was damaged and that the table does not have is a fault, every time anew.
    let mut wrong = fs::read(first).expect("the segment");
    let place = wrong.windows(6).position(|window| window == b"GitHub").expect("an event lies there");
    wrong[place] ^= 1;
    fs::write(first, wrong).expect("written");
    for _ in 0..2 {
        let (code, found) = report(&sandbox);
        assert_eq!((code, &found["faults"]["first"][0]["file"]), (UNSOUND, &Value::from("journal")), "{found}");
    }
}

#[test]
fn where_no_table_was_made_yet_none_is_made() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.data().join("journal")).expect("a folder");
    let (code, found) = report(&sandbox);
    assert_eq!(
        (code, &found["files"], &found["journal"]["collector"]),
        (Some(0), &Value::from(0), &Value::Null),
        "{found}"
    );
    assert_eq!(fs::read_dir(sandbox.data().join("journal")).expect("a folder").count(), 0);
    assert!(!sandbox.data().join("tables").exists());
    let log = sandbox.data().join("tables/events/_delta_log");
    fs::create_dir_all(&log).expect("a folder");
    fs::write(log.join("00000000000000000000.json"), "{}").expect("a file");
    let (code, found) = report(&sandbox);
    assert_eq!(code, UNSOUND);
    assert!(found["faults"].to_string().contains("quarantine/_delta_log is missing"), "{found}");
}
