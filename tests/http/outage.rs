//! What hubs told while hubscope did not run is lost: what is derived of their events says so.

use std::time::Duration;

use acceptance::Sandbox;

fn action(action: &str, time: &str) -> String {
    format!(
        r#"{{"__timestamp__":"{time}","__schema__":"https://schema.jupyter.org/jupyterhub/events/server-action","__schema_version__":"1","__metadata_version__":1,"action":"{action}","username":"zoe","servername":""}}"#
    )
}

/// The present instant, as the program tells it.
fn now(sandbox: &Sandbox) -> String {
    let rows = sandbox.query("SELECT to_char(now(), '%Y-%m-%dT%H:%M:%S%.6fZ') AS now");
    rows[0]["now"].as_str().expect("an instant").to_owned()
}

#[test]
fn a_stop_after_an_outage_of_ours_may_be_another_servers() {
    let sandbox = Sandbox::new();
    let unheard = |sandbox: &Sandbox| sandbox.query("SELECT hub, text FROM events WHERE schema LIKE '%/hub-unheard'");
    for (what, expected) in [("start", 0), ("stop", 1)] {
        let server = sandbox.serve(&[]);
        server.wait_until(Duration::from_secs(20), || unheard(&sandbox).len() == expected);
        let at = now(&sandbox);
        assert_eq!(server.post_events(action(what, &at).as_bytes()).status, 200);
        server.terminate();
        assert_eq!(server.ended_within(Duration::from_secs(30)).0.code, Some(0));
    }
    let rows = unheard(&sandbox);
    assert_eq!(rows[0]["hub"], "default", "{rows:?}");
    let sessions = sandbox.query("SELECT start, end_low, \"end\", end_known_by, unheard FROM sessions");
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert_eq!((&sessions[0]["end_known_by"], &sessions[0]["unheard"]), (&"E1".into(), &true.into()), "{sessions:?}");
    // It ran at its start; all beyond may have been another.
    assert_eq!(sessions[0]["end_low"], sessions[0]["start"], "{sessions:?}");
    assert_ne!(sessions[0]["end_low"], sessions[0]["end"], "{sessions:?}");
}

#[test]
fn a_folder_without_a_hub_tells_of_no_outage() {
    let sandbox = Sandbox::new();
    for _ in 0..2 {
        let server = sandbox.serve(&[]);
        server.terminate();
        assert_eq!(server.ended_within(Duration::from_secs(30)).0.code, Some(0));
    }
    assert!(sandbox.query("SELECT 1 AS one FROM events").is_empty());
}
