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
    /// The schemas of its events; none when it holds any.
    pub(crate) schemas: &'static [&'static str],
}

/// The schema of launches: the one of which archives tell, also on days without an event.
const LAUNCH: &str = "binderhub.jupyter.org/launch";

impl Relation {
    /// Whether archives and exported logs tell of it, so that an empty day of theirs says that nothing happened.
    pub(crate) fn is_of_archives(&self) -> bool {
        self.schemas.contains(&LAUNCH)
    }
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
    /// What `derive` tells of servers.
    Sessions,
}

/// Every name there is.
pub(crate) const RELATIONS: [Relation; 10] = [
    Relation {
        name: "events",
        description: "Every admitted event: envelope, promoted columns, and the emitter's JSON in `text`.",
        rows: Rows::Events,
        schemas: &[],
    },
    Relation {
        name: "launches",
        description: "Launches that a BinderHub told of, with the repository read from the spec.",
        rows: Rows::View(include_str!("launches.sql")),
        schemas: &[LAUNCH],
    },
    Relation {
        name: "server_actions",
        description: "Starts and stops of notebook servers that a JupyterHub told of.",
        rows: Rows::View(include_str!("server_actions.sql")),
        schemas: &["hub.jupyter.org/server-action", "https://schema.jupyter.org/jupyterhub/events/server-action"],
    },
    Relation {
        name: "sessions",
        description: "One server from its start to its end, with bounds: derived from starts, stops and polls of the hub.",
        rows: Rows::Sessions,
        schemas: &derive::schemas::ALL,
    },
    Relation {
        name: "server_activity",
        description: "When polls of a hub saw that a server had been used: at least once for each five minutes in which it was; some are told twice.",
        rows: Rows::View(include_str!("server_activity.sql")),
        // Polls tell that nobody used any.
        schemas: &[derive::schemas::SERVER_SEEN, derive::schemas::HUB_POLL],
    },
    Relation {
        name: "server_choices",
        description: "What users chose for the servers that polls of a hub saw; some are told twice.",
        rows: Rows::View(include_str!("server_choices.sql")),
        schemas: &[derive::schemas::SERVER_CHOSEN],
    },
    Relation {
        name: "hub_polls",
        description: "Polls of a hub's REST API, and how they went.",
        rows: Rows::View(include_str!("hub_polls.sql")),
        schemas: &[derive::schemas::HUB_POLL],
    },
    Relation {
        name: "user_lists",
        description: "Lists of all users of a hub, and how many were active by it and by the hub's own gauge.",
        rows: Rows::View(include_str!("user_lists.sql")),
        schemas: &[derive::schemas::USERS_POLL],
    },
    Relation {
        name: "accounts",
        description: "What lists of users told of each account, told again when it changed.",
        rows: Rows::View(include_str!("accounts.sql")),
        schemas: &[derive::schemas::ACCOUNT_SEEN, derive::schemas::ACCOUNTS_POLL],
    },
    Relation {
        name: "quarantine",
        description: "What was kept aside: not readable, of an unknown schema, or not valid; with the reason.",
        rows: Rows::Quarantine,
        schemas: &[],
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_show_the_schemas_that_they_say() {
        for relation in RELATIONS {
            let Rows::View(sql) = relation.rows else { continue };
            assert!(!relation.schemas.is_empty(), "{}", relation.name);
            let quoted: Vec<String> = relation.schemas.iter().map(|schema| format!("'{schema}'")).collect();
            assert!(quoted.iter().all(|schema| sql.contains(schema)), "{}", relation.name);
            let filter = sql.split("WHERE schema").nth(1).unwrap();
            assert_eq!(filter.matches('\'').count(), 2 * quoted.len(), "{}", relation.name);
        }
    }
}
