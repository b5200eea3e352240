//! A file that arrives in parts: written under a hidden name as the parts come, synced and renamed at the end.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use object_store::path::Path;
use object_store::{MultipartUpload, PutMode, PutPayload, PutResult, Result, UploadPart};

use crate::disk::DiskFile;
use crate::durable_fs::{Writes, blocking, store_error};
use crate::sums::Summing;

/// One upload. Parts are written in the order in which `put_part` was called, whichever future is polled first.
pub(crate) struct DurableUpload {
    writes: Arc<Writes>,
    location: Path,
    dest: PathBuf,
    temporary: PathBuf,
    state: Arc<Mutex<State>>,
    handed_out: usize,
}

#[derive(Debug)]
struct State {
    file: Option<Box<dyn DiskFile>>,
    /// Parts whose turn has not come, by their number.
    waiting: std::collections::BTreeMap<usize, PutPayload>,
    written: usize,
    failed: bool,
    summing: Option<Summing>,
}

impl DurableUpload {
    pub(crate) fn new(
        writes: Arc<Writes>,
        location: Path,
        dest: PathBuf,
        temporary: PathBuf,
        file: Box<dyn DiskFile>,
    ) -> Self {
        let summing = writes.summing(&dest);
        let state = State { file: Some(file), waiting: Default::default(), written: 0, failed: false, summing };
        Self { writes, location, dest, temporary, state: Arc::new(Mutex::new(state)), handed_out: 0 }
    }

    /// Closes the file, so that neither a late part nor a second end can touch it.
    fn take_file(&self) -> Option<Taken> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let written = if state.failed { usize::MAX } else { state.written };
        let summing = state.summing.take();
        state.file.take().map(|file| Taken { file, written, summing })
    }
}

/// An upload at its end.
struct Taken {
    file: Box<dyn DiskFile>,
    /// How many parts are in the file.
    written: usize,
    summing: Option<Summing>,
}

impl State {
    fn write_ready(&mut self) -> io::Result<()> {
        while let Some(payload) = self.waiting.remove(&self.written) {
            let Some(file) = self.file.as_mut() else { return Err(io::Error::other("the upload has ended")) };
            if let Err(error) = payload.iter().try_for_each(|bytes| file.write_all(bytes)) {
                self.failed = true;
                return Err(error);
            }
            if let Some(summing) = &mut self.summing {
                payload.iter().for_each(|bytes| summing.add(bytes));
            }
            self.written += 1;
        }
        Ok(())
    }
}

impl fmt::Debug for DurableUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableUpload").field("dest", &self.dest).finish_non_exhaustive()
    }
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let number = self.handed_out;
        self.handed_out += 1;
        let state = Arc::clone(&self.state);
        let location = self.location.clone();
        async move {
            let work = move || {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                state.waiting.insert(number, data);
                state.write_ready()
            };
            blocking(work).await.map_err(|source| store_error(source, &location))
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let handed_out = self.handed_out;
        let taken = self.take_file();
        let (writes, temporary, dest) = (Arc::clone(&self.writes), self.temporary.clone(), self.dest.clone());
        let work = move || {
            let Some(Taken { mut file, written, summing }) = taken else {
                return Err(io::Error::other("the upload has ended"));
            };
            let synced = if written == handed_out {
                file.sync()
            } else {
                Err(io::Error::other("a part of the upload was not written"))
            };
            drop(file);
            if let Err(error) = synced.and_then(|()| writes.healthy()) {
                writes.discard(&temporary);
                return Err(error);
            }
            writes.place(&temporary, &dest, &PutMode::Overwrite, summing.map(Summing::finish))
        };
        blocking(work).await.map_err(|source| store_error(source, &self.location))?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        if self.take_file().is_some() {
            let (writes, temporary) = (Arc::clone(&self.writes), self.temporary.clone());
            let work = move || {
                writes.discard(&temporary);
                Ok(())
            };
            blocking(work).await.map_err(|source| store_error(source, &self.location))?;
        }
        Ok(())
    }
}

impl Drop for DurableUpload {
    fn drop(&mut self) {
        if self.take_file().is_some() {
            self.writes.discard(&self.temporary);
        }
    }
}
