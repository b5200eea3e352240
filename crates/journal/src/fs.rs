//! The few file operations that the journal needs, as traits, so that a test can count them, fail them or pull the
//! plug.
//!
//! What is assumed of a disk: bytes written are durable once [`FsFile::sync_data`] returned `Ok`, a name created,
//! renamed or removed once [`Fs::sync_dir`] of its folder returned `Ok`. Between a write and its sync anything may
//! happen to those bytes at a crash: kept, lost, torn, in any order. A rename is atomic: the file has the old name or
//! the new one.

mod read_only;
mod real;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;

pub(crate) use read_only::ReadOnly;
pub use real::RealFs;

/// Files by path. Paths are given whole; none of these follows or creates parents.
pub trait Fs: fmt::Debug + Send + Sync {
    /// Creates a folder; `Ok(false)` when there already is one.
    ///
    /// # Errors
    /// `NotFound` when the parent is missing.
    fn create_dir(&self, dir: &Path) -> io::Result<bool>;

    /// The names of the files (not of the folders) in a folder, in any order.
    ///
    /// # Errors
    /// `NotFound` when there is no such folder.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Creates an empty file for reading and writing.
    ///
    /// # Errors
    /// `AlreadyExists` rather than opening what is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>>;

    /// Opens a file that exists for reading and writing.
    ///
    /// # Errors
    /// `NotFound` when it does not exist.
    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>>;

    /// Gives a file another name, at once or not at all; replaces a file of that name. Durable after both folders were
    /// synced.
    ///
    /// # Errors
    /// `NotFound` when there is no file `from`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Durable after the folder was synced.
    ///
    /// # Errors
    /// `NotFound` when it does not exist.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes every creation, renaming and removal in this folder durable.
    ///
    /// # Errors
    /// Any error means that it is unknown what of them is durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// 128 unpredictable bits: journal ids and the marks of records.
    ///
    /// # Errors
    /// When the system has no source of randomness.
    fn random(&self) -> io::Result<u128>;
}

/// One open file. Reads and writes name their offset; there is no cursor.
#[expect(clippy::len_without_is_empty, reason = "a file on disk, not a collection: asking for its length may fail")]
pub trait FsFile: fmt::Debug + Send + Sync {
    /// Length in bytes.
    ///
    /// # Errors
    /// As the system reports.
    fn len(&self) -> io::Result<u64>;

    /// Reads at `offset` into `buffer`; may read less, and 0 only at the end of the file.
    ///
    /// # Errors
    /// As the system reports.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes at `offset`; may write less than given.
    ///
    /// # Errors
    /// `StorageFull` or `QuotaExceeded` when there is no room. A part may have been written before the error.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Cuts the file off, or extends it with zeros.
    ///
    /// # Errors
    /// As the system reports.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Takes `len` bytes of the disk for this empty file, so that they are there when others have filled it.
    ///
    /// # Errors
    /// `StorageFull` or `QuotaExceeded` when they are not to be had; the file may then hold a part.
    fn allocate(&self, len: u64) -> io::Result<()> {
        write_zeros(&|offset, bytes| self.write_at(offset, bytes), len)
    }

    /// Makes the bytes and the length durable.
    ///
    /// # Errors
    /// After any error the system may have thrown the unsynced bytes away although a read still shows them: a second
    /// call that succeeds proves nothing.
    fn sync_data(&self) -> io::Result<()>;
}

/// Written at a time where space is taken by writing zeros.
const ZEROS_BYTES: usize = 1024 * 1024;

/// Writes `len` zeros from the front of a file.
fn write_zeros(write_at: &dyn Fn(u64, &[u8]) -> io::Result<usize>, len: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_BYTES];
    let mut done = 0;
    while done < len {
        let chunk = usize::try_from(len - done).unwrap_or(usize::MAX).min(zeros.len());
        match write_at(done, zeros.get(..chunk).unwrap_or_default())? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => done += written as u64,
        }
    }
    Ok(())
}

/// Reads until `buffer` is full or the file ends; returns how much was read.
pub(crate) fn read_fully(file: &dyn FsFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(offset + done as u64, rest) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// What a disk gives back at once, or not at all.
const BLOCK_BYTES: u64 = 4096;

/// As [`read_fully`], but where the disk cannot give bytes back there are zeros, and `unreadable` gets the place: what
/// lies before and behind can be read all the same.
pub(crate) fn read_around(
    file: &dyn FsFile,
    offset: u64,
    buffer: &mut [u8],
    unreadable: &mut Vec<Range<u64>>,
) -> io::Result<usize> {
    match read_fully(file, offset, buffer) {
        Err(error) if is_unreadable(&error) => {}
        outcome => return outcome,
    }
    let mut done = 0;
    while done < buffer.len() {
        let at = offset + done as u64;
        let length = usize::try_from(BLOCK_BYTES - at % BLOCK_BYTES).unwrap_or(usize::MAX).min(buffer.len() - done);
        let block = buffer.get_mut(done..done + length).unwrap_or_default();
        match read_fully(file, at, block) {
            Ok(read) if read < length => return Ok(done + read),
            Ok(_) => {}
            Err(error) if is_unreadable(&error) => {
                block.fill(0);
                note(unreadable, at..at + length as u64);
            }
            Err(error) => return Err(error),
        }
        done += length;
    }
    Ok(done)
}

/// Adds a range to a list that is read from front to back, some of it perhaps twice.
fn note(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
        _ => ranges.push(range),
    }
}

/// Whether an error says that the disk has lost these bytes, rather than that we may not or cannot read now. EIO of the
/// device, EBADMSG and EUCLEAN of file systems with checksums, ENODATA and EREMOTEIO of some drivers; these five have
/// the same numbers on every Linux but MIPS, SPARC and Alpha, and the first everywhere.
pub(crate) fn is_unreadable(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    #[cfg(target_os = "linux")]
    const UNREADABLE: [i32; 5] = [EIO, 61, 74, 117, 121];
    #[cfg(not(target_os = "linux"))]
    const UNREADABLE: [i32; 1] = [EIO];
    error.raw_os_error().is_some_and(|number| UNREADABLE.contains(&number))
}

/// Writes all of `bytes`, however short the single writes are.
pub(crate) fn write_fully(file: &dyn FsFile, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match file.write_at(offset + done as u64, rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether an error says that there is no room (which passes), rather than that the disk is ill (which does not).
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
