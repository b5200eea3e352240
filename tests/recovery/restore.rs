//! Folders as crashes and backups leave them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acceptance::{Ended, Random, Sandbox, Server, TIME_LIMIT};

use crate::BUSY;
use crate::ledger::Ledger;
use crate::load::Load;
use crate::oracle::{ALL_ROWS, check_tables};

/// Nothing is flushed by itself: what is acknowledged stays in the journal until a stop.
pub(crate) const LAZY: [(&str, &str); 2] =
    [("HUBSCOPE_STORE__FLUSH_INTERVAL", "1 h"), ("HUBSCOPE_ARCHIVE__ENABLED", "false")];

/// Sends until so many requests were answered, and waits for all answers.
pub(crate) fn load(server: &Server, ledger: &Arc<Ledger>, name: &str, answers: u64) {
    let load = Load::start(server.address(), ledger, name, &mut Random::new(answers));
    ledger.wait_for_answers(ledger.answers() + answers, TIME_LIMIT);
    load.enough();
    load.ended();
}

pub(crate) fn stopped(server: Server) -> Ended {
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended
}

/// Copies the files of a folder, and of the folders in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the folder can be read") {
        let path = entry.expect("its entries can be read").path();
        let place = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy(&path, &place);
        } else {
            fs::copy(&path, &place).expect("a file can be copied");
        }
    }
}

#[test]
fn a_journal_restored_from_before_the_table_starts_anew_and_says_so() {
    let sandbox = Sandbox::new();
    let ledger = Arc::new(Ledger::default());
    let (journal, backup) = (sandbox.data().join("journal"), sandbox.path("backup"));
    let server = sandbox.serve(&BUSY);
    load(&server, &ledger, "before", 40);
    stopped(server);
    copy(&journal, &backup);
    let server = sandbox.serve(&BUSY);
    load(&server, &ledger, "since", 40);
    stopped(server);
    fs::remove_dir_all(&journal).expect("the journal lies there");
    copy(&backup, &journal);

    let server = sandbox.serve(&BUSY);
    load(&server, &ledger, "after", 40);
    check_tables(&ledger, &server.query(ALL_ROWS));
    let ended = stopped(server);
    assert!(ended.stderr.contains("ahead of the journal"), "{}", ended.stderr);
    let rows = sandbox.query(ALL_ROWS);
    check_tables(&ledger, &rows);
    let mut collectors: Vec<&str> = rows.iter().filter_map(|row| row["collector"].as_str()).collect();
    collectors.sort_unstable();
    collectors.dedup();
    assert_eq!(collectors.len(), 2, "the journal has a new id");
}

#[test]
fn a_torn_end_of_the_journal_is_told_and_hides_nothing() {
    let sandbox = Sandbox::new();
    let ledger = Arc::new(Ledger::default());
    let mut random = Random::new(3);
    for round in 0..6 {
        let mut server = sandbox.serve(&LAZY);
        load(&server, &ledger, &format!("torn{round}"), 10);
        server.kill();
        let (_, signal) = server.ended_within(TIME_LIMIT);
        assert_eq!(signal, Some(9));
        let bytes: Vec<u8> = (0..random.between(1, 5_000)).map(|_| random.number().to_le_bytes()[0]).collect();
        let segment = newest_file(&sandbox.data().join("journal"));
        let mut file = fs::File::options().append(true).open(&segment).expect("a segment can be written");
        file.write_all(&bytes).expect("a segment can be written");

        let server = sandbox.serve(&LAZY);
        check_tables(&ledger, &server.query(ALL_ROWS));
        let ended = stopped(server);
        assert!(ended.stderr.contains("torn"), "{} bytes in {}: {}", bytes.len(), segment.display(), ended.stderr);
    }
    check_tables(&ledger, &sandbox.query(ALL_ROWS));
}

/// Segments are named in order.
fn newest_file(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).expect("the journal can be read");
    let paths = entries.map(|entry| entry.expect("its entries can be read").path());
    paths.filter(|path| path.is_file()).max().expect("a journal has a segment")
}
