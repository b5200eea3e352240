//! What the tables and columns mean.

use datafusion::arrow::datatypes::Schema;

use super::Relation;
use crate::answer::type_name;

/// A table or view, described.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TableInfo {
    /// Its name in SQL.
    pub name: String,
    /// What a row is.
    pub description: String,
    /// Its columns, in order.
    pub columns: Vec<ColumnInfo>,
}

/// A column, described.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ColumnInfo {
    /// Its name in SQL.
    pub name: String,
    /// Type of its values, in the words of an answer.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What a value means; empty for a promoted property, whose schema tells.
    pub description: String,
}

/// Describes `relation`, whose columns are those of `schema`.
pub(crate) fn describe(relation: &Relation, schema: &Schema) -> TableInfo {
    let columns = schema.fields().iter().map(|field| ColumnInfo {
        name: field.name().clone(),
        type_name: type_name(field.data_type()).to_owned(),
        description: meaning(relation.name, field.name()).to_owned(),
    });
    TableInfo {
        name: relation.name.to_owned(),
        description: relation.description.to_owned(),
        columns: columns.collect(),
    }
}

/// What a column means, where it means something of its own.
fn meaning(relation: &str, column: &str) -> &'static str {
    match (relation, column) {
        ("user_lists", "time") => "When the list was begun, by the hub's clock.",
        ("server_activity" | "server_choices" | "accounts", "seen") => "When the poll that told of it began.",
        ("server_choices", "time") => "When the server started, as the hub tells it.",
        ("server_activity", "time") => "When the server was used, as the hub tells it.",
        ("hub_polls", "time") => "When it began, by the hub's clock.",
        (_, "collector") => "Whose journal, or which import, took the event; with `position` its id.",
        (_, "position") => "Place of the event in its collector's sequence.",
        (_, "time") => "When it happened, by the emitter's clock (UTC).",
        (_, "received") => "When it was admitted (UTC).",
        (_, "time_suspect") => "The time lies before 2015 or more than a day after `received`; left out of KPIs.",
        (_, "hub") => "The hub whose token sent it; `default` without tokens.",
        (_, "door") => "How it came: http, cloud-log, archive, poll, hub-log or hub-db.",
        (_, "schema") => "The id of its schema.",
        (_, "version") => "The version of its schema, as text.",
        (_, "revision") => "Hash of the schema text that it was checked against.",
        (_, "repairs") => "Faults of the emitter that were set right, with commas between.",
        (_, "text") => "The emitter's JSON, untouched; read values with field(text, '/name').",
        ("quarantine", "reason") => "Stable code of the reason.",
        ("quarantine", "detail") => "What was wrong and what would be right.",
        ("quarantine", "text_base64") => "True where the bytes were not UTF-8 and `text` is their base64.",
        ("launches", "provider") => "Where the repository lies, in BinderHub's words.",
        ("launches", "spec") => "Repository and ref as asked for, as the provider writes them.",
        ("launches", "repo") => "URL of the repository; NULL where the spec cannot be read.",
        ("launches", "ref") => "Branch, tag or commit asked for; NULL where the spec cannot be read.",
        ("launches", "resolved_ref") => "What the ref stood for at that moment, as sent.",
        ("launches", "repo_key") => "The repository for counting: GitHub's in lower case and without .git.",
        ("launches", "repeat_key") => {
            "Equal for exact repeats of one event; NULL where the time is on a whole minute, as in public archives, and \
             repeats cannot be told from further launches."
        }
        ("launches", "status") => "success or failure; BinderHub only tells of successes.",
        ("launches", "build_token") => "Whether an API token asked for it (from version 5 on).",
        ("launches", "origin") => "Host of the BinderHub, as sent (from version 3 on).",
        ("launches", "request_origin") => "Host of the page that asked (from version 6 on).",
        ("sessions", "username") => "Name of the user at the hub.",
        ("sessions", "servername") => "Name of the server; empty for the user's default one.",
        ("sessions", "start_low") => "Not before; the start itself unless `truncated`.",
        ("sessions", "start") => "When it began; the latest possible time if `truncated`.",
        ("sessions", "start_known_by") => "event, hub (its REST API), or nothing: only the end was heard of.",
        ("sessions", "end_low") => "The last proof that it ran.",
        ("sessions", "end") => "The best guess of its end; NULL while it is open.",
        ("sessions", "end_high") => "The first proof that it had ended; NULL while it is open.",
        ("sessions", "end_known_by") => {
            "E1 its stop, E2 a poll without it, E3 another server in its place, E4 a restart of the hub that kept none, \
             E5 idle for longer than the culler bears, E6 the cap; open. E1 and E2 are proven."
        }
        ("sessions", "end_reason") => "stopped, likely culled, vanished, hub restart, unknown or open.",
        ("sessions", "hub_started") => "When the spawn of the server began, by the hub, if polls showed the server.",
        ("sessions", "last_activity") => "The last activity that polls told of.",
        ("sessions", "truncated") => "Only its end was heard of.",
        ("sessions", "capped") => "A bound is an assumption: no session is taken to last longer than the cap.",
        ("sessions", "conflicted") => "Pieces of evidence contradict each other.",
        ("sessions", "unheard") => "An outage of ours lies within it, so that it may be more than one.",
        ("sessions", "restarted") => "The hub restarted between the last proof of life and the first of death.",
        ("server_activity" | "server_choices" | "accounts", "username") => "Name of the user at the hub.",
        ("server_activity" | "server_choices", "servername") => "Name of the server; empty for the user's default one.",
        ("server_choices", "profile") => "The profile, where the spawner's form has one.",
        ("server_choices", "image") => "The image, where the spawner's form has one.",
        ("accounts", "created") => "When the user was added to the hub.",
        ("accounts", "groups") => "The groups that the user was in, as a JSON array; NULL where the hub does not tell.",
        ("user_lists", "users") => "How many users the hub has.",
        ("user_lists", "active_24h" | "active_7d" | "active_30d") => {
            "Users whose last activity lay within so long before; NULL where the list was not whole."
        }
        ("user_lists", "gauge_24h" | "gauge_7d" | "gauge_30d") => {
            "The same by the hub's own gauge, `jupyterhub_active_users`; NULL where it has none or was not read."
        }
        ("hub_polls" | "user_lists", "complete") => "Whether the whole list was read.",
        ("hub_polls", "problem") => "Why not, where that is known.",
        ("server_actions", "action") => "start or stop.",
        ("server_actions", "username") => "Name of the user at the hub.",
        ("server_actions", "servername") => "Name of the server; empty for the user's only one.",
        _ => "",
    }
}
