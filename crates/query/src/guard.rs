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
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Query, SetExpr, Statement as Sql, Visit, Visitor};

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::QueryError;
use crate::limits::Limits;
use crate::nearest::nearest;
use crate::rollup::FactTable;
use crate::views;

/// Nesting of a statement. Generated SQL stays under 20; the parser uses stack for each level.
const DEPTH_MAX: usize = 50;

/// Words and signs of a statement. `1+1+1…` nests as deeply as it has signs, wherever it is walked or dropped; half of
/// this fits the stack of the engine's threads several times. A list of 9,000 values is still possible.
const TOKENS_MAX: usize = 20_000;

/// Operators (`+`, `AND`, …) of a statement. Planning takes time in the square of a chain of them and cannot be
/// interrupted: 1,000 are planned in well under a second.
const OPERATORS_MAX: usize = 1_000;

/// SELECTs of a statement, however they are joined, for the same reason.
const SELECTS_MAX: usize = 200;

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
    check_tokens(sql, limits)?;
    let statements = read(sql).map_err(|error| QueryError::planning(error, limits.memory_bytes_max))?;
    let statement = only(statements)?;
    check_kind(&statement)?;
    Ok(statement)
}

fn check_tokens(sql: &str, limits: &Limits) -> Result<(), QueryError> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize()
        .map_err(|error| QueryError::planning(ParserError::from(error).into(), limits.memory_bytes_max))?;
    let count = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).count();
    if count > TOKENS_MAX {
        return Err(QueryError::Refused(format!(
            "the statement has {count} words and signs; at most {TOKENS_MAX} are allowed"
        )));
    }
    Ok(())
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
    match statement.visit(&mut Look::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(problem) => Err(QueryError::Refused(problem)),
    }
}

fn refused(found: &str) -> QueryError {
    QueryError::Refused(not_allowed(found))
}

fn not_allowed(found: &str) -> String {
    format!("{found} is not allowed; {ONLY_READS}")
}

/// Looks at every statement, query and expression inside a statement, and counts what planning takes long for.
#[derive(Default)]
struct Look {
    operators: usize,
    selects: usize,
}

impl Visitor for Look {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &Sql) -> ControlFlow<String> {
        match statement {
            Sql::Query(_) | Sql::Explain { .. } => ControlFlow::Continue(()),
            other => ControlFlow::Break(not_allowed(&first_word(&other.to_string()))),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        if !query.locks.is_empty() {
            return ControlFlow::Break(not_allowed("FOR UPDATE or FOR SHARE"));
        }
        self.body(&query.body)?;
        at_most(self.selects, SELECTS_MAX, "SELECTs")
    }

    fn pre_visit_expr(&mut self, expression: &SqlExpr) -> ControlFlow<String> {
        self.operators += usize::from(matches!(expression, SqlExpr::BinaryOp { .. } | SqlExpr::UnaryOp { .. }));
        at_most(self.operators, OPERATORS_MAX, "operators")
    }
}

impl Look {
    /// Set operations nest to the left as deeply as they are many, so this walks them in a loop.
    fn body(&mut self, body: &SetExpr) -> ControlFlow<String> {
        let mut left_to_see = vec![body];
        while let Some(body) = left_to_see.pop() {
            match body {
                SetExpr::Select(select) if select.into.is_some() => {
                    return ControlFlow::Break(not_allowed("SELECT INTO"));
                }
                SetExpr::Select(_) => self.selects += 1,
                SetExpr::Query(_) | SetExpr::Values(_) => {}
                SetExpr::SetOperation { left, right, .. } => left_to_see.extend([left.as_ref(), right.as_ref()]),
                other => return ControlFlow::Break(not_allowed(&first_word(&other.to_string()))),
            }
        }
        ControlFlow::Continue(())
    }
}

fn at_most(count: usize, max: usize, what: &str) -> ControlFlow<String> {
    if count > max {
        return ControlFlow::Break(format!("the statement has more than {max} {what}; ask in several steps"));
    }
    ControlFlow::Continue(())
}

/// `INSERT INTO …` → `INSERT`.
fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or("this").to_uppercase()
}

/// What a statement names.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) relations: Vec<views::Relation>,
    /// Tables of facts, by name.
    pub(crate) facts: Vec<(String, FactTable)>,
    /// Whether [`ROWS`] is among it.
    pub(crate) has_rows: bool,
}

/// What else a statement may name, where there are any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beside {
    /// Tables of facts.
    pub(crate) facts: bool,
    /// Rows of the question that it belongs to, as [`ROWS`].
    pub(crate) rows: bool,
}

/// The name of the rows that a question's own statement answered with.
pub(crate) const ROWS: &str = "answered";

/// What `statement` names, each known. Functions in the place of a table name none; those there are
/// (`generate_series`) make rows and read nothing.
pub(crate) fn named(state: &SessionState, statement: &Statement, beside: Beside) -> Result<Named, QueryError> {
    let references = state.resolve_table_references(statement).map_err(|error| QueryError::planning(error, 0))?;
    let mut named = Named::default();
    for reference in references.iter().filter(|reference| !is_function(state, reference)) {
        if beside.rows && matches!(reference, TableReference::Bare { table } if table.as_ref() == ROWS) {
            named.has_rows = true;
            continue;
        }
        match fact_table(reference).filter(|_| beside.facts) {
            Some(table) => named.facts.push(table),
            None => named.relations.push(relation(reference)?),
        }
    }
    Ok(named)
}

fn fact_table(reference: &TableReference) -> Option<(String, FactTable)> {
    match reference {
        TableReference::Bare { table } => Some((table.to_string(), FactTable::named(table)?)),
        _ => None,
    }
}

fn is_function(state: &SessionState, reference: &TableReference) -> bool {
    matches!(reference, TableReference::Bare { table } if state.table_functions().contains_key(table.as_ref()))
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
