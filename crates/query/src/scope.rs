//! Whose rows an answer may be made of.
//!
//! A question within the scope of one hub sees tables that hold that hub's rows and no other, whatever its SQL says:
//! the rows of others are taken away directly above the files and the tail, in an operator of which the rest of the
//! plan knows only that it gives rows. Nothing of the question is worked out below it: a filter that fails on some
//! value, or a figure on how many rows were read, would tell of what it was not to see.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, Operator};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::StreamExt;

/// Whose rows an answer may be made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everybody's.
    #[default]
    All,
    /// Those of one hub.
    Hub(Arc<str>),
}

impl Scope {
    /// The hub, if it is one.
    pub fn hub(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Hub(hub) => Some(hub),
        }
    }

    /// Whether it allows rows of `hub`.
    pub fn allows(&self, hub: &str) -> bool {
        self.hub().is_none_or(|own| own == hub)
    }
}

/// Gives the rows of `inner` in which the column `hub` is the hub's, without that column where it was not asked for.
/// It has no children, so that no rule of the optimiser looks or moves anything into them.
#[derive(Debug)]
pub(crate) struct Barrier {
    inner: Arc<dyn ExecutionPlan>,
    hub: Arc<str>,
    /// Place of the column `hub` in the rows of `inner`.
    hub_at: usize,
    /// How many of the columns of `inner`, from the first, are given on.
    width: usize,
    properties: Arc<PlanProperties>,
}

impl Barrier {
    /// The rows of `inner` that are `hub`'s.
    pub(crate) fn new(inner: Arc<dyn ExecutionPlan>, hub: Arc<str>, hub_at: usize, width: usize) -> Result<Self> {
        let kept: Vec<usize> = (0..width).collect();
        let schema: SchemaRef = Arc::new(inner.schema().project(&kept)?);
        let partitions = inner.properties().output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { inner, hub, hub_at, width, properties: Arc::new(properties) })
    }
}

/// The rows of `batch` that are `hub`'s, without columns beyond `width`.
fn only(batch: &RecordBatch, hub: &str, hub_at: usize, width: usize) -> Result<RecordBatch> {
    let Some(hubs) = batch.columns().get(hub_at) else { return exec_err!("the table has no column 'hub'") };
    let is_own: BooleanArray = match hubs.data_type() {
        DataType::Utf8View => {
            datafusion::arrow::array::AsArray::as_string_view(hubs).iter().map(|own| Some(own == Some(hub))).collect()
        }
        kind => return exec_err!("the column 'hub' is of type {kind}, not text"),
    };
    let kept: Vec<usize> = (0..width).collect();
    Ok(filter_record_batch(&batch.project(&kept)?, &is_own)?)
}

impl DisplayAs for Barrier {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Barrier: hub={}", self.hub)
    }
}

impl ExecutionPlan for Barrier {
    fn name(&self) -> &'static str {
        "Barrier"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _apply: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (hub, hub_at, width) = (Arc::clone(&self.hub), self.hub_at, self.width);
        let rows = self.inner.execute(partition, context)?;
        let own = rows.map(move |batch| only(&batch?, &hub, hub_at, width));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), own)))
    }
}

/// Whether `filter` can be worked out on any row without an error, so that it may say which files to leave unread: a
/// column compared with values, or looked at whether it has one.
pub(crate) fn is_harmless(filter: &Expr) -> bool {
    match filter {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::And | Operator::Or => is_harmless(&binary.left) && is_harmless(&binary.right),
            Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
                is_plain(&binary.left) && is_plain(&binary.right)
            }
            _ => false,
        },
        Expr::IsNull(one) | Expr::IsNotNull(one) => matches!(one.as_ref(), Expr::Column(_)),
        Expr::InList(list) => {
            matches!(list.expr.as_ref(), Expr::Column(_))
                && list.list.iter().all(|value| matches!(value, Expr::Literal(..)))
        }
        _ => false,
    }
}

/// A column, a value, or the greatest or least of some.
fn is_plain(operand: &Expr) -> bool {
    match operand {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::ScalarFunction(call) => matches!(call.name(), "greatest" | "least") && call.args.iter().all(is_plain),
        _ => false,
    }
}
