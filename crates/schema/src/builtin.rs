//! The schemas built in: the folder `schemas` of the repository, one row a file.

use event::{Column, ColumnKind};

use crate::policy::{Policy, name_columns};

/// A schema file: its path in the folder and its text.
pub(crate) struct Built {
    #[cfg_attr(not(test), expect(dead_code, reason = "for the test that compares table and folder"))]
    pub(crate) path: &'static str,
    pub(crate) text: &'static str,
}

macro_rules! built {
    ($path:literal) => {
        Built { path: $path, text: include_str!(concat!("../../../schemas/", $path)) }
    };
}

/// Every schema text; of one id and version the older before the newer.
pub(crate) const REVISIONS: [Built; 41] = [
    built!("binderhub.jupyter.org/launch/v1.rev-2018-11-06-3da0f0c0.json"),
    built!("binderhub.jupyter.org/launch/v1.json"),
    built!("binderhub.jupyter.org/launch/v2.json"),
    built!("binderhub.jupyter.org/launch/v3.rev-2019-06-12-b915ef5e.json"),
    built!("binderhub.jupyter.org/launch/v3.rev-2019-06-13-908c4439.json"),
    built!("binderhub.jupyter.org/launch/v3.rev-2019-09-22-575fb2a2.json"),
    built!("binderhub.jupyter.org/launch/v3.rev-2019-12-08-0705911f.json"),
    built!("binderhub.jupyter.org/launch/v3.json"),
    built!("binderhub.jupyter.org/launch/v4.rev-2020-06-16-42002edd.json"),
    built!("binderhub.jupyter.org/launch/v4.json"),
    built!("binderhub.jupyter.org/launch/v5.rev-2021-06-17-e9519938.json"),
    built!("binderhub.jupyter.org/launch/v5.rev-2022-04-01-9fefdc42.json"),
    built!("binderhub.jupyter.org/launch/v5.json"),
    built!("binderhub.jupyter.org/launch/v6.rev-2026-01-14-3a1bb061.json"),
    built!("binderhub.jupyter.org/launch/v6.json"),
    built!("hub.jupyter.org/server-action/v1.rev-2019-08-22-41b2e6e4.json"),
    built!("hub.jupyter.org/server-action/v1.rev-2019-08-22-aea2eefa.yaml"),
    built!("hub.jupyter.org/server-action/v1.yaml"),
    built!("schema.jupyter.org/jupyterhub/events/server-action/v1.rev-2024-05-03-335803d1.yaml"),
    built!("schema.jupyter.org/jupyterhub/events/server-action/v1.yaml"),
    built!("events.jupyter.org/jupyter_server/contents_service/v1.rev-2022-08-31-6dc7d530.yaml"),
    built!("events.jupyter.org/jupyter_server/contents_service/v1.rev-2023-09-18-46e685bd.yaml"),
    built!("events.jupyter.org/jupyter_server/contents_service/v1.yaml"),
    built!("events.jupyter.org/jupyter_server/kernel_actions/v1.rev-2023-04-17-5c492533.yaml"),
    built!("events.jupyter.org/jupyter_server/kernel_actions/v1.rev-2023-07-12-2563baec.yaml"),
    built!("events.jupyter.org/jupyter_server/kernel_actions/v1.rev-2023-09-18-46e685bd.yaml"),
    built!("events.jupyter.org/jupyter_server/kernel_actions/v1.yaml"),
    built!("events.jupyter.org/jupyter_server/gateway_client/v1.rev-2023-04-17-5c492533.yaml"),
    built!("events.jupyter.org/jupyter_server/gateway_client/v1.rev-2023-09-18-46e685bd.yaml"),
    built!("events.jupyter.org/jupyter_server/gateway_client/v1.yaml"),
    built!("schema.hubscope/hub-poll/v1.json"),
    built!("schema.hubscope/server-seen/v1.json"),
    built!("schema.hubscope/server-gone/v1.json"),
    built!("schema.hubscope/users-poll/v1.json"),
    built!("schema.hubscope/user-seen/v1.json"),
    built!("schema.hubscope/hub-restart/v1.json"),
    built!("schema.hubscope/hub-unheard/v1.json"),
    built!("schema.hubscope/server-logged/v1.json"),
    built!("schema.hubscope/accounts-poll/v1.json"),
    built!("schema.hubscope/account-seen/v1.json"),
    built!("schema.hubscope/server-chosen/v1.json"),
];

/// Every policy; their order is the order of the promoted columns.
pub(crate) const POLICIES: [Built; 17] = [
    built!("binderhub.jupyter.org/launch.policy.toml"),
    built!("hub.jupyter.org/server-action.policy.toml"),
    built!("schema.jupyter.org/jupyterhub/events/server-action.policy.toml"),
    built!("events.jupyter.org/jupyter_server/contents_service.policy.toml"),
    built!("events.jupyter.org/jupyter_server/kernel_actions.policy.toml"),
    built!("events.jupyter.org/jupyter_server/gateway_client.policy.toml"),
    built!("schema.hubscope/hub-poll.policy.toml"),
    built!("schema.hubscope/server-seen.policy.toml"),
    built!("schema.hubscope/server-gone.policy.toml"),
    built!("schema.hubscope/users-poll.policy.toml"),
    built!("schema.hubscope/user-seen.policy.toml"),
    built!("schema.hubscope/hub-restart.policy.toml"),
    built!("schema.hubscope/hub-unheard.policy.toml"),
    built!("schema.hubscope/server-logged.policy.toml"),
    built!("schema.hubscope/accounts-poll.policy.toml"),
    built!("schema.hubscope/account-seen.policy.toml"),
    built!("schema.hubscope/server-chosen.policy.toml"),
];

/// The policies built in. A policy that does not parse is left out here and fails the test of the table.
pub(crate) fn policies() -> Vec<Policy> {
    let mut policies: Vec<Policy> = POLICIES.iter().filter_map(|built| Policy::parse(built.text).ok()).collect();
    name_columns(&mut policies);
    policies
}

/// The promoted columns of all schemas built in, each once, in the order in which they stand in the table.
pub fn builtin_columns() -> Vec<Column> {
    distinct(policies().iter().flat_map(Policy::columns))
}

/// Each column once, by name.
pub(crate) fn distinct<'a>(columns: impl Iterator<Item = &'a Column>) -> Vec<Column> {
    let mut distinct: Vec<Column> = Vec::new();
    for column in columns {
        if !distinct.iter().any(|known| known.name == column.name) {
            distinct.push(column.clone());
        }
    }
    distinct
}

/// What `kind` is called in a policy file.
pub(crate) fn kind_named(name: &str) -> Option<ColumnKind> {
    match name {
        "text" => Some(ColumnKind::Text),
        "boolean" => Some(ColumnKind::Boolean),
        "integer" => Some(ColumnKind::Integer),
        "number" => Some(ColumnKind::Number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The folder of the schemas that are hubscope's own.
    const OURS: &str = "schema.hubscope/";

    fn files(folder: &Path, under: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, under, found);
            } else {
                found.insert(path.strip_prefix(under).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }

    #[test]
    fn the_table_and_the_folder_agree() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas").canonicalize().unwrap();
        let mut found = BTreeSet::new();
        files(&folder, &folder, &mut found);
        found.remove("NOTICE");
        let table = REVISIONS.iter().chain(&POLICIES).map(|built| built.path.to_owned());
        assert_eq!(table.collect::<BTreeSet<_>>(), found);
    }

    #[test]
    fn the_notice_names_every_file() {
        let notice = include_str!("../../../schemas/NOTICE");
        for built in REVISIONS.iter().filter(|built| !built.path.starts_with(OURS)) {
            assert!(notice.contains(&format!("\n{} | ", built.path)), "{}", built.path);
        }
    }

    #[test]
    fn every_policy_parses_and_belongs_to_a_schema_built_in() {
        let registry = crate::Registry::builtin();
        for built in &POLICIES {
            let policy = Policy::parse(built.text).unwrap_or_else(|error| panic!("{}: {error}", built.path));
            assert!(registry.iter().any(|entry| *entry.revision.schema == *policy.schema()), "{}", built.path);
        }
    }

    #[test]
    fn columns_stand_in_the_order_of_the_table() {
        let columns = builtin_columns();
        let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
        let order = "provider spec ref status build_token origin request_origin action username servername kernel_name";
        assert_eq!(names.join(" "), order);
        for column in columns {
            let kind = if &*column.name == "build_token" { ColumnKind::Boolean } else { ColumnKind::Text };
            assert_eq!((column.kind, &column.property), (kind, &column.name));
        }
    }
}
