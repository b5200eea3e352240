//! `/api/v1/events`.

use ingest::CollectError;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::http::{self, Answer};
use crate::sandbox::{COLLECTOR, Failure, Sandbox, launch};

#[tokio::test]
async fn every_event_gets_its_id_and_its_verdict_in_order() {
    let sandbox = Sandbox::new().await;
    let body = format!("[{},{{\"hello\":1}},{}]", launch("a/b/main", 1), launch("c/d/main", 1));
    let answer = sandbox.post_json("/api/v1/events", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    assert_eq!((&json["kept"], &json["admitted"], &json["quarantined"]), (&3.into(), &2.into(), &1.into()));
    for (index, verdict) in ["admitted", "quarantined", "admitted"].into_iter().enumerate() {
        assert_eq!(json["events"][index]["id"], format!("{COLLECTOR}:{index}"));
        assert_eq!(json["events"][index]["verdict"], verdict);
    }
    assert_eq!(json["events"][0]["schema"], "binderhub.jupyter.org/launch");
    assert_eq!(json["events"][0]["version"], "1");
    assert_eq!(json["events"][1]["reason"], "no_schema");
    assert!(json["events"][1]["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    assert_eq!(sandbox.journal.kept(), 3);
}

#[tokio::test]
async fn a_get_with_a_form_in_its_address_is_kept_too_and_credentials_do_not_matter() {
    let sandbox = Sandbox::new().await;
    let message = launch("a/b/main", 1).replace('"', "%22").replace(' ', "%20").replace('+', "%2B");
    let request = http::request(
        "GET",
        &format!("/api/v1/events?name=x&msg={message}&args=%28%29"),
        &[("authorization", "Basic dTpw")],
        b"",
    );
    let answer = http::exchange(sandbox.address, &request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["admitted"], 1, "{}", answer.text());
}

#[tokio::test]
async fn a_request_of_which_nothing_can_be_kept_is_refused_with_a_problem_document() {
    let sandbox = Sandbox::new().await;
    for (headers, body, status) in [
        (vec![("content-type", "application/json")], Vec::new(), 400),
        (vec![("content-type", "application/json"), ("content-encoding", "br")], b"x".to_vec(), 415),
        (vec![("content-type", "application/json"), ("content-encoding", "gzip")], b"no gzip".to_vec(), 400),
    ] {
        let answer = sandbox.post("/api/v1/events", &headers, &body).await;
        assert_eq!(answer.status, status, "{headers:?} {}", answer.text());
        assert_problem(&answer);
    }
    assert_eq!(sandbox.journal.kept(), 0);
}

#[tokio::test]
async fn what_the_journal_cannot_take_is_told_so_that_the_sender_knows_what_to_do() {
    let sandbox = Sandbox::new().await;
    let cases: [(Failure, u16, Option<&str>); 5] = [
        (|| CollectError::Overloaded, 503, Some("1")),
        (|| CollectError::DiskFull, 507, None),
        (|| CollectError::QuotaReached, 507, None),
        (|| CollectError::Poisoned, 503, None),
        (|| CollectError::Closed, 503, None),
    ];
    for (failure, status, retry_after) in cases {
        sandbox.journal.fail(failure);
        let answer = sandbox.post_json("/api/v1/events", &launch("a/b/main", 1)).await;
        assert_eq!((answer.status, answer.header("retry-after")), (status, retry_after));
        assert_problem(&answer);
    }
}

#[tokio::test]
async fn no_byte_of_an_answer_is_sent_before_the_batch_is_on_disk() {
    let sandbox = Sandbox::new().await;
    let gate = sandbox.journal.hold();
    let mut stream = TcpStream::connect(sandbox.address).await.unwrap();
    let body = launch("a/b/main", 1);
    let request = http::request("POST", "/api/v1/events", &[("content-type", "application/json")], body.as_bytes());
    stream.write_all(&request).await.unwrap();
    gate.reached.notified().await;
    let early = stream.try_read(&mut [0; 1]);
    assert!(early.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    gate.open.notify_one();
    assert_eq!(Answer::parse(&http::to_the_end(&mut stream).await).status, 200);
}

#[tokio::test]
async fn a_body_is_understood_the_same_on_either_side_of_the_inline_limit() {
    let sandbox = Sandbox::new().await;
    for events in [1, 1_000] {
        let lines = vec![launch("a/b/main", 1); events].join("\n");
        let answer =
            sandbox.post("/api/v1/events", &[("content-type", "application/x-ndjson")], lines.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let json = answer.json();
        assert_eq!(json["admitted"], events);
        assert_eq!(json["events"].as_array().unwrap().len(), events);
    }
    assert_eq!(sandbox.journal.kept(), 1_001);
}

#[tokio::test]
async fn pages_of_other_sites_cannot_make_a_browser_send_events() {
    let sandbox = Sandbox::new().await;
    let headers = [("content-type", "text/plain"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")];
    let answer = sandbox.post("/api/v1/events", &headers, launch("a/b/main", 1).as_bytes()).await;
    assert_eq!(answer.status, 403);
    assert_problem(&answer);
    assert_eq!(sandbox.journal.kept(), 0);
}

/// It is a whole problem document, and says nothing of the inside.
#[track_caller]
pub(crate) fn assert_problem(answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let json = answer.json();
    assert_eq!(json["status"], answer.status);
    let code = json["code"].as_str().unwrap();
    assert_eq!(json["type"], format!("urn:hubscope:problem:{code}"));
    for member in ["title", "detail"] {
        assert!(json[member].as_str().is_some_and(|text| !text.is_empty()), "{json}");
    }
}
