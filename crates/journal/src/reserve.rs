//! Room that is kept for later: a file that takes its place on the disk while there is some, and gives it up when there
//! is none for something that matters more.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::fs::{Fs, is_full};
use crate::shared::locked;

/// A file of a fixed size, allocated for real. It holds nothing worth reading.
#[derive(Debug)]
pub struct Reserve {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    bytes: u64,
    is_held: Mutex<bool>,
}

impl Reserve {
    /// A reserve of `bytes` at `path`, not taken yet; one of 0 bytes is always held. A file that is there already, of
    /// that size or another, is an earlier life's.
    pub fn new(fs: Arc<dyn Fs>, path: PathBuf, bytes: u64) -> Self {
        Self { fs, path, bytes, is_held: Mutex::new(bytes == 0) }
    }

    /// Its size in bytes while it is held, else 0.
    pub fn held_bytes(&self) -> u64 {
        if *locked(&self.is_held) { self.bytes } else { 0 }
    }

    /// Whether the room is taken.
    pub fn is_held(&self) -> bool {
        *locked(&self.is_held)
    }

    /// Takes the room; does nothing while it is held. `Ok(false)`: there is not enough.
    ///
    /// # Errors
    /// What the disk says other than that it is full.
    pub fn take(&self) -> io::Result<bool> {
        let mut is_held = locked(&self.is_held);
        if *is_held {
            return Ok(true);
        }
        match self.allocate() {
            Ok(()) => *is_held = true,
            Err(error) => {
                self.remove()?;
                if !is_full(&error) {
                    return Err(error);
                }
            }
        }
        Ok(*is_held)
    }

    /// Gives the room up, also what an earlier life took. Returns whether there was any.
    ///
    /// # Errors
    /// What the disk says.
    pub fn release(&self) -> io::Result<bool> {
        let mut is_held = locked(&self.is_held);
        let released = self.remove()?;
        *is_held = self.bytes == 0;
        Ok(released)
    }

    fn allocate(&self) -> io::Result<()> {
        if self.bytes == 0 {
            return Ok(());
        }
        // What an earlier life took is good if it is whole; an allocation that was cut short is shorter.
        match self.fs.open(&self.path).and_then(|file| file.len()) {
            Ok(len) if len == self.bytes => return Ok(()),
            Ok(_) => _ = self.remove()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let file = self.fs.create(&self.path)?;
        file.allocate(self.bytes)?;
        // Some file systems find out here that there is no room. That the name lasts is not needed.
        file.sync_data()
    }

    /// Whether there was a file.
    fn remove(&self) -> io::Result<bool> {
        match self.fs.remove(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
