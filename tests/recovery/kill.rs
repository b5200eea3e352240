//! `kill -9` under load, over and over on one folder: 64 times, or `RECOVERY_KILLS=n` times for whoever has longer.

use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use acceptance::{Listening, Random, Sandbox, Server, TIME_LIMIT};

use crate::ledger::Ledger;
use crate::load::Load;
use crate::oracle::{ALL_ROWS, check_archive, check_tables};
use crate::{BUSIER, BUSY};

/// The moments are chosen by chance from this seed; another seed is another test, so a failure keeps its own.
const SEED: u64 = 20_261_121;

/// Kills at moments that the number of answers decides; of four, one amid publication and compaction as well.
const KILLS_UNDER_LOAD: u64 = 42;
/// … most of them after fewer answers than this, so that two kills leave little time for a flush between them …
const ANSWERS_BEFORE_KILL_MAX: u64 = 120;
/// … and kills while the program starts, which is when it repeats what the journal holds and commits it.
const KILLS_AT_START: u64 = 8;
const START_TIME_MAX_US: u64 = 400_000;

/// Places in the program where it kills itself: amid each step of the way of an event to the disk.
const POINTS: [&str; 7] = [
    "journal::append",
    "journal::fsync",
    "journal::fsynced",
    "journal::remove_segment",
    "store::parquet_write",
    "store::before_commit",
    "store::after_commit",
];
/// Which time it dies there: the first (often while it starts, on what an earlier death left) and a later one.
const PASSAGES: [u64; 2] = [1, 4];

/// How a round ends.
#[derive(Clone, Copy, Debug)]
enum Death {
    UnderLoad { answers: u64, publishes: bool },
    AtStart { after: Duration },
    At { point: &'static str, passage: u64 },
}

#[test]
fn what_was_acknowledged_is_kept_once_whenever_the_program_is_killed() {
    let sandbox = Sandbox::new();
    let ledger = Arc::new(Ledger::default());
    let mut random = Random::new(SEED);
    let mut starts = Vec::new();
    for (round, death) in deaths(&mut random).into_iter().enumerate() {
        die(&sandbox, &ledger, death, &format!("r{round}"), &mut random);
        let began = Instant::now();
        let server = sandbox.serve(&BUSY);
        assert_eq!(server.get("/readyz").status, 200, "after round {round}, {death:?}");
        starts.push(began.elapsed());
        let kept = count(&server);
        let acknowledged = ledger.acknowledged();
        assert!(kept >= acknowledged, "{kept} events after round {round}, {death:?}; {acknowledged} acknowledged");
        if round % 8 == 0 {
            check_tables(&ledger, &server.query(ALL_ROWS));
        }
    }
    let server = sandbox.serve(&BUSY);
    check_tables(&ledger, &server.query(ALL_ROWS));
    check_tables(&ledger, &sandbox.query(ALL_ROWS));
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    check_tables(&ledger, &sandbox.query(ALL_ROWS));
    let archive = sandbox.path("archive");
    sandbox.run(["archive", "publish", "--to", archive.to_str().expect("a UTF-8 path")]).output();
    check_archive(&ledger, &archive);
    // The archive that was being published when the program died is mended by the next publication.
    sandbox.run(["archive", "publish"]).output();
    check_archive(&ledger, &sandbox.data().join("archive"));
    starts.sort_unstable();
    println!(
        "{} kills; {} events acknowledged, {} sent; restart to ready p50 {:?}, p99 {:?}",
        starts.len(),
        ledger.acknowledged(),
        ledger.events().len(),
        starts[starts.len() / 2],
        starts[starts.len() * 99 / 100]
    );
}

/// All of them, in an order that mixes the kinds.
fn deaths(random: &mut Random) -> Vec<Death> {
    let mut deaths = Vec::new();
    let others = KILLS_AT_START + (POINTS.len() * PASSAGES.len()) as u64;
    let wished = std::env::var("RECOVERY_KILLS").ok().and_then(|kills| kills.parse::<u64>().ok());
    for number in 0..wished.map_or(KILLS_UNDER_LOAD, |kills| kills.saturating_sub(others)) {
        let answers = random.between(1, ANSWERS_BEFORE_KILL_MAX);
        deaths.push(Death::UnderLoad { answers, publishes: number % 4 == 0 });
    }
    for _ in 0..KILLS_AT_START {
        deaths.push(Death::AtStart { after: Duration::from_micros(random.between(0, START_TIME_MAX_US)) });
    }
    for point in POINTS {
        deaths.extend(PASSAGES.map(|passage| Death::At { point, passage }));
    }
    for index in (1..deaths.len()).rev() {
        let other = random.between(0, index as u64 + 1);
        deaths.swap(index, usize::try_from(other).expect("an index"));
    }
    deaths
}

fn die(sandbox: &Sandbox, ledger: &Arc<Ledger>, death: Death, name: &str, random: &mut Random) {
    match death {
        Death::UnderLoad { answers, publishes } => {
            let mut server = if publishes { sandbox.serve(&BUSIER) } else { sandbox.serve(&BUSY) };
            let enough = ledger.answers() + answers;
            let load = Load::start(server.address(), ledger, name, random);
            ledger.wait_for_answers(enough, TIME_LIMIT);
            server.kill();
            load.ended();
        }
        Death::AtStart { after } => {
            let mut command = sandbox.serve_command(&BUSY);
            let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let mut child = child.expect("the program can be started");
            thread::park_timeout(after);
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
        }
        Death::At { point, passage } => {
            let mut command = sandbox.serve_command(&BUSY);
            command.env("HUBSCOPE_KILL_AT", format!("{point}:{passage}"));
            let signal = match Server::start(command) {
                Listening::No(_, signal) => signal,
                Listening::Yes(server) => {
                    let load = Load::start(server.address(), ledger, name, random);
                    let (_, signal) = server.ended_within(TIME_LIMIT);
                    load.ended();
                    signal
                }
            };
            assert_eq!(signal, Some(9), "did not die at {point}, passage {passage}: built without failpoints?");
        }
    }
}

fn count(server: &Server) -> usize {
    let rows = server.query("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM quarantine) AS n");
    let count = rows.first().and_then(|row| row["n"].as_u64()).unwrap_or_else(|| panic!("no count in {rows:?}"));
    usize::try_from(count).expect("a count")
}
