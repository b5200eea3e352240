//! Which parts, or groups of rows of a file, can hold a row that a query wants, by the bounds that are known of each.
//!
//! The bounds are taken as exact here and nowhere else. Those of times of parts are widened first: other writers of
//! Delta tables cut times to the millisecond.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, Statistics};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::scalar::ScalarValue;
use event::EventTime;
use store::Part;

/// What a time's bound may be off by.
const TIME_SLACK_MICROS: i64 = 1_000;

/// The parts that may hold a row which satisfies all `filters`.
pub(crate) fn kept<'a>(
    state: &dyn Session,
    schema: &SchemaRef,
    parts: &'a [Part],
    filters: &[Expr],
) -> Result<Vec<&'a Part>> {
    let keep = may_hold(state, schema, filters, || parts.iter().map(|part| bounds(part, schema)).collect())?;
    let Some(keep) = keep else { return Ok(parts.iter().collect()) };
    Ok(parts.iter().zip(keep).filter_map(|(part, keep)| keep.then_some(part)).collect())
}

/// Which of those whose `bounds` these are may hold a row that satisfies all `filters`; `None` where all may.
pub(crate) fn may_hold(
    state: &dyn Session,
    schema: &SchemaRef,
    filters: &[Expr],
    bounds: impl FnOnce() -> Vec<Statistics>,
) -> Result<Option<Vec<bool>>> {
    let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(None) };
    let filter = state.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(schema))?)?;
    // A filter that pruning cannot use (functions of several columns) is no error: then everything is read.
    let Ok(predicate) = PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).try_build(filter) else {
        return Ok(None);
    };
    let bounds: Vec<Arc<Statistics>> = bounds().into_iter().map(Arc::new).collect();
    // Pruning nothing is no error either, but a warning of DataFusion's for each bound.
    if bounds.is_empty() {
        return Ok(None);
    }
    predicate.prune(&PrunableStatistics::new(bounds, Arc::clone(schema))).map(Some)
}

/// What is known of the columns of `part`.
fn bounds(part: &Part, schema: &SchemaRef) -> Statistics {
    let mut statistics = Statistics::new_unknown(schema);
    for (column, field) in statistics.column_statistics.iter_mut().zip(schema.fields()) {
        let known = match field.name().as_str() {
            "time" => part.time.and_then(|bounds| times(bounds, field.data_type())),
            "received" => part.received.and_then(|bounds| times(bounds, field.data_type())),
            "schema" => part.schema.as_ref().map(texts),
            "hub" => part.hub.as_ref().map(texts),
            _ => None,
        };
        if let Some((min, max)) = known {
            *column = ColumnStatistics {
                min_value: Precision::Exact(min),
                max_value: Precision::Exact(max),
                ..ColumnStatistics::new_unknown()
            };
        }
    }
    statistics
}

fn times((min, max): (EventTime, EventTime), kind: &DataType) -> Option<(ScalarValue, ScalarValue)> {
    let DataType::Timestamp(_, zone) = kind else { return None };
    let at = |micros: i64| ScalarValue::TimestampMicrosecond(Some(micros), zone.clone());
    let wide = (min.micros().saturating_sub(TIME_SLACK_MICROS), max.micros().saturating_add(TIME_SLACK_MICROS));
    Some((at(wide.0), at(wide.1)))
}

fn texts((min, max): &(Arc<str>, Arc<str>)) -> (ScalarValue, ScalarValue) {
    (ScalarValue::Utf8View(Some(min.to_string())), ScalarValue::Utf8View(Some(max.to_string())))
}
