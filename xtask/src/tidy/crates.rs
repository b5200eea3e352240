//! Which crate may depend on which, checked over `cargo metadata`.
//!
//! What holds for the code that is shipped: dependencies of tests alone (`dev-dependencies`) are free.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Finding;
use crate::command::Tool;

/// Our crates, and which of ours each may use: the way of an event, downhill.
const MAY_USE: [(&str, &[&str]); 16] = [
    ("event", &[]),
    ("journal", &[]),
    ("schema", &["event"]),
    ("insight", &["event"]),
    ("ingest", &["event", "schema", "journal"]),
    ("store", &["event", "insight"]),
    ("poll", &["event", "insight"]),
    ("derive", &["event", "insight", "store"]),
    ("erasure", &["event", "schema", "insight", "store"]),
    ("query", &["event", "insight", "store", "derive"]),
    ("publish", &["event", "schema", "store"]),
    ("server", &["event", "schema", "ingest", "query", "publish"]),
    (
        "hubscope",
        &[
            "event", "schema", "insight", "journal", "ingest", "store", "derive", "erasure", "query", "publish",
            "server", "poll",
        ],
    ),
    ("acceptance", &[]),
    ("xtask", &[]),
    ("bench", &[]),
];

/// Engines that one crate alone may name: beginning of the package's name, and that crate.
const FENCED: [(&str, &str); 3] = [("deltalake", "store"), ("datafusion", "query"), ("axum", "server")];

/// Dependencies of a crate's shipped code.
type Dependencies = BTreeMap<String, Vec<String>>;

/// Checks the workspace.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>> {
    let metadata = Tool::cargo(root).args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).output()?;
    let metadata: Value = serde_json::from_slice(&metadata).context("cannot read what cargo metadata prints")?;
    Ok(breaches(&dependencies(&metadata).context("cargo metadata has another form than is known here")?))
}

fn dependencies(metadata: &Value) -> Option<Dependencies> {
    let mut all = Dependencies::new();
    for package in metadata.get("packages")?.as_array()? {
        let mut names = Vec::new();
        for dependency in package.get("dependencies")?.as_array()? {
            if dependency.get("kind")?.as_str() != Some("dev") {
                names.push(dependency.get("name")?.as_str()?.to_owned());
            }
        }
        all.insert(package.get("name")?.as_str()?.to_owned(), names);
    }
    Some(all)
}

fn breaches(all: &Dependencies) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, dependencies) in all {
        let mut tell = |told: String| found.push(Finding { place: format!("crate {name}"), told });
        let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| known == name) else {
            tell("is not in the table of crates: say there what it may use".into());
            continue;
        };
        for dependency in dependencies {
            if all.contains_key(dependency) && !allowed.contains(&dependency.as_str()) {
                tell(format!("depends on {dependency}; of ours it may use only {allowed:?}"));
            }
            if let Some((_, owner)) = FENCED.iter().find(|(fenced, _)| dependency.starts_with(fenced))
                && owner != name
            {
                tell(format!("depends on {dependency}, which only {owner} names"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(package: &str, dependency: &str, kind: &str) -> Vec<String> {
        let kind = if kind.is_empty() { Value::Null } else { kind.into() };
        let metadata = serde_json::json!({"packages": [
            {"name": package, "dependencies": [{"name": dependency, "kind": kind}]},
            {"name": "event", "dependencies": []},
            {"name": "server", "dependencies": []},
        ]});
        breaches(&dependencies(&metadata).unwrap()).into_iter().map(|finding| finding.told).collect()
    }

    #[test]
    fn what_the_table_does_not_allow_is_found() {
        assert_eq!(told("store", "event", ""), [""; 0]);
        assert_eq!(
            told("store", "server", ""),
            ["depends on server; of ours it may use only [\"event\", \"insight\"]"]
        );
        assert_eq!(told("store", "server", "dev"), [""; 0]);
        assert_eq!(told("journal", "event", "build").len(), 1);
        assert_eq!(told("store", "datafusion-common", ""), ["depends on datafusion-common, which only query names"]);
        assert_eq!(told("newcomer", "event", "").len(), 1);
    }
}
