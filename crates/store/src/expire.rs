//! Expiry: what rows that are gone have left behind goes at once: old versions of the log, and files that no version
//! needs.
//!
//! Readers keep their files: a query, a publication or a backup that holds a snapshot is waited for, up to a limit.

use std::time::Duration;

use tokio::time::Instant;

use crate::columns::Table;
use crate::error::TableError;
use crate::store::Store;
use crate::vacuum::{remove_replaced, remove_unknown};

/// Between two looks at whether a reader has let go.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What an expiry did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Commits and checkpoints removed.
    pub log_files: u64,
    /// Parts removed.
    pub parts: u64,
    /// Parts that were still being read when the wait was over, as `<table>/<file>`. They go with the next expiry, or
    /// with a compaction.
    pub held: Vec<String>,
}

impl Store {
    /// Leaves of both tables nothing but their newest version: a checkpoint, the parts in it, and the files that
    /// somebody in this process still reads. Those are waited for as long as `wait_max`; readers in other processes are
    /// not. Flushes go on meanwhile.
    ///
    /// Cancel safe: what was not removed goes another time.
    ///
    /// # Errors
    /// [`TableError`], when the log cannot be rewritten or a folder cannot be listed. To repeat it is safe.
    pub async fn expire(&self, wait_max: Duration) -> Result<Expired, TableError> {
        let _turn = self.turn().await;
        let mut expired = Expired::default();
        {
            let mut committer = self.committer.lock().await;
            for table in Table::ALL {
                let delta = committer.table(table);
                delta.refresh().await?;
                expired.log_files += delta.forget_history().await?;
                // Nothing is being written: both locks are held.
                expired.parts += remove_unknown(delta, i64::MAX).await?;
            }
            self.publish(&committer);
        }
        let give_up = Instant::now() + wait_max;
        loop {
            expired.held = self.remove_unread(&mut expired.parts).await?;
            if expired.held.is_empty() || Instant::now() >= give_up {
                return Ok(expired);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Removes replaced parts that nobody holds; names the others.
    async fn remove_unread(&self, removed: &mut u64) -> Result<Vec<String>, TableError> {
        let mut held = Vec::new();
        let mut committer = self.committer.lock().await;
        for table in Table::ALL {
            let delta = committer.table(table);
            *removed += remove_replaced(delta, i64::MAX).await?;
            held.extend(delta.removed.iter().map(|removed| format!("{}/{}", table.name(), removed.part.path)));
        }
        Ok(held)
    }
}
