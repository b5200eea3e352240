//! Why there is no answer.

use std::time::Duration;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::nearest::{hint, nearest};

/// Why a question has no answer. Each says what, where, and what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The statement is not one that may be asked.
    #[error("{0}")]
    Refused(String),
    /// The text is not SQL.
    #[error("{0}")]
    Syntax(String),
    /// No table or view has that name.
    #[error("there is no table '{name}'{}; the tables are {}", hint(nearest), known.join(", "))]
    UnknownTable {
        /// As written.
        name: String,
        /// What resembles it.
        nearest: Vec<String>,
        /// All there are.
        known: Vec<String>,
    },
    /// No column in scope has that name.
    #[error("there is no column '{name}' here{}; the columns are {}", hint(nearest), known.join(", "))]
    UnknownColumn {
        /// As written.
        name: String,
        /// What resembles it.
        nearest: Vec<String>,
        /// All in scope.
        known: Vec<String>,
    },
    /// It is SQL over known names, but makes no sense (types, functions, grouping).
    #[error("{0}")]
    Invalid(String),
    /// A parameter is missing, unknown, or of the wrong form.
    #[error("parameter '{name}': {problem}")]
    Parameter {
        /// Its name.
        name: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The catalogue has no such question.
    #[error("there is no KPI '{id}'{}", hint(nearest))]
    UnknownKpi {
        /// As written.
        id: String,
        /// What resembles it.
        nearest: Vec<String>,
    },
    /// The values led to an error (division by zero, a text that is no number).
    #[error("{0}")]
    Failed(String),
    /// It took too long and was stopped.
    #[error("the query was stopped after {} s; ask for a shorter time range or fewer columns", .limit.as_secs_f64())]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// It needed too much memory and was stopped.
    #[error(
        "the query was stopped because it needed more than its share of {} MiB of memory ({detail}); ask for a shorter \
         time range or fewer groups",
        limit_bytes >> 20
    )]
    TooMuchMemory {
        /// The limit, shared by all running queries.
        limit_bytes: usize,
        /// Which part of the query.
        detail: String,
    },
    /// Other queries took every place until the time was over.
    #[error("no place was free for the query within {} s; ask again in a moment", .limit.as_secs_f64())]
    Busy {
        /// How long it waited.
        limit: Duration,
    },
    /// All sessions are being made anew.
    #[error(
        "sessions are being made anew from events, {done} of {total} stretches of time are done; ask again in a while"
    )]
    Making {
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// The table could not be read, or the engine has a fault. Not the caller's doing.
    #[error("the data could not be read: {0}")]
    Data(String),
}

impl QueryError {
    /// Stable code, for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Syntax(_) => "syntax",
            Self::UnknownTable { .. } => "unknown_table",
            Self::UnknownColumn { .. } => "unknown_column",
            Self::Invalid(_) => "invalid",
            Self::Parameter { .. } => "parameter",
            Self::UnknownKpi { .. } => "unknown_kpi",
            Self::Failed(_) => "failed",
            Self::TimedOut { .. } => "timed_out",
            Self::TooMuchMemory { .. } => "too_much_memory",
            Self::Busy { .. } => "busy",
            Self::Making { .. } => "making",
            Self::Data(_) => "data",
        }
    }

    /// Whether another question could succeed where this one did not; if not, the fault is ours.
    pub fn is_callers(&self) -> bool {
        !matches!(self, Self::Data(_) | Self::Busy { .. } | Self::Making { .. })
    }

    /// Translates an error of planning.
    pub(crate) fn planning(error: DataFusionError, memory_bytes_max: usize) -> Self {
        translate(error, memory_bytes_max, Self::Invalid)
    }

    /// Translates an error of running.
    pub(crate) fn running(error: DataFusionError, memory_bytes_max: usize) -> Self {
        translate(error, memory_bytes_max, Self::Failed)
    }
}

fn translate(error: DataFusionError, memory_bytes_max: usize, other: fn(String) -> QueryError) -> QueryError {
    match innermost(&error) {
        DataFusionError::SQL(problem, _) => QueryError::Syntax(syntax(&problem.to_string())),
        DataFusionError::SchemaError(problem, _) => schema(problem, other),
        DataFusionError::ResourcesExhausted(detail) => {
            QueryError::TooMuchMemory { limit_bytes: memory_bytes_max, detail: first_line(detail) }
        }
        DataFusionError::ObjectStore(problem) => QueryError::Data(problem.to_string()),
        DataFusionError::IoError(problem) => QueryError::Data(problem.to_string()),
        DataFusionError::ParquetError(problem) => QueryError::Data(problem.to_string()),
        DataFusionError::Internal(detail) => QueryError::Data(first_line(detail)),
        DataFusionError::External(problem) => match problem.downcast_ref::<Stopped>() {
            Some(Stopped::Deadline(limit)) => QueryError::TimedOut { limit: *limit },
            Some(Stopped::Memory(detail)) => {
                QueryError::TooMuchMemory { limit_bytes: memory_bytes_max, detail: detail.clone() }
            }
            None => other(first_line(&problem.to_string())),
        },
        DataFusionError::Plan(detail) | DataFusionError::NotImplemented(detail) => {
            QueryError::Invalid(first_line(detail))
        }
        // A constant is worked out while planning; its error is still one of values.
        DataFusionError::Execution(detail) => QueryError::Failed(first_line(detail)),
        DataFusionError::ArrowError(problem, _) => QueryError::Failed(first_line(&problem.to_string())),
        found => other(first_line(&found.strip_backtrace())),
    }
}

/// The error that wrappers (context, diagnostics, sharing) are around.
fn innermost(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => innermost(inner),
        DataFusionError::Shared(inner) => innermost(inner),
        DataFusionError::Collection(all) => all.first().map_or(error, innermost),
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            datafusion::arrow::error::ArrowError::ExternalError(source) => {
                source.downcast_ref::<DataFusionError>().map_or(error, innermost)
            }
            _ => error,
        },
        DataFusionError::External(source) => source.downcast_ref::<DataFusionError>().map_or(error, innermost),
        found => found,
    }
}

fn schema(problem: &SchemaError, other: fn(String) -> QueryError) -> QueryError {
    let SchemaError::FieldNotFound { field, valid_fields } = problem else {
        return other(first_line(&problem.to_string()));
    };
    let mut known: Vec<String> = valid_fields.iter().map(|column| column.name.clone()).collect();
    known.dedup();
    QueryError::UnknownColumn {
        name: field.name.clone(),
        nearest: nearest(&field.name, known.iter().map(String::as_str)),
        known,
    }
}

/// Without the library's own prefix and stack.
fn syntax(message: &str) -> String {
    let line = first_line(message);
    let bare = line.trim_start_matches("sql parser error: ");
    format!("this is not SQL that can be read: {bare}")
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim().to_owned()
}

/// Raised from inside a function that was stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    /// The time is over.
    #[error("the time is over")]
    Deadline(Duration),
    /// One value would be too large.
    #[error("{0}")]
    Memory(String),
}

impl From<Stopped> for DataFusionError {
    fn from(stopped: Stopped) -> Self {
        Self::External(Box::new(stopped))
    }
}
