//! `hubscope forget`: everything of a person goes, in steps of which each may be repeated.
//!
//! ```text
//! the request is kept (a keyed hash) ─▶ door, replay and imports obey ─▶ journal: new segment, flush, the old ones go
//!   ─▶ their rows leave the tables, and what is derived from them ─▶ answers to retries that quote them
//!   ─▶ damaged and former segments that name them ─▶ old versions and files go
//!   ─▶ everything left is decoded and looked through ─▶ certificate
//! ```
//!
//! A crash amid it is no harm: the request is on disk first, and the next `serve` takes all steps again.

mod certificate;
mod desk;
mod kept;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use erasure::{Erasures, Persons, Removal};
use event::{Clock, SystemClock};
use insight::mention::mentions;
use store::{Rewrite, Store, Table};

pub(crate) use certificate::Certificate;
pub(crate) use desk::Desk;
pub(crate) use kept::read;

use kept::{Kept, key};

use crate::operations::Progress;
use crate::pipeline::Pipeline;
use crate::rollups::Rollups;

/// Readers of old versions are waited for so long; what they still hold then goes with the next compaction, and the
/// certificate says so.
const READERS_WAIT_MAX: Duration = Duration::from_secs(60);

/// Steps that are told to whoever waits.
const STEPS: [&str; 7] = [
    "the request is kept",
    "the journal",
    "the tables",
    "what is derived from them",
    "answers and set-aside bytes",
    "old versions",
    "looking through",
];

/// Where everything of a person may lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) rollups: &'a Rollups,
    pub(crate) root: &'a Path,
    pub(crate) archive: &'a Path,
}

type Tell<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Takes every step of `request`, which is on disk.
async fn carry_out(place: &Place<'_>, request: Kept, tell: Tell<'_>) -> Result<Certificate> {
    let Place { pipeline, rollups, root, archive } = *place;
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
    fail::fail_point!("forget::journal");
    step(2);
    let mut erasures = Erasures::new(key(root)?);
    erasures.add(erasure);
    let persons = Arc::new(Persons::of(&pipeline.admission.registry()));
    let removal = Arc::new(Removal { erasures: erasures.clone(), persons });
    let rewritten = pipeline.store.rewrite(Arc::clone(&removal) as Arc<dyn Rewrite>).await?;
    certificate.rows_removed = rewritten.rows_removed;
    certificate.parts_rewritten = rewritten.parts_taken;
    fail::fail_point!("forget::tables");
    step(3);
    let until = |hub: &str, name: &str| erasures.until(hub, name);
    certificate.derived_removed = rollups.forget(&until).await?;
    fail::fail_point!("forget::derived");
    step(4);
    let names = |text: &[u8], hub: &str| mentions(text, |name| erasures.covers(hub, name, erasure.asked));
    certificate.answers_forgotten = pipeline.forget_answers(&names)?;
    // Whose hub it was stands in bytes that nobody can rely on, so any counts.
    let names_aside = |text: &[u8]| names(text, request.hub.as_deref().unwrap_or_default());
    let removed = pipeline.forget_aside(&names_aside)?;
    certificate.set_aside_removed = removed.iter().map(|file| format!("journal/{}", file.display())).collect();
    fail::fail_point!("forget::aside");
    step(5);
    let expired = pipeline.store.expire(READERS_WAIT_MAX).await?;
    certificate.files_removed = expired.log_files + expired.parts;
    certificate.files_held = expired.held;
    fail::fail_point!("forget::versions");
    step(6);
    let (rows, found) = look_through(&pipeline.store, removal).await?;
    let (rows_kept, found_kept) = tokio::task::block_in_place(|| rollups.look_through(&until))?;
    certificate.rows_looked_through = rows + rows_kept;
    let found = found + found_kept;
    if found > 0 {
        bail!("{found} rows of this person are still there after everything was done; nothing is certified, ask again");
    }
    tokio::task::block_in_place(|| {
        certificate.end(root, SystemClock.now())?;
        fail::fail_point!("forget::certified");
        request.finished().write(root)
    })?;
    Ok(certificate)
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
