//! Questions over HTTP: health, SQL within its bounds, the catalogue, pages and the archive.

use acceptance::{Sandbox, Server};
use serde_json::{Value, json};

#[test]
fn a_running_server_is_alive_and_ready() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    assert_eq!(server.get("/healthz").status, 200);
    let ready = server.get("/readyz");
    assert_eq!(ready.status, 200, "{}", ready.text());
    assert_eq!(ready.json()["ready"], true);
}

#[test]
fn sql_that_is_more_than_one_question_is_refused() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    for sql in [
        "",
        "SELEC 1",
        "DROP TABLE events",
        "DELETE FROM events",
        "INSERT INTO events VALUES (1)",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/'",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "SELECT 1; SELECT 2",
        "SET datafusion.execution.batch_size = 1",
        "SELECT * FROM nothing",
        "SELECT * FROM '/etc/passwd'",
    ] {
        let body = json!({ "sql": sql }).to_string();
        let answer = server.client().post("/api/v1/query", "application/json", body.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 400, "{sql}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{sql}");
    }
}

#[test]
fn an_answer_that_was_cut_says_so() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let ask = |limit: u64| {
        let body = json!({ "sql": "SELECT value FROM generate_series(1, 5)", "limit": limit }).to_string();
        server.client().post("/api/v1/query", "application/json", body.as_bytes()).expect("an answer")
    };
    let ask_values = |limit: u64| {
        let body = json!({ "sql": "SELECT * FROM (VALUES (1), (2), (3)) AS t (n) ORDER BY n", "limit": limit });
        let answer = server.client().post("/api/v1/query", "application/json", body.to_string().as_bytes());
        answer.expect("an answer").json()
    };
    assert_ne!(ask(1).status, 500, "table functions are answered or refused, and never an error of ours");
    let cut = ask_values(2);
    assert_eq!((cut["rows"].as_array().map(Vec::len), &cut["truncated"]), (Some(2), &true.into()), "{cut}");
    let whole = ask_values(3);
    assert_eq!((whole["rows"].as_array().map(Vec::len), &whole["truncated"]), (Some(3), &false.into()), "{whole}");
}

#[test]
fn the_catalogue_and_its_questions_are_answered() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    for spec in ["Ada/Lovelace.git/main", "ada/lovelace/main", "ada/lovelace/v1"] {
        let answer = server.post_events(launch(spec).as_bytes());
        assert_eq!(answer.json()["admitted"], 1, "{}", answer.text());
    }
    let catalogue = server.get("/api/v1/kpis").json();
    let ids: Vec<&str> =
        catalogue["kpis"].as_array().into_iter().flatten().filter_map(|kpi| kpi["id"].as_str()).collect();
    for id in ["launches", "top-repos", "repo-history"] {
        assert!(ids.contains(&id), "{catalogue}");
    }
    let launches = rows(&server, "/api/v1/kpis/launches?from=2024-03-01&to=2024-03-02");
    assert_eq!(launches, json!([{"period": "2024-03-01", "value": 3}]));
    let top = rows(&server, "/api/v1/kpis/top-repos?from=2024-03-01&to=2024-03-02");
    assert_eq!(top, json!([{"rank": 1, "repo": "https://github.com/ada/lovelace", "value": 3}]));
    let history = rows(&server, "/api/v1/kpis/repo-history?repo=ADA/lovelace&from=2024-03-01&to=2024-03-02");
    assert_eq!(history, json!([{"period": "2024-03-01", "value": 3}]));
    let unknown = "/api/v1/kpis/repo-history?repo=ada/none&from=2024-03-01&to=2024-03-02";
    assert_eq!(rows(&server, unknown), json!([{"period": "2024-03-01", "value": 0}]));
    assert_eq!(server.get("/api/v1/kpis/no-such-question").status, 404);
}

fn launch(spec: &str) -> String {
    let event = json!({
        "timestamp": "2024-03-01T12:00:00Z",
        "schema": "binderhub.jupyter.org/launch",
        "version": 1,
        "provider": "GitHub",
        "spec": spec,
        "status": "success",
    });
    event.to_string()
}

fn rows(server: &Server, path: &str) -> Value {
    let answer = server.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()["rows"].clone()
}

#[test]
fn pages_name_no_other_host_and_set_a_strict_policy() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let page = server.get("/");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'") || policy.contains("default-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe-"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(server.get("/nothing-here").status, 404);
}
