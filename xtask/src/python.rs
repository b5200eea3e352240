//! The Pythons of the tests: environments of the repository's own, each with pinned packages.
//!
//! Nothing is resolved: what a file of requirements lists is installed, and nothing else. So an environment is the same
//! everywhere, and a package that was forgotten is noticed here.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{Tool, install, may_install};
use crate::stage::Outcome;

/// An environment, and what is to be in it.
#[derive(Debug)]
pub(crate) struct Environment {
    /// The folder, under the repository.
    folder: &'static str,
    /// The file of its packages, each version pinned. A line for `pip` itself says which one installs the others.
    requirements: &'static str,
    /// Modules that are there once all is installed.
    modules: &'static str,
    /// The minor versions of Python 3 that its packages run on, if that is not all of today's.
    minors: Option<RangeInclusive<u32>>,
    /// What else looks at what its tests would show, where they cannot run.
    instead: &'static str,
}

/// What runs the tests that are written in Python.
pub(crate) const TESTS: Environment = Environment {
    folder: ".venv",
    requirements: "tests/requirements.txt",
    modules: "pytest, playwright.sync_api",
    minors: None,
    instead: "",
};

/// JupyterHub and Jupyter Server of today.
pub(crate) const HUB: Environment = Environment {
    folder: ".venv-hub",
    requirements: "tests/hub/requirements.txt",
    modules: "jupyterhub.app, jupyter_server.serverapp, ipykernel.kernelapp, requests",
    minors: None,
    instead: "",
};

/// JupyterHub and BinderHub as they were.
pub(crate) const HUB_4: Environment = Environment {
    folder: ".venv-hub-4",
    requirements: "tests/hub/requirements-4.txt",
    modules: "jupyterhub.app, jupyter_telemetry.eventlog, jupyter_server.serverapp, binderhub.events",
    minors: Some(11..=13),
    instead: "what it sends is tested by its captures in tests/http",
};

/// Programs that read the tables without us.
pub(crate) const READERS: Environment = Environment {
    folder: ".venv-readers",
    requirements: "tests/readers/requirements.txt",
    modules: "pytest, deltalake, polars, chdb, duckdb, pyarrow.dataset",
    minors: None,
    instead: "",
};

/// What the program is measured beside.
pub(crate) const PEERS: Environment = Environment {
    folder: ".venv-bench",
    requirements: "bench/peers/requirements.txt",
    modules: "jupyter_events, duckdb, dateutil.parser",
    minors: None,
    instead: "",
};

/// Beside the packages: a copy of the requirements as they were installed. Equal means that there is nothing to do.
const INSTALLED: &str = "installed-requirements.txt";

impl Environment {
    /// Its interpreter.
    pub(crate) fn interpreter(&self, root: &Path) -> PathBuf {
        root.join(self.folder).join("bin").join("python")
    }

    /// Makes the environment, unless it is there with these very requirements.
    pub(crate) fn set_up(&self, root: &Path) -> Result<Outcome> {
        let requirements = self.requirements;
        let wanted =
            std::fs::read_to_string(root.join(requirements)).with_context(|| format!("cannot read {requirements}"))?;
        let stamp = root.join(self.folder).join(INSTALLED);
        if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) && self.works(root) {
            return Ok(Outcome::Passed("was there already".into()));
        }
        require_venv(root)?;
        if let Some(minor) = self.unsuited(minor_version(root)?) {
            return Ok(Outcome::Skipped(format!("its programs do not run on Python 3.{minor}; {}", self.instead)));
        }
        Tool::new("python3", root).args(["-m", "venv", "--clear", self.folder]).run()?;
        if let Some(pip) = installer(&wanted) {
            self.pip(root).args([pip]).run()?;
        }
        self.pip(root).args(["--requirement", requirements]).run()?;
        if !self.works(root) {
            bail!("{requirements} was installed, but `import {}` fails: a package is missing in it", self.modules);
        }
        std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
        Ok(Outcome::Passed(String::new()))
    }

    fn works(&self, root: &Path) -> bool {
        Tool::new(self.interpreter(root), root).args(["-c", &format!("import {}", self.modules)]).works()
    }

    fn pip(&self, root: &Path) -> Tool {
        let options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
        Tool::new(self.interpreter(root), root).args(options)
    }

    /// The version, if it is not among those that the packages run on.
    fn unsuited(&self, minor: u32) -> Option<u32> {
        let suited = self.minors.as_ref().is_none_or(|minors| minors.contains(&minor));
        (!suited).then_some(minor)
    }
}

/// Debian splits the module that makes environments off its Python, so it may have to be installed first.
fn require_venv(root: &Path) -> Result<()> {
    if Tool::new("python3", root).args(["-c", "import venv, ensurepip"]).works() {
        return Ok(());
    }
    if !may_install() {
        bail!("Python 3 with its module venv is missing: install the packages python3 and python3-venv");
    }
    install(root, &["python3", "python3-venv"])
}

/// The 11 of Python 3.11.
fn minor_version(root: &Path) -> Result<u32> {
    let asked = Tool::new("python3", root).args(["-c", "import sys; print(sys.version_info.minor)"]).output()?;
    let text = String::from_utf8_lossy(&asked);
    text.trim().parse().with_context(|| format!("'{}' is no version of Python", text.trim()))
}

/// The line for `pip` itself, if there is one.
fn installer(requirements: &str) -> Option<&str> {
    requirements.lines().find(|line| line.starts_with("pip=="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_is_pinned_and_named_once() {
        for environment in [TESTS, HUB, HUB_4, READERS, PEERS] {
            let file = crate::repository().join(environment.requirements);
            let text = std::fs::read_to_string(&file).unwrap();
            let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
            assert!(!lines.is_empty(), "{}", file.display());
            let mut names: Vec<String> = Vec::new();
            for line in lines {
                let (name, version) = line.split_once("==").unwrap_or_else(|| panic!("{line} is not pinned"));
                assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{line}");
                names.push(name.to_lowercase().replace('_', "-"));
            }
            let mut sorted = names.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!(names, sorted, "{}: sorted, and each once", file.display());
        }
    }

    #[test]
    fn what_does_not_run_on_a_python_is_known_before_it_is_installed() {
        for (environment, minor, unsuited) in
            [(&HUB_4, 10, Some(10)), (&HUB_4, 11, None), (&HUB_4, 13, None), (&HUB_4, 14, Some(14)), (&HUB, 14, None)]
        {
            assert_eq!(environment.unsuited(minor), unsuited, "{} on 3.{minor}", environment.folder);
        }
    }

    #[test]
    fn a_line_for_pip_says_which_one_installs() {
        assert_eq!(installer("# a word\npackaging==1.0\npip==24.0\npipx==1.0\n"), Some("pip==24.0"));
        assert_eq!(installer("pipx==1.0\n"), None);
    }
}
