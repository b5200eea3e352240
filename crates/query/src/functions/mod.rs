//! The functions that we add to SQL, and those of DataFusion that we take away or put bounds on.

mod at_once;
mod bounded;
mod budget;
mod concat;
mod field;
mod items;
mod local;
mod local_hour;
mod operators;
mod pointer;
mod present;
mod quantile;
mod repeat_key;
mod spans;
mod spec;
mod starts;
mod text;
mod within;
mod workshops;

use std::sync::Arc;

use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

pub(crate) use budget::Budget;

/// Functions that make values of any size from a number alone. The table function `generate_series` stays.
const REMOVED: [&str; 6] = ["range", "gen_series", "generate_series", "array_repeat", "list_repeat", "array_resize"];

/// The two arguments of a function that takes two; its signature sees to that.
fn take_two(args: &[ColumnarValue]) -> Result<[&ColumnarValue; 2]> {
    match args {
        [first, second] => Ok([first, second]),
        _ => exec_err!("this function takes two arguments"),
    }
}

/// The argument of a function that takes one.
fn take_one(args: &[ColumnarValue]) -> Result<[&ColumnarValue; 1]> {
    match args {
        [first] => Ok([first]),
        _ => exec_err!("this function takes one argument"),
    }
}

/// Our own scalar functions.
fn ours() -> Vec<ScalarUDF> {
    vec![
        ScalarUDF::from(field::Field::new()),
        ScalarUDF::from(items::Items::new()),
        ScalarUDF::from(local::Local::date()),
        ScalarUDF::from(local::Local::week()),
        ScalarUDF::from(local::Local::month()),
        ScalarUDF::from(local_hour::LocalHour::new()),
        ScalarUDF::from(spans::Spans::by_day()),
        ScalarUDF::from(spans::Spans::by_hour()),
        ScalarUDF::from(spec::SpecPart::repo()),
        ScalarUDF::from(spec::SpecPart::reference()),
        ScalarUDF::from(spec::RepoKey::new()),
        ScalarUDF::from(repeat_key::KeyOf::new()),
        ScalarUDF::from(repeat_key::RepeatKey::new()),
    ]
}

/// Registers our functions, replaces those that need bounds, and removes those that cannot have any.
pub(crate) fn install(state: SessionState) -> Result<SessionState> {
    let mut state = state;
    for name in REMOVED.into_iter().chain(["list_resize"]) {
        state.deregister_udf(name)?;
    }
    for bounded in bounded::replacements(&state) {
        state.register_udf(Arc::new(bounded))?;
    }
    for function in ours() {
        state.register_udf(Arc::new(function))?;
    }
    state.register_udaf(Arc::new(quantile::length_percentiles()))?;
    let others = [present::people_by_day(), starts::most_starts_by_day(), workshops::workshops()];
    for function in at_once::all().into_iter().chain(others) {
        state.register_udaf(Arc::new(function))?;
    }
    let matches = state.udf("regexp_like")?;
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(operators::Operators::new(matches))];
    planners.extend(state.expr_planners().iter().cloned());
    Ok(SessionStateBuilder::new_from_existing(state).with_expr_planners(planners).build())
}
