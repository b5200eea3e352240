//! A store, a door and a publisher in a fresh folder, with a clock that stands still.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use event::{CollectorId, EventTime, ManualClock, Verdict};
use ingest::sources::import::Unit;
use ingest::{Admission, Limits, Method, Request};
use publish::{Options, Published, Publisher};
use schema::Registry;
use store::{ImportUnit, Imported, Rows, Store};
use tempfile::TempDir;

/// 2026-03-08T01:02:03.456789Z.
const NOW: EventTime = EventTime::from_micros(1_772_931_723_456_789);

pub(crate) struct Sandbox {
    dir: TempDir,
    pub(crate) store: Arc<Store>,
    admission: Admission,
    publisher: Publisher,
}

impl Sandbox {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::builtin();
        let clock = Arc::new(ManualClock::new(NOW));
        let columns = registry.columns();
        let store = Store::open(&dir.path().join("data"), store::Options::default(), &columns).await.unwrap();
        store.attach(CollectorId::of_journal(7));
        let store = Arc::new(store);
        let admission = Admission::new(registry.clone(), Limits::default(), clock.clone());
        let options = Options { clock, ..Options::default() };
        let publisher = Publisher::new(Arc::clone(&store), registry, options);
        Self { dir, store, admission, publisher }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn archive(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    /// A folder to put files in.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.dir.path().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    }

    /// Imports `units` as the command does.
    pub(crate) async fn import(&self, units: Vec<Unit>) -> Imported {
        let mut by_source: BTreeMap<String, Vec<ImportUnit>> = BTreeMap::new();
        for unit in units {
            let read = unit.read(&self.admission, NOW, |batch| Rows::build(&batch)).unwrap();
            assert_eq!(read.sha256, unit.sha256().unwrap());
            let import = ImportUnit { day: read.day, sha256: read.sha256, pieces: read.pieces };
            by_source.entry(unit.source).or_default().push(import);
        }
        let mut imported = Imported::default();
        for (source, units) in by_source {
            imported += self.store.import(&CollectorId::of_import(&source), units).await.unwrap();
        }
        imported
    }

    /// Takes NDJSON as a request would bring it; tells how many were admitted and how many quarantined.
    pub(crate) fn receive(&self, lines: &str) -> (usize, usize) {
        let request = Request {
            method: Method::Post,
            content_type: Some("application/x-ndjson".to_owned()),
            content_encoding: None,
            query: None,
            body: lines.to_owned().into(),
        };
        let batch = self.admission.admit(request, "default".into()).unwrap();
        let admitted = batch.rows.iter().filter(|row| matches!(row.verdict, Verdict::Admitted(_))).count();
        let collector = CollectorId::of_journal(7);
        let first = self.store.snapshot().position(&collector);
        self.store.acknowledge(first, Rows::build(&batch));
        (admitted, batch.rows.len() - admitted)
    }

    pub(crate) async fn publish(&self) -> Published {
        self.publisher.publish(&self.archive()).await.unwrap()
    }

    /// Publishes to a new folder by a publisher that has never run and holds next to nothing in memory; returns the
    /// folder.
    pub(crate) async fn publish_afresh(&self, name: &str) -> PathBuf {
        let folder = self.dir.path().join(name);
        let options = Options { day_bytes_max: 2_000, ..Options::default() };
        let publisher = Publisher::new(Arc::clone(&self.store), Registry::builtin(), options);
        publisher.publish(&folder).await.unwrap();
        folder
    }
}

/// A file or folder of the golden pair.
pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/archive/golden").join(name)
}

/// The files `*.jsonl` of a folder, in order of name.
pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, _)| name.ends_with(".jsonl"))
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}
