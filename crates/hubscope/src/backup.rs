//! `hubscope backup`: the folder of data at one moment, as a folder of data.
//!
//! Tables at one version, the journal from there on, the operator's own state, and what outlives the rows that it was
//! derived from. It is made under another name and gets its own at the end, so that what has the name is whole; until
//! then a mark in it keeps anybody from taking half of it for a folder of data. The published archive is left out: it
//! is published anew.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use store::{BackedUp, Verified, copy_durably, sync_dir, verify_derived};

use crate::folder::UNFINISHED_BACKUP;
use crate::pipeline::Pipeline;

/// How often the files of what outlives its rows are copied at most, when they are replaced meanwhile.
const HISTORY_ATTEMPTS: usize = 5;

/// The sums of the tables' files, which the store writes itself.
const SUMS: &str = "sums.jsonl";

/// Makes `to`, which must not exist.
pub(crate) async fn make(pipeline: &Pipeline, root: &Path, to: &Path) -> Result<BackedUp> {
    if to.exists() {
        bail!("{} exists already; a backup makes its own folder", to.display());
    }
    let parent = to.parent().context("a backup needs a folder to lie in")?;
    let mut unfinished = to.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    match fs::create_dir(&unfinished) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(
            "{} is left of a backup that did not end, or is being made; remove it if nobody is at it",
            unfinished.display()
        ),
        other => other.with_context(|| format!("cannot make {}", unfinished.display()))?,
    }
    mark_unfinished(&unfinished).with_context(|| format!("cannot write to {}", unfinished.display()))?;
    fail::fail_point!("backup::begun");
    // So that the journal, which is copied, is short.
    pipeline.flush().await?;
    let (data, copy) = (root.to_owned(), unfinished.clone());
    let beside = move || {
        // The journal first: what leaves it goes to the state before.
        copy_folder(&data.join("journal"), &copy.join("journal"), &|_| true)?;
        copy_folder(&data.join("state"), &copy.join("state"), &|name| name != SUMS)?;
        // No row leaves meanwhile, so that what was derived from those that did is in here.
        copy_history(&data, &copy)?;
        fail::fail_point!("backup::beside");
        Ok(())
    };
    let done = pipeline.store.backup(&unfinished, beside).await;
    let done = done.with_context(|| format!("the backup; what there is of it lies in {}", unfinished.display()))?;
    fail::fail_point!("backup::whole");
    let finish = || {
        fs::remove_file(unfinished.join(UNFINISHED_BACKUP))?;
        sync_dir(&unfinished)
    };
    finish().with_context(|| format!("cannot finish {}", unfinished.display()))?;
    fs::rename(&unfinished, to).with_context(|| format!("cannot name {}", to.display()))?;
    sync_dir(parent).with_context(|| format!("cannot sync {}", parent.display()))?;
    Ok(done)
}

fn mark_unfinished(folder: &Path) -> io::Result<()> {
    fs::File::create_new(folder.join(UNFINISHED_BACKUP))?.sync_all()?;
    sync_dir(folder)
}

/// Copies what outlives its rows. Its files may be replaced meanwhile; then they are copied again.
fn copy_history(data: &Path, copy: &Path) -> io::Result<()> {
    for _ in 0..HISTORY_ATTEMPTS {
        copy_folder(&data.join("history"), &copy.join("history"), &|_| true)?;
        let mut verified = Verified::default();
        verify_derived(copy, &mut verified)?;
        if verified.is_sound() {
            return Ok(());
        }
        fs::remove_dir_all(copy.join("history"))?;
    }
    let told =
        format!("{} could not be copied whole; 'hubscope verify' tells whether it is", data.join("history").display());
    Err(io::Error::other(told))
}

/// Copies files and folders whose names are `wanted`; what goes away meanwhile is left out, as are files being written.
fn copy_folder(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return sync_dir(to),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| wanted(name) && !name.contains('#')) else { continue };
        let (source, dest) = (entry.path(), to.join(name));
        let copied = match entry.file_type() {
            Ok(kind) if kind.is_dir() => copy_folder(&source, &dest, &|_| true),
            Ok(kind) if kind.is_file() => copy_durably(&source, &dest),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        match copied {
            Err(error) if error.kind() == ErrorKind::NotFound && !source.exists() => {}
            other => other?,
        }
    }
    sync_dir(to)
}
