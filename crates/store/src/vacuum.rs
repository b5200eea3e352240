//! Removal of files that no version needs: replaced parts, and parts whose commit never came.
//!
//! A file goes only when nobody in this process holds it (parts count their holders) and the grace for readers
//! elsewhere is over. For a file let go of before this process began, the grace begins with the process.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::columns::Table;
use crate::delta::Delta;
use crate::error::TableError;
use crate::store::Store;
use crate::write::now_millis;

impl Store {
    /// Removes what nobody needs; returns how many files.
    pub(crate) async fn vacuum(&self) -> Result<u64, TableError> {
        let grace = i64::try_from(self.options.removed_file_grace.as_millis()).unwrap_or(i64::MAX);
        let before = now_millis().saturating_sub(grace);
        let mut removed = 0;
        let mut committer = self.committer.lock().await;
        for table in Table::ALL {
            removed += remove_replaced(committer.table(table), before).await?;
            removed += remove_orphans(committer.table(table), before, self.opened_millis).await?;
        }
        Ok(removed)
    }
}

/// Parts that this process saw leave the table before `before`.
pub(crate) async fn remove_replaced(delta: &mut Delta, before: i64) -> Result<u64, TableError> {
    let mut count = 0;
    let mut kept = Vec::new();
    for removed in std::mem::take(&mut delta.removed) {
        // Our own is the only holder left. Nobody can get another: the table does not have the part any more.
        let free = Arc::strong_count(&removed.part.lease) == 1;
        if free && removed.at_millis <= before && remove_file(delta, &removed.part.path).await {
            count += 1;
        } else {
            kept.push(removed);
        }
    }
    delta.removed.extend(kept);
    Ok(count)
}

/// Files that nobody knows of.
async fn remove_orphans(delta: &Delta, before: i64, opened_millis: i64) -> Result<u64, TableError> {
    if opened_millis > before { Ok(0) } else { remove_unknown(delta, before).await }
}

/// Parts last changed before `before` that are neither in the table, nor held, nor being written.
pub(crate) async fn remove_unknown(delta: &Delta, before: i64) -> Result<u64, TableError> {
    let table = delta.table();
    let mut known: HashSet<String> = delta.view().parts.iter().map(|part| part.path.to_string()).collect();
    known.extend(delta.removed.iter().map(|removed| removed.part.path.to_string()));
    known.extend(delta.folder().unborn.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
    let listed = delta.folder().store.list_with_delimiter(None).await;
    let listed = listed.map_err(|source| TableError::log(table, "listed", source))?;
    let mut count = 0;
    for object in listed.objects {
        let name = object.location.to_string();
        let old = object.last_modified.timestamp_millis() <= before;
        if old && name.ends_with(".parquet") && !known.contains(&name) && remove_file(delta, &name).await {
            count += 1;
        }
    }
    Ok(count)
}

/// Whether the file is gone. One that stays costs room only; the next vacuum tries again.
async fn remove_file(delta: &Delta, path: &str) -> bool {
    match delta.folder().store.delete(&Path::from(path)).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => true,
        Err(error) => {
            tracing::warn!(table = delta.table().name(), path, %error, "a file that nobody needs could not be removed");
            false
        }
    }
}
