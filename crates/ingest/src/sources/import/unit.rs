//! One day of one source: found, then read.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use event::{Batch, Day, Door, EventTime, Row};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

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
pub struct ImportedDay<T = Batch> {
    /// The day in its path.
    pub day: Day,
    /// Hash of its bytes; the same as [`Unit::sha256`].
    pub sha256: [u8; 32],
    /// A row per line that is not blank, in order, in pieces of [`PIECE_LINES`] at most.
    pub pieces: Vec<T>,
    /// How many lines that are.
    pub lines: u64,
    /// Bytes read, after decompression.
    pub bytes: u64,
}

impl ImportedDay {
    /// A day of events that an import made itself, of what it found elsewhere: a row for each of `texts`.
    pub fn of_texts(
        day: Day,
        texts: Vec<String>,
        hub: &Arc<str>,
        door: Door,
        admission: &Admission,
        received: EventTime,
    ) -> Self {
        let mut hash = Sha256::new();
        for text in &texts {
            hash.update(text);
            hash.update("\n");
        }
        let lines = u64::try_from(texts.len()).unwrap_or(u64::MAX);
        let bytes = texts.iter().map(|text| text.len() as u64).sum();
        let rows = texts.into_iter().map(|text| admission.admit_text(Bytes::from(text))).collect();
        let batch = Batch { received, hub: Arc::clone(hub), door, key: None, rows };
        Self { day, sha256: hash.finalize().into(), pieces: vec![batch], lines, bytes }
    }
}

/// Lines that are admitted together: few enough that what they take on their way to columns stays in a core's cache
/// or near it, many enough that all cores have some.
pub const PIECE_LINES: usize = 8_192;

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
    /// The lines are dealt out to all cores in pieces, and `keep` makes of each what is to be kept of it: a day as
    /// batches takes several times the memory of its columns.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. A line that is no event is no error: it is a quarantined row.
    pub fn read<T: Send>(
        &self,
        admission: &Admission,
        received: EventTime,
        keep: impl Fn(Batch) -> T + Sync,
    ) -> Result<ImportedDay<T>, ReadError> {
        let admit = |line: &Bytes| -> Row {
            match self.door {
                Door::CloudLog => admission.admit_cloud_log_line(line.clone()),
                Door::Archive | Door::Http | Door::Poll | Door::HubLog | Door::HubDb => {
                    admission.admit_text(line.clone())
                }
            }
        };
        let piece = |lines: &[Bytes]| {
            let rows = lines.iter().map(admit).collect();
            keep(Batch { received, hub: self.hub.clone(), door: self.door, key: None, rows })
        };
        let mut hash = UnitHash::default();
        let (mut pieces, mut lines) = (Vec::new(), 0);
        let bytes = self.each_file(|contents| {
            let found = content::lines(contents);
            lines += u64::try_from(found.len()).unwrap_or(u64::MAX);
            // The hash is one piece of work among the others.
            let kept = || found.par_chunks(PIECE_LINES).map(piece).collect::<Vec<T>>();
            let (kept, ()) = rayon::join(kept, || hash.add(contents));
            pieces.extend(kept);
        })?;
        Ok(ImportedDay { day: self.day, sha256: hash.finish(), pieces, lines, bytes })
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

    fn whole(unit: &Unit) -> ImportedDay {
        let read = unit.read(&admission(), NOW, |batch| batch).unwrap();
        assert_eq!(read.pieces.iter().map(|batch| batch.rows.len() as u64).sum::<u64>(), read.lines);
        read
    }

    /// More lines than a piece has, in two files: the pieces follow each other as the lines do.
    #[test]
    fn pieces_follow_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let line = |number: usize| format!("{{\"number\": {number}}}\n");
        let lines = PIECE_LINES * 2 + 7;
        fs::write(dir.path().join("b.jsonl"), (lines..lines + 3).map(line).collect::<String>()).unwrap();
        let mut unit = unit(dir.path(), "a.jsonl", (0..lines).map(line).collect::<String>().as_bytes());
        unit.files.push(dir.path().join("b.jsonl"));
        let read = whole(&unit);
        assert_eq!(
            read.pieces.iter().map(|batch| batch.rows.len()).collect::<Vec<_>>(),
            [PIECE_LINES, PIECE_LINES, 7, 3]
        );
        for (number, row) in read.pieces.iter().flat_map(|batch| &batch.rows).enumerate() {
            assert_eq!(&row.text[..], line(number).trim_end().as_bytes());
        }
    }

    /// Every line of both golden folders is an event, in its place; the empty day is there.
    #[test]
    fn the_golden_days_are_read_whole() {
        for (units, door) in [
            (cloud_log::scan(&golden("raw-export")).unwrap(), Door::CloudLog),
            (archive::scan(&golden("archive")).unwrap(), Door::Archive),
        ] {
            let days: Vec<_> = units.iter().map(whole).collect();
            assert_eq!(days.iter().map(|day| day.lines).collect::<Vec<_>>(), [4, 2, 2, 0]);
            for batch in days.iter().flat_map(|day| &day.pieces) {
                assert!(reasons(batch).iter().all(Option::is_none), "{batch:?}");
                assert_eq!((batch.door, batch.received, &*batch.hub), (door, NOW, "default"));
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
        let read = whole(&unit(dir.path(), "a.jsonl", &bytes));
        let [batch] = read.pieces.as_slice() else { panic!("{read:?}") };
        let expected = [
            Some(Reason::BadUtf8),
            None,
            Some(Reason::NotJson),
            Some(Reason::NotAnObject),
            None,
            Some(Reason::UnknownSchema),
            None,
        ];
        assert_eq!(reasons(batch), expected);
        assert_eq!(read.lines, 7);
        assert_eq!(&batch.rows[0].text[..], b"{\"a\": \"\xff\"}");
        assert_eq!(&batch.rows[6].text[..], event);
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
        assert_eq!(plain.sha256().unwrap(), whole(&plain).sha256);
        let twice = Unit { files: [plain.files.clone(), squeezed.files].concat(), ..plain.clone() };
        assert_ne!(plain.sha256().unwrap(), twice.sha256().unwrap());
        assert_eq!(whole(&twice).lines, 2);
        let before = plain.sha256().unwrap();
        fs::write(&plain.files[0], b"{ }\n").unwrap();
        assert_ne!(plain.sha256().unwrap(), before);
    }

    #[test]
    fn files_that_cannot_be_read_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let damaged = unit(dir.path(), "events-2020-01-01.jsonl.gz", b"no gzip at all");
        let error = damaged.read(&admission(), NOW, |batch| batch).unwrap_err();
        assert!(error.to_string().ends_with("events-2020-01-01.jsonl.gz"), "{error}");
        assert!(damaged.sha256().is_err());
        let mut gone = unit(dir.path(), "a.jsonl", b"{}");
        gone.files.push(dir.path().join("gone.jsonl"));
        assert!(
            matches!(gone.read(&admission(), NOW, |batch| batch), Err(ReadError::Io { path, .. }) if path.ends_with("gone.jsonl"))
        );
    }
}
