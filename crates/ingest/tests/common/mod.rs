//! A door with the schemas built in, and requests for it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use event::{Admitted, Batch, EventTime, ManualClock, Quarantined, Row, Verdict};
use ingest::{Admission, Limits, Method, Refusal, Request};
use schema::Registry;

/// 2026-11-21T08:00:00Z.
pub(crate) fn now() -> EventTime {
    EventTime::from_micros(1_795_248_000_000_000)
}

/// The schemas built in, compiled once.
pub(crate) fn registry() -> Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::builtin);
    REGISTRY.clone()
}

pub(crate) fn door() -> Admission {
    door_with(registry())
}

pub(crate) fn door_with(registry: Registry) -> Admission {
    Admission::new(registry, Limits::default(), Arc::new(ManualClock::new(now())))
}

pub(crate) fn post(body: impl Into<Bytes>) -> Request {
    Request { method: Method::Post, content_type: None, content_encoding: None, query: None, body: body.into() }
}

pub(crate) fn admit(door: &Admission, request: Request) -> Result<Batch, Refusal> {
    door.admit(request, "default".into())
}

/// The only row of a body.
pub(crate) fn only(door: &Admission, body: impl Into<Bytes>) -> Row {
    let mut batch = admit(door, post(body)).expect("a batch");
    assert_eq!(batch.rows.len(), 1);
    batch.rows.remove(0)
}

pub(crate) fn admitted(row: &Row) -> &Admitted {
    match &row.verdict {
        Verdict::Admitted(admitted) => admitted,
        Verdict::Quarantined(aside) => panic!("quarantined: {aside:?}"),
    }
}

pub(crate) fn quarantined(row: &Row) -> &Quarantined {
    match &row.verdict {
        Verdict::Quarantined(aside) => aside,
        Verdict::Admitted(admitted) => panic!("admitted: {admitted:?}"),
    }
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// The folders of captures that have an `expected.jsonl`.
pub(crate) fn capture_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(fixtures().join("captures"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("expected.jsonl").is_file())
        .collect();
    folders.sort();
    folders
}

/// The captures of one handler, in order.
pub(crate) fn captures(folder: &Path, handler: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder.join(handler)) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// A whole raw HTTP request as a server would hand it on.
pub(crate) fn parsed(raw: &[u8]) -> Request {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n").expect("an end of the head");
    let head = std::str::from_utf8(&raw[..end]).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap().split(' ');
    let method = if words.next() == Some("GET") { Method::Get } else { Method::Post };
    let query = words.next().and_then(|target| target.split_once('?')).map(|(_, query)| query.to_owned());
    let header = |name: &str| {
        let fields = head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    Request {
        method,
        content_type: header("content-type"),
        content_encoding: header("content-encoding"),
        query,
        body: Bytes::copy_from_slice(&raw[end + 4..]),
    }
}
