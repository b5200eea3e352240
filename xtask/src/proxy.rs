//! The proxy of the hubs in the tests: configurable-http-proxy from npm, with Node.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{Tool, install, may_install, on_path};
use crate::stage::Outcome;

/// Where its package and lock file lie, and where it is installed to.
const FOLDER: &str = "tests/hub/proxy";
/// What is installed, each package with its hash; it names no registry, so that everyone's own is asked.
const LOCK: &str = "tests/hub/proxy/package-lock.json";
/// Copy of [`LOCK`] as it was installed: equal means that there is nothing to do.
const INSTALLED: &str = "tests/hub/proxy/node_modules/installed-package-lock.json";
/// The oldest Node that it runs on.
const NODE_MAJOR_MIN: u32 = 18;

/// The program.
fn program(root: &Path) -> PathBuf {
    root.join(FOLDER).join("node_modules/.bin/configurable-http-proxy")
}

/// Installs it, unless it is there as the lock file says.
pub(crate) fn set_up(root: &Path) -> Result<Outcome> {
    let wanted = std::fs::read_to_string(root.join(LOCK)).with_context(|| format!("cannot read {LOCK}"))?;
    require_node(root)?;
    let is_ready = std::fs::read_to_string(root.join(INSTALLED)).is_ok_and(|installed| installed == wanted);
    if is_ready && works(root) {
        return Ok(Outcome::Passed("was there already".into()));
    }
    let quietly = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
    Tool::new("npm", root).args(["ci", "--prefix", FOLDER]).args(quietly).run()?;
    if !works(root) {
        bail!("the proxy was installed, but `{} --version` fails", program(root).display());
    }
    std::fs::write(root.join(INSTALLED), wanted).with_context(|| format!("cannot write {INSTALLED}"))?;
    Ok(Outcome::Passed(String::new()))
}

fn works(root: &Path) -> bool {
    Tool::new(program(root), root).args(["--version"]).works()
}

/// Installs Node and npm from Debian's packages, unless they are there.
fn require_node(root: &Path) -> Result<()> {
    if on_path("node").is_none() || on_path("npm").is_none() {
        if !may_install() {
            bail!("Node or npm is missing: install the packages nodejs and npm");
        }
        install(root, &["nodejs", "npm"])?;
    }
    let said = String::from_utf8(Tool::new("node", root).args(["--version"]).output()?)?;
    match major_version(&said) {
        Some(major) if major >= NODE_MAJOR_MIN => Ok(()),
        _ => bail!("node is {}; the proxy needs version {NODE_MAJOR_MIN} or later", said.trim()),
    }
}

/// The 20 of `v20.20.2`.
fn major_version(said: &str) -> Option<u32> {
    said.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_node_is_read() {
        for (said, major) in [("v20.20.2\n", Some(20)), ("v18.0.0", Some(18)), ("20.1", None), ("", None)] {
            assert_eq!(major_version(said), major, "{said}");
        }
    }

    #[test]
    fn the_lock_file_has_a_hash_for_every_package_and_names_no_registry() {
        let text = std::fs::read_to_string(crate::repository().join(LOCK)).unwrap();
        let lock: serde_json::Value = serde_json::from_str(&text).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        assert!(packages.contains_key("node_modules/configurable-http-proxy"));
        for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
            assert!(package["integrity"].is_string(), "{name} has no hash");
            assert!(package["resolved"].is_null(), "{name} names a registry");
        }
    }
}
