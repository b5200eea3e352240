//! Files of events, as jupyter_events writes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use event::{EventTime, Position};
use insight::session::{EventId, Evidence, Hub, ServerEvent, Session, Settings, Timeline};
use serde_json::Value;

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// `2026-11-21T00:49:17.888712+00:00Z`, in which the `Z` is noise.
pub(crate) fn time(text: &str) -> EventTime {
    let timestamp: jiff::Timestamp = text.strip_suffix('Z').unwrap_or(text).parse().unwrap();
    EventTime::from_micros(timestamp.as_microsecond())
}

/// The server actions of a file, by user and server.
pub(crate) fn evidence(path: &Path) -> BTreeMap<(String, String), Vec<Evidence>> {
    let mut all: BTreeMap<(String, String), Vec<Evidence>> = BTreeMap::new();
    for (line, position) in std::fs::read_to_string(path).unwrap().lines().zip(0..) {
        let event: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        let at = time(&text("__timestamp__"));
        let id = EventId { position: Position(position), collector: 0 };
        let told = ServerEvent { at, received: at, id };
        let evidence = match text("action").as_str() {
            "start" => Evidence::Start(told),
            "stop" => Evidence::Stop(told),
            other => panic!("{other}"),
        };
        all.entry((text("username"), text("servername"))).or_default().push(evidence);
    }
    all
}

/// The sessions of a file, by user and server.
pub(crate) fn sessions(path: &Path, settings: Settings, as_of: EventTime) -> Vec<(String, String, Session)> {
    let hub = Hub::new(settings);
    let mut found = Vec::new();
    for ((user, server), evidence) in evidence(path) {
        let mut timeline = Timeline::default();
        evidence.into_iter().for_each(|piece| timeline.add(piece, &hub).unwrap());
        found.extend(timeline.rows(&hub, as_of).into_iter().map(|row| (user.clone(), server.clone(), row)));
    }
    found
}
