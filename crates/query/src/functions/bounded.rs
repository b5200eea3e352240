//! DataFusion's functions that return more than they are given, or take longer than their input is long, with bounds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::scalar::ScalarValue;

use super::budget::Budget;
use super::text::{all_constant, lengths};
use crate::error::Stopped;

/// Length of a regular expression. Its compiled size, and so the time for a byte of text, grows with it.
pub(crate) const PATTERN_BYTES_MAX: usize = 1_000;

/// Rows of the first step of a slow function; then as many as fill [`STEP_TIME`], so that the clock is looked at often
/// whatever a row costs (a pattern is compiled anew for each step, which a longer step makes up for).
const STEP_ROWS: usize = 16;

/// How long a step should take.
const STEP_TIME: Duration = Duration::from_millis(20);

/// Cells of a table of edit distances that one pair of texts may need: about 10 ms.
const PAIR_CELLS_MAX: u128 = 4_000_000;

/// How the size of a result follows from its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Growth {
    /// All arguments together.
    Sum,
    /// The first, with the argument of that number put in at every place.
    Inserted(usize),
    /// The first, as often as the argument of that number says.
    Times(usize),
    /// A text of as many characters as the argument of that number says.
    Padded(usize),
    /// A regular expression over the first: slow, and inserted when it replaces.
    Pattern { replacement: Option<usize> },
    /// The product of two texts, in time.
    Pairs,
}

/// What is replaced. Aliases follow their function.
const BOUNDED: [(&str, Growth); 25] = [
    ("concat", Growth::Sum),
    ("concat_ws", Growth::Inserted(0)),
    ("overlay", Growth::Sum),
    ("translate", Growth::Inserted(2)),
    ("replace", Growth::Inserted(2)),
    ("repeat", Growth::Times(1)),
    ("lpad", Growth::Padded(1)),
    ("rpad", Growth::Padded(1)),
    ("to_char", Growth::Inserted(1)),
    ("make_array", Growth::Sum),
    ("array_append", Growth::Sum),
    ("array_prepend", Growth::Sum),
    ("array_concat", Growth::Sum),
    ("array_union", Growth::Sum),
    ("array_to_string", Growth::Inserted(1)),
    ("array_replace_all", Growth::Inserted(2)),
    ("string_to_array", Growth::Sum),
    ("map", Growth::Sum),
    ("regexp_like", Growth::Pattern { replacement: None }),
    ("regexp_count", Growth::Pattern { replacement: None }),
    ("regexp_instr", Growth::Pattern { replacement: None }),
    ("regexp_match", Growth::Pattern { replacement: None }),
    ("regexp_replace", Growth::Pattern { replacement: Some(2) }),
    ("levenshtein", Growth::Pairs),
    ("array_distance", Growth::Sum),
];

/// The functions of `state` that need bounds, with bounds.
pub(crate) fn replacements(state: &SessionState) -> Vec<ScalarUDF> {
    let bound = |(name, growth): &(&str, Growth)| {
        let inner = Arc::clone(state.scalar_functions().get(*name)?);
        Some(ScalarUDF::from(Bounded { inner, growth: *growth }))
    };
    BOUNDED.iter().filter_map(bound).collect()
}

/// A function with a look at what it would make before it is called.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let options = Arc::clone(&args.config_options);
        let Some(budget) = Budget::of(&options) else {
            return self.inner.invoke_with_args(args);
        };
        budget.check_time()?;
        let rows = if all_constant(&args.args) { 1 } else { args.number_rows };
        budget.check_bytes(self.name(), self.growth.bytes(&args.args, rows))?;
        match self.growth {
            Growth::Pattern { .. } => {
                check_pattern(self.name(), &args.args)?;
                self.in_steps(args, budget)
            }
            Growth::Pairs => {
                check_pairs(self.name(), &args.args)?;
                self.in_steps(args, budget)
            }
            _ => self.inner.invoke_with_args(args),
        }
    }
}

impl Bounded {
    /// Calls the function on a few rows at a time, with a look at the clock between.
    fn in_steps(&self, args: ScalarFunctionArgs, budget: &Budget) -> Result<ColumnarValue> {
        if args.number_rows <= STEP_ROWS || all_constant(&args.args) {
            return self.inner.invoke_with_args(args);
        }
        let mut done: Vec<ArrayRef> = Vec::new();
        let (mut from, mut step_rows) = (0, STEP_ROWS);
        while from < args.number_rows {
            budget.check_time()?;
            let began = Instant::now();
            let rows = step_rows.min(args.number_rows - from);
            done.push(self.inner.invoke_with_args(slice(&args, from, rows))?.into_array(rows)?);
            from += rows;
            step_rows = if began.elapsed() < STEP_TIME { step_rows * 4 } else { (step_rows / 2).max(1) };
        }
        let parts: Vec<&dyn Array> = done.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(concat(&parts)?))
    }
}

fn slice(args: &ScalarFunctionArgs, from: usize, rows: usize) -> ScalarFunctionArgs {
    let cut = |arg: &ColumnarValue| match arg {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(from, rows)),
        ColumnarValue::Scalar(scalar) => ColumnarValue::Scalar(scalar.clone()),
    };
    ScalarFunctionArgs {
        args: args.args.iter().map(cut).collect(),
        arg_fields: args.arg_fields.clone(),
        number_rows: rows,
        return_field: Arc::clone(&args.return_field),
        config_options: Arc::clone(&args.config_options),
    }
}

impl Growth {
    /// At most so many bytes come out.
    fn bytes(self, args: &[ColumnarValue], rows: usize) -> u128 {
        let sum: u128 = args.iter().map(|arg| lengths(arg, rows).total).sum();
        let inserted =
            |at: usize| (sum + rows as u128) * (1 + args.get(at).map_or(0, |arg| lengths(arg, rows).longest));
        match self {
            Self::Sum | Self::Pairs | Self::Pattern { replacement: None } => sum,
            Self::Inserted(at) | Self::Pattern { replacement: Some(at) } => inserted(at),
            Self::Times(at) => {
                let first = args.first().map_or(0, |arg| lengths(arg, rows).longest);
                first * args.get(at).map_or(0, largest) * rows as u128
            }
            // A character is at most four bytes.
            Self::Padded(at) => sum + 4 * args.get(at).map_or(0, largest) * rows as u128,
        }
    }
}

/// The largest of the numbers of an argument, none counting as 0.
fn largest(value: &ColumnarValue) -> u128 {
    let one = |scalar: &ScalarValue| match scalar.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(Some(number))) => u128::try_from(number).unwrap_or(0),
        _ => 0,
    };
    match value {
        ColumnarValue::Scalar(scalar) => one(scalar),
        ColumnarValue::Array(array) => (0..array.len())
            .filter_map(|row| ScalarValue::try_from_array(array, row).ok())
            .map(|scalar| one(&scalar))
            .max()
            .unwrap_or(0),
    }
}

fn check_pattern(function: &str, args: &[ColumnarValue]) -> Result<(), Stopped> {
    let longest = args.get(1).map_or(0, |pattern| lengths(pattern, 1).longest);
    if longest > PATTERN_BYTES_MAX as u128 {
        return Err(Stopped::Memory(format!(
            "the pattern of {function} has {longest} bytes; at most {PATTERN_BYTES_MAX} are allowed"
        )));
    }
    Ok(())
}

fn check_pairs(function: &str, args: &[ColumnarValue]) -> Result<(), Stopped> {
    let cells: u128 = args.iter().map(|arg| lengths(arg, 1).longest.max(1)).product();
    if cells > PAIR_CELLS_MAX {
        return Err(Stopped::Memory(format!(
            "{function} of two long texts; the product of their lengths may be {PAIR_CELLS_MAX}"
        )));
    }
    Ok(())
}
