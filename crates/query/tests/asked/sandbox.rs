//! A store in a folder of its own, filled through its real door, and an engine over it.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use event::{
    Admitted, Batch, CollectorId, Column, ColumnKind, Day, Door, EventTime, ManualClock, Position, Quarantined, Reason,
    Repair, Repairs, Revision, Row, Value, Verdict,
};
use query::{Answer, Catalogue, Engine, KpiAnswer, Limits, Params, QueryError, Scope, SqlOptions};
use serde_json::json;
use store::{Rows, Store};

const LAUNCH: [(&str, ColumnKind); 7] = [
    ("provider", ColumnKind::Text),
    ("spec", ColumnKind::Text),
    ("ref", ColumnKind::Text),
    ("status", ColumnKind::Text),
    ("build_token", ColumnKind::Boolean),
    ("origin", ColumnKind::Text),
    ("request_origin", ColumnKind::Text),
];

const SERVER_ACTION: [(&str, ColumnKind); 3] =
    [("action", ColumnKind::Text), ("username", ColumnKind::Text), ("servername", ColumnKind::Text)];

const KERNEL_ACTION: [(&str, ColumnKind); 1] = [("kernel_name", ColumnKind::Text)];

/// Read once: it is asked hundreds of times.
pub(crate) static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::builtin);

/// A store, an engine, a clock.
#[derive(Debug)]
pub(crate) struct Sandbox {
    pub(crate) store: Arc<Store>,
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<ManualClock>,
    next: Position,
    folder: tempfile::TempDir,
}

impl Sandbox {
    pub(crate) async fn new() -> Self {
        Self::with_limits(Limits { threads: 2, ..Limits::default() }).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let columns: Vec<Column> = LAUNCH.iter().chain(&SERVER_ACTION).chain(&KERNEL_ACTION).map(column).collect();
        let store = Arc::new(Store::open(folder.path(), store::Options::default(), &columns).await.unwrap());
        store.attach(CollectorId::of_journal(7));
        let clock = Arc::new(ManualClock::new(at("2030-01-01T12:00:00Z")));
        let engine =
            Engine::with_clock(Arc::clone(&store), limits, Arc::clone(&clock) as Arc<dyn event::Clock>).unwrap();
        Self { store, engine, clock, next: Position(0), folder }
    }

    /// The same with zones of hubs.
    pub(crate) fn with_hubs(self, hubs: query::Hubs) -> Self {
        Self { engine: self.engine.with_hubs(hubs), ..self }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Acknowledges `rows` in one request received when the newest of them happened (or at `received`).
    pub(crate) fn acknowledge_at(&mut self, received: EventTime, rows: Vec<Row>) {
        self.acknowledge_of("north", received, rows);
    }

    /// The same from the hub `hub`.
    pub(crate) fn acknowledge_of(&mut self, hub: &str, received: EventTime, rows: Vec<Row>) {
        let count = rows.len() as u64;
        let batch = Batch { received, hub: hub.into(), door: Door::Http, key: None, rows };
        self.store.acknowledge(self.next, Rows::build(&batch));
        self.next = self.next.plus(count);
    }

    pub(crate) fn acknowledge(&mut self, rows: Vec<Row>) {
        let times = rows.iter().filter_map(|row| match &row.verdict {
            Verdict::Admitted(admitted) => Some(admitted.time),
            Verdict::Quarantined(_) => None,
        });
        let received = times.max().unwrap_or(at("2021-11-01T00:00:00Z"));
        self.acknowledge_at(received, rows);
    }

    pub(crate) async fn flush(&self) {
        self.store.flush().await.unwrap();
    }

    pub(crate) async fn sql(&self, sql: &str) -> Result<Answer, QueryError> {
        self.engine.sql(sql, SqlOptions::default()).await
    }

    /// The rows as CSV without its head, lines joined by `;`.
    pub(crate) async fn rows(&self, sql: &str) -> String {
        lines(&self.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")))
    }

    pub(crate) async fn kpi(&self, id: &str, params: &[(&str, &str)]) -> Result<KpiAnswer, QueryError> {
        self.kpi_within(&Scope::All, id, params).await
    }

    pub(crate) async fn kpi_within(
        &self,
        scope: &Scope,
        id: &str,
        params: &[(&str, &str)],
    ) -> Result<KpiAnswer, QueryError> {
        self.engine.kpi(CATALOGUE.find(id)?, &params.iter().copied().collect::<Params>(), scope).await
    }
}

/// The rows as CSV without its head, lines joined by `;`.
pub(crate) fn lines(answer: &Answer) -> String {
    answer.csv().trim_end().split("\r\n").skip(1).collect::<Vec<_>>().join(";")
}

/// The same without the rows of gaps, which end with a comma.
pub(crate) fn watched(answer: &Answer) -> String {
    lines(answer).split(';').filter(|line| !line.ends_with(',')).collect::<Vec<_>>().join(";")
}

fn column((name, kind): &(&str, ColumnKind)) -> Column {
    Column { name: (*name).into(), property: (*name).into(), kind: *kind }
}

/// The instant that `text` names.
pub(crate) fn at(text: &str) -> EventTime {
    let instant: jiff::Timestamp = text.parse().unwrap();
    EventTime::from_micros(instant.as_microsecond())
}

/// `micros` after the first instant of `day`.
pub(crate) fn on(day: &str, micros: i64) -> EventTime {
    EventTime::from_micros(day.parse::<Day>().unwrap().start().micros() + micros)
}

/// A launch of `spec` on GitHub.
pub(crate) fn launch(time: EventTime, spec: &str) -> Row {
    launch_of(time, "GitHub", spec)
}

/// A launch.
pub(crate) fn launch_of(time: EventTime, provider: &str, spec: &str) -> Row {
    launch_from(time, provider, spec, Some("gke.mybinder.org"))
}

/// A launch of a BinderHub that names itself `origin`, or not.
pub(crate) fn launch_from(time: EventTime, provider: &str, spec: &str, origin: Option<&str>) -> Row {
    let text = |text: &str| Some(Value::Text(text.into()));
    let promoted = vec![
        text(provider),
        text(spec),
        text("0123abc"),
        text("success"),
        Some(Value::Boolean(false)),
        origin.map(|origin| Value::Text(origin.into())),
        None,
    ];
    let json = json!({
        "timestamp": time.to_string(), "schema": "binderhub.jupyter.org/launch", "version": 6,
        "provider": provider, "spec": spec, "ref": "0123abc", "status": "success",
    });
    admitted(time, "binderhub.jupyter.org/launch", "6", &LAUNCH, promoted, &json.to_string(), Repairs::NONE)
}

/// A launch of events of version 6: whether a program asked, the page that did, and how it went.
pub(crate) fn launch_asked_for(
    time: EventTime,
    spec: &str,
    build_token: Option<bool>,
    asker: Option<&str>,
    status: &str,
) -> Row {
    let text = |text: &str| Some(Value::Text(text.into()));
    let promoted = vec![
        text("GitHub"),
        text(spec),
        None,
        text(status),
        build_token.map(Value::Boolean),
        text("gke.mybinder.org"),
        asker.map(|asker| Value::Text(asker.into())),
    ];
    admitted(time, "binderhub.jupyter.org/launch", "6", &LAUNCH, promoted, "{}", Repairs::NONE)
}

/// What a notebook server tells of a kernel.
pub(crate) fn kernel_action(time: EventTime, action: &str, kernel: Option<&str>, status: Option<&str>) -> Row {
    let columns = [("action", ColumnKind::Text), ("kernel_name", ColumnKind::Text), ("status", ColumnKind::Text)];
    let text = |text: Option<&str>| text.map(|text| Value::Text(text.into()));
    let promoted = vec![text(Some(action)), text(kernel), text(status)];
    let schema = "https://events.jupyter.org/jupyter_server/kernel_actions/v1";
    admitted(time, schema, "1", &columns, promoted, "{}", Repairs::NONE)
}

/// What a notebook server tells of a file.
pub(crate) fn file_action(time: EventTime, action: Option<&str>) -> Row {
    let promoted = vec![action.map(|action| Value::Text(action.into()))];
    let schema = "https://events.jupyter.org/jupyter_server/contents_service/v1";
    admitted(time, schema, "1", &[("action", ColumnKind::Text)], promoted, "{}", Repairs::NONE)
}

/// A poll of a hub's servers.
pub(crate) fn hub_poll(time: EventTime, is_complete: bool) -> Row {
    let text = json!({"before": time.to_string(), "complete": is_complete, "full": false});
    admitted(time, "schema.hubscope/hub-poll", "1", &[], Vec::new(), &text.to_string(), Repairs::NONE)
}

/// A server that a poll saw.
pub(crate) fn server_seen(time: EventTime, username: &str, started: EventTime, last_activity: EventTime) -> Row {
    let text = json!({
        "username": username, "servername": "", "started": started.to_string(), "ready": true,
        "last_activity": last_activity.to_string(),
    });
    let columns = [("username", ColumnKind::Text), ("servername", ColumnKind::Text)];
    let promoted = [username, ""].map(|text| Some(Value::Text(text.into())));
    let schema = "schema.hubscope/server-seen";
    admitted(time, schema, "1", &columns, promoted.into(), &text.to_string(), Repairs::NONE)
}

/// What a poll tells, as it is kept.
pub(crate) fn polled(text: &str) -> Row {
    let event: serde_json::Value = serde_json::from_str(text).unwrap();
    let of = |name: &str| event[name].as_str();
    let names = ["username", "servername"].into_iter().filter(|name| of(name).is_some());
    let (columns, promoted): (Vec<_>, Vec<_>) =
        names.map(|name| ((name, ColumnKind::Text), Some(Value::Text(of(name).unwrap().into())))).unzip();
    let time = at(of("__timestamp__").unwrap());
    admitted(time, of("__schema__").unwrap(), "1", &columns, promoted, text, Repairs::NONE)
}

/// A start or stop of a user's only server.
pub(crate) fn server_action(time: EventTime, action: &str, username: &str) -> Row {
    server_action_of(time, action, username, "")
}

/// A start or stop.
pub(crate) fn server_action_of(time: EventTime, action: &str, username: &str, server: &str) -> Row {
    let text = |text: &str| Some(Value::Text(text.into()));
    let json = json!({
        "action": action, "username": username, "servername": server, "__timestamp__": time.to_string(),
    });
    let mut repairs = Repairs::NONE;
    repairs.insert(Repair::OffsetBeforeZ);
    let promoted = vec![text(action), text(username), text(server)];
    admitted(time, "hub.jupyter.org/server-action", "1", &SERVER_ACTION, promoted, &json.to_string(), repairs)
}

/// The column of a schema that promotes `status` as a number, when the name is taken.
pub(crate) fn other_status() -> Column {
    Column { name: "example_org_other_status".into(), property: "status".into(), kind: ColumnKind::Integer }
}

/// An event of that schema.
pub(crate) fn other(time: EventTime, status: i64) -> Row {
    let text = json!({"schema": "example.org/other", "status": status}).to_string();
    let promoted = vec![Some(Value::Integer(status))];
    admitted_under(time, "example.org/other", "1", vec![other_status()], promoted, &text, Repairs::NONE)
}

fn admitted(
    time: EventTime,
    schema: &str,
    version: &str,
    columns: &[(&str, ColumnKind)],
    promoted: Vec<Option<Value>>,
    text: &str,
    repairs: Repairs,
) -> Row {
    admitted_under(time, schema, version, columns.iter().map(column).collect(), promoted, text, repairs)
}

fn admitted_under(
    time: EventTime,
    schema: &str,
    version: &str,
    columns: Vec<Column>,
    promoted: Vec<Option<Value>>,
    text: &str,
    repairs: Repairs,
) -> Row {
    let revision =
        Revision { schema: schema.into(), version: version.into(), hash: "0123456789abcdef".into(), columns };
    let admitted = Admitted { time, revision: Arc::new(revision), repairs, promoted };
    Row { text: Bytes::copy_from_slice(text.as_bytes()), verdict: Verdict::Admitted(admitted) }
}

/// Something that is no event.
pub(crate) fn refused(text: &'static [u8]) -> Row {
    refused_for(Reason::NotJson, text)
}

/// Something that was kept aside for `reason`.
pub(crate) fn refused_for(reason: Reason, text: &'static [u8]) -> Row {
    let quarantined = Quarantined {
        reason,
        detail: "this is not JSON".into(),
        schema: None,
        version: None,
        time: None,
        repairs: Repairs::NONE,
    };
    Row { text: Bytes::from_static(text), verdict: Verdict::Quarantined(quarantined) }
}
