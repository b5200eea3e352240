//! The columns of both tables: which there are, in which order, of which type.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use event::{Column, ColumnKind};

/// One of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Events that satisfy their schema.
    Events,
    /// Events kept aside, with the reason.
    Quarantine,
}

impl Table {
    /// Both, in the order in which a flush commits them.
    pub const ALL: [Self; 2] = [Self::Quarantine, Self::Events];

    /// Name of the table, and of its folder under `DATA/tables`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Quarantine => "quarantine",
        }
    }
}

/// Columns whose minimum and maximum stand in the Delta log. They stand there in clear: nothing personal may join.
pub const LOGGED_STATISTICS: [&str; 4] = ["time", "received", "schema", "hub"];

/// Columns that have statistics in the footer of each part; no other may.
pub(crate) const FOOTER_STATISTICS: [&str; 7] = ["collector", "position", "time", "received", "schema", "hub", "door"];

/// Columns that are numbers close to their neighbours.
pub(crate) const DELTA_ENCODED: [&str; 3] = ["position", "time", "received"];

/// Every part, and each file of a compaction, is sorted by these.
pub(crate) const SORTED_BY: [&str; 4] = ["schema", "hub", "time", "position"];

const EVENTS_ENVELOPE: [(&str, Kind, bool); 11] = [
    ("collector", Kind::Text, false),
    ("position", Kind::Integer, false),
    ("time", Kind::Time, false),
    ("received", Kind::Time, false),
    ("time_suspect", Kind::Boolean, false),
    ("hub", Kind::Text, false),
    ("door", Kind::Text, false),
    ("schema", Kind::Text, false),
    ("version", Kind::Text, false),
    ("revision", Kind::Text, false),
    ("repairs", Kind::Text, true),
];

const QUARANTINE: [(&str, Kind, bool); 13] = [
    ("collector", Kind::Text, false),
    ("position", Kind::Integer, false),
    ("time", Kind::Time, true),
    ("received", Kind::Time, false),
    ("hub", Kind::Text, false),
    ("door", Kind::Text, false),
    ("schema", Kind::Text, true),
    ("version", Kind::Text, true),
    ("repairs", Kind::Text, true),
    ("reason", Kind::Text, false),
    ("detail", Kind::Text, false),
    ("text", Kind::Text, false),
    ("text_base64", Kind::Boolean, false),
];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Boolean,
    Time,
}

/// Type of `time` and `received`: microseconds, UTC.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The Arrow type of a promoted column.
pub(crate) fn promoted_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Boolean => DataType::Boolean,
        ColumnKind::Integer => DataType::Int64,
        ColumnKind::Number => DataType::Float64,
    }
}

/// Schema of `events` with `columns` promoted, in that order; `text` is last.
///
/// # Errors
/// The first column whose name is taken with another type.
pub(crate) fn events_schema(columns: &[Column]) -> Result<SchemaRef, ColumnClash> {
    let mut fields: Vec<Field> = EVENTS_ENVELOPE.iter().map(field).collect();
    fields.push(Field::new("text", DataType::Utf8, false));
    with_columns(&Arc::new(Schema::new(fields)), columns)
}

/// Schema of `quarantine`.
pub(crate) fn quarantine_schema() -> SchemaRef {
    Arc::new(Schema::new(QUARANTINE.iter().map(field).collect::<Vec<_>>()))
}

fn field((name, kind, nullable): &(&str, Kind, bool)) -> Field {
    let data_type = match kind {
        Kind::Text => DataType::Utf8,
        Kind::Integer => DataType::Int64,
        Kind::Boolean => DataType::Boolean,
        Kind::Time => time_type(),
    };
    Field::new(*name, data_type, *nullable)
}

/// `schema` with the columns that it lacks put before its last one (`text`).
///
/// # Errors
/// The first column whose name is taken with another type.
pub(crate) fn with_columns(schema: &SchemaRef, columns: &[Column]) -> Result<SchemaRef, ColumnClash> {
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    let last = fields.pop();
    for column in columns {
        let wanted = promoted_type(column.kind);
        match fields.iter().chain(&last).find(|field| field.name().as_str() == &*column.name) {
            None => fields.push(Arc::new(Field::new(&*column.name, wanted, true))),
            Some(field) if *field.data_type() == wanted && is_promoted(field.name()) => {}
            Some(field) => {
                return Err(ColumnClash { column: column.name.clone(), is: field.data_type().clone(), wanted });
            }
        }
    }
    fields.extend(last);
    Ok(if fields.len() == schema.fields().len() { Arc::clone(schema) } else { Arc::new(Schema::new(fields)) })
}

fn is_promoted(name: &str) -> bool {
    name != "text" && EVENTS_ENVELOPE.iter().all(|(envelope, ..)| *envelope != name)
}

/// A promoted column has the name of another one of another type (or of the envelope).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the table has a column '{column}' of type {is}; a promoted column of that name and type {wanted} cannot join it"
)]
pub struct ColumnClash {
    /// The name that is taken.
    pub column: Box<str>,
    /// Type of the column that there is.
    pub is: DataType,
    /// Type of the one that was to join.
    pub wanted: DataType,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: ColumnKind) -> Column {
        Column { name: name.into(), property: name.into(), kind }
    }

    #[test]
    fn promoted_columns_stand_between_envelope_and_text_and_join_once() {
        let schema = events_schema(&[column("spec", ColumnKind::Text), column("build_token", ColumnKind::Boolean)]);
        let schema = schema.unwrap();
        let grown =
            with_columns(&schema, &[column("spec", ColumnKind::Text), column("n", ColumnKind::Integer)]).unwrap();
        let names: Vec<_> = grown.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names[..2], ["collector", "position"]);
        assert_eq!(names[10..], ["repairs", "spec", "build_token", "n", "text"]);
    }

    #[test]
    fn a_name_that_is_taken_is_refused() {
        let schema = events_schema(&[column("spec", ColumnKind::Text)]).unwrap();
        for (name, kind) in [
            ("spec", ColumnKind::Integer),
            ("hub", ColumnKind::Text),
            ("text", ColumnKind::Text),
            ("time_suspect", ColumnKind::Boolean),
        ] {
            let clash = with_columns(&schema, &[column(name, kind)]).unwrap_err();
            assert_eq!(&*clash.column, name);
        }
    }
}
