//! `hubscope rebuild`: what is derived from events is made anew, the same byte for byte, offline and beside a server.

use std::collections::BTreeMap;
use std::fs;

use acceptance::{Sandbox, Server, TIME_LIMIT};
use serde_json::Value;

const QUIET: [(&str, &str); 1] = [("HUBSCOPE_ARCHIVE__ENABLED", "false")];

fn stopped(server: Server) {
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

fn launch(day: &str, spec: &str) -> String {
    format!(
        r#"{{"timestamp": "{day}T12:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 1, "provider": "GitHub", "spec": "{spec}", "status": "success"}}"#
    )
}

/// Every file derived as `part`, by name.
fn derived(sandbox: &Sandbox, part: &str) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(sandbox.data().join("derived").join(part)) else { return BTreeMap::new() };
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        (name, fs::read(&path).expect("the file"))
    };
    entries.map(file).collect()
}

fn asked(sandbox: &Sandbox) -> Value {
    let arguments =
        ["kpi", "run", "top-repos", "--param", "from=2024-02-01", "--param", "to=2024-04-01", "--format", "json"];
    let answer: Value = serde_json::from_str(&sandbox.run(arguments).output()).expect("JSON");
    answer["rows"].clone()
}

#[test]
fn what_is_made_anew_is_what_went_on() {
    let sandbox = Sandbox::new();
    for (day, spec) in [("2024-02-29", "a/b/HEAD"), ("2024-03-01", "a/B/HEAD"), ("2024-02-28", "c/d/HEAD")] {
        // Each life brings a day, the last one a late day.
        let server = sandbox.serve(&QUIET);
        assert_eq!(server.post_events(launch(day, spec).as_bytes()).status, 200);
        stopped(server);
    }
    let went_on = derived(&sandbox, "rollups");
    assert_eq!(went_on.len(), 4, "two months, the parts, the manifest: {:?}", went_on.keys());
    let answer = asked(&sandbox);
    assert_eq!(answer[0]["value"], 2, "{answer}");

    let told = sandbox.run(["rebuild"]).output();
    assert!(told.contains("\nrollups: ") && told.contains("facts of days, made anew"), "{told}");
    assert_eq!(derived(&sandbox, "rollups"), went_on, "made anew over what is there");
    fs::remove_dir_all(sandbox.data().join("derived")).expect("removed");
    assert_eq!(asked(&sandbox), answer, "without any");
    sandbox.run(["rebuild", "--only", "rollups"]).output();
    assert_eq!(derived(&sandbox, "rollups"), went_on, "made anew from nothing");

    for (name, bytes) in &went_on {
        let path = sandbox.data().join("derived/rollups").join(name);
        let mut wrong = bytes.clone();
        wrong[bytes.len() / 2] ^= 1;
        fs::write(&path, &wrong).expect("written");
        let ended = sandbox.run(["verify"]);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.stdout.contains(&format!("derived/rollups/{name}")), "{}", ended.stdout);
        assert_eq!(asked(&sandbox), answer, "{name} is damaged, and the answer is that of the events");
        let server = sandbox.serve(&QUIET);
        assert!(sandbox.run(["rebuild"]).output().contains("made anew"));
        assert_eq!(derived(&sandbox, "rollups"), went_on, "made anew beside a server");
        assert_eq!(asked(&sandbox), answer);
        stopped(server);
        assert_eq!(sandbox.run(["verify"]).code, Some(0));
    }
}

fn act(time: &str, action: &str, user: &str) -> String {
    format!(
        r#"{{"__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": 1, "__timestamp__": "{time}", "action": "{action}", "username": "{user}", "servername": ""}}"#
    )
}

/// The rows that stand in files; what is known beside them has the time at which it was written.
fn months(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
    derived(sandbox, "sessions").into_iter().filter(|(name, _)| name.ends_with(".parquet")).collect()
}

fn sessions(sandbox: &Sandbox) -> String {
    let rows = r#"SELECT username, start, end_low, "end", end_known_by FROM sessions ORDER BY start, username"#;
    sandbox.run(["query", "--format", "csv", rows]).output()
}

#[test]
fn sessions_made_anew_are_those_that_went_on() {
    let sandbox = Sandbox::new();
    // Each life brings a month and ends what ran in the one before.
    for (month, before) in [("01", None), ("02", Some("01")), ("03", Some("02"))] {
        let server = sandbox.serve(&QUIET);
        let mut events = vec![
            act(&format!("2024-{month}-07T08:00:00Z"), "start", "ada"),
            act(&format!("2024-{month}-07T09:00:00Z"), "stop", "ada"),
            act(&format!("2024-{month}-28T23:00:00Z"), "start", "bob"),
        ];
        events.extend(before.map(|_| act(&format!("2024-{month}-01T01:00:00Z"), "stop", "bob")));
        assert_eq!(server.post_events(format!("[{}]", events.join(",")).as_bytes()).status, 200);
        stopped(server);
    }
    let answer = sessions(&sandbox);
    assert_eq!(answer.lines().count(), 7, "{answer}");
    // The last one of March is capped, which later evidence may tell better: it stands in no file.
    let went_on = months(&sandbox);
    let begin = |name: &String| name.rsplit_once('-').map(|(month, _)| month.to_owned());
    assert_eq!(went_on.keys().filter_map(begin).collect::<Vec<_>>(), ["2024-01", "2024-02", "2024-03"]);

    assert_eq!(sandbox.run(["rebuild", "--only", "sessions"]).output(), "sessions: 6 of them, made anew\n");
    assert_eq!(months(&sandbox), went_on, "made anew over what is there");
    fs::remove_dir_all(sandbox.data().join("derived")).expect("removed");
    assert_eq!(sessions(&sandbox), answer, "without any");
    sandbox.run(["rebuild"]).output();
    assert_eq!(months(&sandbox), went_on, "made anew from nothing");

    // The three months, the manifest, and what is known beside them, whose name changes.
    for number in 0..5 {
        let (name, bytes) = derived(&sandbox, "sessions").into_iter().nth(number).expect("five files");
        let path = sandbox.data().join("derived/sessions").join(&name);
        let mut wrong = bytes.clone();
        wrong[bytes.len() / 2] ^= 1;
        fs::write(&path, &wrong).expect("written");
        let ended = sandbox.run(["verify"]);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.stdout.contains(&format!("derived/sessions/{name}")), "{}", ended.stdout);
        assert_eq!(sessions(&sandbox), answer, "{name} is damaged, and the answer is that of the events");
        let server = sandbox.serve(&QUIET);
        assert_eq!(sandbox.run(["rebuild", "--only", "sessions"]).output(), "sessions: 6 of them, made anew\n");
        assert_eq!(months(&sandbox), went_on, "made anew beside a server");
        assert_eq!(sessions(&sandbox), answer);
        stopped(server);
        assert_eq!(sandbox.run(["verify"]).code, Some(0));
    }
}
