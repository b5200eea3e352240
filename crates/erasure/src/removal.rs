//! The rows of one person leave both tables.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::TimestampMicrosecondType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use event::EventTime;
use insight::mention::mentions;
use store::{Cause, Rewrite, Table};

use crate::erasures::Erasures;
use crate::persons::Persons;

/// Which rows are of people whom `erasures` covers: what [`store::Store::rewrite`] takes out.
#[derive(Debug)]
pub struct Removal {
    /// Whom to forget.
    pub erasures: Erasures,
    /// Where schemas name people.
    pub persons: Arc<Persons>,
}

/// The columns by which a row is judged.
struct Columns<'a> {
    hub: &'a StringArray,
    schema: &'a StringArray,
    text: &'a StringArray,
    time: &'a arrow::array::TimestampMicrosecondArray,
    received: &'a arrow::array::TimestampMicrosecondArray,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, Cause> {
        let text = |name: &str| {
            let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
            column.ok_or_else(|| Cause::from(format!("the column '{name}' is missing or is no text")))
        };
        let time = |name: &str| {
            let column = batch.column_by_name(name);
            let column = column.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
            column.ok_or_else(|| Cause::from(format!("the column '{name}' is missing or is no time")))
        };
        Ok(Self {
            hub: text("hub")?,
            schema: text("schema")?,
            text: text("text")?,
            time: time("time")?,
            received: time("received")?,
        })
    }

    /// The earlier of when it happened and when it came: a clock that runs ahead keeps nothing.
    fn time(&self, row: usize) -> EventTime {
        let received = self.received.value(row);
        EventTime::from_micros(if self.time.is_null(row) { received } else { self.time.value(row).min(received) })
    }
}

impl Removal {
    fn leaves_events(&self, batch: &RecordBatch) -> Result<BooleanArray, Cause> {
        let columns = Columns::of(batch)?;
        let is_theirs = |row: usize| {
            let (hub, schema, time) = (columns.hub.value(row), columns.schema.value(row), columns.time(row));
            let is = |name: &str| self.erasures.covers(hub, name, time);
            let name = self.persons.column(schema).and_then(|name| batch.column_by_name(name));
            match name.and_then(|names| names.as_string_opt::<i32>()).filter(|names| names.is_valid(row)) {
                Some(names) => is(names.value(row)),
                None => self.persons.is_about(schema, columns.text.value(row), is),
            }
        };
        Ok((0..batch.num_rows()).map(|row| Some(is_theirs(row))).collect())
    }

    fn leaves_quarantine(&self, batch: &RecordBatch) -> Result<BooleanArray, Cause> {
        let columns = Columns::of(batch)?;
        let details = batch.column_by_name("detail").and_then(|column| column.as_string_opt::<i32>());
        let is_base64 = batch.column_by_name("text_base64").and_then(|column| column.as_boolean_opt());
        let is_theirs = |row: usize| {
            let (hub, time) = (columns.hub.value(row), columns.time(row));
            let is = |name: &str| self.erasures.covers(hub, name, time);
            let text = columns.text.value(row);
            let decoded =
                is_base64.is_some_and(|column| column.value(row)).then(|| STANDARD.decode(text).ok()).flatten();
            let is_named = mentions(decoded.as_deref().unwrap_or(text.as_bytes()), is);
            // A message about an event quotes it.
            is_named || details.is_some_and(|details| mentions(details.value(row).as_bytes(), is))
        };
        Ok((0..batch.num_rows()).map(|row| Some(is_theirs(row))).collect())
    }
}

impl Rewrite for Removal {
    fn columns(&self, table: Table) -> Vec<String> {
        let own = match table {
            Table::Events => self.persons.columns(),
            Table::Quarantine => vec!["detail".into(), "text_base64".into()],
        };
        let all = ["hub", "schema", "text", "time", "received"].into_iter().map(str::to_owned);
        all.chain(own.into_iter().map(String::from)).collect()
    }

    fn leaves(&self, table: Table, batch: &RecordBatch) -> Result<BooleanArray, Cause> {
        match table {
            Table::Events => self.leaves_events(batch),
            Table::Quarantine => self.leaves_quarantine(batch),
        }
    }
}
