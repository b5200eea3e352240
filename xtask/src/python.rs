//! The Python of the tests: an environment of the repository's own in `.venv`, with pinned packages.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{Tool, install, may_install};
use crate::stage::Outcome;

/// The folder of the environment, under the repository.
const FOLDER: &str = ".venv";
/// What is to be in it, each version pinned.
const REQUIREMENTS: &str = "tests/requirements.txt";
/// Copy of [`REQUIREMENTS`] as they were installed: equal means that there is nothing to do.
const INSTALLED: &str = ".venv/installed-requirements.txt";

/// The environment's interpreter.
pub(crate) fn interpreter(root: &Path) -> PathBuf {
    root.join(FOLDER).join("bin").join("python")
}

/// Makes the environment, unless it is there with these very requirements.
pub(crate) fn set_up(root: &Path) -> Result<Outcome> {
    let wanted =
        std::fs::read_to_string(root.join(REQUIREMENTS)).with_context(|| format!("cannot read {REQUIREMENTS}"))?;
    let is_ready = std::fs::read_to_string(root.join(INSTALLED)).is_ok_and(|installed| installed == wanted);
    if is_ready && Tool::new(interpreter(root), root).args(["-c", "import pytest, playwright"]).works() {
        return Ok(Outcome::Passed("was there already".into()));
    }
    make(root)?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS];
    Tool::new(interpreter(root), root).args(pip).run()?;
    std::fs::write(root.join(INSTALLED), wanted).with_context(|| format!("cannot write {INSTALLED}"))?;
    Ok(Outcome::Passed(String::new()))
}

/// Debian splits the module that makes environments off its Python, so it may have to be installed first.
fn make(root: &Path) -> Result<()> {
    let venv = || Tool::new("python3", root).args(["-m", "venv", "--clear", FOLDER]);
    let can_make = Tool::new("python3", root).args(["-c", "import venv, ensurepip"]).works();
    if can_make {
        return venv().run();
    }
    if !may_install() {
        bail!("Python 3 with its module venv is missing: install the packages python3 and python3-venv");
    }
    install(root, &["python3", "python3-venv"])?;
    venv().run()
}
