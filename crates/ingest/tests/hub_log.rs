//! Logs of real hubs against the events that the same hubs emitted meanwhile, and lines by hand.

mod common;

use common::capture_folders;
use event::EventTime;
use ingest::sources::import::hub_log::{HubLog, Logged, What, user_and_server};
use jiff::tz::TimeZone;

fn instant(text: &str) -> EventTime {
    let timestamp: jiff::Timestamp = text.parse().unwrap();
    EventTime::from_micros(timestamp.as_microsecond())
}

fn read(zone: &str, lines: &[&str]) -> Vec<Logged> {
    let mut log = HubLog::new(TimeZone::get(zone).unwrap());
    lines.iter().filter_map(|line| log.read(line.as_bytes())).collect()
}

#[test]
fn real_logs_say_what_the_events_say() {
    let mut hubs = 0;
    for folder in capture_folders() {
        let Ok(log) = std::fs::read(folder.join("stderr-mixed.log")) else { continue };
        hubs += 1;
        let mut reader = HubLog::new(TimeZone::UTC);
        let logged: Vec<Logged> = log.split(|byte| *byte == b'\n').filter_map(|line| reader.read(line)).collect();
        let started = logged.iter().filter(|logged| logged.what == What::HubStarted).count();
        assert_eq!(started, 1, "{}", folder.display());
        let mut servers = logged.iter().filter_map(|logged| match &logged.what {
            What::Started { server, .. } => {
                let (user, server) = user_and_server(server, |_| false);
                Some((logged.at, "start", user, Some(server)))
            }
            What::Stopped { user } => Some((logged.at, "stop", user.as_str(), None)),
            _ => None,
        });
        let events = std::fs::read_to_string(folder.join("expected.jsonl")).unwrap();
        for line in events.lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let (at, action, user, server) = servers.next().unwrap();
            let time = event["__timestamp__"].as_str().unwrap().replace("+00:00Z", "Z");
            // The line is logged a little before the event is made.
            let between = instant(&time).micros() - at.micros();
            assert!((0..50_000).contains(&between), "{line}: {at}");
            assert_eq!((event["action"].as_str(), event["username"].as_str()), (Some(action), Some(user)), "{line}");
            assert!(server.is_none_or(|server| event["servername"].as_str() == Some(server)), "{line}");
        }
        assert_eq!(servers.next(), None);
    }
    assert_eq!(hubs, 2);
}

#[test]
fn lines_are_known_in_every_wrapping() {
    let plain = "[I 2026-11-21 00:36:47.295 JupyterHub base:1090] User alice took 6.122 seconds to start";
    let started = Logged {
        at: instant("2026-11-21T00:36:47.295Z"),
        what: What::Started { server: "alice".into(), spawn_ms: 6_122 },
    };
    for line in [
        plain.to_owned(),
        format!("{plain}\r\n"),
        format!("2026-11-21T00:36:47.3Z stderr F {plain}"),
        format!("hub-5f [hub] {plain}"),
        plain.replacen('[', "\u{1b}[32m[", 1).replacen("] ", "]\u{1b}(B\u{1b}[m ", 1),
        serde_json::json!({"textPayload": plain, "timestamp": "2026-11-21T00:36:48Z"}).to_string(),
        serde_json::json!({"log": format!("{plain}\n"), "stream": "stderr"}).to_string(),
    ] {
        assert_eq!(read("UTC", &[&line]).as_slice(), std::slice::from_ref(&started), "{line}");
    }
}

#[test]
fn what_is_said_of_servers() {
    let line = |message: &str| format!("[W 2026-11-21 00:36:47.295 JupyterHub base:1] {message}");
    let user = |user: &str| user.to_owned();
    for (message, expected) in [
        ("User a:gpu took 0.010 seconds to start", Some(What::Started { server: user("a:gpu"), spawn_ms: 10 })),
        ("User a server took 2.500 seconds to start", Some(What::Started { server: user("a"), spawn_ms: 2_500 })),
        ("User zoë b server took 1.065 seconds to stop", Some(What::Stopped { user: user("zoë b") })),
        ("User a server stopped, with exit code: 1", Some(What::Died { user: user("a") })),
        ("User a server stopped, with exit code: ExitCode=1, Error=''", Some(What::Died { user: user("a") })),
        ("Cleaning up single-user servers...", Some(What::HubStopsServers)),
        ("JupyterHub is now running at http://127.0.0.1:8000/", Some(What::HubStarted)),
        // A name that tries to look like a line.
        (
            "User x took 1.000 seconds to start took 2.000 seconds to start",
            Some(What::Started { server: user("x took 1.000 seconds to start"), spawn_ms: 2_000 }),
        ),
        ("User a took 6 seconds to start", None),
        ("User a took -1.000 seconds to start", None),
        ("User a took 99999999999999999999.000 seconds to start", None),
        ("User a server is slow to stop", None),
        ("User logged in: a", None),
        ("Failing suspected API request to not-running server: /hub/user/a/api", None),
    ] {
        let found = read("UTC", &[&line(message)]).into_iter().next().map(|logged| logged.what);
        assert_eq!(found, expected, "{message}");
    }
}

#[test]
fn what_is_no_line_of_a_hub_is_left() {
    let message = "User a took 6.122 seconds to start";
    for line in [
        String::new(),
        message.to_owned(),
        "[".repeat(1_000),
        format!("[I 2026-11-21 00:36:47.295 ServerApp base:1] {message}"),
        format!("[I 2026-13-21 00:36:47.295 JupyterHub base:1] {message}"),
        format!("[I 2026-11-21 00:36:47.29ö JupyterHub base:1] {message}"),
        "[I 2026-11-21 00:36:47.295 JupyterHub base:1".to_owned(),
        r#"{"textPayload": 5}"#.to_owned(),
        r#"{"textPayload": "#.to_owned(),
        "{".repeat(60_000),
        format!("{}[I 2026-11-21 00:36:47.295 JupyterHub base:1] {message}", " ".repeat(65_536)),
    ] {
        assert_eq!(read("UTC", &[&line]), [], "{}", line.get(..80).unwrap_or(&line));
    }
    assert_eq!(HubLog::new(TimeZone::UTC).read(b"[I \xff]"), None);
}

#[test]
fn the_hour_that_comes_twice_is_told_apart_by_the_order_of_lines() {
    let line = |clock: &str| format!("[I {clock} JupyterHub base:1] User a took 1.000 seconds to start");
    let lines = [
        "2026-10-25 01:59:59.000",
        "2026-10-25 02:10:00.000",
        "2026-10-25 02:50:00.000",
        // Clocks were set back.
        "2026-10-25 02:05:00.000",
        "2026-10-25 02:55:00.000",
        "2026-10-25 03:00:00.000",
        // Clocks were set forward: that time did not exist, and stands for the hour after.
        "2027-03-28 02:30:00.000",
    ]
    .map(line);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let times: Vec<EventTime> = read("Europe/Berlin", &lines).iter().map(|logged| logged.at).collect();
    let expected = [
        "2026-10-24T23:59:59Z",
        "2026-10-25T00:10:00Z",
        "2026-10-25T00:50:00Z",
        "2026-10-25T01:05:00Z",
        "2026-10-25T01:55:00Z",
        "2026-10-25T02:00:00Z",
        "2027-03-28T00:30:00Z",
    ]
    .map(instant);
    assert_eq!(times, expected);
    assert_eq!(user_and_server("a:b", |user| user == "a:b"), ("a:b", ""));
}
