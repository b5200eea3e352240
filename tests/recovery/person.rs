//! Somebody who is to be forgotten: what there is of them, and that nothing is left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use acceptance::{Ended, Sandbox, Server, TIME_LIMIT};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};

use crate::ledger::Ledger;

/// A user's name that nothing else in a folder holds.
#[derive(Clone, Debug)]
pub(crate) struct Person(String);

impl Person {
    pub(crate) fn new(name: &str) -> Self {
        Self(format!("zoe.{name}.lovelace"))
    }

    /// Sends events of theirs, among them one that belongs in quarantine and one that quotes them in its answer, so
    /// that the key of the request is kept with their name. The ledger learns which positions they took.
    pub(crate) fn send(&self, server: &Server, ledger: &Ledger) {
        let Self(name) = self;
        let action = |action: &str| {
            json!({
                "__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": 1,
                "__timestamp__": "2024-03-01T09:00:00Z", "action": action, "username": name, "servername": "",
            })
        };
        let aside =
            json!({"__schema__": name, "__timestamp__": "2024-03-01T09:00:00Z", "path": format!("/user/{name}/lab")});
        let body = json!([action("start"), aside, action("fly"), action("stop")]).to_string();
        let headers = [("content-type", "application/json"), ("idempotency-key", name.as_str())];
        let answer = server.client().post_with("/api/v1/events", &headers, body.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        let events = answer["events"].as_array().unwrap_or_else(|| panic!("no events in {answer}"));
        assert_eq!(events.len(), 4);
        ledger.removed(events.iter().map(|event| event["id"].as_str().expect("an id")));
    }

    pub(crate) fn forget(&self, sandbox: &Sandbox) -> Ended {
        sandbox.run(["forget", "--user", &self.0])
    }

    /// Whether any file of a folder says their name: the rows of Parquet files, the bytes of all others.
    pub(crate) fn is_in(&self, folder: &Path) -> Option<PathBuf> {
        files(folder).into_iter().find(|path| says(path, &self.0))
    }
}

/// Waits until the requests to forget somebody, `expected` of them, are carried out, each with its certificate.
pub(crate) fn wait_until_forgotten(sandbox: &Sandbox, server: &Server, expected: usize) {
    let [requests, certificates] = ["erasure", "certificate"].map(|kind| sandbox.data().join("state").join(kind));
    server.wait_until(TIME_LIMIT, || finished(&requests).len() == expected);
    for id in finished(&requests) {
        let certificate = json_of(&certificates.join(format!("{id}.json")));
        assert_eq!(certificate["id"], Value::from(id));
        assert!(certificate["finished"].is_string(), "{certificate}");
    }
}

/// The ids of the requests in `folder` that are finished.
fn finished(folder: &Path) -> Vec<String> {
    let requests = files(folder).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let requests = requests.map(|path| json_of(&path)).filter(|request| request["finished"] == true);
    requests.map(|request| request["id"].as_str().expect("an id").to_owned()).collect()
}

fn json_of(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{error}: {}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{error}: {}", path.display()))
}

/// Every file below `folder`; none if there is no such folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

fn says(path: &Path, name: &str) -> bool {
    // A file may go while it is looked for: then it says nothing.
    let Ok(bytes) = fs::read(path) else { return false };
    if bytes.windows(name.len()).any(|window| window == name.as_bytes()) {
        return true;
    }
    if !bytes.starts_with(b"PAR1") || !bytes.ends_with(b"PAR1") {
        return false;
    }
    let Ok(file) = File::open(path) else { return false };
    let reader = SerializedFileReader::new(file).expect("a part can be read");
    let mut rows = reader.get_row_iter(None).expect("a part has rows");
    rows.any(|row| row.expect("a row can be decoded").to_string().contains(name))
}
