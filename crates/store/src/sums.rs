//! Checksums: what the files of the tables were when they were written.
//!
//! Delta's log has none, and Parquet's pages need not have any. So whatever is written under `DATA/tables` is summed on
//! its way to the disk, and the sums stand in `DATA/state/sums.jsonl`: SHA-256 of the whole file, which every
//! `sha256sum` can check, and CRC-32C of each [`BLOCK_BYTES`], with which every read is checked: a flipped bit makes an
//! error that names file and place, never another answer.
//!
//! A line is the CRC-32C of the rest (8 hexadecimal digits), a space, and JSON; the last line of a file counts. Lines
//! are appended and synced. A part's is written before the part has its name, so that a crash leaves a line without a
//! file, which is no harm; a commit's after it has it, since the name may turn out to be taken. A commit whose line was
//! lost in a crash, and what other programs wrote, have no sum: they are read as they are, until `verify` has decoded
//! them and adopts them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::disk::{Disk, DiskFile};

/// What one CRC covers. Small enough that a page's read is not much longer for being checked, large enough that the
/// sums of a part of 128 MiB are 50 kB of text.
pub(crate) const BLOCK_BYTES: u64 = 32 << 10;

/// Lines that may be out of date before the file is written anew; it is, once they are more than the others too.
const STALE_LINES_MAX: usize = 256;

/// What a file was when it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) bytes: u64,
    pub(crate) sha256: [u8; 32],
    /// CRC-32C of each block; the last one may be shorter.
    pub(crate) blocks: Vec<u32>,
}

/// Sums bytes as they come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summing {
    sha256: Sha256,
    blocks: Vec<u32>,
    crc: u32,
    bytes: u64,
}

impl Summing {
    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        self.sha256.update(bytes);
        while !bytes.is_empty() {
            let room = usize::try_from(BLOCK_BYTES - self.bytes % BLOCK_BYTES).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.crc = crc32c::crc32c_append(self.crc, now);
            self.bytes += now.len() as u64;
            if self.bytes.is_multiple_of(BLOCK_BYTES) {
                self.blocks.push(std::mem::take(&mut self.crc));
            }
            bytes = later;
        }
    }

    pub(crate) fn finish(mut self) -> Sum {
        if !self.bytes.is_multiple_of(BLOCK_BYTES) {
            self.blocks.push(self.crc);
        }
        Sum { bytes: self.bytes, sha256: self.sha256.finalize().into(), blocks: self.blocks }
    }
}

impl Sum {
    /// The first place where the file that has the sum `found` differs from what was written.
    pub(crate) fn differs_at(&self, found: &Self) -> Option<Range<u64>> {
        if self == found {
            return None;
        }
        let longer = self.bytes.max(found.bytes);
        let same = self.blocks.iter().zip(&found.blocks).take_while(|(one, other)| one == other).count() as u64;
        let start = (same * BLOCK_BYTES).min(longer);
        Some(start..(start + BLOCK_BYTES).min(longer))
    }
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    file: Box<str>,
    bytes: u64,
    sha256: String,
    blocks: Vec<u32>,
}

/// The sums of all files under one folder.
pub(crate) struct Sums {
    /// Names are relative to it.
    root: PathBuf,
    path: PathBuf,
    disk: Arc<dyn Disk>,
    known: Mutex<Known>,
    damaged_lines: AtomicU64,
}

impl fmt::Debug for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sums").field("path", &self.path).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Known {
    files: HashMap<Box<str>, Recorded>,
    /// Where lines are appended; none when the file has to be written anew first.
    appends: Option<Box<dyn DiskFile>>,
    lines: usize,
}

/// A file that is replaced under its name may be either one after a crash.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) now: Arc<Sum>,
    pub(crate) before: Option<Arc<Sum>>,
}

impl Recorded {
    /// The sums that the file may have.
    pub(crate) fn any(&self) -> impl Iterator<Item = &Arc<Sum>> {
        std::iter::once(&self.now).chain(&self.before)
    }
}

impl Sums {
    /// Reads the sums in `path` of files under `root`. A torn end is cut off; a damaged line is counted and left out.
    /// Blocks.
    pub(crate) fn open(root: &Path, path: &Path, disk: Arc<dyn Disk>) -> io::Result<Self> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut known = Known::default();
        let mut damaged = 0;
        for line in bytes.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
        {
            match parse(line) {
                Some((file, sum)) => known.insert(file, sum),
                None => damaged += 1,
            }
        }
        known.files.retain(|file, _| root.join(&**file).exists());
        if damaged > 0 {
            tracing::error!(damaged, path = %path.display(), "lines of the checksums are damaged; 'hubscope verify' \
                tells which files have none, and gives them new ones");
        }
        let sums = Self {
            root: root.to_owned(),
            path: path.to_owned(),
            disk,
            known: Mutex::new(known),
            damaged_lines: AtomicU64::new(damaged),
        };
        if damaged == 0 && whole == bytes.len() && path.exists() && !sums.known().is_stale() {
            let appends = sums.disk.append_file(path)?;
            sums.known().appends = Some(appends);
        }
        Ok(sums)
    }

    /// Lines that could not be read when the file was opened.
    pub(crate) fn damaged_lines(&self) -> u64 {
        self.damaged_lines.load(Ordering::Relaxed)
    }

    /// What `path` was when it was written, if that is known.
    pub(crate) fn get(&self, path: &Path) -> Option<Recorded> {
        self.known().files.get(&*self.name(path)?).cloned()
    }

    /// Whether it keeps the sum of `path`.
    pub(crate) fn concerns(&self, path: &Path) -> bool {
        path.starts_with(&self.root)
    }

    /// Records what `path` is. On disk when it returns.
    pub(crate) fn record(&self, path: &Path, sum: Sum) -> io::Result<()> {
        let Some(name) = self.name(path) else { return Ok(()) };
        let line = line(&name, &sum)?;
        let mut known = self.known();
        known.insert(name, sum);
        let is_stale = known.is_stale();
        let outcome = match known.appends.as_mut().filter(|_| !is_stale) {
            Some(file) => file.write_all(line.as_bytes()).and_then(|()| file.sync()),
            None => self.write_anew(&mut known),
        };
        if outcome.is_err() {
            // What the file holds now is unknown.
            known.appends = None;
        }
        outcome
    }

    /// The lines of the files `paths`, as far as they are known.
    pub(crate) fn lines_of(&self, paths: &[PathBuf]) -> io::Result<String> {
        let mut text = String::new();
        for path in paths {
            let Some((name, recorded)) = self.name(path).zip(self.get(path)) else { continue };
            for sum in recorded.before.iter().chain([&recorded.now]) {
                text.push_str(&line(&name, sum)?);
            }
        }
        Ok(text)
    }

    /// Forgets what `path` was: it is gone.
    pub(crate) fn forget(&self, path: &Path) {
        if let Some(name) = self.name(path) {
            self.known().files.remove(&*name);
        }
    }

    fn write_anew(&self, known: &mut Known) -> io::Result<()> {
        let sorted: BTreeMap<_, _> = known.files.iter().collect();
        let mut text = String::new();
        for (name, recorded) in &sorted {
            for sum in recorded.before.iter().chain([&recorded.now]) {
                text.push_str(&line(name, sum)?);
            }
        }
        let lines = sorted.len();
        let mut temporary = self.path.clone().into_os_string();
        temporary.push("#0");
        let temporary = PathBuf::from(temporary);
        match self.disk.remove(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = self.disk.create_file(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync()?;
        self.disk.rename(&temporary, &self.path)?;
        if let Some(folder) = self.path.parent() {
            self.disk.sync_dir(folder)?;
        }
        known.lines = lines;
        // The file just written is the one that has the name now.
        known.appends = Some(file);
        Ok(())
    }

    fn name(&self, path: &Path) -> Option<Box<str>> {
        Some(path.strip_prefix(&self.root).ok()?.to_str()?.into())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn insert(&mut self, file: Box<str>, sum: Sum) {
        self.lines += 1;
        let before = self.files.get(&file).map(|recorded| Arc::clone(&recorded.now));
        self.files.insert(file, Recorded { now: Arc::new(sum), before });
    }

    fn is_stale(&self) -> bool {
        self.lines > 2 * self.files.len() + STALE_LINES_MAX
    }
}

fn line(name: &str, sum: &Sum) -> io::Result<String> {
    let line = Line { file: name.into(), bytes: sum.bytes, sha256: hex(&sum.sha256), blocks: sum.blocks.clone() };
    let json = serde_json::to_string(&line)?;
    Ok(format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes())))
}

fn parse(line: &[u8]) -> Option<(Box<str>, Sum)> {
    let (crc, json) = (line.get(..8)?, line.get(9..)?);
    // Written in one way only, so that no bit of a line can change unseen.
    if crc != format!("{:08x}", crc32c::crc32c(json)).as_bytes() || line.get(8) != Some(&b' ') {
        return None;
    }
    let Line { file, bytes, sha256, blocks } = serde_json::from_slice(json).ok()?;
    Some((file, Sum { bytes, sha256: unhex(&sha256)?, blocks }))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn sum(bytes: &[u8]) -> Sum {
        let mut summing = Summing::default();
        summing.add(bytes);
        summing.finish()
    }

    fn open(folder: &Path) -> Sums {
        Sums::open(folder, &folder.join("sums.jsonl"), Arc::new(RealDisk)).unwrap()
    }

    #[test]
    fn bytes_sum_alike_however_they_come() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        for lengths in [1_000, 32_768, 65_536, 70_001] {
            let mut summing = Summing::default();
            bytes.chunks(lengths).for_each(|chunk| summing.add(chunk));
            assert_eq!(summing.finish(), sum(&bytes));
        }
        assert_eq!(sum(&bytes).blocks.len(), 7);
        assert_eq!(sum(&bytes[..65_536]).blocks.len(), 2);
        assert_eq!(sum(b"").blocks.len(), 0);
        assert_eq!(hex(&sum(b"abc").sha256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn what_is_recorded_is_known_afterwards_and_a_torn_or_damaged_line_alone_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a", "b", "c"].map(|name| folder.path().join(name));
        for name in &names {
            std::fs::write(name, "x").unwrap();
        }
        let sums = open(folder.path());
        for name in &names {
            sums.record(name, sum(name.to_str().unwrap().as_bytes())).unwrap();
        }
        drop(sums);
        let path = folder.path().join("sums.jsonl");
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let sums = open(folder.path());
            let kept = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(names.iter().filter(|name| sums.get(name).is_some()).count(), kept, "cut at {cut}");
            assert_eq!(sums.damaged_lines(), 0);
            sums.record(&names[2], sum(b"new")).unwrap();
            drop(sums);
            assert_eq!(*open(folder.path()).get(&names[2]).unwrap().now, sum(b"new"));
        }
        for byte in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[byte] ^= 1 << (byte % 8);
            std::fs::write(&path, &flipped).unwrap();
            let sums = open(folder.path());
            let right = names.iter().filter(|name| {
                sums.get(name).is_some_and(|found| *found.now == sum(name.to_str().unwrap().as_bytes()))
            });
            let known = names.iter().filter(|name| sums.get(name).is_some()).count();
            assert_eq!(right.count(), known, "byte {byte}: a wrong sum was believed");
            assert!(known < 3, "byte {byte}: the damage went unseen");
        }
    }

    #[test]
    fn lines_that_are_out_of_date_do_not_gather() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("a");
        std::fs::write(&name, "x").unwrap();
        let sums = open(folder.path());
        for n in 0..2_000_u32 {
            sums.record(&name, sum(&n.to_le_bytes())).unwrap();
        }
        let lines = std::fs::read_to_string(folder.path().join("sums.jsonl")).unwrap().lines().count();
        assert!(lines <= STALE_LINES_MAX + 4, "{lines}");
        let again = open(folder.path()).get(&name).unwrap();
        assert_eq!(*again.now, sum(&1_999_u32.to_le_bytes()));
        assert_eq!(**again.before.as_ref().unwrap(), sum(&1_998_u32.to_le_bytes()));
    }

    #[test]
    fn the_place_of_a_difference_is_its_block() {
        let bytes = vec![7; 100_000];
        let mut other = bytes.clone();
        other[40_000] ^= 1;
        assert_eq!(sum(&bytes).differs_at(&sum(&other)), Some(32_768..65_536));
        assert_eq!(sum(&bytes).differs_at(&sum(&bytes)), None);
        assert_eq!(sum(&bytes).differs_at(&sum(&bytes[..70_000])), Some(65_536..98_304));
        assert_eq!(sum(&bytes).differs_at(&sum(b"")), Some(0..32_768));
    }
}
