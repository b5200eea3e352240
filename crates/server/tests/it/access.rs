//! Who may do what: every kind of caller at every kind of route.

use serde_json::Value;
use server::{Grant, Verb};

use crate::http::{self, Answer};
use crate::sandbox::{Sandbox, Tokens, Wishes, launch};

const INGEST: &str = "hs_ingest";
const QUERY: &str = "hs_query";
const ADMIN: &str = "hs_admin";

fn token(secret: &'static str, hub: Option<&str>, may: Verb) -> (&'static str, Grant) {
    (secret, Grant { token: secret.trim_start_matches("hs_").into(), hub: hub.map(Into::into), may })
}

async fn guarded(tokens: Vec<(&'static str, Grant)>) -> Sandbox {
    Sandbox::with(Wishes { tokens: Tokens(tokens), ..Wishes::default() }).await
}

async fn all() -> Sandbox {
    guarded(vec![
        token(INGEST, Some("north"), Verb::Ingest),
        token(QUERY, None, Verb::Query),
        token(ADMIN, Some("south"), Verb::Admin),
    ])
    .await
}

/// `Authorization` for `secret`.
fn bearer(secret: &str) -> String {
    format!("Bearer {secret}")
}

async fn send(sandbox: &Sandbox, authorization: Option<&str>) -> Answer {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(authorization.map(|value| ("authorization", value)));
    sandbox.post("/api/v1/events", &headers, launch("a/b/c", 1).as_bytes()).await
}

async fn read(sandbox: &Sandbox, path: &str, authorization: Option<&str>) -> Answer {
    let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
    http::exchange(sandbox.address, &http::request("GET", path, &headers, b"")).await
}

fn code(answer: &Answer) -> (u16, String) {
    let document: Value = serde_json::from_str(answer.text()).unwrap_or_default();
    (answer.status, document["code"].as_str().unwrap_or_default().to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Every route that reads.
const READING: [&str; 12] = [
    "/",
    "/data",
    "/kpi/",
    "/kpi/launches",
    "/quarantine",
    "/api/v1/kpis",
    "/api/v1/kpis/launches",
    "/api/v1/tables",
    "/api/v1/schemas",
    "/api/v1/quarantine",
    "/api/v1/now",
    "/api/v1/query",
];

/// Every route that is open to all.
const OPEN: [&str; 5] = ["/healthz", "/readyz", "/api/v1/me", "/assets/0000000000000000/page.css", "/nowhere"];

#[tokio::test]
async fn as_soon_as_there_is_a_token_sending_needs_one() {
    let sandbox = all().await;
    assert_eq!(code(&send(&sandbox, None).await), is(401, "token_missing"));
    for wrong in ["Bearer hs_wrong", "Bearer ", "Basic aHM6", "Negotiate x"] {
        assert_eq!(code(&send(&sandbox, Some(wrong)).await), is(401, "token_unknown"), "{wrong}");
    }
    let refused = send(&sandbox, Some(&bearer(QUERY))).await;
    assert_eq!(code(&refused), is(403, "token_insufficient"));
    assert!(refused.text().contains("may query, and this needs one that may ingest"), "{}", refused.text());
    assert_eq!(sandbox.journal.kept(), 0);

    for authorization in [
        bearer(INGEST),
        format!("token {INGEST}"),
        // base64 of hub:hs_ingest
        "Basic aHViOmhzX2luZ2VzdA==".to_owned(),
    ] {
        assert_eq!(send(&sandbox, Some(&authorization)).await.status, 200, "{authorization}");
    }
    let body = launch("a/b/c", 1);
    let kept = sandbox.post_json(&format!("/api/v1/events?token={INGEST}"), &body).await;
    assert_eq!(kept.status, 200, "{}", kept.text());
    assert_eq!(sandbox.journal.kept(), 4);
}

#[tokio::test]
async fn a_token_in_the_address_is_no_part_of_the_event() {
    let sandbox = all().await;
    let msg = "%7B%27timestamp%27%3A+%272026-11-21T00%3A00%3A00Z%27%2C+%27schema%27%3A+%27binderhub.jupyter.org%2F\
               launch%27%2C+%27version%27%3A+1%2C+%27provider%27%3A+%27GitHub%27%2C+%27spec%27%3A+%27a%2Fb%2Fc%27%2C+\
               %27status%27%3A+%27success%27%7D";
    let answer = sandbox.get(&format!("/api/v1/events?token={INGEST}&name=binderhub&msg={msg}&args=%28%29")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains(r#""verdict":"admitted""#), "{}", answer.text());
    let rows = read_sql(&sandbox, "SELECT hub, text FROM events", ADMIN).await;
    assert!(!rows.contains(INGEST), "{rows}");
}

/// ADMIN is bound to the hub `south`: of what the others sent it sees nothing, on no page.
#[tokio::test]
async fn pages_show_a_token_its_own_hub_alone() {
    let sandbox = all().await;
    let north = bearer(INGEST);
    let body = format!(
        "[{}, {{\"schema\": \"example.org/northern\", \"version\": 1}}]",
        launch("northern-owner/northern-repository/main", 1)
    );
    let headers = [("content-type", "application/json"), ("authorization", north.as_str())];
    assert_eq!(sandbox.post("/api/v1/events", &headers, body.as_bytes()).await.status, 200);
    for path in [
        "/?audience=public",
        "/?audience=public&range=all",
        "/kpi/top-repos",
        "/kpi/repo-history?range=all",
        "/data",
        "/quarantine",
        "/api/v1/now",
        "/api/v1/quarantine",
    ] {
        let seen = read(&sandbox, path, Some(&bearer(QUERY))).await;
        assert_eq!(seen.status, 200, "{path}");
        assert!(seen.text().contains("northern") || seen.text().contains("north"), "{path}: the oracle sees it");
        let unseen = read(&sandbox, path, Some(&bearer(ADMIN))).await;
        assert_eq!(unseen.status, 200, "{path}");
        let text = unseen.text();
        assert!(!text.contains("northern-repository") && !text.contains("example.org/northern"), "{path}: {text}");
    }
    let now = read(&sandbox, "/api/v1/now", Some(&bearer(ADMIN))).await;
    assert!(now.text().contains("\"events\":0,\"quarantined\":0,\"waiting\":null"), "{}", now.text());
}

async fn read_sql(sandbox: &Sandbox, sql: &str, secret: &str) -> String {
    let authorization = bearer(secret);
    let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
    let body = serde_json::json!({ "sql": sql }).to_string();
    let answer = sandbox.post("/api/v1/query", &headers, body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().to_owned()
}

#[tokio::test]
async fn the_hub_of_an_event_is_that_of_its_token() {
    let sandbox = all().await;
    assert_eq!(send(&sandbox, Some(&bearer(INGEST))).await.status, 200);
    assert_eq!(send(&sandbox, Some(&bearer(ADMIN))).await.status, 200);
    let rows = read_sql(&sandbox, "SELECT hub FROM events ORDER BY hub", QUERY).await;
    let north = rows.find(r#"{"hub":"north"}"#);
    assert!(north.is_some() && north < rows.find(r#"{"hub":"south"}"#), "{rows}");
}

#[tokio::test]
async fn a_token_that_sends_reads_nothing() {
    let sandbox = all().await;
    for path in READING {
        let method = if path == "/api/v1/query" { "POST" } else { "GET" };
        let ask = async |authorization: Option<String>| {
            let mut headers = vec![("content-type", "application/json")];
            headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
            let body = if method == "POST" { &br#"{"sql": "SELECT 1"}"#[..] } else { b"" };
            code(&http::exchange(sandbox.address, &http::request(method, path, &headers, body)).await)
        };
        assert_eq!(ask(Some(bearer(INGEST))).await, is(403, "token_insufficient"), "{path}");
        assert_eq!(ask(Some(bearer("hs_wrong"))).await, is(401, "token_unknown"), "{path}");
        assert_eq!(ask(None).await, is(401, "token_missing"), "{path}");
        assert_eq!(ask(Some(bearer(QUERY))).await.0, 200, "{path}");
        assert_eq!(ask(Some(bearer(ADMIN))).await.0, 200, "{path}");
    }
    for path in OPEN {
        let expected = if path == "/nowhere" { 404 } else { 200 };
        for authorization in [None, Some(bearer(INGEST)), Some(bearer("hs_wrong"))] {
            assert_eq!(read(&sandbox, path, authorization.as_deref()).await.status, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn without_a_token_this_machine_may_send_and_read_and_no_other() {
    let sandbox = Sandbox::new().await;
    assert_eq!(send(&sandbox, None).await.status, 200);
    assert_eq!(sandbox.get("/api/v1/kpis").await.status, 200);
    // A proxy on this machine speaks for somebody elsewhere.
    for header in ["Forwarded", "X-Forwarded-For", "X-Real-IP"] {
        let headers = [("content-type", "application/json"), (header, "203.0.113.7")];
        let refused = sandbox.post("/api/v1/events", &headers, launch("a/b/c", 1).as_bytes()).await;
        assert_eq!(code(&refused), is(401, "token_missing"), "{header}");
        assert!(refused.text().contains("hubscope token create --hub NAME --may ingest"), "{}", refused.text());
        let read = http::request("GET", "/api/v1/kpis", &[(header, "203.0.113.7")], b"");
        let refused = http::exchange(sandbox.address, &read).await;
        assert_eq!(code(&refused), is(401, "token_missing"), "{header}");
        assert_eq!(refused.header("www-authenticate"), Some(r#"Basic realm="hubscope", charset="UTF-8""#));
    }
    assert_eq!(sandbox.journal.kept(), 1);
}

#[tokio::test]
async fn a_token_that_only_sends_leaves_reading_open_to_this_machine() {
    let sandbox = guarded(vec![token(INGEST, Some("north"), Verb::Ingest)]).await;
    assert_eq!(code(&send(&sandbox, None).await), is(401, "token_missing"));
    assert_eq!(sandbox.get("/api/v1/kpis").await.status, 200);
    let me = |authorization: Option<String>| {
        let sandbox = &sandbox;
        async move {
            let answer = read(sandbox, "/api/v1/me", authorization.as_deref()).await;
            serde_json::from_str::<Value>(answer.text()).unwrap()
        }
    };
    let of = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(me(None).await, of(r#"{"caller":"this machine","token":null,"hub":null,"may":["query"]}"#));
    let own = me(Some(bearer(INGEST))).await;
    assert_eq!(own, of(r#"{"caller":"token","token":"ingest","hub":"north","may":["ingest"]}"#));
    let wrong = me(Some(bearer("x"))).await;
    assert_eq!(wrong, of(r#"{"caller":"unknown token","token":null,"hub":null,"may":[]}"#));
}
