//! A DataFusion session for one query over one snapshot.

use std::sync::Arc;
use std::time::Instant;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
    SchemaProvider,
};
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::{ObjectStoreRegistry, ObjectStoreUrl};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::object_store::ObjectStore;
use datafusion::prelude::SessionConfig;
use derive::Rows as Sessions;
use store::{Snapshot, Store, Table};

use crate::answer::Answer;
use crate::functions::{self, Budget};
use crate::guard::ROWS;
use crate::limits::Limits;
use crate::rollup::{FactProvider, FactTable, Facts};
use crate::scan::{Place, SessionTable, SnapshotTable};
use crate::scope::Scope;
use crate::views::{Relation, Rows, find};

/// Address of the folder of tables inside the engine; it leads nowhere else.
const TABLES_URL: &str = "tables://hubscope";

const CATALOG: &str = "hubscope";
const SCHEMA: &str = "public";

/// What a statement may name.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) relations: Vec<Relation>,
    /// The rows of the relation `sessions`, if that is among them.
    pub(crate) sessions: Sessions,
    /// Tables of facts, by name.
    pub(crate) facts: Vec<(String, FactTable)>,
    /// What those are made of: rows that the question's scope allows, and no others.
    pub(crate) of: Option<Facts>,
    /// What [`ROWS`] stands for.
    pub(crate) rows: Option<Answer>,
}

/// What all queries share: functions, optimiser, memory, cached footers.
#[derive(Debug)]
pub(crate) struct Base {
    state: SessionState,
    events: Place,
    quarantine: Place,
}

impl Base {
    /// Over the tables of `store`.
    pub(crate) fn new(store: &Store, limits: &Limits) -> Result<Self> {
        let objects = store.files();
        let runtime = runtime(Arc::clone(&objects), limits)?;
        let place = |table: Table| {
            Ok::<_, DataFusionError>(Place {
                url: ObjectStoreUrl::parse(TABLES_URL)?,
                objects: Arc::clone(&objects),
                folder: table.name().to_owned(),
                footers: runtime.cache_manager.get_file_metadata_cache(),
            })
        };
        let (events, quarantine) = (place(Table::Events)?, place(Table::Quarantine)?);
        let state = SessionStateBuilder::new()
            .with_config(config(limits))
            .with_runtime_env(runtime)
            .with_default_features()
            .with_file_formats(Vec::new())
            .with_table_factories(Default::default())
            .build();
        Ok(Self { state: functions::install(state)?, events, quarantine })
    }

    /// The state before any table is known, to resolve names with.
    pub(crate) fn state(&self) -> &SessionState {
        &self.state
    }

    /// A session in which `tables` of `snapshot` can be named, with the rows that `scope` allows, and nothing else.
    pub(crate) async fn open(
        &self,
        snapshot: &Snapshot,
        tables: &Tables,
        scope: &Scope,
        budget: Budget,
    ) -> Result<SessionState> {
        let schema = Arc::new(MemorySchemaProvider::new());
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::clone(&schema) as Arc<dyn SchemaProvider>)?;
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        let config = self.state.config().clone().with_option_extension(budget);
        let state = SessionStateBuilder::new_from_existing(self.state.clone())
            .with_config(config)
            .with_catalog_list(Arc::new(catalogs))
            .build();
        for relation in &tables.relations {
            match relation.rows {
                Rows::Sessions => {
                    let (rows, url) = (tables.sessions.clone(), self.events.url.clone());
                    let table = SessionTable::new(rows, url, scope.clone());
                    schema.register_table(relation.name.to_owned(), Arc::new(table))?;
                }
                _ => self.register(&state, schema.as_ref(), snapshot, *relation, scope).await?,
            }
        }
        for (name, table) in &tables.facts {
            if let (Some(facts), false) = (&tables.of, schema.table_exist(name)) {
                schema.register_table(name.clone(), Arc::new(FactProvider::new(*table, facts.clone())))?;
            }
        }
        if let Some(rows) = &tables.rows {
            let table = MemTable::try_new(Arc::clone(rows.schema()), vec![rows.batches.clone()])?;
            schema.register_table(ROWS.to_owned(), Arc::new(table))?;
        }
        Ok(state)
    }

    async fn register(
        &self,
        state: &SessionState,
        schema: &MemorySchemaProvider,
        snapshot: &Snapshot,
        relation: Relation,
        scope: &Scope,
    ) -> Result<()> {
        if schema.table_exist(relation.name) {
            return Ok(());
        }
        let provider: Arc<dyn datafusion::catalog::TableProvider> = match relation.rows {
            Rows::Events => Arc::new(SnapshotTable::new(snapshot.events.clone(), self.events.clone(), scope.clone())),
            // Views are over events alone.
            Rows::Sessions => return Ok(()),
            Rows::Quarantine => {
                Arc::new(SnapshotTable::new(snapshot.quarantine.clone(), self.quarantine.clone(), scope.clone()))
            }
            Rows::View(sql) => {
                if let Some(events) = find("events") {
                    Box::pin(self.register(state, schema, snapshot, events, scope)).await?;
                }
                Arc::new(ViewTable::new(state.create_logical_plan(sql).await?, Some(sql.to_owned())))
            }
        };
        schema.register_table(relation.name.to_owned(), provider)?;
        Ok(())
    }
}

/// The share of one call of a function in a statement with `calls` of them.
pub(crate) fn budget(limits: &Limits, deadline: Instant, calls: usize) -> Budget {
    Budget { call_bytes_max: limits.memory_bytes_max / calls.max(1), deadline, time_max: limits.time_max }
}

fn config(limits: &Limits) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false)
        .with_target_partitions(limits.threads_resolved());
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    config
}

/// One pool of memory for all queries; nothing is ever written to disk.
fn runtime(objects: Arc<dyn ObjectStore>, limits: &Limits) -> Result<Arc<RuntimeEnv>> {
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(limits.memory_bytes_max)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .with_metadata_cache_limit(limits.footer_cache_bytes_max)
        .with_object_store_registry(Arc::new(OnlyTables(objects)))
        .build_arc()
}

/// Knows the folder of the tables and nothing else: whatever a plan may name, no other file can be read.
#[derive(Debug)]
struct OnlyTables(Arc<dyn ObjectStore>);

impl ObjectStoreRegistry for OnlyTables {
    fn register_store(&self, _url: &url::Url, _store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &url::Url) -> Result<Arc<dyn ObjectStore>> {
        if url.as_str().starts_with(TABLES_URL) {
            return Ok(Arc::clone(&self.0));
        }
        Err(DataFusionError::Plan(format!("'{url}' is not a place that can be read")))
    }
}
