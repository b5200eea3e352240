//! Backup: one version of both tables as files of its own, made while everything goes on.
//!
//! Commits, checkpoints and parts never change once they have their names, so a hard link is a copy; where there can be
//! none (another file system), the bytes are copied. What is made is a folder of data like any other: it opens, and
//! `verify` checks it against the sums that were recorded when its files were written.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::columns::Table;
use crate::durable_fs::{blocking, durable_write};
use crate::error::TableError;
use crate::part::Part;
use crate::store::Store;

/// What a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackedUp {
    /// Version of `events`.
    pub events_version: i64,
    /// Version of `quarantine`.
    pub quarantine_version: i64,
    /// Rows in both.
    pub rows: u64,
    /// Files that share their bytes with the folder backed up.
    pub files_linked: u64,
    /// Files that were copied.
    pub files_copied: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl Store {
    /// Makes the folder of data `to`, which must be there and empty, one version of both tables, and calls `beside`
    /// for what belongs to it: no commit is made until that has returned, so that the journal copied in it goes on
    /// where the tables end. Durable when it returns, but for the name of `to` itself.
    ///
    /// Events are acknowledged meanwhile; queries, too, go on.
    ///
    /// # Errors
    /// The disk's, and those of `beside`. What was made so far stays.
    pub async fn backup(
        &self,
        to: &Path,
        beside: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<BackedUp, TableError> {
        // The log is not rewritten meanwhile, nor does a part become another.
        let turn = self.turn().await;
        let failed = |source: io::Error| TableError::log(Table::Events, "backed up", source);
        let committer = self.committer.lock().await;
        let snapshot = self.snapshot();
        let work = {
            let (to, dirs) = (to.to_owned(), self.dirs().clone());
            move || {
                let mut done = BackedUp::default();
                for (table, dir) in [Table::Events, Table::Quarantine].into_iter().zip(&dirs) {
                    copy_log(dir, &log_of(&to, table), &mut done)?;
                }
                beside()?;
                Ok(done)
            }
        };
        let mut done = blocking(work).await.map_err(failed)?;
        drop(committer);
        // From here on the snapshot keeps the parts.
        done.events_version = snapshot.events.version;
        done.quarantine_version = snapshot.quarantine.version;
        let sums = self.fs.sums().cloned();
        let (to, dirs) = (to.to_owned(), self.dirs().clone());
        let work = move || {
            let mut names = Vec::new();
            for (table, dir, side) in
                [(Table::Events, &dirs[0], &snapshot.events), (Table::Quarantine, &dirs[1], &snapshot.quarantine)]
            {
                let folder = table_of(&to, table);
                copy_parts(dir, &folder, &side.parts, &mut done)?;
                done.rows += side.parts.iter().map(|part| part.rows).sum::<u64>();
                sync_dir(&folder)?;
                names.extend(side.parts.iter().map(|part| dir.join(&*part.path)));
                names.extend(files_in(&log_of(&to, table))?.into_iter().map(|name| dir.join("_delta_log").join(name)));
            }
            if let Some(sums) = sums {
                durable_write(&to.join("state").join("sums.jsonl"), sums.lines_of(&names)?.as_bytes())?;
            }
            sync_dir(&to.join("tables"))?;
            sync_dir(&to)?;
            drop((snapshot, turn));
            Ok(done)
        };
        blocking(work).await.map_err(failed)
    }
}

fn table_of(root: &Path, table: Table) -> PathBuf {
    root.join("tables").join(table.name())
}

fn log_of(root: &Path, table: Table) -> PathBuf {
    table_of(root, table).join("_delta_log")
}

fn files_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && !name.contains('#') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The whole log: nothing is committed meanwhile, so its newest version is that of the snapshot.
fn copy_log(table: &Path, to: &Path, done: &mut BackedUp) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    let log = table.join("_delta_log");
    for name in files_in(&log)? {
        link_or_copy(&log.join(&name), &to.join(&name), done)?;
    }
    sync_dir(to)
}

fn copy_parts(table: &Path, to: &Path, parts: &Arc<[Part]>, done: &mut BackedUp) -> io::Result<()> {
    for part in parts.iter() {
        link_or_copy(&table.join(&*part.path), &to.join(&*part.path), done)?;
    }
    Ok(())
}

fn link_or_copy(from: &Path, to: &Path, done: &mut BackedUp) -> io::Result<()> {
    match std::fs::hard_link(from, to) {
        Ok(()) => done.files_linked += 1,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
        // Another file system, or one without links.
        Err(_) => {
            copy_durably(from, to)?;
            done.files_copied += 1;
        }
    }
    done.bytes += std::fs::metadata(to)?.len();
    Ok(())
}

/// Copies a file; its bytes are on disk when this returns. Blocks.
///
/// # Errors
/// The disk's; `AlreadyExists` when `to` is there.
pub fn copy_durably(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut dest = File::options().write(true).create_new(true).open(to)?;
    io::copy(&mut source, &mut dest)?;
    dest.sync_all()
}

/// Returns once the names in `folder` are on disk. Blocks.
///
/// # Errors
/// The disk's.
pub fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
