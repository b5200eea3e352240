//! `hubscope schema`.

use acceptance::Sandbox;

const SCHEMA: &str = r#"
$id: https://hub.example.org/events/profile-choice
version: "1"
title: Profile choice
type: object
properties:
  username: {type: string}
  profile: {type: string}
  mem_gb: {type: number}
required: [profile]
"#;
const EVENT: &str = r#"{"__timestamp__": "2026-11-21T00:49:21.127486+00:00Z", "__schema__": "https://hub.example.org/events/profile-choice", "__schema_version__": "1", "__metadata_version__": 1, "username": "alice", "profile": "Large (8 GB)", "mem_gb": 8}"#;

#[test]
fn the_schemas_built_in_are_listed() {
    let sandbox = Sandbox::new();
    let list = sandbox.run(["schema", "list"]).output();
    for id in [
        "binderhub.jupyter.org/launch",
        "hub.jupyter.org/server-action",
        "https://schema.jupyter.org/jupyterhub/events/server-action",
        "https://events.jupyter.org/jupyter_server/contents_service/v1",
        "https://events.jupyter.org/jupyter_server/kernel_actions/v1",
        "https://events.jupyter.org/jupyter_server/gateway_client/v1",
    ] {
        assert!(list.contains(id), "{id} in {list}");
    }
    assert!(!sandbox.data().exists(), "asking makes no folder");
}

#[test]
fn a_schema_that_was_added_is_used_at_once_and_after_a_restart() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("profile-choice.yaml");
    std::fs::write(&file, SCHEMA).expect("the sandbox can be written");
    let file = file.to_str().expect("a UTF-8 path");
    let server = sandbox.serve(&[]);
    let send =
        |server: &acceptance::Server| server.post_events(EVENT.as_bytes()).json()["events"][0]["verdict"].clone();
    assert_eq!(send(&server), "quarantined");
    sandbox.run(["schema", "add", file]).output();
    assert_eq!(send(&server), "admitted");
    drop(server);
    let server = sandbox.serve(&[]);
    assert_eq!(send(&server), "admitted");
    let again = sandbox.run(["schema", "add", file]).output();
    assert!(again.contains("already"), "{again}");
    let list = sandbox.run(["schema", "list"]).output();
    assert_eq!(list.matches("https://hub.example.org/events/profile-choice").count(), 1, "{list}");
}

#[test]
fn what_is_no_schema_is_refused_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let before = sandbox.run(["schema", "list"]).output();
    for (name, text, told) in [
        ("no-json.json", "{", "no-json.json"),
        ("no-id.yaml", "version: '1'\nproperties: {a: {type: string}}\n", "$id"),
        ("bad-type.yaml", "$id: https://a.example/b\nversion: '1'\nproperties: {a: {type: strange}}\n", "strange"),
    ] {
        let file = sandbox.path(name);
        std::fs::write(&file, text).expect("the sandbox can be written");
        let ended = sandbox.run(["schema", "add", file.to_str().expect("a UTF-8 path")]);
        assert_eq!(ended.code, Some(1), "{name}: {ended:?}");
        assert!(ended.stderr.contains(told), "{name}: {}", ended.stderr);
    }
    let missing = sandbox.run(["schema", "add", "nowhere.yaml"]);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert_eq!(sandbox.run(["schema", "list"]).output(), before);
}
