//! Stopped on purpose under load.

use std::sync::Arc;
use std::time::Duration;

use acceptance::{Random, Sandbox, TIME_LIMIT};

use crate::BUSY;
use crate::ledger::Ledger;
use crate::load::Load;
use crate::oracle::{ALL_ROWS, check_tables};

/// Service managers kill what has not stopped after some time, often thirty seconds. In a build without optimisation
/// and beside other tests a stop may take longer than an operator would like, but never that long.
const STOP_TIME_MAX: Duration = Duration::from_secs(20);

#[test]
fn a_stop_under_load_is_clean_and_quick_and_loses_nothing() {
    let sandbox = Sandbox::new();
    let ledger = Arc::new(Ledger::default());
    let mut random = Random::new(7);
    for round in 0..3 {
        let server = sandbox.serve(&BUSY);
        let load = Load::start(server.address(), &ledger, &format!("s{round}"), &mut random);
        ledger.wait_for_answers(ledger.answers() + 100, TIME_LIMIT);
        server.terminate();
        let (ended, signal) = server.ended_within(STOP_TIME_MAX);
        assert_eq!((ended.code, signal), (Some(0), None), "{ended:#?}");
        load.ended();
        check_tables(&ledger, &sandbox.query(ALL_ROWS));
    }
}

#[test]
fn what_a_clean_stop_leaves_is_all_in_the_table() {
    let sandbox = Sandbox::new();
    let ledger = Arc::new(Ledger::default());
    let server = sandbox.serve(&[("HUBSCOPE_STORE__FLUSH_INTERVAL", "1 h")]);
    let load = Load::start(server.address(), &ledger, "t", &mut Random::new(8));
    ledger.wait_for_answers(50, TIME_LIMIT);
    load.enough();
    load.ended();
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    // With an empty journal in place of its own, only what was committed to the table is left.
    let journal = sandbox.data().join("journal");
    std::fs::remove_dir_all(&journal).expect("the journal lies there");
    std::fs::create_dir(&journal).expect("a folder can be made");
    check_tables(&ledger, &sandbox.query(ALL_ROWS));
}
