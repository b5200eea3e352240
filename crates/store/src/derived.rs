//! Files derived from the tables: `DATA/derived/<name>/`, a cache that may be lost at any time; and in the same form
//! `DATA/history/<name>/`, what was derived from rows that have left the tables since and can be derived no more.
//!
//! A folder holds files and a `manifest`, which says what they were derived from and names them with their checksums.
//! Files never change; a file's name ends with the beginning of its SHA-256, so that equal bytes have one name and are
//! written once. The manifest is replaced by rename after the files are on disk, and files that it does not name are
//! removed after that: a reader sees the old state or the new one, after any crash. What is missing or damaged is told
//! as such; whoever derives it makes it again, where the rows are still there.
//!
//! The manifest is one line: the CRC-32C of the rest (8 hexadecimal digits), a space, and JSON.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::durable_fs::DurableFs;
use crate::store::Store;
use crate::sums::hex;

/// The folder of derived folders in a folder of data.
pub(crate) const DERIVED: &str = "derived";

/// The same for what outlives the rows that it was derived from.
pub(crate) const HISTORY: &str = "history";

/// Name of the manifest's file.
const MANIFEST: &str = "manifest";

/// Version of the manifest's form.
const VERSION: u32 = 1;

/// Bytes of a manifest, at most: more is damage, and is not read into memory.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// Hexadecimal digits of a file's SHA-256 that stand in its name.
const NAME_DIGITS: usize = 16;

/// What is said of a file whose checksum does not fit.
const NOT_AS_WRITTEN: &str = "its bytes are not those that were written";

/// Bytes that are read at once of a file that is compared and not kept in memory.
const READ_BYTES: usize = 256 << 10;

/// Something derived cannot be read as it was written. It is to be derived again.
#[derive(Debug, thiserror::Error)]
#[error("the derived file '{}' cannot be used: {detail}", path.display())]
pub struct DerivedDamaged {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong.
    pub detail: String,
}

/// What a folder holds, as its manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    /// What the files were derived from and how; whoever derives them knows its form.
    pub of: serde_json::Value,
    /// The files, by name.
    pub files: BTreeMap<String, DerivedFile>,
}

/// A file of a [`Manifest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedFile {
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256 of them, hexadecimal.
    pub sha256: String,
}

/// A file for [`Derived::replace`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewFile {
    /// One that the manifest names already, kept as it is.
    Kept(String),
    /// A new one, called `<stem>-<digits>.<extension>`.
    Bytes {
        /// What its name begins with: letters, digits, `-`, `_` and `.`.
        stem: String,
        /// What its name ends with.
        extension: &'static str,
        /// What it holds.
        bytes: Vec<u8>,
    },
}

/// What [`Derived::replace`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// What the folder holds now.
    pub manifest: Manifest,
    /// Files that were written.
    pub written: Vec<String>,
    /// Files that are gone.
    pub removed: Vec<String>,
}

/// One folder of derived files, of which this process is the only writer. All methods block.
#[derive(Clone, Debug)]
pub struct Derived {
    dir: PathBuf,
    fs: DurableFs,
}

impl Store {
    /// The folder `name` of derived files, beside the tables. Nothing is made or read yet. What goes wrong there does
    /// not keep the tables from being written.
    pub fn derived(&self, name: &str) -> Derived {
        Derived::new(self.root(), name, self.fs.apart())
    }

    /// The folder `name` of what outlives the rows that it was derived from. As [`Self::derived`], but for the only
    /// place of what it holds.
    pub fn history(&self, name: &str) -> Derived {
        Derived::within(self.root(), HISTORY, name, self.fs.apart())
    }
}

impl Derived {
    /// The folder `name` in the folder of data `root`.
    pub fn new(root: &Path, name: &str, fs: DurableFs) -> Self {
        Self::within(root, DERIVED, name, fs)
    }

    fn within(root: &Path, parent: &str, name: &str, fs: DurableFs) -> Self {
        Self { dir: root.join(parent).join(name), fs }
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where a file of it lies, for readers that take a path. The file goes when it is replaced.
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// What the folder holds; `None` when there is nothing yet.
    ///
    /// # Errors
    /// [`DerivedDamaged`] when the manifest is not as it was written, or of another version.
    pub fn manifest(&self) -> Result<Option<Manifest>, DerivedDamaged> {
        let path = self.dir.join(MANIFEST);
        let damaged = |detail: String| DerivedDamaged { path: path.clone(), detail };
        match std::fs::metadata(&path) {
            Ok(found) if found.len() > MANIFEST_BYTES_MAX => {
                return Err(damaged(format!("it has {} bytes, more than any manifest", found.len())));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(damaged(error.to_string())),
        }
        let bytes = std::fs::read(&path).map_err(|error| damaged(error.to_string()))?;
        let json = checked(&bytes).ok_or_else(|| damaged("its checksum does not fit".to_owned()))?;
        let manifest: Manifest = serde_json::from_slice(json).map_err(|error| damaged(error.to_string()))?;
        if manifest.version != VERSION {
            return Err(damaged(format!("it has version {}; this program knows {VERSION}", manifest.version)));
        }
        Ok(Some(manifest))
    }

    /// The bytes of a file that `manifest` names, compared with its checksum.
    ///
    /// # Errors
    /// [`DerivedDamaged`] when it is missing or not what was written.
    pub fn read(&self, manifest: &Manifest, file: &str) -> Result<Vec<u8>, DerivedDamaged> {
        let path = self.path(file);
        let damaged = |detail: String| DerivedDamaged { path: path.clone(), detail };
        let listed = manifest.files.get(file).ok_or_else(|| damaged("the manifest does not name it".to_owned()))?;
        let length = std::fs::metadata(&path).map_err(|error| damaged(error.to_string()))?.len();
        if length != listed.bytes {
            return Err(damaged(format!("it has {length} bytes instead of {}", listed.bytes)));
        }
        let bytes = std::fs::read(&path).map_err(|error| damaged(error.to_string()))?;
        if hex(&Sha256::digest(&bytes)) != listed.sha256 {
            return Err(damaged(NOT_AS_WRITTEN.to_owned()));
        }
        Ok(bytes)
    }

    /// A file that `manifest` names, open for reading and compared with its checksum. What is open stays readable when
    /// the file is replaced.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn open(&self, manifest: &Manifest, file: &str) -> Result<File, DerivedDamaged> {
        let path = self.path(file);
        let damaged = |detail: String| DerivedDamaged { path: path.clone(), detail };
        let listed = manifest.files.get(file).ok_or_else(|| damaged("the manifest does not name it".to_owned()))?;
        let sum = || -> io::Result<(File, u64, String)> {
            let mut open = File::open(&path)?;
            let (mut sum, mut length, mut piece) = (Sha256::new(), 0, vec![0; READ_BYTES]);
            loop {
                let read = open.read(&mut piece)?;
                if read == 0 {
                    return Ok((open, length, hex(&sum.finalize())));
                }
                length += read as u64;
                sum.update(piece.get(..read).unwrap_or_default());
            }
        };
        let (open, length, sha256) = sum().map_err(|error| damaged(error.to_string()))?;
        if length != listed.bytes {
            return Err(damaged(format!("it has {length} bytes instead of {}", listed.bytes)));
        }
        if sha256 != listed.sha256 {
            return Err(damaged(NOT_AS_WRITTEN.to_owned()));
        }
        Ok(open)
    }

    /// Makes the folder hold `files`, derived from `of`, and nothing else. Everything is on disk when it returns;
    /// repeating it after any error is safe.
    ///
    /// # Errors
    /// The disk's; also a kept file that the manifest does not name.
    pub fn replace(&self, of: serde_json::Value, files: Vec<NewFile>) -> io::Result<Replaced> {
        self.fs.create_dir_all(&self.dir)?;
        // A manifest that cannot be read names nothing that could be kept.
        let before = self.manifest().ok().flatten().map(|manifest| manifest.files).unwrap_or_default();
        let mut manifest = Manifest { version: VERSION, of, files: BTreeMap::new() };
        let mut written = Vec::new();
        for file in files {
            let (name, listed) = match file {
                NewFile::Kept(name) => {
                    let listed = before.get(&name).cloned().ok_or_else(|| unknown(&name))?;
                    (name, listed)
                }
                NewFile::Bytes { stem, extension, bytes } => {
                    let (name, listed) = named(&stem, extension, &bytes)?;
                    if !self.holds(&name, &bytes) {
                        self.fs.write(&self.path(&name), &bytes)?;
                        written.push(name.clone());
                    }
                    (name, listed)
                }
            };
            manifest.files.insert(name, listed);
        }
        let json = serde_json::to_string(&manifest)?;
        let line = format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes()));
        self.fs.write(&self.dir.join(MANIFEST), line.as_bytes())?;
        let removed = self.sweep(&manifest)?;
        Ok(Replaced { manifest, written, removed })
    }

    /// Removes the whole folder's files, the manifest first. Returns their names.
    ///
    /// # Errors
    /// The disk's.
    pub fn clear(&self) -> io::Result<Vec<String>> {
        if !self.dir.is_dir() {
            return Ok(Vec::new());
        }
        if self.dir.join(MANIFEST).exists() {
            self.fs.remove(&self.dir.join(MANIFEST))?;
        }
        let nothing = Manifest { version: VERSION, of: serde_json::Value::Null, files: BTreeMap::new() };
        self.sweep(&nothing)
    }

    /// Compares every file with its checksum: how many there are, their bytes, and what is wrong. Files that the
    /// manifest does not name are no fault; they go when it is replaced.
    pub fn verify(&self) -> (u64, u64, Vec<DerivedDamaged>) {
        let manifest = match self.manifest() {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return (0, 0, Vec::new()),
            Err(damaged) => return (1, 0, vec![damaged]),
        };
        let faults = manifest.files.keys().filter_map(|name| self.read(&manifest, name).err()).collect();
        (manifest.files.len() as u64 + 1, manifest.files.values().map(|file| file.bytes).sum(), faults)
    }

    /// Whether the file is there with just these bytes: one of that name may be damaged.
    fn holds(&self, name: &str, bytes: &[u8]) -> bool {
        std::fs::read(self.path(name)).is_ok_and(|found| found == bytes)
    }

    /// Removes what `manifest` does not name, what a killed writer left half written included.
    fn sweep(&self, manifest: &Manifest) -> io::Result<Vec<String>> {
        let mut removed = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_ours = name == MANIFEST || manifest.files.contains_key(&name);
            if !is_ours && entry.file_type()?.is_file() {
                self.fs.remove(&entry.path())?;
                removed.push(name);
            }
        }
        removed.sort();
        Ok(removed)
    }
}

/// The derived folders in the folder `parent` of the folder of data `root`, by name.
pub(crate) fn derived_in(root: &Path, parent: &str) -> io::Result<BTreeMap<String, Derived>> {
    let entries = match std::fs::read_dir(root.join(parent)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let mut found = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.insert(name.clone(), Derived::within(root, parent, &name, DurableFs::default()));
        }
    }
    Ok(found)
}

fn unknown(name: &str) -> io::Error {
    io::Error::new(ErrorKind::NotFound, format!("'{name}' is to be kept, but no manifest names it"))
}

/// The JSON of a manifest, if its checksum fits.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let line = bytes.strip_suffix(b"\n")?;
    let (crc, json) = (line.get(..8)?, line.get(9..)?);
    let fits = crc == format!("{:08x}", crc32c::crc32c(json)).as_bytes() && line.get(8) == Some(&b' ');
    fits.then_some(json)
}

fn named(stem: &str, extension: &str, bytes: &[u8]) -> io::Result<(String, DerivedFile)> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if stem.is_empty() || stem.starts_with('.') || !stem.bytes().chain(extension.bytes()).all(is_plain) {
        return Err(io::Error::new(ErrorKind::InvalidInput, format!("'{stem}' cannot begin the name of a file")));
    }
    let sha256 = hex(&Sha256::digest(bytes));
    let digits = sha256.get(..NAME_DIGITS).unwrap_or_default();
    Ok((format!("{stem}-{digits}.{extension}"), DerivedFile { bytes: bytes.len() as u64, sha256 }))
}
