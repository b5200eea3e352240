//! What programs ask.

use crate::door::assert_problem;
use crate::http;
use crate::sandbox::{Sandbox, launch};
use server::Unready;

async fn with_launches() -> Sandbox {
    let sandbox = Sandbox::new().await;
    let mut events: Vec<String> = (0..48).map(|hour| launch("jupyterlab/jupyterlab-demo/main", hour)).collect();
    events.push(launch("binder-examples/r/master", 3));
    events.push("{\"hello\":1}".to_owned());
    sandbox.keep(&events).await;
    sandbox
}

#[tokio::test]
async fn a_statement_is_answered_with_columns_rows_and_the_version_of_the_data() {
    let sandbox = with_launches().await;
    let answer = sandbox.post_json("/api/v1/query", r#"{"sql":"SELECT count(*) AS n FROM launches"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    assert_eq!(json["rows"], serde_json::json!([{"n": 49}]));
    assert_eq!(json["columns"], serde_json::json!([{"name": "n", "type": "integer"}]));
    assert_eq!(json["truncated"], false);
    assert!(json["data_version"].is_string());
}

#[tokio::test]
async fn a_statement_is_answered_in_each_form_and_cut_at_its_limit() {
    let sandbox = with_launches().await;
    let body = r#"{"sql":"SELECT repo FROM launches ORDER BY time, repo","limit":2}"#;
    for (format, content_type, start) in [
        ("json", "application/json", "{"),
        ("csv", "text/csv; charset=utf-8", "repo"),
        ("markdown", "text/markdown; charset=utf-8", "|"),
        ("parquet", "application/vnd.apache.parquet", "PAR1"),
    ] {
        let answer = sandbox.post_json(&format!("/api/v1/query?format={format}"), body).await;
        assert_eq!(answer.status, 200, "{format}");
        assert_eq!(answer.header("content-type"), Some(content_type));
        assert!(answer.body.starts_with(start.as_bytes()), "{format}");
        assert_eq!(answer.header("hubscope-truncated"), Some("true"), "{format}");
        let whole = sandbox.post_json(&format!("/api/v1/query?format={format}"), &body.replace(":2}", ":10000}")).await;
        assert_eq!((whole.status, whole.header("hubscope-truncated")), (200, None), "{format}");
    }
    let json = sandbox.post_json("/api/v1/query", body).await.json();
    assert_eq!((json["rows"].as_array().unwrap().len(), &json["truncated"]), (2, &true.into()));
}

#[tokio::test]
async fn bad_statements_and_bad_parameters_are_the_callers_and_say_what_is_wrong() {
    let sandbox = with_launches().await;
    for (path, body, status, code) in [
        ("/api/v1/query", "SELECT 1", 400, "not_json"),
        ("/api/v1/query", r#"{"sql":"SELECT 1","more":1}"#, 400, "not_json"),
        ("/api/v1/query", r#"{"sql":"SELEC 1"}"#, 400, "syntax"),
        ("/api/v1/query", r#"{"sql":"DROP TABLE events"}"#, 400, "refused"),
        ("/api/v1/query", r#"{"sql":"SELECT * FROM launchs"}"#, 400, "unknown_table"),
        ("/api/v1/query?format=xml", r#"{"sql":"SELECT 1"}"#, 400, "parameter"),
        ("/api/v1/query?format=svg", r#"{"sql":"SELECT 1"}"#, 400, "parameter"),
    ] {
        let answer = sandbox.post_json(path, body).await;
        assert_eq!(answer.status, status, "{path} {body} {}", answer.text());
        assert_problem(&answer);
        assert_eq!(answer.json()["code"], code, "{path} {body} {}", answer.text());
    }
    let not_json = sandbox.post("/api/v1/query", &[("content-type", "text/plain")], br#"{"sql":"SELECT 1"}"#).await;
    assert_eq!(not_json.status, 415);
    let long = format!(r#"{{"sql":"SELECT '{}'"}}"#, "x".repeat(70_000));
    assert_eq!(sandbox.post_json("/api/v1/query", &long).await.status, 413);
}

#[tokio::test]
async fn the_catalogue_lists_its_questions_and_each_is_answered_in_each_form() {
    let sandbox = with_launches().await;
    let listed = sandbox.get("/api/v1/kpis").await.json();
    let ids: Vec<_> = listed["kpis"].as_array().unwrap().iter().map(|kpi| kpi["id"].as_str().unwrap()).collect();
    for id in ["launches", "top-repos", "repo-history"] {
        assert!(ids.contains(&id), "{id} is not in {ids:?}");
    }
    for kpi in listed["kpis"].as_array().unwrap() {
        assert!(kpi["question"].as_str().unwrap().ends_with('?'), "{kpi}");
    }
    for id in ["launches", "top-repos"] {
        for (format, content_type) in [
            ("json", "application/json"),
            ("csv", "text/csv; charset=utf-8"),
            ("markdown", "text/markdown; charset=utf-8"),
            ("parquet", "application/vnd.apache.parquet"),
            ("svg", "image/svg+xml"),
        ] {
            let path = format!("/api/v1/kpis/{id}?from=2026-11-01&to=2026-11-22&format={format}");
            let answer = sandbox.get(&path).await;
            assert_eq!(answer.status, 200, "{path} {}", String::from_utf8_lossy(&answer.body));
            assert_eq!(answer.header("content-type"), Some(content_type));
        }
    }
    let launches = sandbox.get("/api/v1/kpis/launches?from=2026-11-01&to=2026-11-22").await.json();
    assert!(launches["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{launches}");
}

#[tokio::test]
async fn a_question_that_there_is_not_and_a_parameter_of_the_wrong_form_are_told() {
    let sandbox = Sandbox::new().await;
    for (path, status) in [
        ("/api/v1/kpis/launchez", 404),
        ("/api/v1/kpis/launches?from=yesterday", 400),
        ("/api/v1/kpis/launches?colour=red", 400),
        ("/api/v1/kpis/launches?format=pdf", 400),
    ] {
        let answer = sandbox.get(path).await;
        assert_eq!(answer.status, status, "{path} {}", answer.text());
        assert_problem(&answer);
    }
}

#[tokio::test]
async fn tables_and_schemas_are_described() {
    let sandbox = Sandbox::new().await;
    let tables = sandbox.get("/api/v1/tables").await.json();
    let names: Vec<_> =
        tables["tables"].as_array().unwrap().iter().map(|table| table["name"].as_str().unwrap()).collect();
    for name in ["events", "launches", "server_actions", "quarantine"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert!(tables["tables"][0]["columns"][0]["type"].is_string());
    let schemas = sandbox.get("/api/v1/schemas").await.json();
    let launch = schemas["schemas"].as_array().unwrap().iter().find(|one| one["id"] == "binderhub.jupyter.org/launch");
    assert!(launch.is_some_and(|launch| launch["revision"].as_str().is_some_and(|hash| hash.len() == 16)));
}

#[tokio::test]
async fn the_newest_in_quarantine_come_first_and_no_more_than_asked_for() {
    let sandbox = with_launches().await;
    sandbox.keep(&["{\"schema\":\"nobody/knows\",\"version\":1}".to_owned()]).await;
    let answer = sandbox.get("/api/v1/quarantine?limit=1").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    assert_eq!(json["total"], 2);
    assert_eq!(json["events"].as_array().unwrap().len(), 1);
    assert_eq!(json["events"][0]["reason"], "unknown_schema");
    assert_eq!(json["events"][0]["schema"], "nobody/knows");
    assert_eq!(sandbox.get("/api/v1/quarantine?limit=many").await.status, 400);
}

#[tokio::test]
async fn now_tells_the_figures_and_the_newest_launches_by_public_fields_alone() {
    let sandbox = with_launches().await;
    let json = sandbox.get("/api/v1/now").await.json();
    assert_eq!((&json["events"], &json["quarantined"], &json["newest_seconds"]), (&49.into(), &1.into(), &0.into()));
    let launches = json["launches"].as_array().unwrap();
    assert_eq!(launches.len(), 5);
    assert_eq!(launches[0]["repo"], "https://github.com/jupyterlab/jupyterlab-demo");
    for launch in launches {
        let fields: Vec<_> = launch.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["time", "provider", "repo"]);
    }
}

#[tokio::test]
async fn readiness_gives_its_reasons_and_life_does_not_depend_on_it() {
    let sandbox = Sandbox::new().await;
    assert_eq!(sandbox.get("/readyz").await.json(), serde_json::json!({"ready": true, "reasons": []}));
    let reason = Unready { code: "journal_poisoned", detail: "a write failed; restart".to_owned() };
    sandbox.health.unready.lock().unwrap().push(reason);
    let answer = sandbox.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["reasons"][0]["code"], "journal_poisoned");
    assert_eq!(sandbox.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn the_archive_gives_its_files_and_nothing_else_of_the_disk() {
    let sandbox = Sandbox::new().await;
    let folder = sandbox.dir.path().join("archive");
    for (name, text) in [
        ("index.html", "<p>days</p>"),
        ("index.jsonl", "{}"),
        ("events-2026-11-20.jsonl", "{\"a\":1}\n{\"a\":2}"),
        ("secret.txt", "secret"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    for (path, content_type, text) in [
        ("/archive/", "text/html; charset=utf-8", "<p>days</p>"),
        ("/archive/index.html", "text/html; charset=utf-8", "<p>days</p>"),
        ("/archive/index.jsonl", "application/x-ndjson", "{}"),
        ("/archive/events-2026-11-20.jsonl", "application/x-ndjson", "{\"a\":1}\n{\"a\":2}"),
    ] {
        let answer = sandbox.get(path).await;
        assert_eq!((answer.status, answer.header("content-type"), answer.text()), (200, Some(content_type), text));
        let tag = answer.header("etag").unwrap();
        let again = http::exchange(sandbox.address, &http::request("GET", path, &[("if-none-match", tag)], b"")).await;
        assert_eq!((again.status, again.text()), (304, ""));
    }
    for path in [
        "/archive/secret.txt",
        "/archive/events-2026-11-21.jsonl",
        "/archive/..%2Ftables",
        "/archive/../tables",
        "/archive/%2e%2e%2fstate",
        "/archive/index.html%00",
        "/archive//etc/passwd",
    ] {
        assert_eq!(sandbox.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn other_methods_and_other_addresses_get_problem_documents() {
    let sandbox = Sandbox::new().await;
    for (method, path, status) in [
        ("PUT", "/api/v1/events", 405),
        ("GET", "/api/v1/query", 405),
        ("GET", "/api/v2/events", 404),
        ("POST", "/nowhere", 404),
    ] {
        let answer = http::exchange(sandbox.address, &http::request(method, path, &[], b"")).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_problem(&answer);
    }
}
