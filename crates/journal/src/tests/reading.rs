//! Reading: in bounded memory, and across the edges of what is read at a time.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::{append_together, open, replay};
use crate::format::{RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES};
use crate::reader::CHUNK_BYTES as CHUNK;
use crate::simulation::SimulatedDisk;
use crate::{Fs, FsFile, Options};

/// Notes the largest buffer that anybody fills from a file.
#[derive(Clone, Debug)]
struct Measured {
    disk: SimulatedDisk,
    largest: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct MeasuredFile(Box<dyn FsFile>, Arc<AtomicUsize>);

impl Fs for Measured {
    fn create_dir(&self, dir: &Path) -> io::Result<bool> {
        self.disk.create_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        self.disk.create(path)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(MeasuredFile(self.disk.open(path)?, Arc::clone(&self.largest))))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn random(&self) -> io::Result<u128> {
        self.disk.random()
    }
}

impl FsFile for MeasuredFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.1.fetch_max(buffer.len(), Ordering::Relaxed);
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_at(offset, bytes)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// However large a segment is, opening and replaying hold one chunk of it, or one record where that is larger.
#[test]
fn memory_does_not_grow_with_the_journal() {
    for (payload, records, bound) in [(1_000, 4_000, CHUNK), (600_000, 5, 600_000 + RECORD_HEADER_BYTES)] {
        let fs = Measured { disk: SimulatedDisk::new(1), largest: Arc::default() };
        let (journal, _) = open(&fs, Options::default());
        let answers = append_together(&journal, vec![(vec![7; payload], 1); records]);
        assert!(answers.iter().all(Result::is_ok));
        drop(journal);
        let (journal, _) = open(&fs, Options::default());
        let replayed = journal.replay::<()>(0, &mut |_| Ok(())).expect("replayed");
        assert_eq!(replayed.records, records as u64);
        let largest = fs.largest.load(Ordering::Relaxed);
        assert!(largest <= bound, "{largest} bytes read at once for records of {payload}");
    }
}

/// The mark of the record after a damaged one is found wherever it lies, also across two reads.
#[test]
fn the_next_record_is_found_across_the_edge_of_a_read() {
    for short in 0..2 * RECORD_HEADER_BYTES {
        let disk = SimulatedDisk::new(1);
        let (journal, _) = open(&disk, Options::default());
        append_together(&journal, vec![(vec![7; CHUNK - short], 1), (b"after".to_vec(), 1)]);
        drop(journal);
        let [path] = disk.files().try_into().expect("one segment");
        let mut bytes = disk.contents(&path).expect("it is there");
        bytes[SEGMENT_HEADER_BYTES] ^= 1;
        disk.place(&path, &bytes);
        let (journal, recovery) = open(&disk, Options::default());
        assert_eq!(replay(&journal, 0), [(1, 1, b"after".to_vec())], "{short}");
        assert_eq!(recovery.damaged.len(), 1, "{short}");
    }
}
