//! Which schema text an event was checked against, and which of its properties become columns.

/// One text of a schema. Several exist for one id and version in practice, so the hash is part of the identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    /// The schema's `$id`, as emitters write it.
    pub schema: Box<str>,
    /// The version as text: `1` and `"1"` are the same.
    pub version: Box<str>,
    /// First 16 hexadecimal digits of the SHA-256 of the schema's text.
    pub hash: Box<str>,
    /// The properties that its policy promotes to columns.
    pub columns: Vec<Column>,
}

/// A property that is a column of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// Name of the column in the table.
    pub name: Box<str>,
    /// Name of the property in the event.
    pub property: Box<str>,
    /// Type of its values.
    pub kind: ColumnKind,
}

/// Type of a promoted column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// UTF-8 text.
    Text,
    /// True or false.
    Boolean,
    /// 64-bit signed integer.
    Integer,
    /// 64-bit float.
    Number,
}

/// A promoted value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a [`ColumnKind::Text`] column.
    Text(Box<str>),
    /// Of a [`ColumnKind::Boolean`] column.
    Boolean(bool),
    /// Of a [`ColumnKind::Integer`] column.
    Integer(i64),
    /// Of a [`ColumnKind::Number`] column.
    Number(f64),
}
