//! Answers of our own SQL, row by row, for pages and small API answers.

use query::{Answer, Engine, Scope, SqlOptions};
use serde_json::{Map, Value};

use crate::error::Problem;

/// One row: values by column, as JSON has them.
#[derive(Debug)]
pub(crate) struct Row(Map<String, Value>);

impl Row {
    /// The value of `column` as text; `None` for NULL and for a column that there is not.
    pub(crate) fn text(&self, column: &str) -> Option<String> {
        text(self.0.get(column)?)
    }

    /// The value of `column` as a number.
    pub(crate) fn number(&self, column: &str) -> Option<f64> {
        self.0.get(column)?.as_f64()
    }

    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// A JSON value as people read it.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Asks `sql` of the rows that `scope` allows.
///
/// # Errors
/// The problem to answer with.
pub(crate) async fn ask(engine: &Engine, sql: &str, rows_max: usize, scope: &Scope) -> Result<Vec<Row>, Problem> {
    let options = SqlOptions { limit: Some(rows_max), scope: scope.clone() };
    Ok(of(&engine.sql(sql, options).await?))
}

/// The rows of `answer`.
pub(crate) fn of(answer: &Answer) -> Vec<Row> {
    let mut document = answer.json();
    let Some(Value::Array(rows)) = document.get_mut("rows").map(Value::take) else { return Vec::new() };
    let maps = rows.into_iter().filter_map(|row| if let Value::Object(map) = row { Some(Row(map)) } else { None });
    maps.collect()
}
