//! Sessions for DataFusion: the months that stand in files, and the rest from memory, as one.
//!
//! Of a file the groups of rows are read of which the footer does not show that no row can match; footers are in memory
//! already. Filters are reported as inexact, as those of a table are.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics, exec_err, project_schema};
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
use datafusion::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use datafusion::parquet::file::statistics::Statistics as ParquetStatistics;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::union::UnionExec;
use datafusion::scalar::ScalarValue;
use derive::{Rows, SessionFile};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{OfHubs, parquet_options, scan_of};
use crate::prune::may_hold;
use crate::scope::Scope;

/// A group of rows, and the file that it is in.
type Group<'a> = (&'a Arc<SessionFile>, &'a RowGroupMetaData);

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

    /// The groups of rows of all files that may hold a row which satisfies all `filters`, each with its file.
    fn groups(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<Group<'_>>> {
        let files = self.rows.files().iter();
        let all: Vec<Group<'_>> =
            files.flat_map(|file| file.metadata().row_groups().iter().map(move |group| (file, group))).collect();
        let bounds = || all.iter().map(|(_, group)| bounds(group, &self.schema)).collect();
        let Some(keep) = may_hold(state, &self.schema, filters, bounds)? else { return Ok(all) };
        Ok(all.into_iter().zip(keep).filter_map(|(group, keep)| keep.then_some(group)).collect())
    }

    fn scan_groups(
        &self,
        groups: &[Group<'_>],
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
        // A month's groups are dealt out one by one, so that all threads have as much to read.
        let mut dealt = vec![Vec::new(); threads.clamp(1, groups.len().max(1))];
        let threads = dealt.len();
        for (at, (file, group)) in groups.iter().enumerate() {
            dealt[at % threads].push(self.piece(file, group));
        }
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(dealt.into_iter().map(FileGroup::new).collect())
            .with_statistics(self.row_count(groups.iter().map(|(_, group)| rows_of(group)).sum()))
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// A group is read by whoever is to read the bytes among which its first column begins.
    fn piece(&self, file: &Arc<SessionFile>, group: &RowGroupMetaData) -> PartitionedFile {
        let first = group.column(0);
        let begin = first.dictionary_page_offset().unwrap_or_else(|| first.data_page_offset());
        let mut piece = PartitionedFile::new(file.name(), file.bytes())
            .with_range(begin, begin + 1)
            .with_statistics(Arc::new(self.row_count(rows_of(group))));
        piece.extensions.insert_arc(Arc::clone(file));
        piece
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
        let groups = self.groups(state, filters)?;
        if !groups.is_empty() {
            plans.push(self.scan_groups(&groups, threads, projection, limit, only)?);
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

fn rows_of(group: &RowGroupMetaData) -> usize {
    usize::try_from(group.num_rows()).unwrap_or(0)
}

/// What is known of the times of a group of rows.
fn bounds(group: &RowGroupMetaData, schema: &SchemaRef) -> Statistics {
    let mut statistics = Statistics::new_unknown(schema);
    for (known, field) in statistics.column_statistics.iter_mut().zip(schema.fields()) {
        let DataType::Timestamp(TimeUnit::Microsecond, zone) = field.data_type() else { continue };
        let of = group.columns().iter().find(|column| column.column_descr().name() == field.name());
        let Some(ParquetStatistics::Int64(found)) = of.and_then(|column| column.statistics()) else { continue };
        let at = |micros: Option<&i64>| match micros {
            Some(micros) => Precision::Exact(ScalarValue::TimestampMicrosecond(Some(*micros), zone.clone())),
            None => Precision::Absent,
        };
        let nulls = found.null_count_opt().and_then(|nulls| usize::try_from(nulls).ok());
        *known = ColumnStatistics {
            min_value: at(found.min_opt()),
            max_value: at(found.max_opt()),
            null_count: nulls.map_or(Precision::Absent, Precision::Exact),
            ..ColumnStatistics::new_unknown()
        };
    }
    statistics.num_rows = Precision::Exact(rows_of(group));
    statistics
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
