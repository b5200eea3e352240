//! One Delta table: opened, looked at, changed by single commits. The only file that speaks to `deltalake-core`.
//!
//! What the table holds at a version (parts, transactions) is kept beside Delta's own snapshot and moved along with our
//! own commits; whenever somebody else's commit is found, it is read anew.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, PoisonError};

use arrow::datatypes::SchemaRef;
use deltalake_core::checkpoints;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, MetadataExt, Remove, StructType, Transaction};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, logstore_with};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableError, TableProperty, ensure_table_uri};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::columns::{LOGGED_STATISTICS, Table};
use crate::durable_fs::DurableFs;
use crate::error::TableError;
use crate::part::Part;
use crate::transactions::{self, Transactions};
use crate::write::{PartFolder, Written, now_millis};

/// Commits between two checkpoints. Each commit that is read anew costs three megabytes of buffers, and time: with a
/// hundred a flush took 9 to 27 % longer than with twenty, and opening 1.8 times as long.
pub(crate) const CHECKPOINT_COMMITS: u64 = 20;

/// What a table holds at one version.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) version: i64,
    pub(crate) parts: Arc<[Part]>,
    pub(crate) transactions: Arc<Transactions>,
}

/// A part that the table no longer holds; its file goes when nobody reads it any more.
#[derive(Debug)]
pub(crate) struct Removed {
    pub(crate) part: Part,
    pub(crate) at_millis: i64,
}

/// What one commit changes.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) add: Vec<Written>,
    pub(crate) remove: Vec<Part>,
    pub(crate) transactions: Vec<(Arc<str>, i64)>,
    /// The rows stay the same, only their files change.
    pub(crate) rearranges: bool,
}

/// The table itself.
pub(crate) struct Delta {
    table: Table,
    dir: PathBuf,
    fs: DurableFs,
    handle: DeltaTable,
    folder: PartFolder,
    view: View,
    pub(crate) removed: Vec<Removed>,
    commits_since_checkpoint: u64,
}

impl std::fmt::Debug for Delta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delta").field("dir", &self.dir).field("version", &self.view.version).finish_non_exhaustive()
    }
}

impl Delta {
    /// Opens the table in `dir`, or makes it with `schema`.
    pub(crate) async fn open(
        table: Table,
        dir: &FsPath,
        fs: &DurableFs,
        schema: &SchemaRef,
    ) -> Result<Self, TableError> {
        let failed = |source: DeltaTableError| TableError::log(table, "opened", source);
        let log_store = log_store(dir, fs).map_err(failed)?;
        let handle = if log_store.is_delta_table_location().await.map_err(failed)? {
            let mut handle = DeltaTable::new(log_store);
            handle.load().await.map_err(failed)?;
            handle
        } else {
            create(table, log_store, schema).await.map_err(failed)?
        };
        let sums = fs.sums().cloned();
        let folder = PartFolder { table, store: handle.object_store(), unborn: Arc::default(), sums };
        let view = View { version: -1, parts: Arc::new([]), transactions: Arc::default() };
        let mut this = Self {
            table,
            dir: dir.to_owned(),
            fs: fs.clone(),
            handle,
            folder,
            view,
            removed: Vec::new(),
            commits_since_checkpoint: 0,
        };
        this.read_view().await?;
        Ok(this)
    }

    pub(crate) fn table(&self) -> Table {
        self.table
    }

    pub(crate) fn dir(&self) -> &FsPath {
        &self.dir
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    pub(crate) fn folder(&self) -> &PartFolder {
        &self.folder
    }

    /// The columns that the log declares.
    pub(crate) fn schema(&self) -> Result<SchemaRef, TableError> {
        let snapshot = self.handle.snapshot().map_err(|source| TableError::log(self.table, "read", source))?;
        Ok(snapshot.snapshot().arrow_schema())
    }

    /// The version of the application transaction `app_id`, if there is one.
    pub(crate) fn transaction(&self, app_id: &str) -> Option<i64> {
        self.view.transactions.get(app_id).copied()
    }

    /// Moves to the newest version. What others committed, or what a commit of ours left whose outcome is unknown, is
    /// made durable before it is believed: a commit that can be read may yet vanish in a power cut.
    pub(crate) async fn refresh(&mut self) -> Result<(), TableError> {
        let poisoned = self.fs.poisoned().map(str::to_owned);
        if let Some(reason) = poisoned {
            return Err(TableError::log(self.table, "relied upon", std::io::Error::other(reason)));
        }
        self.handle.update_state().await.map_err(|source| TableError::log(self.table, "refreshed", source))?;
        if self.version() != self.view.version {
            self.settle().await?;
            self.read_view().await?;
        }
        Ok(())
    }

    async fn settle(&self) -> Result<(), TableError> {
        let (fs, log) = (self.fs.clone(), self.dir.join("_delta_log"));
        let settled = crate::durable_fs::blocking(move || fs.settle(&log)).await;
        settled.map_err(|source| TableError::log(self.table, "made durable", source))
    }

    /// Makes the log declare `schema`. Old parts read as null in the columns that they lack.
    pub(crate) async fn evolve(&mut self, schema: &SchemaRef) -> Result<(), TableError> {
        let failed = |source: DeltaTableError| TableError::log(self.table, "given new columns", source);
        let wanted: StructType =
            schema.as_ref().try_into_kernel().map_err(|source| TableError::rows(self.table)(source))?;
        let snapshot = self.handle.snapshot().map_err(failed)?;
        let known = snapshot.schema();
        let fields: Vec<_> = wanted.fields().filter(|field| known.field(field.name()).is_none()).cloned().collect();
        let metadata = snapshot
            .metadata()
            .clone()
            .with_schema(&wanted)
            .map_err(|source| TableError::log(self.table, "given new columns", source))?;
        self.send(vec![Action::Metadata(metadata)], Vec::new(), DeltaOperation::AddColumn { fields }).await?;
        self.read_view().await
    }

    /// Commits `change` on the version last seen.
    ///
    /// # Errors
    /// After any, the outcome is unknown: [`Self::refresh`] and look at the transactions.
    pub(crate) async fn commit(&mut self, change: &Change) -> Result<(), TableError> {
        let mut actions: Vec<Action> = change.add.iter().map(|written| written.add(!change.rearranges)).collect();
        actions.extend(change.remove.iter().map(|part| remove(part, !change.rearranges)));
        let transactions =
            change.transactions.iter().map(|(app_id, version)| Transaction::new(app_id, *version)).collect();
        let operation = if change.rearranges {
            DeltaOperation::Optimize { predicate: None, target_size: 0 }
        } else {
            DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None }
        };
        let before = self.view.version;
        fail::fail_point!("store::before_commit", |_| Err(self.injected("before")));
        self.send(actions, transactions, operation).await?;
        fail::fail_point!("store::after_commit", |_| Err(self.injected("after")));
        if self.version() == before + 1 {
            self.move_view(change)
        } else {
            self.read_view().await?
        }
        self.forget_unborn(change);
        self.checkpoint_if_due().await;
        Ok(())
    }

    /// The files of `change` are in the table now, or never will be.
    pub(crate) fn forget_unborn(&self, change: &Change) {
        let mut unborn = self.folder.unborn.lock().unwrap_or_else(PoisonError::into_inner);
        for written in &change.add {
            unborn.remove(&*written.part.path);
        }
    }

    #[cfg_attr(not(feature = "failpoints"), expect(dead_code, reason = "only fail points call it"))]
    fn injected(&self, place: &str) -> TableError {
        TableError::log(self.table, "committed to", std::io::Error::other(format!("the fail point {place} the commit")))
    }

    async fn send(
        &mut self,
        actions: Vec<Action>,
        transactions: Vec<Transaction>,
        operation: DeltaOperation,
    ) -> Result<(), TableError> {
        let failed = |source: DeltaTableError| TableError::log(self.table, "committed to", source);
        // Checkpoints and clean-up are ours: an error in them must not look like one of the commit.
        let properties = CommitProperties::default()
            .with_application_transactions(transactions)
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false));
        let snapshot = self.handle.snapshot().map_err(failed)?.snapshot();
        let done = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(snapshot), self.handle.log_store(), operation)
            .await
            .map_err(failed)?;
        self.handle.state = Some(done.snapshot());
        self.commits_since_checkpoint += 1;
        Ok(())
    }

    fn version(&self) -> i64 {
        self.handle.version().map_or(-1, |version| i64::try_from(version).unwrap_or(i64::MAX))
    }

    fn move_view(&mut self, change: &Change) {
        let gone: std::collections::HashSet<&str> = change.remove.iter().map(|part| &*part.path).collect();
        let kept = self.view.parts.iter().filter(|part| !gone.contains(&*part.path)).cloned();
        let parts: Vec<Part> = kept.chain(change.add.iter().map(|written| written.part.clone())).collect();
        self.bury(change.remove.iter().cloned());
        if !change.transactions.is_empty() {
            Arc::make_mut(&mut self.view.transactions).extend(change.transactions.iter().cloned());
        }
        self.view.parts = parts.into();
        self.view.version = self.version();
    }

    /// Reads parts and transactions from the log; a part seen before keeps its lease.
    async fn read_view(&mut self) -> Result<(), TableError> {
        let version = self.version();
        let snapshot = self.handle.snapshot().map_err(|source| TableError::log(self.table, "read", source))?;
        let mut known: HashMap<Arc<str>, Part> =
            self.view.parts.iter().map(|part| (Arc::clone(&part.path), part.clone())).collect();
        let mut parts = Vec::new();
        for file in snapshot.log_data().iter() {
            let path = file.path();
            if file.deletion_vector_descriptor().is_some() {
                let detail = format!("the part '{path}' has a deletion vector, which this table never has");
                return Err(TableError::Damaged { table: self.table, detail });
            }
            parts.push(match known.remove(&*path) {
                Some(part) => part,
                None => Part {
                    sums: self.folder.sums.clone(),
                    ..Part::from_log(&path, u64::try_from(file.size()).unwrap_or(0), file.stats().as_deref())
                },
            });
        }
        parts.sort_by(|one, other| (one.received, &one.path).cmp(&(other.received, &other.path)));
        let transactions =
            transactions::read(self.folder.store.as_ref(), self.table, u64::try_from(version).unwrap_or(0)).await?;
        self.bury(known.into_values());
        self.view = View { version, parts: parts.into(), transactions: Arc::new(transactions) };
        Ok(())
    }

    fn bury(&mut self, parts: impl Iterator<Item = Part>) {
        let at_millis = now_millis();
        self.removed.extend(parts.map(|part| Removed { part, at_millis }));
    }

    /// A checkpoint that cannot be written costs time at the next opening, nothing else; it is tried again at the next
    /// commit. The handle is opened anew after one, since it grows by a batch with each commit.
    async fn checkpoint_if_due(&mut self) {
        let due = self.commits_since_checkpoint >= CHECKPOINT_COMMITS
            || (self.view.version + 1).unsigned_abs().is_multiple_of(CHECKPOINT_COMMITS);
        if !due {
            return;
        }
        if let Err(error) = self.checkpoint().await {
            tracing::warn!(table = self.table.name(), %error, "no checkpoint could be written");
        }
    }

    async fn checkpoint(&mut self) -> Result<(), DeltaTableError> {
        checkpoints::create_checkpoint(&self.handle, None).await?;
        self.commits_since_checkpoint = 0;
        checkpoints::cleanup_metadata(&self.handle, None).await?;
        self.reopen().await
    }

    /// Writes a checkpoint of the newest version and removes every log entry that it covers, however young. Returns how
    /// many files went.
    pub(crate) async fn forget_history(&mut self) -> Result<u64, TableError> {
        let failed = |source: DeltaTableError| TableError::log(self.table, "given a checkpoint", source);
        checkpoints::create_checkpoint(&self.handle, None).await.map_err(failed)?;
        self.commits_since_checkpoint = 0;
        let version = u64::try_from(self.version()).unwrap_or(0);
        let store = &self.folder.store;
        let listed: Vec<object_store::ObjectMeta> = store
            .list(Some(&Path::from("_delta_log")))
            .try_collect()
            .await
            .map_err(|source| TableError::log(self.table, "listed", source))?;
        let mut removed = 0;
        for object in listed {
            let number = object.location.filename().and_then(|name| name.split_once('.')?.0.parse::<u64>().ok());
            if number.is_some_and(|number| number < version) {
                let deleted = store.delete(&object.location).await;
                deleted.map_err(|source| TableError::log(self.table, "rid of its history", source))?;
                removed += 1;
            }
        }
        self.reopen().await.map_err(|source| TableError::log(self.table, "read", source))?;
        Ok(removed)
    }

    async fn reopen(&mut self) -> Result<(), DeltaTableError> {
        let mut fresh = DeltaTable::new(self.handle.log_store());
        if let Some(version) = self.handle.version() {
            fresh.load_version(version).await?;
            self.handle = fresh;
        }
        Ok(())
    }
}

/// Whether another writer was faster, so that a new attempt on the newest version can succeed.
pub(crate) fn is_conflict(error: &TableError) -> bool {
    let TableError::Log { source, .. } = error else { return false };
    matches!(
        source.downcast_ref(),
        Some(
            DeltaTableError::VersionAlreadyExists(_)
                | DeltaTableError::Transaction {
                    source: TransactionError::CommitConflict(_) | TransactionError::MaxCommitAttempts(_),
                }
        )
    )
}

fn log_store(dir: &FsPath, fs: &DurableFs) -> Result<LogStoreRef, DeltaTableError> {
    let url = ensure_table_uri(dir.to_string_lossy())?;
    logstore_with(Arc::new(fs.clone()), &url, StorageConfig::default())
}

async fn create(table: Table, log_store: LogStoreRef, schema: &SchemaRef) -> Result<DeltaTable, DeltaTableError> {
    let columns: StructType = schema.as_ref().try_into_kernel()?;
    CreateBuilder::new()
        .with_log_store(log_store)
        .with_table_name(table.name())
        .with_columns(columns.fields().cloned())
        .with_configuration_property(TableProperty::DataSkippingStatsColumns, Some(LOGGED_STATISTICS.join(",")))
        .with_configuration_property(TableProperty::CheckpointInterval, Some(CHECKPOINT_COMMITS.to_string()))
        .with_save_mode(SaveMode::Ignore)
        .await
}

fn remove(part: &Part, data_change: bool) -> Action {
    Action::Remove(Remove {
        path: part.path.to_string(),
        data_change,
        deletion_timestamp: Some(now_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some(HashMap::new()),
        size: Some(i64::try_from(part.size).unwrap_or(i64::MAX)),
        ..Remove::default()
    })
}

/// The transactions that `collector` has in `view`, by what follows `<collector>/` in their ids.
pub(crate) fn sub_transactions<'a>(
    transactions: &'a Transactions,
    collector: &str,
) -> impl Iterator<Item = (&'a str, i64)> + use<'a> {
    let prefix = format!("{collector}/");
    let from: Arc<str> = prefix.as_str().into();
    let ids: BTreeMap<&str, i64> = transactions
        .range(from..)
        .take_while(|(id, _)| id.starts_with(&prefix))
        .filter_map(|(id, version)| Some((id.get(prefix.len()..)?, *version)))
        .collect();
    ids.into_iter()
}
