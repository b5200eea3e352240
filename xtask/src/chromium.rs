//! The browser of the tests: the system's Chromium.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::command::{install, may_install, on_path};
use crate::stage::Outcome;

/// Names under which systems install it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser: what the variable `CHROMIUM` says, else the first on the search path.
pub(crate) fn find() -> Option<PathBuf> {
    let wished = std::env::var_os("CHROMIUM").map(PathBuf::from).filter(|file| file.is_file());
    wished.or_else(|| NAMES.into_iter().find_map(on_path))
}

/// Installs it from Debian's packages, unless there is one.
pub(crate) fn set_up(root: &Path) -> Result<Outcome> {
    if find().is_none() {
        if !may_install() {
            bail!("Chromium is missing: install the package chromium, or name the program in the variable CHROMIUM");
        }
        install(root, &["chromium"])?;
    }
    match find() {
        Some(program) => Ok(Outcome::Passed(program.display().to_string())),
        None => bail!("the package chromium was installed, but none of {NAMES:?} is on the search path"),
    }
}
