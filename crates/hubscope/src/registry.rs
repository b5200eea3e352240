//! The schemas of a folder: those built in and those that the operator added.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use event::SystemClock;
use ingest::{Admission, Limits};
use schema::Registry;

use crate::folder::{files_in, schemas_in};

/// The door of the folder `root`, with every schema that was ever added there: replay needs them all.
pub(crate) fn admission(root: &Path) -> Result<Admission> {
    let mut registry = Registry::builtin();
    for path in added(root)? {
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        registry = registry.with(&text).with_context(|| format!("in {}", path.display()))?;
    }
    Ok(Admission::new(registry, Limits::default(), Arc::new(SystemClock)))
}

/// In the order in which they were added, with which their names begin.
fn added(root: &Path) -> Result<Vec<PathBuf>> {
    files_in(&schemas_in(root), "schema")
}

/// Registers `text` (from the file `origin`): kept on disk first, then used for the next event.
pub(crate) fn add(root: &Path, admission: &Admission, text: &str, origin: &str) -> Result<String> {
    let registry = admission.registry();
    let extended = registry.with(text).with_context(|| format!("in {origin}"))?;
    let Some(entry) = extended.iter().find(|entry| registry.revision(&entry.revision.hash).is_none()) else {
        return Ok(format!("{origin} is registered already; nothing to do\n"));
    };
    let folder = schemas_in(root);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let name = format!("{:06}-{}.schema", added(root)?.len(), entry.revision.hash);
    store::durable_write(&folder.join(&name), text.as_bytes()).context("cannot keep the schema")?;
    let told = format!(
        "added {} version {} (revision {})\n",
        entry.revision.schema, entry.revision.version, entry.revision.hash
    );
    admission.replace_registry(extended);
    Ok(told)
}

/// The table that `schema list` prints.
pub(crate) fn listed(registry: &Registry) -> String {
    let width = registry.iter().map(|entry| entry.revision.schema.len()).max().unwrap_or(0);
    let mut text = format!("{:width$}  version  revision\n", "schema");
    for entry in registry.iter() {
        let revision = &entry.revision;
        let _ = writeln!(text, "{:width$}  {:7}  {}", revision.schema, revision.version, revision.hash);
    }
    text
}
