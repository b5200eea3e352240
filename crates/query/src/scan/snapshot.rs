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
use datafusion::common::{Statistics, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::object_store::ObjectStore;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use store::{Part, TableSnapshot};

use super::{OfHubs, parquet_options, scan_of};
use crate::prune;
use crate::scope::Scope;

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
}

impl OfHubs for SnapshotTable {
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
}

impl SnapshotTable {
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
            .with_table_parquet_options(parquet_options(true))
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
        scan_of(self, &self.scope, state, projection, filters, limit)
    }
}

/// Rows of all `parts`, if each is known. No part is empty: 0 means that its writer did not say.
fn exact_rows(parts: &[&Part]) -> Precision<usize> {
    if parts.iter().any(|part| part.rows == 0) {
        return Precision::Absent;
    }
    let rows: u64 = parts.iter().map(|part| part.rows).sum();
    usize::try_from(rows).map_or(Precision::Absent, Precision::Exact)
}

/// The table's columns as they are worked on: texts as views, which are not copied when rows are filtered.
fn with_views(schema: &Schema) -> SchemaRef {
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
