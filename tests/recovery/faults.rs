//! Faults of the disk under the real program: `strace` makes its system calls fail, which needs no root.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use acceptance::{Random, Sandbox, Server, TIME_LIMIT, wrapped};
use serde_json::Value;

use crate::BUSY;
use crate::ledger::Ledger;
use crate::load::Load;
use crate::oracle::{ALL_ROWS, check_tables};
use crate::skipped;

/// Where the answer changes within this time, nobody has to wait longer than five seconds for it; it is longer because
/// this machine may be busy with other tests.
const READY_AGAIN_MAX: Duration = Duration::from_secs(30);

/// Whether system calls can be made to fail here.
fn can_inject() -> bool {
    let mut tried = Command::new("strace");
    tried.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=none", "true"]);
    let works = tried.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !works {
        skipped("strace is not installed or not allowed");
    }
    works
}

/// The program with a fault: `fdatasync:error=EIO:when=5` fails the fifth of a thread. The tracer is a grandchild, so
/// that signals reach the program.
fn serve_with(sandbox: &Sandbox, fault: &str) -> Server {
    let call = fault.split(':').next().unwrap_or_default();
    let (trace, inject) = (format!("trace={call}"), format!("inject={fault}"));
    let tracer = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, "--"];
    Server::started(wrapped(&sandbox.serve_command(&BUSY), &tracer))
}

fn reasons(server: &Server) -> Vec<String> {
    let answer = server.get("/readyz");
    let document: Value = serde_json::from_str(&answer.text()).unwrap_or_default();
    let codes = document["reasons"].as_array().into_iter().flatten().filter_map(|reason| reason["code"].as_str());
    codes.map(str::to_owned).collect()
}

/// Sends until a sender is refused.
fn load_until_refused(server: &Server, ledger: &Arc<Ledger>, name: &str) {
    let load = Load::start(server.address(), ledger, name, &mut Random::new(11));
    ledger.wait_for_refusal(TIME_LIMIT);
    load.enough();
    load.ended();
}

#[test]
fn a_failed_fsync_is_told_nothing_more_is_taken_and_nothing_is_lost() {
    if !can_inject() {
        return;
    }
    for when in [2, 5, 23] {
        let sandbox = Sandbox::new();
        let ledger = Arc::new(Ledger::default());
        let mut server = serve_with(&sandbox, &format!("fdatasync:error=EIO:when={when}"));
        load_until_refused(&server, &ledger, &format!("eio{when}"));
        assert_eq!(reasons(&server), ["journal_poisoned"], "when={when}");
        let before = ledger.acknowledged();
        let answer = server.post_events(br#"{"a": 1}"#);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("journal_poisoned")), "when={when}");
        check_tables(&ledger, &server.query(ALL_ROWS));
        server.kill();
        drop(server);
        let server = sandbox.serve(&BUSY);
        assert_eq!((reasons(&server), ledger.acknowledged()), (vec![], before));
        check_tables(&ledger, &server.query(ALL_ROWS));
        assert_eq!(server.post_events(br#"{"spec": "x"}"#).status, 200, "a restart helps");
    }
}

/// The fifth to eighth write of the journal find no room; then there is some, and nobody has to ask for it.
#[test]
fn a_disk_without_room_is_told_and_the_way_back_needs_no_request() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::new();
    let ledger = Arc::new(Ledger::default());
    let server = serve_with(&sandbox, "pwrite64:error=ENOSPC:when=5..7");
    load_until_refused(&server, &ledger, "enospc");
    let refused = ledger.events().into_values().any(|sent| sent.told == crate::ledger::Told::Refused(507));
    assert!(refused, "nobody was told 507");
    assert_eq!(reasons(&server), ["disk_full"]);
    check_tables(&ledger, &server.query(ALL_ROWS));
    server.wait_until_ready(READY_AGAIN_MAX);
    let load = Load::start(server.address(), &ledger, "after", &mut Random::new(12));
    ledger.wait_for_answers(ledger.answers() + 50, TIME_LIMIT);
    load.enough();
    load.ended();
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    check_tables(&ledger, &sandbox.query(ALL_ROWS));
}

/// From some moment on no folder and no part of the table can be synced: whatever was acknowledged is in the journal.
#[test]
fn a_table_that_cannot_be_synced_loses_nothing() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::new();
    let ledger = Arc::new(Ledger::default());
    drop(sandbox.serve(&BUSY));
    let mut server = serve_with(&sandbox, "fsync:error=EIO:when=12+");
    let load = Load::start(server.address(), &ledger, "fsync", &mut Random::new(13));
    server.wait_until(TIME_LIMIT, || !reasons(&server).is_empty());
    load.enough();
    load.ended();
    check_tables(&ledger, &server.query(ALL_ROWS));
    server.kill();
    drop(server);
    let server = sandbox.serve(&BUSY);
    assert_eq!(reasons(&server), Vec::<String>::new());
    check_tables(&ledger, &server.query(ALL_ROWS));
}
