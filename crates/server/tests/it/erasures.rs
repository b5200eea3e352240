//! `/api/v1/erasures`: who may have whom forgotten, and what is told of it.

use std::time::Duration;

use serde_json::{Value, json};
use server::{Grant, Limits, Verb};

use crate::http::{self, Answer};
use crate::sandbox::{Sandbox, Tokens, Wishes};

const INGEST: &str = "hs_ingest";
const QUERY: &str = "hs_query";
const ADMIN: &str = "hs_admin";
const ADMIN_OF_LAB: &str = "hs_lab";

async fn sandbox() -> Sandbox {
    let token = |secret: &'static str, hub: Option<&str>, may| {
        (secret, Grant { token: secret.trim_start_matches("hs_").into(), hub: hub.map(Into::into), may })
    };
    let tokens = vec![
        token(INGEST, Some("lab"), Verb::Ingest),
        token(QUERY, None, Verb::Query),
        token(ADMIN, None, Verb::Admin),
        token(ADMIN_OF_LAB, Some("lab"), Verb::Admin),
    ];
    let limits = Limits { erasure_wait_time: Duration::from_millis(20), ..Limits::default() };
    Sandbox::with(Wishes { tokens: Tokens(tokens), limits, ..Wishes::default() }).await
}

async fn ask(sandbox: &Sandbox, secret: &str, body: &str) -> Answer {
    let authorization = format!("Bearer {secret}");
    let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
    sandbox.post("/api/v1/erasures", &headers, body.as_bytes()).await
}

async fn get(sandbox: &Sandbox, secret: &str, path: &str) -> Answer {
    let authorization = format!("Bearer {secret}");
    let headers = [("authorization", authorization.as_str())];
    http::exchange(sandbox.address, &http::request("GET", path, &headers, b"")).await
}

fn value(answer: &Answer) -> Value {
    serde_json::from_str(answer.text()).unwrap_or_else(|error| panic!("{error} in {}", answer.text()))
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status, value(answer)["code"].as_str().unwrap_or_default().to_owned())
}

const ZOE: &str = r#"{"user": "zoe"}"#;

#[tokio::test]
async fn only_a_token_that_may_administer_may() {
    let sandbox = sandbox().await;
    for (secret, expected) in [
        (INGEST, (403, "token_insufficient")),
        (QUERY, (403, "token_insufficient")),
        ("hs_wrong", (401, "token_unknown")),
    ] {
        let expected = (expected.0, expected.1.to_owned());
        assert_eq!(told(&ask(&sandbox, secret, ZOE).await), expected, "{secret}");
        assert_eq!(told(&get(&sandbox, secret, "/api/v1/erasures").await), expected, "{secret}");
        assert_eq!(told(&get(&sandbox, secret, "/api/v1/erasures/0").await), expected, "{secret}");
    }
    let nobody = sandbox.post_json("/api/v1/erasures", ZOE).await;
    assert_eq!(told(&nobody), (401, "token_missing".to_owned()));
    assert_eq!(sandbox.get("/api/v1/erasures").await.status, 401);
    // As long as there is no token at all, this machine may send and read, but nobody may have anybody forgotten.
    let open = Sandbox::new().await;
    assert_eq!(open.post_json("/api/v1/erasures", ZOE).await.status, 401);
    assert!(sandbox.erasures.asked.lock().unwrap().is_empty() && open.erasures.asked.lock().unwrap().is_empty());
    assert_eq!(ask(&sandbox, ADMIN, ZOE).await.status, 200);
}

#[tokio::test]
async fn a_token_of_a_hub_forgets_and_sees_there_alone() {
    let sandbox = sandbox().await;
    for (secret, body, expected) in [
        (ADMIN, ZOE, Ok(None)),
        (ADMIN, r#"{"user": "zoe", "hub": "other"}"#, Ok(Some("other"))),
        (ADMIN_OF_LAB, ZOE, Ok(Some("lab"))),
        (ADMIN_OF_LAB, r#"{"user": "zoe", "hub": "lab"}"#, Ok(Some("lab"))),
        (ADMIN_OF_LAB, r#"{"user": "zoe", "hub": "other"}"#, Err((403, "token_of_one_hub".to_owned()))),
    ] {
        let before = sandbox.erasures.asked.lock().unwrap().len();
        let answer = ask(&sandbox, secret, body).await;
        let asked = sandbox.erasures.asked.lock().unwrap().get(before).cloned();
        match expected {
            Ok(hub) => {
                assert_eq!(value(&answer), json!({"certificate of": before.to_string()}), "{body}");
                assert_eq!(asked, Some(("zoe".to_owned(), hub.map(str::to_owned))), "{body}");
            }
            Err(problem) => assert_eq!((told(&answer), asked), (problem, None), "{body}"),
        }
    }
    let of_lab = value(&get(&sandbox, ADMIN_OF_LAB, "/api/v1/erasures").await);
    assert_eq!((&of_lab["total"], of_lab["erasures"].as_array().map(Vec::len)), (&json!(2), Some(2)), "{of_lab}");
    assert_eq!(get(&sandbox, ADMIN_OF_LAB, "/api/v1/erasures/0").await.status, 404, "of all hubs, not its own");
    assert_eq!(get(&sandbox, ADMIN_OF_LAB, "/api/v1/erasures/2").await.status, 200);
    let all = value(&get(&sandbox, ADMIN, "/api/v1/erasures?limit=3").await);
    assert_eq!((&all["total"], all["erasures"].as_array().map(Vec::len)), (&json!(4), Some(3)), "{all}");
    assert!(!all.to_string().contains("zoe"), "no names: {all}");
    assert_eq!(get(&sandbox, ADMIN, "/api/v1/erasures/9").await.status, 404);
}

#[tokio::test]
async fn what_takes_long_is_told_where_to_ask_on() {
    let sandbox = sandbox().await;
    sandbox.erasures.are_finished.send_replace(false);
    let answer = ask(&sandbox, ADMIN, ZOE).await;
    assert_eq!((answer.status, answer.header("location")), (202, Some("erasures/0")), "{}", answer.text());
    assert_eq!(value(&answer), json!({"id": "0", "state": "under_way", "certificate_at": "erasures/0"}));
    let one = value(&get(&sandbox, ADMIN, "/api/v1/erasures/0").await);
    assert_eq!((&one["state"], one.get("certificate")), (&json!("under_way"), None), "{one}");
    sandbox.erasures.are_finished.send_replace(true);
    let one = value(&get(&sandbox, ADMIN, "/api/v1/erasures/0").await);
    assert_eq!((&one["state"], &one["certificate"]), (&json!("finished"), &json!({"certificate of": "0"})), "{one}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_problem() {
    let sandbox = sandbox().await;
    for (body, expected) in [
        ("", (400, "not_json")),
        ("{}", (400, "not_json")),
        (r#"{"user": 7}"#, (400, "not_json")),
        (r#"{"user": "zoe", "name": "x"}"#, (400, "not_json")),
        (r#"{"user": ""}"#, (400, "name_impossible")),
        (r#"{"user": "one too many"}"#, (507, "erasures_full")),
        (r#"{"user": "unlucky"}"#, (500, "internal")),
    ] {
        let answer = ask(&sandbox, ADMIN, body).await;
        assert_eq!(told(&answer), (expected.0, expected.1.to_owned()), "{body}: {}", answer.text());
    }
    let authorization = format!("Bearer {ADMIN}");
    let headers = [("content-type", "text/plain"), ("authorization", authorization.as_str())];
    let form = sandbox.post("/api/v1/erasures", &headers, ZOE.as_bytes()).await;
    assert_eq!(told(&form), (415, "content_type".to_owned()), "no page of another site can send it");
    let long = format!(r#"{{"user": "{}"}}"#, "z".repeat(70_000));
    assert_eq!(ask(&sandbox, ADMIN, &long).await.status, 413);
    assert!(sandbox.erasures.asked.lock().unwrap().is_empty());
}
