//! Sessions for DataFusion: the months that stand in files, and the rest from memory, as one.
//!
//! Of a file the groups of rows are read of which the footer does not show that no row can match; footers are in memory
//! already. Filters are reported as inexact, as those of a table are.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Statistics, exec_err, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::union::UnionExec;
use derive::{Rows, SessionFile};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{OfHubs, parquet_options, scan_of};
use crate::scope::Scope;

/// The sessions of one moment.
#[derive(Debug)]
pub(crate) struct SessionTable {
    schema: SchemaRef,
    rows: Rows,
    url: ObjectStoreUrl,
    scope: Scope,
}

impl SessionTable {
    /// Those of `rows` that `scope` allows. `url` names a registered place; nothing is read from it.
    pub(crate) fn new(rows: Rows, url: ObjectStoreUrl, scope: Scope) -> Self {
        Self { schema: derive::schema(), rows, url, scope }
    }

    fn scan_files(
        &self,
        threads: usize,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
        only: Option<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(parquet_options(false))
            .with_parquet_file_reader_factory(Arc::new(OpenFiles));
        let source = match only {
            Some(only) => source.with_predicate(only),
            None => source,
        };
        let files = self.rows.files().iter().map(|file| self.file(file)).collect();
        let rows = self.rows.files().iter().map(|file| file.rows()).sum();
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(FileGroup::new(files).split_files(threads))
            .with_statistics(self.row_count(rows))
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn file(&self, file: &Arc<SessionFile>) -> PartitionedFile {
        let mut found =
            PartitionedFile::new(file.name(), file.bytes()).with_statistics(Arc::new(self.row_count(file.rows())));
        found.extensions.insert_arc(Arc::clone(file));
        found
    }

    fn row_count(&self, rows: usize) -> Statistics {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Exact(rows);
        statistics
    }

    fn scan_memory(&self, threads: usize, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        let batches = self.rows.batches();
        let each = batches.len().div_ceil(threads.max(1)).max(1);
        let partitions: Vec<Vec<RecordBatch>> = batches.chunks(each).map(<[RecordBatch]>::to_vec).collect();
        let schema = Arc::clone(&self.schema);
        Ok(MemorySourceConfig::try_new_exec(&partitions, schema, projection.cloned())?)
    }
}

impl OfHubs for SessionTable {
    fn scan_all(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
        only: Option<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // A limit may only count rows that no filter takes away afterwards.
        let limit = limit.filter(|_| filters.is_empty());
        let threads = state.config().target_partitions();
        let mut plans = Vec::with_capacity(2);
        if !self.rows.files().is_empty() {
            plans.push(self.scan_files(threads, projection, limit, only)?);
        }
        if !self.rows.batches().is_empty() {
            plans.push(self.scan_memory(threads, projection)?);
        }
        match plans.len() {
            0 => Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?))),
            _ => UnionExec::try_new(plans),
        }
    }
}

#[async_trait]
impl TableProvider for SessionTable {
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

/// Gives the files that the plan holds open.
#[derive(Debug)]
struct OpenFiles;

impl ParquetFileReaderFactory for OpenFiles {
    fn create_reader(
        &self,
        _partition: usize,
        file: PartitionedFile,
        _footer_bytes: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        match file.extensions.get_arc::<SessionFile>() {
            Some(file) => Ok(Box::new(Reading(file))),
            None => exec_err!("'{}' is no file of sessions", file.object_meta.location),
        }
    }
}

/// One of them, being read.
struct Reading(Arc<SessionFile>);

impl AsyncFileReader for Reading {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        let file = Arc::clone(&self.0);
        async move {
            let read = tokio::task::spawn_blocking(move || file.read_at(range)).await;
            Ok(read.map_err(|fault| ParquetError::External(Box::new(fault)))??)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let metadata = Arc::clone(self.0.metadata());
        async move { Ok(metadata) }.boxed()
    }
}
