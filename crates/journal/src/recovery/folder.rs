//! The folder: made, listed, and rid of another journal's segments.

use std::io;
use std::path::Path;

use crate::OpenError;
use crate::format::{FORMAT_VERSION, HeaderFault, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentName};
use crate::fs::{Fs, FsFile, is_unreadable, read_around};
use crate::segment::{Failed, SYNC, UNFINISHED};
use crate::status::Aside;

/// A segment file and what its first bytes say.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    pub(crate) file_name: String,
    pub(crate) name: SegmentName,
    /// `None` when it is damaged: then the name has to do.
    pub(crate) header: Option<SegmentHeader>,
    /// The disk does not even open it.
    is_lost: bool,
    pub(crate) file: Box<dyn FsFile>,
    pub(crate) len: u64,
}

impl SegmentFile {
    pub(crate) fn id(&self) -> u128 {
        self.header.map_or(self.name.id, |header| header.id)
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.header.map_or(self.name.sequence, |header| header.sequence)
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost
    }

    pub(crate) fn first(&self) -> u64 {
        self.header.map_or(self.name.first, |header| header.first)
    }
}

/// What lies in the folder; segments in order.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) segments: Vec<SegmentFile>,
    pub(crate) unfinished: Vec<String>,
    pub(crate) foreign: Vec<String>,
}

/// Creates the folder, with its parents.
pub(crate) fn make(fs: &dyn Fs, dir: &Path) -> Result<(), OpenError> {
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
pub(crate) fn sync_parents(fs: &dyn Fs, dir: &Path) -> Result<(), OpenError> {
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
pub(crate) fn list(fs: &dyn Fs, dir: &Path) -> Result<Listing, OpenError> {
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
    let opened = fs.open(&path).and_then(|file| file.len().map(|len| (file, len)));
    let is_lost = opened.as_ref().is_err_and(is_unreadable);
    let (file, len) =
        if is_lost { (Box::new(Lost) as Box<dyn FsFile>, 0) } else { opened.map_err(OpenError::io("open", &path))? };
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    let read = read_around(file.as_ref(), 0, &mut bytes, &mut Vec::new()).map_err(OpenError::io("read", &path))?;
    let header = match SegmentHeader::decode(bytes.get(..read).unwrap_or_default()) {
        Ok(header) => Some(header),
        Err(HeaderFault::Damaged) => None,
        Err(HeaderFault::UnknownVersion(found)) => {
            return Err(OpenError::UnknownVersion { path, found, known: FORMAT_VERSION });
        }
    };
    Ok(SegmentFile { file_name, name, header, is_lost, file, len })
}

/// What a file is like that the disk does not even open: it has a name and nothing else.
#[derive(Debug)]
struct Lost;

impl FsFile for Lost {
    fn len(&self) -> io::Result<u64> {
        Ok(0)
    }
    fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}

/// What lies in a folder beside the segments. A file that cannot be measured counts with no bytes.
pub(crate) fn count(fs: &dyn Fs, aside: &Path) -> io::Result<Aside> {
    let names = match fs.list(aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Aside::default()),
        names => names?,
    };
    let bytes = |name: &String| fs.open(&aside.join(name)).and_then(|file| file.len()).unwrap_or(0);
    Ok(Aside { files: names.len() as u64, bytes: names.iter().map(bytes).sum() })
}

/// Moves segments out of the way, into the folder `aside` beside them, where nothing reads or removes them.
pub(crate) fn move_aside(fs: &dyn Fs, dir: &Path, aside: &str, names: &[String]) -> Result<(), Failed> {
    let aside = dir.join(aside);
    fs.create_dir(&aside).map_err(Failed::at("create", &aside))?;
    for name in names {
        let from = dir.join(name);
        fs.rename(&from, &aside.join(name)).map_err(Failed::at("rename", &from))?;
    }
    fs.sync_dir(&aside).map_err(Failed::at(SYNC, &aside))?;
    fs.sync_dir(dir).map_err(Failed::at(SYNC, dir))
}
