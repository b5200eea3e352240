//! One table of a snapshot for DataFusion: its parts and its tail, as one.
//!
//! A plain Parquet scan over the snapshot's list of parts, united with the tail's batches. Parts whose statistics show
//! that no row can match are not opened; filters are always reported as inexact, so that each row is looked at again
//! and a wrong or missing statistic costs time, never rows. Footers are cached for all queries, since parts never
//! change.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Statistics, exec_datafusion_err, project_schema};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::MemTable;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, col, lit};
use datafusion::object_store::ObjectStore;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use store::{Part, TableSnapshot};

use crate::prune;
use crate::scope::{Barrier, Scope, is_harmless, of_hub};

/// Rows to gather from the tail's batches, one or few rows each, before they are worked on.
const TAIL_BATCH_ROWS: usize = 8_192;

/// What the end of a part is read with: its footer and indexes, in one read for nearly all parts.
const FOOTER_BYTES: usize = 64 << 10;

/// Where a table's parts lie.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The registered address of `objects`.
    pub(crate) url: ObjectStoreUrl,
    /// The store that holds every table.
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// The table's folder in it.
    pub(crate) folder: String,
    /// Footers, for all queries.
    pub(crate) footers: Arc<FileMetadataCache>,
}

/// One table of one snapshot.
#[derive(Debug)]
pub(crate) struct SnapshotTable {
    schema: SchemaRef,
    snapshot: TableSnapshot,
    place: Place,
    scope: Scope,
}

impl SnapshotTable {
    /// The table as `snapshot` shows it, with the rows that `scope` allows.
    pub(crate) fn new(snapshot: TableSnapshot, place: Place, scope: Scope) -> Self {
        Self { schema: with_views(&snapshot.schema), snapshot, place, scope }
    }

    /// Every row that may satisfy `filters`, whosoever it is. What `only` says is looked up in footers as well.
    fn scan_all(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
        only: Option<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let parts = prune::kept(state, &self.schema, &self.snapshot.parts, filters)?;
        // A limit may only count rows that no filter takes away afterwards.
        let limit = limit.filter(|_| filters.is_empty());
        let mut plans = Vec::with_capacity(2);
        if !parts.is_empty() {
            plans.push(self.scan_parts(state, &parts, projection, limit, only)?);
        }
        if self.snapshot.tail.iter().any(|batch| batch.num_rows() > 0) {
            plans.push(self.scan_tail(projection)?);
        }
        match plans.len() {
            0 => Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?))),
            _ => UnionExec::try_new(plans),
        }
    }

    /// The rows of `hub`.
    fn scan_hub(
        &self,
        state: &dyn Session,
        hub: &Arc<str>,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let width = columns.len();
        let hub_column = self.schema.index_of("hub")?;
        let hub_at = columns.iter().position(|column| *column == hub_column).unwrap_or(width);
        if hub_at == width {
            columns.push(hub_column);
        }
        let mut harmless: Vec<Expr> = filters.iter().filter(|filter| is_harmless(filter)).cloned().collect();
        harmless.push(col("hub").eq(lit(hub.as_ref())));
        let only = conjunction(harmless.iter().cloned())
            .ok_or_else(|| exec_datafusion_err!("a scan of one hub has no filter"))?;
        let only = state.create_physical_expr(only, &DFSchema::try_from(Arc::clone(&self.schema))?)?;
        let all = self.scan_all(state, Some(&columns), &harmless, None, Some(only))?;
        Ok(Arc::new(Barrier::new(all, Arc::clone(hub), hub_at, width)?))
    }

    fn scan_parts(
        &self,
        state: &dyn Session,
        parts: &[&Part],
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
        only: Option<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let footers = Arc::clone(&self.place.footers);
        let reader = CachedParquetFileReaderFactory::new(Arc::clone(&self.place.objects), footers);
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(parquet_options())
            .with_metadata_size_hint(FOOTER_BYTES)
            .with_parquet_file_reader_factory(Arc::new(reader));
        let source = match only {
            Some(only) => source.with_predicate(only),
            None => source,
        };
        let files = parts.iter().map(|part| self.file(part)).collect();
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(self.place.url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(self.row_count(parts))
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn file(&self, part: &Part) -> PartitionedFile {
        PartitionedFile::new(format!("{}/{}", self.place.folder, part.path), part.size)
            .with_statistics(Arc::new(self.row_count(&[part])))
    }

    /// The number of rows is exact (it makes `count(*)` free); bounds stay out, as they serve pruning only.
    fn row_count(&self, parts: &[&Part]) -> Statistics {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = exact_rows(parts);
        statistics
    }

    fn scan_tail(&self, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = project_schema(&self.schema, projection)?;
        let batches = tail(&self.snapshot.tail, projection, &schema)?;
        Ok(MemorySourceConfig::try_new_exec(&[batches], schema, None)?)
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match &self.scope {
            Scope::All => self.scan_all(state, projection, filters, limit, None),
            Scope::Hub(hub) => self.scan_hub(state, hub, projection, filters),
        }
    }
}

/// The sessions that `scope` allows, as a table: no row of another hub is in it.
pub(crate) fn sessions(rows: &derive::Rows, scope: &Scope, partitions_max: usize) -> Result<MemTable> {
    let mut partitions = vec![Vec::new(); partitions_max.clamp(1, rows.batches().len().max(1))];
    let mut next = (0..partitions.len()).cycle();
    for batch in rows.batches() {
        let batch = match scope {
            Scope::All => batch.clone(),
            Scope::Hub(hub) => of_hub(batch, hub)?,
        };
        let at = next.next().and_then(|at| partitions.get_mut(at));
        if let Some(partition) = at.filter(|_| batch.num_rows() > 0) {
            partition.push(batch);
        }
    }
    MemTable::try_new(derive::schema(), partitions)
}

/// Rows of all `parts`, if each is known. No part is empty: 0 means that its writer did not say.
fn exact_rows(parts: &[&Part]) -> Precision<usize> {
    if parts.iter().any(|part| part.rows == 0) {
        return Precision::Absent;
    }
    let rows: u64 = parts.iter().map(|part| part.rows).sum();
    usize::try_from(rows).map_or(Precision::Absent, Precision::Exact)
}

/// Row filters while decoding were slower on our columns (tried), and no bloom filters are written.
fn parquet_options() -> TableParquetOptions {
    let mut options = TableParquetOptions::default();
    options.global.pushdown_filters = false;
    options.global.bloom_filter_on_read = false;
    options.global.enable_page_index = true;
    options.global.skip_metadata = true;
    options
}

/// The table's columns as they are worked on: texts as views, which are not copied when rows are filtered.
pub(crate) fn with_views(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Utf8 => field.as_ref().clone().with_data_type(DataType::Utf8View),
            _ => field.as_ref().clone(),
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// The wanted columns of the tail, in batches worth working on.
fn tail(tail: &[RecordBatch], projection: Option<&Vec<usize>>, schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
    let mut done = Vec::new();
    let mut gathered: Vec<RecordBatch> = Vec::new();
    let mut rows = 0;
    for batch in tail {
        let batch = match projection {
            Some(columns) => batch.project(columns)?,
            None => batch.clone(),
        };
        rows += batch.num_rows();
        gathered.push(batch);
        if rows >= TAIL_BATCH_ROWS {
            done.push(joined(&gathered, schema)?);
            gathered.clear();
            rows = 0;
        }
    }
    if rows > 0 {
        done.push(joined(&gathered, schema)?);
    }
    Ok(done)
}

fn joined(batches: &[RecordBatch], schema: &SchemaRef) -> Result<RecordBatch> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let Some(first) = batches.first() else {
        return Ok(RecordBatch::new_empty(Arc::clone(schema)));
    };
    let whole = match batches {
        [one] => one.clone(),
        many => concat_batches(&first.schema(), many)?,
    };
    let columns = whole
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    let options = datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
