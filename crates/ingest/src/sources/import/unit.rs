//! One day of one source: found, then read.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use event::{Batch, Day, Door, EventTime, Row};
use rayon::prelude::*;

use super::ReadError;
use super::content::{self, UnitHash};
use crate::Admission;

/// The hub of imported rows unless the caller names another: what rows without a token's hub have everywhere.
const HUB: &str = "default";

/// One day of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Name of the source; its rows' collector is `import/<source>`.
    pub source: String,
    /// How its rows come in.
    pub door: Door,
    /// The hub that its rows are filed under.
    pub hub: Arc<str>,
    /// The day in its path.
    pub day: Day,
    /// Its files, in the order in which their lines count.
    pub files: Vec<PathBuf>,
}

/// What a unit holds.
#[derive(Debug)]
pub struct ImportedDay {
    /// The day in its path.
    pub day: Day,
    /// Hash of its bytes; the same as [`Unit::sha256`].
    pub sha256: [u8; 32],
    /// A row per line that is not blank, in order.
    pub batch: Batch,
    /// How many lines that are.
    pub lines: u64,
    /// Bytes read, after decompression.
    pub bytes: u64,
}

impl Unit {
    /// A unit of `source` under the hub `default`.
    pub fn new(source: String, door: Door, day: Day, files: Vec<PathBuf>) -> Self {
        Self { source, door, hub: HUB.into(), day, files }
    }

    /// The hash of its bytes: what the ledger is asked before the unit is read. Reads the files, decodes nothing.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn sha256(&self) -> Result<[u8; 32], ReadError> {
        let mut hash = UnitHash::default();
        self.each_file(|contents| hash.add(contents))?;
        Ok(hash.finish())
    }

    /// Reads and admits every line. `received` is the time at which the rows count as received.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. A line that is no event is no error: it is a quarantined row.
    pub fn read(&self, admission: &Admission, received: EventTime) -> Result<ImportedDay, ReadError> {
        let admit = |line: Bytes| -> Row {
            match self.door {
                Door::CloudLog => admission.admit_cloud_log_line(line),
                Door::Archive | Door::Http => admission.admit_text(line),
            }
        };
        let mut hash = UnitHash::default();
        let mut rows = Vec::new();
        let bytes = self.each_file(|contents| {
            // The lines are dealt out to all cores; the hash is one piece of work among them.
            let admitted = || content::lines(contents).into_par_iter().map(admit).collect::<Vec<Row>>();
            let (admitted, ()) = rayon::join(admitted, || hash.add(contents));
            rows.extend(admitted);
        })?;
        let lines = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let batch = Batch { received, hub: self.hub.clone(), door: self.door, key: None, rows };
        Ok(ImportedDay { day: self.day, sha256: hash.finish(), batch, lines, bytes })
    }

    /// Hands each file's contents to `each`; returns their size altogether.
    fn each_file(&self, mut each: impl FnMut(&Bytes)) -> Result<u64, ReadError> {
        let mut taken = 0;
        for file in &self.files {
            let contents = content::read(file, self.day, taken)?;
            taken += u64::try_from(contents.len()).unwrap_or(u64::MAX);
            each(&contents);
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::path::Path;

    use event::{Clock, ManualClock, Reason, Verdict};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use schema::Registry;

    use super::super::{archive, cloud_log};
    use super::*;
    use crate::Limits;

    const NOW: EventTime = EventTime::from_micros(1_795_000_000_000_000);

    fn admission() -> Admission {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
        Admission::new(Registry::builtin(), Limits::default(), clock)
    }

    fn golden(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/archive/golden").join(name)
    }

    fn reasons(batch: &Batch) -> Vec<Option<Reason>> {
        let reason = |row: &Row| match &row.verdict {
            Verdict::Admitted(_) => None,
            Verdict::Quarantined(aside) => Some(aside.reason),
        };
        batch.rows.iter().map(reason).collect()
    }

    /// A unit of the archive with one file of these bytes.
    fn unit(dir: &Path, name: &str, bytes: &[u8]) -> Unit {
        fs::write(dir.join(name), bytes).unwrap();
        Unit::new("archive".to_owned(), Door::Archive, Day::from_number(18_000), vec![dir.join(name)])
    }

    /// Every line of both golden folders is an event, in its place; the empty day is there.
    #[test]
    fn the_golden_days_are_read_whole() {
        for (units, door) in [
            (cloud_log::scan(&golden("raw-export")).unwrap(), Door::CloudLog),
            (archive::scan(&golden("archive")).unwrap(), Door::Archive),
        ] {
            let days: Vec<_> = units.iter().map(|unit| unit.read(&admission(), NOW).unwrap()).collect();
            assert_eq!(days.iter().map(|day| day.lines).collect::<Vec<_>>(), [4, 2, 2, 0]);
            for day in &days {
                assert!(reasons(&day.batch).iter().all(Option::is_none), "{:?}", day.batch);
                assert_eq!((day.batch.door, day.batch.received, &*day.batch.hub), (door, NOW, "default"));
                assert_eq!(day.batch.rows.len() as u64, day.lines);
            }
        }
    }

    #[test]
    fn lines_that_are_no_events_keep_their_place() {
        let dir = tempfile::tempdir().unwrap();
        let event = br#"{"timestamp": "2018-11-03T00:00:00+00:00", "schema": "binderhub.jupyter.org/launch", "version": 1, "spec": "a"}"#;
        let mut bytes = Vec::new();
        for line in [
            b"{\"a\": \"\xff\"}".as_slice(),
            event,
            b"",
            b"  \r",
            b"{\"cut",
            b"[1]",
            event,
            b"{\"schema\": \"x\", \"version\": 1}",
        ] {
            bytes.extend_from_slice(line);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(event);
        let read = unit(dir.path(), "a.jsonl", &bytes).read(&admission(), NOW).unwrap();
        let expected = [
            Some(Reason::BadUtf8),
            None,
            Some(Reason::NotJson),
            Some(Reason::NotAnObject),
            None,
            Some(Reason::UnknownSchema),
            None,
        ];
        assert_eq!(reasons(&read.batch), expected);
        assert_eq!(read.lines, 7);
        assert_eq!(&read.batch.rows[0].text[..], b"{\"a\": \"\xff\"}");
        assert_eq!(&read.batch.rows[6].text[..], event);
    }

    /// The hash is that of the contents: compression does not change it, a byte does; several files are told from one.
    #[test]
    fn the_hash_tells_what_changed() {
        let dir = tempfile::tempdir().unwrap();
        let plain = unit(dir.path(), "a.jsonl", b"{}\n");
        let mut gz = GzEncoder::new(File::create(dir.path().join("a.jsonl.gz")).unwrap(), Compression::fast());
        gz.write_all(b"{}\n").unwrap();
        gz.finish().unwrap();
        let squeezed = Unit { files: vec![dir.path().join("a.jsonl.gz")], ..plain.clone() };
        assert_eq!(plain.sha256().unwrap(), squeezed.sha256().unwrap());
        assert_eq!(plain.sha256().unwrap(), plain.read(&admission(), NOW).unwrap().sha256);
        let twice = Unit { files: [plain.files.clone(), squeezed.files].concat(), ..plain.clone() };
        assert_ne!(plain.sha256().unwrap(), twice.sha256().unwrap());
        assert_eq!(twice.read(&admission(), NOW).unwrap().lines, 2);
        let before = plain.sha256().unwrap();
        fs::write(&plain.files[0], b"{ }\n").unwrap();
        assert_ne!(plain.sha256().unwrap(), before);
    }

    #[test]
    fn files_that_cannot_be_read_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let damaged = unit(dir.path(), "events-2020-01-01.jsonl.gz", b"no gzip at all");
        let error = damaged.read(&admission(), NOW).unwrap_err();
        assert!(error.to_string().ends_with("events-2020-01-01.jsonl.gz"), "{error}");
        assert!(damaged.sha256().is_err());
        let mut gone = unit(dir.path(), "a.jsonl", b"{}");
        gone.files.push(dir.path().join("gone.jsonl"));
        assert!(
            matches!(gone.read(&admission(), NOW), Err(ReadError::Io { path, .. }) if path.ends_with("gone.jsonl"))
        );
    }
}
