//! The recorded and made-up inputs under `tests/fixtures`.

use std::path::{Path, PathBuf};

/// The file or folder of that name below `tests/fixtures`.
///
/// # Panics
/// When there is none.
pub fn fixture(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    assert!(path.exists(), "there is no fixture {name}");
    path
}

/// The files below a folder of fixtures, at any depth, in order of their paths.
///
/// # Panics
/// When the folder cannot be read.
pub fn fixtures_below(name: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![fixture(name)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("its entries can be read").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// The lines of a file, without their ends.
///
/// # Panics
/// When it is no UTF-8 text that can be read.
pub fn lines_of(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(str::to_owned).collect()
}
