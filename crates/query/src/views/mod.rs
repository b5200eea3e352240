//! What may be named in SQL: two tables of the store, and views over them. Also the data dictionary, so that table and
//! documentation cannot part.

mod dictionary;

pub(crate) use dictionary::describe;
pub use dictionary::{ColumnInfo, TableInfo};

/// A table or view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relation {
    /// Its name in SQL.
    pub(crate) name: &'static str,
    /// One sentence for the dictionary.
    pub(crate) description: &'static str,
    /// Where its rows come from.
    pub(crate) rows: Rows,
}

/// Where the rows of a relation come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rows {
    /// The store's table `events`.
    Events,
    /// The store's table `quarantine`.
    Quarantine,
    /// A statement over `events`.
    View(&'static str),
}

/// Every name there is.
pub(crate) const RELATIONS: [Relation; 4] = [
    Relation {
        name: "events",
        description: "Every admitted event: envelope, promoted columns, and the emitter's JSON in `text`.",
        rows: Rows::Events,
    },
    Relation {
        name: "launches",
        description: "Launches that a BinderHub told of, with the repository read from the spec.",
        rows: Rows::View(include_str!("launches.sql")),
    },
    Relation {
        name: "server_actions",
        description: "Starts and stops of notebook servers that a JupyterHub told of.",
        rows: Rows::View(include_str!("server_actions.sql")),
    },
    Relation {
        name: "quarantine",
        description: "What was kept aside: not readable, of an unknown schema, or not valid; with the reason.",
        rows: Rows::Quarantine,
    },
];

/// The relation of that name.
pub(crate) fn find(name: &str) -> Option<Relation> {
    RELATIONS.into_iter().find(|relation| relation.name == name)
}

/// Every name, for error messages.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    RELATIONS.iter().map(|relation| relation.name)
}
