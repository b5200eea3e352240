//! One disk for everything. Its truth is the simulated disk of the journal's tests; beside it the table's files lie in
//! a real folder as well, because Delta and Parquet read them there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use journal::simulation::SimulatedDisk;
use journal::{Fs, FsFile};
use store::DurableFs;
use store::disk::{Disk, DiskFile};

use crate::folder::Folder;
use crate::pipeline::Disks;

/// What lies really there as well.
const MIRRORED: [&str; 2] = ["tables", "state"];

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) disk: SimulatedDisk,
    pub(super) folder: Folder,
    pub(super) root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Machine {
    pub(super) fn new(seed: u64) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        let disk = SimulatedDisk::new(seed);
        disk.place_dir(&root);
        Self { folder: Folder::create(&root).unwrap(), disk, root, _folder: temporary }
    }

    pub(super) fn disks(&self) -> Disks {
        let table = DurableFs::new(Arc::new(Mirrored(self.disk.clone())));
        Disks { journal: Arc::new(self.disk.clone()), table }
    }

    /// Bytes on the disk.
    pub(super) fn used(&self) -> u64 {
        self.disk.files().iter().map(|path| self.disk.contents(path).map_or(0, |bytes| bytes.len() as u64)).sum()
    }

    /// The power goes, or the process alone; then the real folder gets what the simulated disk has kept.
    pub(super) fn crash(&self, takes_power: bool) {
        self.disk.set_capacity(None);
        if takes_power {
            self.disk.power_loss();
        } else {
            self.disk.process_end();
        }
        for name in MIRRORED {
            match fs::remove_dir_all(self.root.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
                _ => {}
            }
        }
        let is_mirrored = |path: &PathBuf| MIRRORED.iter().any(|name| path.starts_with(self.root.join(name)));
        for dir in self.disk.dirs().into_iter().filter(is_mirrored) {
            fs::create_dir_all(dir).unwrap();
        }
        for path in self.disk.files().into_iter().filter(is_mirrored) {
            fs::write(&path, self.disk.contents(&path).unwrap()).unwrap();
        }
    }
}

/// Does everything on the simulated disk first, and what succeeds there also for real.
#[derive(Debug)]
struct Mirrored(SimulatedDisk);

#[derive(Debug)]
struct MirroredFile {
    simulated: Box<dyn FsFile>,
    real: File,
    at: u64,
}

impl Write for MirroredFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.simulated.write_at(self.at, bytes)?;
        self.real.write_all(bytes.get(..written).unwrap_or_default())?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for MirroredFile {
    fn sync(&mut self) -> io::Result<()> {
        self.simulated.sync_data()
    }
}

impl Disk for Mirrored {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        if !Fs::create_dir(&self.0, path)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::create_dir(path)
    }

    fn create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let simulated = Fs::create(&self.0, path)?;
        Ok(Box::new(MirroredFile { simulated, real: File::create_new(path)?, at: 0 }))
    }

    fn append_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let simulated = match Fs::open(&self.0, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Fs::create(&self.0, path)?,
            opened => opened?,
        };
        let at = simulated.len()?;
        Ok(Box::new(MirroredFile { simulated, real: OpenOptions::new().append(true).create(true).open(path)?, at }))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        Fs::sync_dir(&self.0, path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.link(from, to)?;
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Fs::rename(&self.0, from, to)?;
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Fs::remove(&self.0, path)?;
        fs::remove_file(path)
    }
}
