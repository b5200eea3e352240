//! What may be asked: one statement that only reads, over our tables alone.
//!
//! Three looks, each enough for what it looks for: at the text (length), at the parsed statement (its kind, and the
//! names in it), and at the plan (an allow-list of nodes; patterns of LIKE). There is nothing else to reach: no other
//! catalogue, no file formats, no object store but that of the tables.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use datafusion::common::TableReference;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{Query, SetExpr, Statement as Sql, Visit, Visitor};

use crate::error::QueryError;
use crate::limits::Limits;
use crate::nearest::nearest;
use crate::views;

/// Nesting of a statement. Generated SQL stays under 20; the parser uses stack for each level.
const DEPTH_MAX: usize = 50;

/// Length of a LIKE pattern: it is compiled like a regular expression.
const LIKE_BYTES_MAX: usize = 1_000;

/// What to say when a statement is not a question.
const ONLY_READS: &str = "only one SELECT, WITH, VALUES or EXPLAIN statement can be asked";

/// Parses `sql`, and refuses what is not one statement that reads.
pub(crate) fn parse(sql: &str, limits: &Limits) -> Result<Statement, QueryError> {
    if sql.len() > limits.statement_bytes_max {
        return Err(QueryError::Refused(format!(
            "the statement has {} bytes; at most {} are allowed",
            sql.len(),
            limits.statement_bytes_max
        )));
    }
    let statements = read(sql).map_err(|error| QueryError::planning(error, limits.memory_bytes_max))?;
    let statement = only(statements)?;
    check_kind(&statement)?;
    Ok(statement)
}

fn read(sql: &str) -> datafusion::error::Result<VecDeque<Statement>> {
    DFParserBuilder::new(sql).with_recursion_limit(DEPTH_MAX).build()?.parse_statements()
}

fn only(mut statements: VecDeque<Statement>) -> Result<Statement, QueryError> {
    match (statements.pop_front(), statements.len()) {
        (Some(statement), 0) => Ok(statement),
        (None, _) => Err(QueryError::Refused(format!("the statement is empty; {ONLY_READS}"))),
        (_, more) => Err(QueryError::Refused(format!("there are {} statements; {ONLY_READS}", more + 1))),
    }
}

fn check_kind(statement: &Statement) -> Result<(), QueryError> {
    match statement {
        Statement::Statement(sql) => check_sql(sql),
        Statement::Explain(explain) => check_kind(&explain.statement),
        Statement::CreateExternalTable(_) => Err(refused("CREATE EXTERNAL TABLE")),
        Statement::CopyTo(_) => Err(refused("COPY")),
        Statement::Reset(_) => Err(refused("RESET")),
    }
}

fn check_sql(statement: &Sql) -> Result<(), QueryError> {
    match statement.visit(&mut Reads) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(found) => Err(refused(&found)),
    }
}

fn refused(found: &str) -> QueryError {
    QueryError::Refused(format!("{found} is not allowed; {ONLY_READS}"))
}

/// Looks at every statement and query inside a statement.
struct Reads;

impl Visitor for Reads {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &Sql) -> ControlFlow<String> {
        match statement {
            Sql::Query(_) | Sql::Explain { .. } => ControlFlow::Continue(()),
            other => ControlFlow::Break(first_word(&other.to_string())),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        if !query.locks.is_empty() {
            return ControlFlow::Break("FOR UPDATE or FOR SHARE".to_owned());
        }
        check_body(&query.body)
    }
}

fn check_body(body: &SetExpr) -> ControlFlow<String> {
    match body {
        SetExpr::Select(select) if select.into.is_some() => ControlFlow::Break("SELECT INTO".to_owned()),
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
        SetExpr::SetOperation { left, right, .. } => {
            check_body(left)?;
            check_body(right)
        }
        other => ControlFlow::Break(first_word(&other.to_string())),
    }
}

/// `INSERT INTO …` → `INSERT`.
fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or("this").to_uppercase()
}

/// The relations that `statement` names, each known.
pub(crate) fn relations(state: &SessionState, statement: &Statement) -> Result<Vec<views::Relation>, QueryError> {
    let named = state.resolve_table_references(statement).map_err(|error| QueryError::planning(error, 0))?;
    named.iter().map(relation).collect()
}

fn relation(reference: &TableReference) -> Result<views::Relation, QueryError> {
    let bare = match reference {
        TableReference::Bare { table } => views::find(table),
        _ => None,
    };
    bare.ok_or_else(|| {
        let name = reference.to_string();
        QueryError::UnknownTable {
            nearest: nearest(reference.table(), views::names()),
            known: views::names().map(str::to_owned).collect(),
            name,
        }
    })
}

/// Refuses a plan with a node that does not only read, and patterns that could take for ever.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut problem = None;
    let walked = plan.apply_with_subqueries(|node| {
        problem = check_node(node).or_else(|| check_expressions(node));
        Ok(if problem.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match (walked, problem) {
        (Ok(_), None) => Ok(()),
        (Ok(_), Some(problem)) => Err(QueryError::Refused(problem)),
        (Err(error), _) => Err(QueryError::planning(error, 0)),
    }
}

fn check_node(node: &LogicalPlan) -> Option<String> {
    match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Unnest(_) => None,
        LogicalPlan::RecursiveQuery(_) => Some("WITH RECURSIVE is not allowed: it need not end".to_owned()),
        LogicalPlan::Statement(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::DescribeTable(_) => Some(format!("this statement is not allowed; {ONLY_READS}")),
    }
}

fn check_expressions(node: &LogicalPlan) -> Option<String> {
    let mut problem = None;
    let walked = node.apply_expressions(|expression| {
        expression.apply(|part| {
            problem = check_expression(part);
            Ok(if problem.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    });
    walked.err().map(|error| error.strip_backtrace()).or(problem)
}

fn check_expression(expression: &Expr) -> Option<String> {
    match expression {
        Expr::SimilarTo(_) => Some("SIMILAR TO is not allowed; use regexp_like(text, 'pattern')".to_owned()),
        Expr::Like(like) => match like.pattern.as_ref() {
            Expr::Literal(value, _) => check_pattern(value),
            Expr::Cast(cast) if matches!(cast.expr.as_ref(), Expr::Literal(..)) => match cast.expr.as_ref() {
                Expr::Literal(value, _) => check_pattern(value),
                _ => None,
            },
            Expr::Placeholder(_) => None,
            _ => {
                Some("the pattern of LIKE must be a text between quotes; for others use strpos(text, part)".to_owned())
            }
        },
        _ => None,
    }
}

fn check_pattern(value: &ScalarValue) -> Option<String> {
    let bytes = value.try_as_str().flatten().map_or(0, str::len);
    (bytes > LIKE_BYTES_MAX)
        .then(|| format!("the pattern of LIKE has {bytes} bytes; at most {LIKE_BYTES_MAX} are allowed"))
}

/// How many calls of functions the plan holds, for their shares of memory.
pub(crate) fn calls(plan: &LogicalPlan) -> usize {
    let mut calls = 0;
    let counted = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                calls += usize::from(matches!(part, Expr::ScalarFunction(_)));
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(TreeNodeRecursion::Continue)
    });
    // A plan that cannot be walked gets the smallest shares; it will not get far.
    if counted.is_ok() { calls } else { usize::MAX }
}
