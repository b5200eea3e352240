//! The catalogue: the questions that are built in, and an admin's own.

use std::path::Path;

use anyhow::{Context, Result};
use query::{Catalogue, CatalogueError};

use crate::config::Config;
use crate::folder::Folder;
use crate::operations::Operations;

/// Every question that can be asked. A file that is wrong is left out, so that its mistake stops nothing else.
///
/// # Errors
/// When the folder of own questions cannot be listed.
pub(crate) fn catalogue(config: &Config) -> Result<Catalogue> {
    let mut catalogue = Catalogue::builtin();
    let Some(folder) = &config.query.questions else { return Ok(catalogue) };
    for own in query::own_files(folder).with_context(|| unreadable(folder))? {
        if let Err(error) = catalogue.add(&own) {
            tracing::warn!(%error, "a question of your own is left out; `hubscope kpi check` says more");
        }
    }
    Ok(catalogue)
}

/// What a check found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) right: Vec<String>,
    pub(crate) wrong: Vec<CatalogueError>,
}

/// Reads the questions in `path`, a folder or a file, and asks their statements of an empty store.
///
/// # Errors
/// When the folder cannot be listed, or no store can be made.
pub(crate) async fn check(path: &Path) -> Result<Checked> {
    let files = query::own_files(path).with_context(|| unreadable(path))?;
    let folder = tempfile::Builder::new().prefix("hubscope-check-").tempdir().context("cannot make a folder")?;
    let store = Operations::open(&Folder::create(folder.path())?, &Config::default()).await?;
    let mut catalogue = Catalogue::builtin();
    let mut checked = Checked::default();
    for own in files {
        let asked = match catalogue.add(&own) {
            Ok(kpi) => store.engine.check(kpi, &own).await.map(|()| kpi.id.clone()),
            Err(error) => Err(error),
        };
        match asked {
            Ok(id) => checked.right.push(id),
            Err(error) => checked.wrong.push(error),
        }
    }
    Ok(checked)
}

fn unreadable(path: &Path) -> String {
    format!("cannot read the questions in {}", path.display())
}
