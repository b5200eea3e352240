//! Operators that are functions in disguise, planned as those functions, so that the same bounds hold.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::sqlparser::ast::BinaryOperator;
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF, cast, lit, not};

use super::concat::Joined;

/// Plans `||` between texts and the matching operators `~`, `~*`, `!~`, `!~*`.
#[derive(Debug)]
pub(crate) struct Operators {
    joined: Arc<ScalarUDF>,
    matches: Arc<ScalarUDF>,
}

impl Operators {
    /// With the bounded `regexp_like`.
    pub(crate) fn new(matches: Arc<ScalarUDF>) -> Self {
        Self { joined: Arc::new(ScalarUDF::from(Joined::new())), matches }
    }

    fn matching(&self, expr: RawBinaryExpr, ignore_case: bool) -> Expr {
        let mut args = vec![expr.left, expr.right];
        if ignore_case {
            args.push(lit("i"));
        }
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&self.matches), args))
    }
}

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let planned = match expr.op {
            BinaryOperator::StringConcat if is_scalar(&expr.left, schema) && is_scalar(&expr.right, schema) => {
                let args = vec![cast(expr.left, DataType::Utf8View), cast(expr.right, DataType::Utf8View)];
                Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&self.joined), args))
            }
            BinaryOperator::PGRegexMatch => self.matching(expr, false),
            BinaryOperator::PGRegexIMatch => self.matching(expr, true),
            BinaryOperator::PGRegexNotMatch => not(self.matching(expr, false)),
            BinaryOperator::PGRegexNotIMatch => not(self.matching(expr, true)),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        Ok(PlannerResult::Planned(planned))
    }
}

/// Whether it is known to be a single value; lists are joined by `array_concat`, which is bounded itself.
fn is_scalar(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|found| !found.is_nested())
}
