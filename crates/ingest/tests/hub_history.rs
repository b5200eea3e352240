//! Logs of a hub become events of ours, and what they do not say is left open.

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::capture_folders;
use event::{Clock, Day, EventTime, ManualClock, Verdict};
use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::sources::import::{HubLogs, ImportedDay};
use ingest::{Admission, Limits};
use jiff::tz::TimeZone;
use schema::Registry;
use serde_json::Value;

const NOW: EventTime = EventTime::from_micros(1_795_300_000_000_000);

fn read(files: Vec<PathBuf>, zone: &str) -> Vec<ImportedDay> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
    let admission = Admission::new(Registry::builtin(), Limits::default(), clock);
    let logs = HubLogs { files, hub: "north".into(), zone: TimeZone::get(zone).unwrap() };
    let days = logs.read(&admission, NOW).unwrap();
    for row in days.iter().flat_map(|day| &day.pieces).flat_map(|batch| &batch.rows) {
        assert!(matches!(row.verdict, Verdict::Admitted(_)), "{row:?}");
    }
    days
}

/// The events in short.
fn told(days: &[ImportedDay]) -> Vec<String> {
    let short = |text: &[u8]| {
        let event: Value = serde_json::from_slice(text).unwrap();
        let time = event["__timestamp__"].as_str().unwrap()[11..19].to_owned();
        match (event["what"].as_str(), event["servername"].as_str()) {
            (None, _) => format!("{time} restart {}", event["kept"].as_str().unwrap()),
            (Some(what), server) => {
                let user = event["username"].as_str().unwrap();
                format!("{time} {what} {user} {}", server.map_or("?".to_owned(), |server| format!("'{server}'")))
            }
        }
    };
    days.iter().flat_map(|day| &day.pieces).flat_map(|batch| &batch.rows).map(|row| short(&row.text)).collect()
}

fn log(folder: &Path, name: &str, lines: &[(&str, &str)]) -> PathBuf {
    let text: String =
        lines.iter().map(|(clock, said)| format!("[I {clock}.000 JupyterHub base:1090] {said}\n")).collect();
    let path = folder.join(name);
    if name.ends_with(".gz") {
        let mut file = GzEncoder::new(std::fs::File::create(&path).unwrap(), Compression::fast());
        file.write_all(text.as_bytes()).unwrap();
        file.finish().unwrap();
    } else {
        std::fs::write(&path, text).unwrap();
    }
    path
}

#[test]
fn a_stop_is_of_the_only_server_that_runs_or_of_none() {
    let dir = tempfile::tempdir().unwrap();
    let newest = log(
        dir.path(),
        "hub.log",
        &[
            ("2026-11-20 10:00:00", "User ann:gpu took 5.000 seconds to start"),
            ("2026-11-20 10:00:10", "User ann server took 1.000 seconds to stop"),
            ("2026-11-20 10:00:20", "User ann server took 1.000 seconds to stop"),
            ("2026-11-20 11:00:00", "Cleaning up single-user servers..."),
            ("2026-11-20 11:01:00", "JupyterHub is now running at http://127.0.0.1:8000"),
            ("2026-11-21 00:00:01", "User bob server stopped, with exit code: 137"),
        ],
    );
    let rotated = log(
        dir.path(),
        "hub.log.1.gz",
        &[
            ("2026-11-19 23:00:00", "JupyterHub is now running at http://127.0.0.1:8000"),
            ("2026-11-20 09:00:00", "User ann took 5.000 seconds to start"),
            ("2026-11-20 09:30:00", "User old server took 1.000 seconds to stop"),
            ("2026-11-20 09:40:00", "Some other line"),
        ],
    );
    // Whatever order they are given in.
    let days = read(vec![newest, rotated], "UTC");
    let names: Vec<String> = days.iter().map(|day| day.day.to_string()).collect();
    assert_eq!(names, ["2026-11-19", "2026-11-20", "2026-11-21"]);
    assert_eq!(
        told(&days),
        [
            "23:00:00 restart unknown",
            "09:00:00 started ann ''",
            "09:30:00 stopped old ''",
            "10:00:00 started ann 'gpu'",
            "10:00:10 stopped ann ?",
            "10:00:20 stopped ann ?",
            "11:01:00 restart none",
            "00:00:01 died bob ''",
        ]
    );
}

#[test]
fn real_logs_are_read_the_same_each_time() {
    let mut hubs = 0;
    for folder in capture_folders() {
        let path = folder.join("stderr-mixed.log");
        if !path.exists() {
            continue;
        }
        hubs += 1;
        let days = read(vec![path.clone()], "UTC");
        let events = std::fs::read_to_string(folder.join("expected.jsonl")).unwrap().lines().count();
        let servers = told(&days).iter().filter(|told| !told.contains("restart")).count();
        assert_eq!(servers, events, "{}", folder.display());
        let again = read(vec![path], "UTC");
        let sums =
            |days: &[ImportedDay]| days.iter().map(|day| (day.day, day.sha256)).collect::<Vec<(Day, [u8; 32])>>();
        assert_eq!(sums(&days), sums(&again));
    }
    assert_eq!(hubs, 2);
}

#[test]
fn days_are_those_of_utc_whatever_the_clock_shows() {
    let dir = tempfile::tempdir().unwrap();
    let path = log(dir.path(), "hub.log", &[("2026-11-21 00:30:00", "User ann took 5.000 seconds to start")]);
    let days = read(vec![path], "Europe/Berlin");
    assert_eq!(days[0].day.to_string(), "2026-11-20");
    assert_eq!(told(&days), ["23:30:00 started ann ''"]);
}
