//! `/api/v1/erasures` on the real program: somebody is forgotten over HTTP.

use std::fs;
use std::process::Command;

use acceptance::{Response, Sandbox, Server, TIME_LIMIT};
use serde_json::{Value, json};

/// No other word in a folder holds it.
const NAME: &str = "zoe.lovelace";

fn token(sandbox: &Sandbox, arguments: &[&str]) -> String {
    sandbox.run([&["token", "create"], arguments].concat()).output().trim().to_owned()
}

fn action(user: &str) -> String {
    json!({
        "__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": 1,
        "__timestamp__": "2024-03-01T09:00:00Z", "action": "start", "username": user, "servername": "",
    })
    .to_string()
}

fn send(server: &Server, secret: &str, events: &[String]) -> Value {
    let authorization = format!("Bearer {secret}");
    let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
    let body = format!("[{}]", events.join(","));
    let answer = server.client().post_with("/api/v1/events", &headers, body.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn erase(server: &Server, secret: &str, body: &Value) -> Response {
    let authorization = format!("Bearer {secret}");
    let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
    server.client().post_with("/api/v1/erasures", &headers, body.to_string().as_bytes()).expect("an answer")
}

fn get(server: &Server, secret: &str, path: &str) -> Value {
    server.get(&format!("{path}?token={secret}")).json()
}

/// Damaged bytes that name somebody, as a torn write leaves them.
fn tear(sandbox: &Sandbox) {
    let segments = fs::read_dir(sandbox.data().join("journal")).expect("a journal");
    let segments = segments.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    let newest = segments.max().expect("a segment");
    let bytes = fs::read(&newest).expect("a segment");
    fs::write(&newest, [&bytes[..], format!("torn: {}", action(NAME)).as_bytes()].concat()).expect("written");
}

fn damaged_files(server: &Server, secret: &str) -> String {
    let text = server.get(&format!("/metrics?token={secret}")).text();
    let line = text.lines().find(|line| line.starts_with("hubscope_journal_damaged_files ")).expect("the gauge");
    line.rsplit(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn somebody_is_forgotten_over_http_and_no_log_names_them() {
    let sandbox = Sandbox::new();
    let mut server = sandbox.serve(&[("HUBSCOPE_LOG", "debug")]);
    let [lab, other] = ["lab", "other"].map(|hub| token(&sandbox, &["--hub", hub, "--may", "ingest"]));
    let admin = token(&sandbox, &["--may", "admin"]);
    let admin_of_lab = token(&sandbox, &["--hub", "lab", "--may", "admin"]);
    for secret in [&lab, &other] {
        send(&server, secret, &[action(NAME), action("bob")]);
    }
    server.kill();
    tear(&sandbox);
    let server = sandbox.serve(&[("HUBSCOPE_LOG", "debug")]);
    assert_eq!(damaged_files(&server, &admin), "1");

    let answer = erase(&server, &admin_of_lab, &json!({"user": NAME}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let certificate = answer.json();
    assert_eq!((&certificate["hub"], &certificate["rows_removed"]), (&json!("lab"), &json!(1)), "{certificate}");
    assert!(!answer.text().contains(NAME), "{}", answer.text());
    assert_eq!(certificate["set_aside_removed"].as_array().map(Vec::len), Some(1), "{certificate}");
    assert_eq!(damaged_files(&server, &admin), "0", "what is gone is not counted");
    let id = certificate["id"].as_str().expect("an id").to_owned();
    let kept = fs::read(sandbox.data().join(format!("state/certificate/{id}.json"))).expect("it is kept");
    assert_eq!(serde_json::from_slice::<Value>(&kept).expect("JSON"), certificate);

    let users = |server: &Server| {
        let body = json!({"sql": "SELECT hub, username FROM server_actions ORDER BY hub, username"}).to_string();
        let authorization = format!("Bearer {admin}");
        let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
        server.client().post_with("/api/v1/query", &headers, body.as_bytes()).expect("an answer").json()["rows"].clone()
    };
    let of = |hub: &str, user: &str| json!({"hub": hub, "username": user});
    assert_eq!(users(&server), json!([of("lab", "bob"), of("other", "bob"), of("other", NAME)]));
    let late = send(&server, &lab, &[action(NAME), action("bob")]);
    assert_eq!(late["events"][0]["reason"], "forgotten", "{late}");
    assert_eq!(late["events"][1]["verdict"], "admitted", "{late}");

    // The same, everywhere. The first is listed for whom it concerns, the second for the admin of all hubs.
    let everywhere = erase(&server, &admin, &json!({"user": NAME, "hub": null})).json();
    assert_eq!(users(&server), json!([of("lab", "bob"), of("lab", "bob"), of("other", "bob")]));
    let all = get(&server, &admin, "/api/v1/erasures");
    assert_eq!((&all["total"], &all["erasures"][0]["id"]), (&json!(2), &everywhere["id"]), "the newest first: {all}");
    let own = get(&server, &admin_of_lab, "/api/v1/erasures");
    let expected = json!([{"id": id, "hub": "lab", "asked": certificate["asked"], "state": "finished"}]);
    assert_eq!(own["erasures"], expected, "{own}");
    assert_eq!(get(&server, &admin_of_lab, &format!("/api/v1/erasures/{id}"))["certificate"], certificate);

    for (body, code) in [
        (json!({"user": ""}), "name_impossible"),
        (json!({"user": "z".repeat(256)}), "name_impossible"),
        (json!({"user": "a\nb"}), "name_impossible"),
        (json!({"user": "zoe", "hub": " "}), "name_impossible"),
    ] {
        let refused = erase(&server, &admin, &body);
        assert_eq!((refused.status, &refused.json()["code"]), (400, &json!(code)), "{body}");
    }
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains(&id) && ended.stderr.contains("asked to forget somebody"), "{}", ended.stderr);
    assert!(!ended.stderr.contains(NAME), "a name in the log: {}", ended.stderr);
}

/// The line of the manual, as it stands there, with the address and the token of a test.
#[test]
fn the_line_of_the_manual_works() {
    if Command::new("curl").arg("--version").output().is_err() {
        use std::io::Write as _;
        // Past the test runner, which hides what passing tests print. A closed standard error is no reason to fail.
        let _ = writeln!(std::io::stderr(), "SKIPPED the line of docs/operate/forget.md: there is no curl");
        return;
    }
    let manual = include_str!("../../docs/operate/forget.md");
    let after = manual.split_once("<!-- snippet: curl -->\n```sh\n").expect("the snippet is marked").1;
    let line = after.split_once("```").expect("the snippet ends").0;
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let [lab, admin] = [&["--hub", "lab", "--may", "ingest"][..], &["--may", "admin"]].map(|may| token(&sandbox, may));
    send(&server, &lab, &[action("zoe"), action("bob")]);
    assert!(line.contains("127.0.0.1:8080") && line.contains("\"zoe\"") && line.contains("$TOKEN"), "{line}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &line.replace("127.0.0.1:8080", &server.address().to_string())]).env("TOKEN", admin);
    let ran = shell.env("NO_PROXY", "127.0.0.1").output().expect("a shell");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let certificate: Value = serde_json::from_slice(&ran.stdout).expect("a certificate");
    assert_eq!((&certificate["hub"], &certificate["rows_removed"]), (&json!("lab"), &json!(1)), "{certificate}");
}
