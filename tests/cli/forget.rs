//! `hubscope forget`, and what a folder does without the key of its erasures.

use std::fs;

use acceptance::{Listening, Sandbox, Server, TIME_LIMIT};

const ACTION: &str = r#"{"__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": 1, "__timestamp__": "2024-03-01T09:00:00Z", "action": "start", "username": "zoe", "servername": ""}"#;

fn stopped(server: Server) {
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn without_the_key_of_its_erasures_a_folder_takes_nothing_in() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    assert_eq!(server.post_events(ACTION.as_bytes()).status, 200);
    let told = sandbox.run(["forget", "--user", "zoe"]).output();
    assert!(told.contains("1 rows removed"), "{told}");
    stopped(server);
    let (key, aside) = (sandbox.data().join("state/erasure/key"), sandbox.path("key"));
    fs::rename(&key, &aside).expect("the key lies there");

    match Server::start(sandbox.serve_command(&[])) {
        Listening::Yes(server) => panic!("it takes events in at {}", server.address()),
        Listening::No(ended, signal) => {
            assert_eq!((ended.code, signal, ended.stdout.as_str()), (Some(1), None, ""), "{ended:#?}");
            let place = key.canonicalize().unwrap_or(key.clone()).display().to_string();
            for told in [place.as_str(), "is missing", "cannot be obeyed", "restore it from a backup"] {
                assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
            }
        }
    }
    let asked = sandbox.run(["forget", "--user", "ann"]);
    assert!(asked.code == Some(1) && asked.stderr.contains("is missing"), "{asked:?}");
    assert!(!key.exists(), "no other key takes its place");

    fs::write(&key, "not a key").expect("the key can be written");
    let ended = sandbox.run(["query", "SELECT 1"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("64 hexadecimal digits"), "{ended:?}");

    fs::rename(&aside, &key).expect("the key lies there again");
    let server = sandbox.serve(&[]);
    let answer = server.post_events(ACTION.as_bytes());
    assert!(answer.text().contains("\"forgotten\""), "obeyed as before: {}", answer.text());
}

#[test]
fn nobody_has_an_impossible_name() {
    let sandbox = Sandbox::new();
    stopped(sandbox.serve(&[]));
    for (arguments, told) in [
        (&["--user", ""][..], "1 to 255 letters"),
        (&["--user", "a\nb"], "control character"),
        (&["--user", "zoe", "--hub", ""], "cannot be the name of a hub"),
    ] {
        let ended = sandbox.run([&["forget"], arguments].concat());
        assert!(ended.code == Some(1) && ended.stderr.contains(told), "{arguments:?}: {ended:?}");
    }
    assert!(!sandbox.data().join("state/erasure").exists(), "no request, no key");
}
