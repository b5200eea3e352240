//! `hubscope forget`: everything of a person goes, in steps of which each may be repeated.
//!
//! ```text
//! the request is kept (a keyed hash) ─▶ door, replay and imports obey ─▶ journal: new segment, flush, the old ones go
//!   ─▶ their rows leave the tables ─▶ answers to retries that quote them ─▶ damaged and former segments that name them
//!   ─▶ old versions and files go ─▶ everything left is decoded and looked through ─▶ certificate
//! ```
//!
//! A crash amid it is no harm: the request is on disk first, and the next `serve` takes all steps again.

mod certificate;
mod kept;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use erasure::{Erasures, Persons, Removal};
use event::{Clock, SystemClock};
use insight::mention::mentions;
use store::{Rewrite, Store, Table};

pub(crate) use certificate::Certificate;
pub(crate) use kept::{Kept, key, read};

use crate::folder::journal_in;
use crate::hex::hex;
use crate::operations::Progress;
use crate::pipeline::Pipeline;

/// Readers of old versions are waited for so long; what they still hold then goes with the next compaction, and the
/// certificate says so.
const READERS_WAIT_MAX: Duration = Duration::from_secs(60);

/// Random bytes of an id.
const ID_BYTES: usize = 8;

/// Letters of a name; `JupyterHub` allows 255.
const NAME_LETTERS_MAX: usize = 255;

/// Steps that are told to whoever waits.
const STEPS: [&str; 6] = [
    "the request is kept",
    "the journal",
    "the tables",
    "answers and set-aside bytes",
    "old versions",
    "looking through",
];

type Tell<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Keeps the request and does it.
pub(crate) async fn forget(
    pipeline: &Pipeline,
    root: &Path,
    archive: &Path,
    user: &str,
    hub: Option<&str>,
    tell: Tell<'_>,
) -> Result<Certificate> {
    if user.is_empty() || user.chars().count() > NAME_LETTERS_MAX || user.chars().any(char::is_control) {
        bail!(
            "'{}' is no user's name: 1 to {NAME_LETTERS_MAX} letters, none of them a control character",
            user.escape_debug()
        );
    }
    let mut id = [0; ID_BYTES];
    getrandom::fill(&mut id).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let subject = key(root)?.subject(hub, user);
    let request = Kept::new(hex(&id), subject, hub, SystemClock.now());
    request.write(root)?;
    carry_out(pipeline, root, archive, request, tell).await
}

/// Takes every step of `request`, which is on disk.
pub(crate) async fn carry_out(
    pipeline: &Pipeline,
    root: &Path,
    archive: &Path,
    request: Kept,
    tell: Tell<'_>,
) -> Result<Certificate> {
    let step = |done: usize| {
        let what = STEPS.get(done).copied().unwrap_or_default().to_owned();
        tell(Progress { done: done as u64, total: STEPS.len() as u64, what });
    };
    let mut certificate = Certificate::begin(&request, archive);
    step(0);
    let erasure = request.erasure()?;
    pipeline.obey(key(root)?, erasure).await;
    step(1);
    pipeline.renew_segments().await?;
    step(2);
    let mut erasures = Erasures::new(key(root)?);
    erasures.add(erasure);
    let persons = Arc::new(Persons::of(&pipeline.admission.registry()));
    let removal = Arc::new(Removal { erasures: erasures.clone(), persons });
    let rewritten = pipeline.store.rewrite(Arc::clone(&removal) as Arc<dyn Rewrite>).await?;
    certificate.rows_removed = rewritten.rows_removed;
    certificate.parts_rewritten = rewritten.parts_taken;
    step(3);
    let names = |text: &[u8], hub: &str| mentions(text, |name| erasures.covers(hub, name, erasure.asked));
    certificate.answers_forgotten = pipeline.forget_answers(&names)?;
    certificate.set_aside_removed = remove_set_aside(root, request.hub.as_deref(), &names)?;
    step(4);
    let expired = pipeline.store.expire(READERS_WAIT_MAX).await?;
    certificate.files_removed = expired.log_files + expired.parts;
    certificate.files_held = expired.held;
    step(5);
    let (rows, found) = look_through(&pipeline.store, removal).await?;
    certificate.rows_looked_through = rows;
    if found > 0 {
        bail!("{found} rows of this person are still there after everything was done; nothing is certified, ask again");
    }
    certificate.end(root, SystemClock.now())?;
    request.finished().write(root)?;
    Ok(certificate)
}

/// Bytes that the journal set aside (damage, a former life) are in no table; a file of them that names the person goes
/// as a whole. Returns the names of the files.
fn remove_set_aside(root: &Path, hub: Option<&str>, names: &dyn Fn(&[u8], &str) -> bool) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for folder in ["damaged", "former"] {
        let folder = journal_in(root).join(folder);
        for path in files_below(&folder)? {
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            // Whose hub it was stands in bytes that nobody can rely on, so any counts.
            if names(&bytes, hub.unwrap_or_default()) {
                std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
                removed.push(path.strip_prefix(root).unwrap_or(&path).display().to_string());
            }
        }
        if folder.is_dir() {
            store::sync_dir(&folder).with_context(|| format!("cannot sync {}", folder.display()))?;
        }
    }
    Ok(removed)
}

/// Every file in `folder` and in the folders in it.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let told = || format!("cannot read {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(told)? {
        let path = entry.with_context(told)?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// Decodes every row that is left; returns how many, and how many of them should be gone.
async fn look_through(store: &Arc<Store>, removal: Arc<Removal>) -> Result<(u64, u64)> {
    let (store, snapshot) = (Arc::clone(store), store.snapshot());
    let look = move || -> Result<(u64, u64)> {
        let (mut rows, mut found) = (0, 0);
        for table in Table::ALL {
            let columns = removal.columns(table);
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            for batch in store.scan(table, &snapshot).columns(&columns).read() {
                let batch = batch?;
                rows += batch.num_rows() as u64;
                let leaves = removal.leaves(table, &batch).map_err(|error| anyhow::anyhow!(error))?;
                found += leaves.true_count() as u64;
            }
        }
        Ok((rows, found))
    };
    tokio::task::spawn_blocking(look).await?
}
