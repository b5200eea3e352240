//! Backups made under load, and what comes back from them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use acceptance::{Ended, Random, Sandbox, Server, TIME_LIMIT};
use serde_json::Value;

use crate::BUSY;
use crate::ledger::Ledger;
use crate::load::Load;
use crate::oracle::{ALL_ROWS, check_tables};
use crate::restore::{copy, load, stopped};

pub(crate) fn back_up(sandbox: &Sandbox, name: &str) -> Ended {
    sandbox.run([Path::new("backup"), &sandbox.path(name)])
}

pub(crate) fn verify(sandbox: &Sandbox, folder: &Path) -> Ended {
    let mut command = sandbox.command(["verify"]);
    command.env("HUBSCOPE_DATA", folder);
    sandbox.run_command(command)
}

/// Puts a copy of the backup `name` in place of the folder of data.
pub(crate) fn restore(sandbox: &Sandbox, name: &str) {
    fs::remove_dir_all(sandbox.data()).expect("the folder of data lies there");
    copy(&sandbox.path(name), &sandbox.data());
}

/// The rows that the load `name` sent.
fn rows_of(server: &Server, name: &str) -> Vec<Value> {
    let of_load = |row: &Value| row["text"].as_str().is_some_and(|text| text.contains(&format!("{name}-")));
    server.query(ALL_ROWS).into_iter().filter(of_load).collect()
}

#[test]
fn a_backup_under_load_holds_what_was_acknowledged_before_it() {
    let sandbox = Sandbox::new();
    let (before, during, after) = (Arc::<Ledger>::default(), Arc::<Ledger>::default(), Arc::<Ledger>::default());
    let server = sandbox.serve(&BUSY);
    load(&server, &before, "before", 40);
    let under_way = Load::start(server.address(), &during, "during", &mut Random::new(5));
    during.wait_for_answers(20, TIME_LIMIT);
    let told = back_up(&sandbox, "backup").output();
    assert!(told.contains("linked, 0 copied"), "{told}");
    let answers = during.answers();
    during.wait_for_answers(answers + 20, TIME_LIMIT);
    under_way.enough();
    under_way.ended();
    let again = back_up(&sandbox, "backup");
    assert!(again.code == Some(1) && again.stderr.contains("exists already"), "{again:?}");
    stopped(server);

    let commits = fs::read_dir(sandbox.path("backup").join("tables/events/_delta_log")).expect("a log");
    let linked = commits
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.metadata().is_ok_and(|metadata| metadata.nlink() > 1)));
    assert!(linked.count() > 1, "commits are hard links");
    let verified = verify(&sandbox, &sandbox.path("backup"));
    assert_eq!(verified.code, Some(0), "{verified:?}");
    restore(&sandbox, "backup");
    let server = sandbox.serve(&BUSY);
    check_tables(&before, &rows_of(&server, "before"));
    let sent = during.events();
    let mut found = BTreeSet::new();
    for row in rows_of(&server, "during") {
        let text = row["text"].as_str().expect("a text");
        let event: Value = serde_json::from_str(text).expect("JSON");
        let id = event["spec"].as_str().expect("an id").to_owned();
        assert!(sent.contains_key(&id) && found.insert(id), "{text} comes twice, or was never sent");
    }
    assert!(found.len() < sent.len(), "the load went on after the backup");
    load(&server, &after, "after", 40);
    let rows = rows_of(&server, "after");
    let kept: BTreeSet<&str> = rows.iter().filter_map(|row| row["text"].as_str()).collect();
    assert_eq!((kept.len(), rows.len()), (after.events().len(), after.events().len()), "taken in as ever");
    stopped(server);
    let verified = verify(&sandbox, &sandbox.data());
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[test]
fn a_table_from_a_later_backup_than_its_journal_starts_a_journal_anew() {
    let sandbox = Sandbox::new();
    let ledger = Arc::<Ledger>::default();
    let server = sandbox.serve(&BUSY);
    load(&server, &ledger, "first", 40);
    back_up(&sandbox, "earlier").output();
    load(&server, &ledger, "second", 40);
    back_up(&sandbox, "later").output();
    stopped(server);
    restore(&sandbox, "later");
    fs::remove_dir_all(sandbox.data().join("journal")).expect("its journal");
    copy(&sandbox.path("earlier").join("journal"), &sandbox.data().join("journal"));
    let server = sandbox.serve(&BUSY);
    check_tables(&ledger, &server.query(ALL_ROWS));
    load(&server, &ledger, "third", 40);
    check_tables(&ledger, &server.query(ALL_ROWS));
    let ended = stopped(server);
    assert!(ended.stderr.contains("ahead of the journal"), "{}", ended.stderr);
    let verified = verify(&sandbox, &sandbox.data());
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[test]
fn a_backup_without_a_server_is_the_folder_itself() {
    let sandbox = Sandbox::new();
    let ledger = Arc::<Ledger>::default();
    let server = sandbox.serve(&BUSY);
    load(&server, &ledger, "all", 40);
    stopped(server);
    back_up(&sandbox, "backup").output();
    assert!(!sandbox.path("backup.unfinished").exists());
    restore(&sandbox, "backup");
    check_tables(&ledger, &sandbox.query(ALL_ROWS));
    assert_eq!(back_up(&sandbox, "no/such/parent").code, Some(1));
}
