//! `hubscope token`, and what tokens do to a running server.

use std::path::Path;

use acceptance::{Response, Sandbox, Server, TIME_LIMIT};

const EVENT: &str = r#"{"__timestamp__": "2026-11-21T00:34:29Z", "__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": "1", "__metadata_version__": 1, "action": "start", "username": "alice", "servername": ""}"#;

fn create(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let printed = sandbox.run([&["token", "create"], arguments].concat()).output();
    let secret = printed.strip_suffix('\n').expect("one line");
    assert!(secret.starts_with("hs_") && !secret.contains(char::is_whitespace), "the token alone: {printed:?}");
    secret.to_owned()
}

fn send(server: &Server, secret: Option<&str>) -> Response {
    let authorization = secret.map(|secret| format!("Bearer {secret}"));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
    server.client().post_with("/api/v1/events", &headers, EVENT.as_bytes()).expect("an answer")
}

#[test]
fn tokens_are_made_listed_used_and_revoked_beside_a_running_server() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    assert_eq!(send(&server, None).status, 200, "without any token this machine may send");

    let north = create(&sandbox, &["--hub", "north", "--may", "ingest"]);
    assert_eq!(send(&server, None).status, 401, "as soon as there is one, it is needed");
    assert_eq!(send(&server, Some("hs_wrong")).status, 401);
    assert_eq!(send(&server, Some(&north)).status, 200);
    let reader = create(&sandbox, &["--may", "query"]);
    assert_eq!(send(&server, Some(&reader)).status, 403);

    let list = sandbox.run(["token", "list"]).output();
    assert!(!list.contains(&north) && !list.contains(&reader), "{list}");
    let line = list.lines().find(|line| line.contains("north")).expect("north is listed");
    assert!(line.contains("ingest") && !line.ends_with("no"), "made and used: {line}");
    let id = line.split_whitespace().next().expect("an id");
    assert_eq!(sandbox.run(["token", "revoke", id]).output(), format!("revoked {id}\n"));
    assert_eq!(send(&server, Some(&north)).status, 401, "revoked at once");
    let again = sandbox.run(["token", "revoke", id]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("token list"), "{}", again.stderr);

    let hubs: Vec<_> =
        sandbox.query("SELECT hub FROM events ORDER BY position").into_iter().map(|row| row["hub"].clone()).collect();
    assert_eq!(hubs, ["default", "north"]);
}

#[test]
fn tokens_outlive_the_server_and_no_file_or_log_holds_one() {
    let sandbox = Sandbox::new();
    let secret = create(&sandbox, &["--hub", "north", "--may", "ingest"]);
    let server = sandbox.serve(&[("HUBSCOPE_LOG", "debug")]);
    assert_eq!(send(&server, None).status, 401);
    assert_eq!(send(&server, Some(&secret)).status, 200);
    let answer =
        server.client().post_with(&format!("/api/v1/events?token={secret}"), &[], EVENT.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(server.get(&format!("/api/v1/kpis/launches?token={secret}")).status, 403);
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert!(ended.stderr.contains("/api/v1/events"), "requests are logged at this level: {}", ended.stderr);
    assert!(!ended.stderr.contains(&secret[3..]), "a token in the log");
    each_file(&sandbox.data(), &mut |path| {
        let text = std::fs::read(path).expect("a file of ours");
        assert!(!contains(&text, &secret.as_bytes()[3..]), "a token in {}", path.display());
    });
}

#[test]
fn as_long_as_there_is_no_token_a_warning_says_who_may_send() {
    let sandbox = Sandbox::new();
    for (expected, arguments) in [(true, None), (false, Some(["--hub", "north", "--may", "ingest"]))] {
        if let Some(arguments) = arguments {
            create(&sandbox, &arguments);
        }
        let server = sandbox.serve(&[]);
        server.terminate();
        let (ended, _) = server.ended_within(TIME_LIMIT);
        let warned = ended.stderr.contains("there is no token");
        assert_eq!(warned, expected, "{}", ended.stderr);
    }
}

#[test]
fn a_token_that_cannot_be_is_told() {
    let sandbox = Sandbox::new();
    for (arguments, code, told) in [
        (&["--may", "ingest"][..], 1, "--hub NAME"),
        (&["--hub", "north"], 2, "--may"),
        (&["--hub", "north", "--may", "everything"], 2, "ingest, query, admin"),
        (&["--hub", " ", "--may", "query"], 1, "cannot be the name of a hub"),
    ] {
        let ended = sandbox.run([&["token", "create"], arguments].concat());
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(told), "{arguments:?}: {}", ended.stderr);
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn each_file(folder: &Path, look: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("a folder of ours").path();
        if path.is_dir() {
            each_file(&path, look);
        } else if path.is_file() {
            look(&path);
        }
    }
}
