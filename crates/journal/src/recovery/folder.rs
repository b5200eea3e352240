//! The folder: made, listed, and rid of another journal's segments.

use std::io;
use std::path::Path;

use super::FORMER_DIR;
use crate::OpenError;
use crate::format::{FORMAT_VERSION, HeaderFault, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentName};
use crate::fs::{Fs, FsFile, read_fully};
use crate::segment::{Failed, SYNC, UNFINISHED};

/// A segment file and what its first bytes say.
#[derive(Debug)]
pub(super) struct SegmentFile {
    pub(super) file_name: String,
    pub(super) name: SegmentName,
    /// `None` when it is damaged: then the name has to do.
    pub(super) header: Option<SegmentHeader>,
    pub(super) file: Box<dyn FsFile>,
    pub(super) len: u64,
}

impl SegmentFile {
    pub(super) fn id(&self) -> u128 {
        self.header.map_or(self.name.id, |header| header.id)
    }

    pub(super) fn sequence(&self) -> u64 {
        self.header.map_or(self.name.sequence, |header| header.sequence)
    }

    pub(super) fn first(&self) -> u64 {
        self.header.map_or(self.name.first, |header| header.first)
    }
}

/// What lies in the folder; segments in order.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) segments: Vec<SegmentFile>,
    pub(super) unfinished: Vec<String>,
    pub(super) foreign: Vec<String>,
}

/// Creates the folder, with its parents.
pub(super) fn make(fs: &dyn Fs, dir: &Path) -> Result<(), OpenError> {
    match fs.create_dir(dir) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match parent(dir) {
            Some(parent) => {
                make(fs, parent)?;
                fs.create_dir(dir).map(drop).map_err(OpenError::io("create", dir))
            }
            None => Err(OpenError::io("create", dir)(error)),
        },
        Err(error) => Err(OpenError::io("create", dir)(error)),
    }
}

/// Makes the names of the folder and of all its parents durable. Done before a folder gets its first segment: an
/// earlier run may have created any of them and ended before it came to this.
pub(super) fn sync_parents(fs: &dyn Fs, dir: &Path) -> Result<(), OpenError> {
    let mut next = parent(dir);
    while let Some(dir) = next {
        let path = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        match fs.sync_dir(path) {
            // A folder that we may not read is not one in which we created anything.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                return Err(OpenError::io("sync", path)(error));
            }
            _ => next = parent(dir),
        }
    }
    Ok(())
}

fn parent(dir: &Path) -> Option<&Path> {
    dir.parent().filter(|parent| *parent != dir)
}

/// Reads the folder and every segment's header.
pub(super) fn list(fs: &dyn Fs, dir: &Path) -> Result<Listing, OpenError> {
    let mut listing = Listing { segments: Vec::new(), unfinished: Vec::new(), foreign: Vec::new() };
    for file_name in fs.list(dir).map_err(OpenError::io("list", dir))? {
        if let Some(name) = SegmentName::parse(&file_name) {
            listing.segments.push(read_header(fs, dir, file_name, name)?);
        } else if file_name.strip_suffix(UNFINISHED).is_some_and(|name| SegmentName::parse(name).is_some()) {
            listing.unfinished.push(file_name);
        } else {
            listing.foreign.push(file_name);
        }
    }
    listing.segments.sort_by_key(|file| (file.sequence(), file.first()));
    listing.foreign.sort();
    Ok(listing)
}

fn read_header(fs: &dyn Fs, dir: &Path, file_name: String, name: SegmentName) -> Result<SegmentFile, OpenError> {
    let path = dir.join(&file_name);
    let file = fs.open(&path).map_err(OpenError::io("open", &path))?;
    let len = file.len().map_err(OpenError::io("measure", &path))?;
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    let read = read_fully(file.as_ref(), 0, &mut bytes).map_err(OpenError::io("read", &path))?;
    let header = match SegmentHeader::decode(bytes.get(..read).unwrap_or_default()) {
        Ok(header) => Some(header),
        Err(HeaderFault::Damaged) => None,
        Err(HeaderFault::UnknownVersion(found)) => {
            return Err(OpenError::UnknownVersion { path, found, known: FORMAT_VERSION });
        }
    };
    Ok(SegmentFile { file_name, name, header, file, len })
}

/// Moves segments of a journal that was renewed out of the way, keeping them.
pub(crate) fn move_former(fs: &dyn Fs, dir: &Path, names: &[String]) -> Result<(), Failed> {
    let former = dir.join(FORMER_DIR);
    fs.create_dir(&former).map_err(Failed::at("create", &former))?;
    for name in names {
        let from = dir.join(name);
        fs.rename(&from, &former.join(name)).map_err(Failed::at("rename", &from))?;
    }
    fs.sync_dir(&former).map_err(Failed::at(SYNC, &former))?;
    fs.sync_dir(dir).map_err(Failed::at(SYNC, dir))
}
