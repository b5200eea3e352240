//! What a statement reads, for DataFusion: tables of a snapshot, and sessions.

mod sessions;
mod snapshot;

use std::sync::Arc;

use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, exec_datafusion_err};
use datafusion::config::TableParquetOptions;
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;

pub(crate) use sessions::SessionTable;
pub(crate) use snapshot::{Place, SnapshotTable};

use crate::scope::{Barrier, Scope, is_harmless};

/// A table with rows of several hubs.
trait OfHubs: TableProvider {
    /// Every row that may satisfy `filters`, whosoever it is. What `only` says is looked up in footers as well.
    fn scan_all(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
        only: Option<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn ExecutionPlan>>;
}

/// The rows of `table` that `scope` allows.
fn scan_of(
    table: &dyn OfHubs,
    scope: &Scope,
    state: &dyn Session,
    projection: Option<&Vec<usize>>,
    filters: &[Expr],
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    match scope {
        Scope::All => table.scan_all(state, projection, filters, limit, None),
        Scope::Hub(hub) => scan_hub(table, hub, state, projection, filters),
    }
}

/// The rows of `hub`.
fn scan_hub(
    table: &dyn OfHubs,
    hub: &Arc<str>,
    state: &dyn Session,
    projection: Option<&Vec<usize>>,
    filters: &[Expr],
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = table.schema();
    let mut columns = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
    let width = columns.len();
    let hub_column = schema.index_of("hub")?;
    let hub_at = columns.iter().position(|column| *column == hub_column).unwrap_or(width);
    if hub_at == width {
        columns.push(hub_column);
    }
    let mut harmless: Vec<Expr> = filters.iter().filter(|filter| is_harmless(filter)).cloned().collect();
    harmless.push(col("hub").eq(lit(hub.as_ref())));
    let only =
        conjunction(harmless.iter().cloned()).ok_or_else(|| exec_datafusion_err!("a scan of one hub has no filter"))?;
    let only = state.create_physical_expr(only, &DFSchema::try_from(schema)?)?;
    let all = table.scan_all(state, Some(&columns), &harmless, None, Some(only))?;
    Ok(Arc::new(Barrier::new(all, Arc::clone(hub), hub_at, width)?))
}

/// Row filters while decoding were slower on our columns (tried), and no bloom filters are written.
fn parquet_options(has_page_index: bool) -> TableParquetOptions {
    let mut options = TableParquetOptions::default();
    options.global.pushdown_filters = false;
    options.global.bloom_filter_on_read = false;
    options.global.enable_page_index = has_page_index;
    options.global.skip_metadata = true;
    options
}
