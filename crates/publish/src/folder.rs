//! The folder that is published, changed so that a reader sees old files or new ones and a power cut leaves either.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use event::Day;
use sha2::{Digest, Sha256};

use crate::PublishError;
use crate::index::day_of;

/// Names of files that are being written. They begin with a dot, so that servers and lists pass over them.
const PART: (&str, &str) = (".", ".hubscope-part");
/// What is appended to the name of a file that stands where only ours may.
const ASIDE: &str = ".set-aside";

/// Clocks of file systems tick every few milliseconds, some every two seconds: a file that was changed so shortly
/// before it was looked at could have been changed again without a trace.
const TICK: Duration = Duration::from_secs(2);

/// Bytes of a file that are written at once.
const BUFFER_BYTES: usize = 256 << 10;

/// How a file looked when its bytes were known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    bytes: u64,
    modified: SystemTime,
    /// When it was looked at.
    seen: SystemTime,
}

/// A folder of published files.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Opens the folder, making it if need be, and removes what a run that was cut short left half written.
    pub(crate) fn open(root: &Path) -> Result<Self, PublishError> {
        make(root)?;
        let folder = Self { root: root.to_owned() };
        for name in folder.names()? {
            if name.starts_with(PART.0) && name.ends_with(PART.1) {
                let path = root.join(&name);
                fs::remove_file(&path).map_err(PublishError::io("remove", path))?;
            }
        }
        Ok(folder)
    }

    /// Writes `name` unless it holds `bytes` already; true if it was written. The name lasts through a power cut only
    /// after [`Folder::sync`].
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<bool, PublishError> {
        let path = self.root.join(name);
        if holds(&path, bytes).map_err(PublishError::io("read", &path))? {
            return Ok(false);
        }
        let part = self.root.join(format!("{}{name}{}", PART.0, PART.1));
        write_synced(&part, bytes).map_err(PublishError::io("write", &part))?;
        fs::rename(&part, &path).map_err(PublishError::io("replace", &path))?;
        Ok(true)
    }

    /// Begins to write `name`, for files that are not held in memory as a whole.
    pub(crate) fn begin(&self, name: &str) -> Result<Begun, PublishError> {
        let part = self.root.join(format!("{}{name}{}", PART.0, PART.1));
        let file = File::create(&part).map_err(PublishError::io("write", &part))?;
        let path = self.root.join(name);
        Ok(Begun { file: BufWriter::with_capacity(BUFFER_BYTES, file), part, path, sha256: Sha256::new(), bytes: 0 })
    }

    /// Where files without a name may lie.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// How the file `name` looks now; its bytes were written or compared just before.
    pub(crate) fn stamp(&self, name: &str) -> Result<Stamp, PublishError> {
        let path = self.root.join(name);
        let look = || {
            let metadata = fs::metadata(&path)?;
            Ok(Stamp { bytes: metadata.len(), modified: metadata.modified()?, seen: SystemTime::now() })
        };
        look().map_err(PublishError::io("look at", &path))
    }

    /// Whether the file `name` still has the bytes with the SHA-256 `digest` that it had at `stamp`: by its length and
    /// its time where these can tell, else by reading it.
    pub(crate) fn still_holds(&self, name: &str, stamp: &Stamp, digest: &[u8; 32]) -> bool {
        let path = self.root.join(name);
        let Ok(metadata) = fs::metadata(&path) else { return false };
        if metadata.len() != stamp.bytes {
            return false;
        }
        let same_time = metadata.modified().is_ok_and(|modified| modified == stamp.modified);
        let settled = stamp.seen.duration_since(stamp.modified).is_ok_and(|age| age > TICK);
        same_time && settled || digest_of(&path).is_ok_and(|found| found == *digest)
    }

    /// Returns once every name in the folder would survive a power cut.
    pub(crate) fn sync(&self) -> Result<(), PublishError> {
        sync_folder(&self.root)
    }

    /// The days of which there is a file.
    pub(crate) fn days(&self) -> Result<Vec<Day>, PublishError> {
        Ok(self.names()?.iter().filter_map(|name| day_of(name)).collect())
    }

    /// Gives `name`, which is no file of ours, another name, under which it is no part of the archive; returns that.
    pub(crate) fn set_aside(&self, name: &str) -> Result<String, PublishError> {
        let mut aside = format!("{name}{ASIDE}");
        for number in 2.. {
            if fs::symlink_metadata(self.root.join(&aside)).is_err() {
                break;
            }
            aside = format!("{name}{ASIDE}-{number}");
        }
        let path = self.root.join(name);
        fs::rename(&path, self.root.join(&aside)).map_err(PublishError::io("rename", path))?;
        Ok(aside)
    }

    fn names(&self) -> Result<Vec<String>, PublishError> {
        let listing = || -> io::Result<Vec<String>> {
            let entries = fs::read_dir(&self.root)?.collect::<io::Result<Vec<_>>>()?;
            Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        };
        listing().map_err(PublishError::io("list", &self.root))
    }
}

/// A file that is being written. Dropped, it is as if it had not been.
#[derive(Debug)]
pub(crate) struct Begun {
    file: BufWriter<File>,
    part: PathBuf,
    path: PathBuf,
    sha256: Sha256,
    bytes: u64,
}

impl Begun {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), PublishError> {
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(PublishError::io("write", &self.part))
    }

    /// Gives the file its name, unless what bears it holds the same already; whether it did, its SHA-256 and length. As
    /// of [`Folder::put`].
    pub(crate) fn finish(mut self) -> Result<(bool, [u8; 32], u64), PublishError> {
        let digest: [u8; 32] = std::mem::take(&mut self.sha256).finalize().into();
        let is_there = fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() == self.bytes)
            && digest_of(&self.path).map_err(PublishError::io("read", &self.path))? == digest;
        if is_there {
            return Ok((false, digest, self.bytes));
        }
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(PublishError::io("write", &self.part))?;
        fs::rename(&self.part, &self.path).map_err(PublishError::io("replace", &self.path))?;
        Ok((true, digest, self.bytes))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // Gone already, unless it did not get its name; what is left is removed by the next run.
        let _ = fs::remove_file(&self.part);
    }
}

/// The SHA-256 of the file at `path`, however long it is.
fn digest_of(path: &Path) -> io::Result<[u8; 32]> {
    let mut sha256 = Sha256::new();
    io::copy(&mut File::open(path)?, &mut sha256)?;
    Ok(sha256.finalize().into())
}

/// Writes `name` in `folder`, which is made if need be, so that it is on disk when this returns.
pub(crate) fn put_synced(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), PublishError> {
    let folder = Folder::open(folder)?;
    folder.put(name, bytes)?;
    folder.sync()
}

/// Makes `folder` and what leads to it, each name on disk.
fn make(folder: &Path) -> Result<(), PublishError> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent()
        && !parent.as_os_str().is_empty()
    {
        make(parent)?;
    }
    match fs::create_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        Err(error) => return Err(PublishError::io("make the folder", folder)(error)),
    }
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => sync_folder(Path::new(".")),
    }
}

fn sync_folder(folder: &Path) -> Result<(), PublishError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(PublishError::io("sync", folder))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Whether the file at `path` holds exactly `bytes`.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if usize::try_from(length) != Ok(bytes.len()) {
        return Ok(false);
    }
    Ok(fs::read(path)? == bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("a/b")).unwrap();
        assert!(folder.put("x", b"one").unwrap());
        assert!(!folder.put("x", b"one").unwrap());
        assert!(folder.put("x", b"two").unwrap());
        assert!(folder.put("empty", b"").unwrap());
        assert!(!folder.put("empty", b"").unwrap());
        assert_eq!(fs::read(dir.path().join("a/b/x")).unwrap(), b"two");
    }

    #[test]
    fn what_is_written_bit_by_bit_is_as_what_is_put() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        for (text, expected) in [("one", true), ("one", false), ("two", true)] {
            let mut begun = folder.begin("x").unwrap();
            text.bytes().for_each(|byte| begun.write(&[byte]).unwrap());
            let digest: [u8; 32] = Sha256::digest(text).into();
            assert_eq!(begun.finish().unwrap(), (expected, digest, 3));
            assert!(!folder.put("x", text.as_bytes()).unwrap());
        }
        drop(folder.begin("x").unwrap());
        assert_eq!(fs::read(dir.path().join("x")).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn half_written_files_are_removed_and_others_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".events-2020-01-01.jsonl.hubscope-part", ".hidden", "x.hubscope-part"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        Folder::open(dir.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".hidden", "x.hubscope-part"]);
    }

    /// A change that leaves length and time alone is seen while the time is fresh; later the time tells.
    #[test]
    fn changes_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        folder.put("x", b"one").unwrap();
        let digest = Sha256::digest(b"one").into();
        let stamp = folder.stamp("x").unwrap();
        assert!(folder.still_holds("x", &stamp, &digest));
        fs::write(dir.path().join("x"), "two").unwrap();
        let file = File::options().write(true).open(dir.path().join("x")).unwrap();
        file.set_modified(stamp.modified).unwrap();
        assert!(!folder.still_holds("x", &stamp, &digest), "too fresh to trust the time");
        let old = stamp.seen - TICK * 2;
        file.set_modified(old).unwrap();
        let settled = Stamp { modified: old, ..stamp };
        assert!(folder.still_holds("x", &settled, &digest), "the time tells");
        file.set_modified(stamp.seen).unwrap();
        assert!(!folder.still_holds("x", &settled, &digest));
        fs::write(dir.path().join("x"), "longer").unwrap();
        assert!(!folder.still_holds("x", &settled, &digest));
        fs::remove_file(dir.path().join("x")).unwrap();
        assert!(!folder.still_holds("x", &settled, &digest));
    }

    #[test]
    fn a_file_set_aside_replaces_none() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        for expected in ["x.set-aside", "x.set-aside-2", "x.set-aside-3"] {
            fs::write(dir.path().join("x"), expected).unwrap();
            assert_eq!(folder.set_aside("x").unwrap(), expected);
        }
        assert_eq!(fs::read_to_string(dir.path().join("x.set-aside-2")).unwrap(), "x.set-aside-2");
    }

    #[test]
    fn errors_name_the_path() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let error = Folder::open(&dir.path().join("file/sub")).unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
    }
}
