//! The files of the repository, as git knows them.

use std::path::Path;

use anyhow::{Context, Result};

use super::Finding;
use crate::command::Tool;

/// No file is larger, in bytes: every clone carries it for ever. Fixtures and pictures fit well below.
const FILE_BYTES_MAX: usize = 512 * 1024;

/// A file: tracked, or new and not ignored.
#[derive(Debug)]
pub(crate) struct File {
    /// From the root of the repository.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

impl File {
    /// Its text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

/// All of them.
pub(crate) fn of_repository(root: &Path) -> Result<Vec<File>> {
    let git = Tool::new("git", root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = String::from_utf8(git.output()?).context("a file's name is not UTF-8")?;
    let mut files = Vec::new();
    for path in list.split_terminator('\0') {
        let place = root.join(path);
        // A file that was deleted and not yet committed is still on git's list.
        if !place.is_file() {
            continue;
        }
        let bytes = std::fs::read(&place).with_context(|| format!("cannot read {path}"))?;
        files.push(File { path: path.to_owned(), bytes });
    }
    Ok(files)
}

/// Nothing large is committed.
pub(crate) fn check_size(file: &File) -> Option<Finding> {
    let size = file.bytes.len();
    let told = format!("has {size} bytes; nothing above {FILE_BYTES_MAX} is committed");
    (size > FILE_BYTES_MAX).then(|| Finding { place: file.path.clone(), told })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_found_and_the_limit_itself_is_not() {
        let file = |size| File { path: "a.bin".into(), bytes: vec![0; size] };
        assert_eq!(check_size(&file(FILE_BYTES_MAX)), None);
        assert!(check_size(&file(FILE_BYTES_MAX + 1)).is_some());
    }
}
