//! Local disk as an object store whose every change is on disk when the call returns.
//!
//! The local store of `object_store` never syncs, and to sync after its call would be too late: it links a name to
//! bytes that a power cut can still lose, and an empty `N.json` bricks a Delta table. So here a file is written under a
//! name that lists do not show (`<name>#<digits>`), synced, and only then linked ([`PutMode::Create`]) or renamed into
//! place; then its directory is synced, and so is the parent of every directory made on the way.
//!
//! A directory whose sync failed may have lost any of its names, and a second sync could say "done" without having done
//! anything. From then on the store refuses every change: [`DurableFs::poisoned`]. Opening again starts from what the
//! disk really holds.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, RenameTargetMode,
    Result,
};

use crate::checked::Checked;
use crate::disk::{Disk, DiskFile, RealDisk};
use crate::durable_upload::DurableUpload;
use crate::sums::{Sum, Summing, Sums};

const NAME: &str = "DurableFs";

/// Deletions that run side by side, as in `LocalFileSystem`.
const DELETES_AT_ONCE: usize = 8;

/// An [`ObjectStore`] rooted at `/` of the local disk. Cheap to clone; clones share the poison.
#[derive(Clone, Debug)]
pub struct DurableFs {
    reads: LocalFileSystem,
    pub(crate) writes: Arc<Writes>,
}

/// The changing half: everything here blocks.
#[derive(Debug)]
pub(crate) struct Writes {
    disk: Arc<dyn Disk>,
    poison: OnceLock<String>,
    temporaries: AtomicU64,
    /// Sums of what is written and read, once they are kept.
    sums: OnceLock<Arc<Sums>>,
}

impl Default for DurableFs {
    fn default() -> Self {
        Self::new(Arc::new(RealDisk))
    }
}

impl DurableFs {
    /// A store that changes the disk through `disk` (and reads it directly).
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        let writes = Writes { disk, poison: OnceLock::new(), temporaries: AtomicU64::new(0), sums: OnceLock::new() };
        Self { reads: LocalFileSystem::new(), writes: Arc::new(writes) }
    }

    /// The same disk with a poison of its own, and without sums: for files that are no part of the tables.
    pub(crate) fn apart(&self) -> Self {
        Self::new(Arc::clone(&self.writes.disk))
    }

    /// Why it refuses changes, if it does.
    pub fn poisoned(&self) -> Option<&str> {
        self.writes.poison.get().map(String::as_str)
    }

    /// Makes `dir` and what is missing above it, each synced into its parent. Blocks.
    ///
    /// # Errors
    /// The disk's, or that the store is poisoned.
    pub fn create_dir_all(&self, dir: &FsPath) -> io::Result<()> {
        self.writes.healthy()?;
        self.writes.make_dirs(dir)
    }

    /// Makes every name in `dir` durable, whoever wrote it: a process killed between a link and the sync after it
    /// leaves a name that can be read and still be lost. Blocks.
    ///
    /// # Errors
    /// The disk's, or that the store is poisoned.
    pub fn settle(&self, dir: &FsPath) -> io::Result<()> {
        self.writes.healthy()?;
        self.writes.sync_dir(dir)
    }

    /// As [`durable_write`], on this disk.
    ///
    /// # Errors
    /// The disk's, or that the store is poisoned.
    pub fn write(&self, path: &FsPath, bytes: &[u8]) -> io::Result<()> {
        self.writes.healthy()?;
        self.writes.put(path, &PutPayload::from(bytes.to_vec()), &PutMode::Overwrite)
    }

    /// Removes a file, durably. Blocks.
    ///
    /// # Errors
    /// The disk's, or that the store is poisoned.
    pub fn remove(&self, path: &FsPath) -> io::Result<()> {
        self.writes.healthy()?;
        self.writes.remove(path)
    }

    /// Removes the files that writers in `dir` left behind when they died. Only the owner of the folder may call it,
    /// and only while nothing is being written. Blocks. Returns how many there were.
    ///
    /// # Errors
    /// The disk's.
    pub fn remove_temporaries(&self, dir: &FsPath) -> io::Result<usize> {
        let mut removed = 0;
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if is_temporary(&path) && path.is_file() {
                self.writes.disk.remove(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// From now on keeps the sums of files under `root` in the file `path`, and checks with them what is read there.
    /// Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn keep_sums(&self, root: &FsPath, path: &FsPath) -> io::Result<()> {
        let sums = Sums::open(root, path, Arc::clone(&self.writes.disk))?;
        self.writes.sums.set(Arc::new(sums)).map_err(|_| io::Error::other("sums are kept already"))
    }

    /// The sums kept, if any are.
    pub(crate) fn sums(&self) -> Option<&Arc<Sums>> {
        self.writes.sums.get()
    }

    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Writes) -> io::Result<T> + Send + 'static,
        location: &Path,
    ) -> Result<T> {
        let writes = Arc::clone(&self.writes);
        let outcome = blocking(move || writes.healthy().and_then(|()| work(&writes))).await;
        outcome.map_err(|source| store_error(source, location))
    }
}

impl DurableFs {
    /// The path of a file whose sum is kept.
    fn summed(&self, location: &Path) -> Result<Option<PathBuf>> {
        let Some(sums) = self.sums() else { return Ok(None) };
        let path = self.reads.path_to_filesystem(location)?;
        Ok(sums.get(&path).map(|_| path))
    }

    async fn checked<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Sums) -> io::Result<T> + Send + 'static,
        location: &Path,
    ) -> Result<T> {
        let sums = self.sums().cloned();
        let work = move || match sums {
            Some(sums) => work(&sums),
            None => Err(io::Error::other("no sums are kept")),
        };
        blocking(work).await.map_err(|source| store_error(source, location))
    }
}

/// Replaces the file `path` by one that holds `bytes`; readers see the old one or the new one, also after a power cut.
/// Makes its folder if need be. Blocks.
///
/// # Errors
/// The disk's. When the folder could not be synced, either file may be there after a power cut.
pub fn durable_write(path: &FsPath, bytes: &[u8]) -> io::Result<()> {
    DurableFs::default().write(path, bytes)
}

impl Writes {
    pub(crate) fn healthy(&self) -> io::Result<()> {
        match self.poison.get() {
            None => Ok(()),
            Some(reason) => Err(io::Error::other(format!("no change is accepted until restart, since {reason}"))),
        }
    }

    /// A new hidden file beside `dest`, its directory made if need be.
    pub(crate) fn create_temporary(&self, dest: &FsPath) -> io::Result<(PathBuf, Box<dyn DiskFile>)> {
        loop {
            let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
            let mut name = dest.as_os_str().to_owned();
            name.push(format!("#{number}"));
            let path = PathBuf::from(name);
            match self.disk.create_file(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == ErrorKind::NotFound && !parent_of(dest)?.exists() => {
                    self.make_dirs(parent_of(dest)?)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn put(&self, dest: &FsPath, payload: &PutPayload, mode: &PutMode) -> io::Result<()> {
        let (temporary, mut file) = self.create_temporary(dest)?;
        let mut summing = self.summing(dest);
        let written = payload.iter().try_for_each(|bytes| {
            if let Some(summing) = &mut summing {
                summing.add(bytes);
            }
            file.write_all(bytes)
        });
        let written = written.and_then(|()| file.sync());
        drop(file);
        match written {
            Ok(()) => self.place(&temporary, dest, mode, summing.map(Summing::finish)),
            Err(error) => {
                self.discard(&temporary);
                Err(error)
            }
        }
    }

    /// What sums the bytes of `dest`, if its sum is kept.
    pub(crate) fn summing(&self, dest: &FsPath) -> Option<Summing> {
        self.sums.get().filter(|sums| sums.concerns(dest)).map(|_| Summing::default())
    }

    fn record(&self, dest: &FsPath, sum: Option<Sum>) -> io::Result<()> {
        match (self.sums.get(), sum) {
            (Some(sums), Some(sum)) => sums.record(dest, sum),
            _ => Ok(()),
        }
    }

    /// Gives a synced temporary file its name, durably. Its sum is known before a name that is replaced, for then a
    /// crash in between does no harm; and after a name that might have been taken.
    pub(crate) fn place(
        &self,
        temporary: &FsPath,
        dest: &FsPath,
        mode: &PutMode,
        mut sum: Option<Sum>,
    ) -> io::Result<()> {
        if *mode == PutMode::Overwrite
            && let Err(error) = self.record(dest, sum.take())
        {
            self.discard(temporary);
            return Err(error);
        }
        let placed = match mode {
            PutMode::Create => self.disk.link(temporary, dest),
            PutMode::Overwrite => self.disk.rename(temporary, dest),
            PutMode::Update(_) => Err(io::Error::from(ErrorKind::Unsupported)),
        };
        if placed.is_err() || *mode == PutMode::Create {
            self.discard(temporary);
        }
        placed?;
        self.sync_dir(parent_of(dest)?)?;
        self.record(dest, sum)
    }

    /// Removes a temporary file. That it stays behind costs room only; the next start removes it.
    pub(crate) fn discard(&self, temporary: &FsPath) {
        if let Err(error) = self.disk.remove(temporary) {
            tracing::warn!(%error, "a temporary file could not be removed");
        }
    }

    fn remove(&self, path: &FsPath) -> io::Result<()> {
        self.disk.remove(path)?;
        if let Some(sums) = self.sums.get() {
            sums.forget(path);
        }
        self.sync_dir(parent_of(path)?)
    }

    fn copy(&self, from: &FsPath, to: &FsPath, mode: &PutMode) -> io::Result<()> {
        let (temporary, mut file) = self.create_temporary(to)?;
        let copied = std::fs::File::open(from)
            .and_then(|mut source| io::copy(&mut source, &mut Writer(file.as_mut())))
            .and_then(|_| file.sync());
        drop(file);
        match copied {
            Ok(()) => self.place(&temporary, to, mode, None),
            Err(error) => {
                self.discard(&temporary);
                Err(error)
            }
        }
    }

    fn rename(&self, from: &FsPath, to: &FsPath, mode: RenameTargetMode) -> io::Result<()> {
        self.make_dirs(parent_of(to)?)?;
        match mode {
            RenameTargetMode::Overwrite => self.disk.rename(from, to)?,
            RenameTargetMode::Create => {
                self.disk.link(from, to)?;
                self.sync_dir(parent_of(to)?)?;
                self.disk.remove(from)?;
            }
        }
        self.sync_dir(parent_of(to)?)?;
        if parent_of(from)? == parent_of(to)? { Ok(()) } else { self.sync_dir(parent_of(from)?) }
    }

    fn make_dirs(&self, dir: &FsPath) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        let parent = parent_of(dir)?;
        self.make_dirs(parent)?;
        match self.disk.create_dir(dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => self.sync_dir(parent),
        }
    }

    pub(crate) fn sync_dir(&self, dir: &FsPath) -> io::Result<()> {
        let synced = self.disk.sync_dir(dir);
        if let Err(error) = &synced {
            let reason = format!("the directory '{}' could not be synced: {error}", dir.display());
            tracing::error!(%reason, "the store accepts no more changes");
            self.poison.get_or_init(|| reason);
        }
        synced
    }
}

/// `io::copy` wants a sized writer.
struct Writer<'a>(&'a mut dyn DiskFile);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn parent_of(path: &FsPath) -> io::Result<&FsPath> {
    path.parent().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, format!("'{}' has no parent", path.display())))
}

fn is_temporary(path: &FsPath) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.rsplit_once('#').is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Runs `work` where blocking is allowed; in place when there is no runtime (as `LocalFileSystem` does).
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await.map_err(io::Error::other)?,
        Err(_) => work(),
    }
}

pub(crate) fn store_error(source: io::Error, location: &Path) -> Error {
    let path = location.to_string();
    match source.kind() {
        ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: Box::new(source) },
        ErrorKind::NotFound => Error::NotFound { path, source: Box::new(source) },
        _ => Error::Generic { store: NAME, source: Box::new(source) },
    }
}

fn unsupported(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: NAME.to_owned() }
}

impl fmt::Display for DurableFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}

#[async_trait]
impl ObjectStore for DurableFs {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if matches!(opts.mode, PutMode::Update(_)) {
            return Err(unsupported("put with mode Update"));
        }
        if !opts.attributes.is_empty() {
            return Err(unsupported("put with attributes"));
        }
        let dest = self.reads.path_to_filesystem(location)?;
        self.change(move |writes| writes.put(&dest, &payload, &opts.mode), location).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        if !opts.attributes.is_empty() {
            return Err(unsupported("put with attributes"));
        }
        let dest = self.reads.path_to_filesystem(location)?;
        let beside = dest.clone();
        let (temporary, file) = self.change(move |writes| writes.create_temporary(&beside), location).await?;
        Ok(Box::new(DurableUpload::new(Arc::clone(&self.writes), location.clone(), dest, temporary, file)))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let is_head = options.head;
        let mut result = self.reads.get_opts(location, options).await?;
        if !is_head && let Some(path) = self.summed(location)? {
            let range = result.range.clone();
            let work = move |sums: &Sums| Checked::open(&path, Some(sums))?.read(range);
            let bytes = self.checked(work, location).await?;
            result.payload = GetResultPayload::Stream(futures::stream::once(async { Ok(bytes) }).boxed());
        }
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let Some(path) = self.summed(location)? else { return self.reads.get_ranges(location, ranges).await };
        let ranges = ranges.to_vec();
        let work = move |sums: &Sums| {
            let file = Checked::open(&path, Some(sums))?;
            ranges.into_iter().map(|range| file.read(range)).collect()
        };
        self.checked(work, location).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .map(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    let path = store.reads.path_to_filesystem(&location)?;
                    store.change(move |writes| writes.remove(&path), &location).await?;
                    Ok(location)
                }
            })
            .buffered(DELETES_AT_ONCE)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.reads.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.reads.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.reads.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let source = self.reads.path_to_filesystem(from)?;
        let dest = self.reads.path_to_filesystem(to)?;
        let mode = match options.mode {
            CopyMode::Overwrite => PutMode::Overwrite,
            CopyMode::Create => PutMode::Create,
        };
        self.change(move |writes| writes.copy(&source, &dest, &mode), to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let source = self.reads.path_to_filesystem(from)?;
        let dest = self.reads.path_to_filesystem(to)?;
        self.change(move |writes| writes.rename(&source, &dest, options.target_mode), to).await
    }
}
