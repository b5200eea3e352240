//! Why a schema cannot be registered.

/// A schema text that cannot be used. Every message says where (as a JSON pointer) and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// It is neither JSON nor YAML.
    #[error("the schema is neither JSON nor YAML: {0}")]
    Syntax(String),
    /// It is longer than allowed.
    #[error("the schema is {bytes} bytes long; at most {max} are taken")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// It is nested deeper than allowed.
    #[error("the schema is nested deeper than {max} levels at {pointer}")]
    TooDeep {
        /// Where.
        pointer: String,
        /// The limit.
        max: usize,
    },
    /// It says the same thing too often: see [`crate::Registry::with`].
    #[error("the schema's references multiply to more than {max} steps per value; write out less")]
    TooManySteps {
        /// The limit.
        max: u64,
    },
    /// It is not an object.
    #[error("a schema is an object with $id, version and properties; this is {found}")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// A key that every schema needs is missing or of the wrong kind.
    #[error("{pointer}: {expected}")]
    Missing {
        /// Where it should be.
        pointer: &'static str,
        /// What is expected there.
        expected: &'static str,
    },
    /// The id is neither a URI nor `authority/name`.
    #[error(
        "/$id: '{id}' is neither a URI such as https://example.org/events/thing nor authority/name such as \
         hub.example.org/thing"
    )]
    BadId {
        /// As written.
        id: String,
    },
    /// A name that begins with `__`, which is reserved for the capsule.
    #[error("{pointer}: names that begin with '__' are reserved for the event's own metadata; rename it")]
    ReservedName {
        /// Where.
        pointer: String,
    },
    /// A reference to another document; nothing is ever fetched.
    #[error("{pointer}: '{reference}' points to another document, which is never fetched; write it out under $defs")]
    RemoteReference {
        /// Where.
        pointer: String,
        /// As written.
        reference: String,
    },
    /// A reference by anchor, or a dynamic one.
    #[error("{pointer}: '{reference}' is a reference by anchor or a dynamic one; write '#/$defs/name'")]
    UnsupportedReference {
        /// Where.
        pointer: String,
        /// As written.
        reference: String,
    },
    /// A part of the schema has an `$id` of its own.
    #[error("{pointer}: only the schema itself has an $id; take this one out")]
    NestedId {
        /// Where.
        pointer: String,
    },
    /// References that lead back without going deeper into the event.
    #[error("{}: its references come round without end", if pointer.is_empty() { "/" } else { pointer })]
    EndlessReference {
        /// Where.
        pointer: String,
    },
    /// A pattern that cannot be matched in linear time, or is no regular expression.
    #[error("{pointer}: '{pattern}' is not a pattern that can be matched in linear time: {reason}")]
    BadPattern {
        /// Where.
        pointer: String,
        /// As written.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is not a valid JSON Schema.
    #[error("{pointer}: {message}")]
    NotASchema {
        /// Where.
        pointer: String,
        /// What is wrong there.
        message: String,
    },
}
