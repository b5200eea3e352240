//! `kill -9` under load, over and over on one folder: 64 times, or `RECOVERY_KILLS=n` times for whoever has longer (on
//! several folders if there are many); and amid what an operator asks for seldom.

use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use acceptance::{Ended, Listening, Random, Sandbox, Server, TIME_LIMIT};

use crate::backup::{back_up, verify};
use crate::ledger::Ledger;
use crate::load::Load;
use crate::oracle::{ALL_ROWS, check_archive, check_tables};
use crate::person::{Person, wait_until_forgotten};
use crate::restore::LAZY;
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

/// … and before something is asked amid which it dies.
const ANSWERS_BEFORE_ASKED: u64 = 20;

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
const OTHER_KILLS: u64 = KILLS_AT_START + (POINTS.len() * PASSAGES.len()) as u64;
const KILLS_OF_A_FOLDER_MAX: usize = 500;

/// Places amid an erasure, and which time it dies there. Nothing else commits meanwhile: the first two commits are the
/// flush of both tables, the next two take the rows out of them.
const FORGETTING: [(&str, u64); 8] = [
    ("forget::kept", 1),
    ("forget::journal", 1),
    ("forget::tables", 1),
    ("forget::versions", 1),
    ("forget::certified", 1),
    ("store::before_commit", 2),
    ("store::after_commit", 3),
    ("store::after_commit", 4),
];
/// Places amid a backup.
const BACKING_UP: [&str; 3] = ["backup::begun", "backup::beside", "backup::whole"];

/// How a round ends.
#[derive(Clone, Copy, Debug)]
enum Death {
    UnderLoad {
        answers: u64,
        publishes: bool,
    },
    AtStart {
        after: Duration,
    },
    At {
        point: &'static str,
        passage: u64,
    },
    /// Amid an erasure, which the next start must finish.
    Forgetting {
        point: &'static str,
        passage: u64,
    },
    /// Amid a backup, of which half is left.
    BackingUp {
        point: &'static str,
    },
}

#[test]
fn what_was_acknowledged_is_kept_once_whenever_the_program_is_killed() {
    let wished = std::env::var("RECOVERY_KILLS").ok().and_then(|kills| kills.parse::<u64>().ok());
    let mut random = Random::new(SEED);
    let (mut starts, mut acknowledged, mut sent) = (Vec::new(), 0, 0);
    for kills in folders(wished.unwrap_or(KILLS_UNDER_LOAD + OTHER_KILLS)) {
        let (sandbox, ledger) = (Sandbox::new(), Arc::default());
        let deaths = deaths(kills, &mut random);
        starts.extend(survive(&sandbox, &ledger, deaths, &mut random));
        let archive = sandbox.path("archive");
        sandbox.run(["archive", "publish", "--to", archive.to_str().expect("a UTF-8 path")]).output();
        check_archive(&ledger, &archive);
        // The archive that was being published when the program died is mended by the next publication.
        sandbox.run(["archive", "publish"]).output();
        check_archive(&ledger, &sandbox.data().join("archive"));
        acknowledged += ledger.acknowledged();
        sent += ledger.events().len();
    }
    starts.sort_unstable();
    println!(
        "{} kills; {acknowledged} events acknowledged, {sent} sent; restart to ready p50 {:?}, p99 {:?}",
        starts.len(),
        starts[starts.len() / 2],
        starts[starts.len() * 99 / 100]
    );
}

#[test]
fn an_erasure_is_finished_and_half_a_backup_is_known_whenever_the_program_is_killed() {
    let (sandbox, ledger, mut random) = (Sandbox::new(), Arc::default(), Random::new(SEED + 1));
    let mut deaths: Vec<Death> = FORGETTING.map(|(point, passage)| Death::Forgetting { point, passage }).into();
    deaths.extend(BACKING_UP.map(|point| Death::BackingUp { point }));
    mix(&mut deaths, &mut random);
    survive(&sandbox, &ledger, deaths, &mut random);
}

/// Dies so often on one folder, and looks after each start whether everything is as it must be; in the end also after a
/// clean stop. Returns how long the starts took.
fn survive(sandbox: &Sandbox, ledger: &Arc<Ledger>, deaths: Vec<Death>, random: &mut Random) -> Vec<Duration> {
    let (mut starts, mut forgotten) = (Vec::new(), Vec::new());
    for (round, death) in deaths.into_iter().enumerate() {
        let name = format!("r{round}");
        die(sandbox, ledger, death, &name, random);
        let began = Instant::now();
        let server = sandbox.serve(&BUSY);
        assert_eq!(server.get("/readyz").status, 200, "after round {round}, {death:?}");
        starts.push(began.elapsed());
        match death {
            Death::Forgetting { .. } => {
                let person = Person::new(&name);
                forgotten.push(person.clone());
                wait_until_forgotten(sandbox, &server, forgotten.len());
                assert_eq!(person.is_in(&sandbox.data()), None, "{person:?} after {death:?}");
            }
            Death::BackingUp { .. } => check_half_backup(sandbox, &name),
            _ => {}
        }
        let kept = count(&server);
        let acknowledged = ledger.acknowledged();
        assert!(kept >= acknowledged, "{kept} events after round {round}, {death:?}; {acknowledged} acknowledged");
        if round % 8 == 0 {
            check_tables(ledger, &server.query(ALL_ROWS));
        }
    }
    let server = sandbox.serve(&BUSY);
    check_tables(ledger, &server.query(ALL_ROWS));
    check_tables(ledger, &sandbox.query(ALL_ROWS));
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    check_tables(ledger, &sandbox.query(ALL_ROWS));
    for person in forgotten {
        assert_eq!(person.is_in(&sandbox.data()), None, "{person:?}");
    }
    starts
}

/// How many deaths each folder sees: what a folder holds grows with each, and all of it is compared.
fn folders(wished: u64) -> impl Iterator<Item = u64> {
    (0..wished).step_by(KILLS_OF_A_FOLDER_MAX).map(move |before| (wished - before).min(KILLS_OF_A_FOLDER_MAX as u64))
}

/// The deaths of the first test, in an order that mixes the kinds; not fewer than there are kinds.
fn deaths(kills: u64, random: &mut Random) -> Vec<Death> {
    let mut deaths = Vec::new();
    for number in 0..kills.saturating_sub(OTHER_KILLS) {
        let answers = random.between(1, ANSWERS_BEFORE_KILL_MAX);
        deaths.push(Death::UnderLoad { answers, publishes: number % 4 == 0 });
    }
    for _ in 0..KILLS_AT_START {
        deaths.push(Death::AtStart { after: Duration::from_micros(random.between(0, START_TIME_MAX_US)) });
    }
    for point in POINTS {
        deaths.extend(PASSAGES.map(|passage| Death::At { point, passage }));
    }
    mix(&mut deaths, random);
    deaths
}

fn mix(deaths: &mut [Death], random: &mut Random) {
    for index in (1..deaths.len()).rev() {
        let other = random.between(0, index as u64 + 1);
        deaths.swap(index, usize::try_from(other).expect("an index"));
    }
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
        Death::Forgetting { point, passage } => {
            let person = Person::new(name);
            die_asked(sandbox, ledger, &format!("{point}:{passage}"), name, random, |server| {
                person.send(server, ledger);
                person.forget(sandbox)
            });
        }
        Death::BackingUp { point } => {
            die_asked(sandbox, ledger, &format!("{point}:1"), name, random, |_| back_up(sandbox, name));
        }
    }
}

/// Dies at `point` of what `ask` asks of it. The load ends with the requests under way: an erasure looks through all
/// that there is, and would be followed by ever more.
fn die_asked(
    sandbox: &Sandbox,
    ledger: &Arc<Ledger>,
    point: &str,
    name: &str,
    random: &mut Random,
    ask: impl FnOnce(&Server) -> Ended,
) {
    let mut command = sandbox.serve_command(&LAZY);
    command.env("HUBSCOPE_KILL_AT", point);
    let server = Server::started(command);
    let load = Load::start(server.address(), ledger, name, random);
    ledger.wait_for_answers(ledger.answers() + ANSWERS_BEFORE_ASKED, TIME_LIMIT);
    load.enough();
    let ended = ask(&server);
    let (_, signal) = server.ended_within(TIME_LIMIT);
    load.ended();
    assert_eq!(signal, Some(9), "did not die at {point}: {ended:?}");
    assert_eq!(ended.code, Some(1), "whoever asked is told: {ended:?}");
}

/// What there is of a backup that was cut short is taken for no folder of data and stands in nobody's way; the folder
/// that it was to be of is sound.
fn check_half_backup(sandbox: &Sandbox, name: &str) {
    let (whole, half) = (sandbox.path(name), sandbox.path(&format!("{name}.unfinished")));
    assert!(half.is_dir() && !whole.exists());
    let refused = verify(sandbox, &half);
    assert!(refused.code == Some(1) && refused.stderr.contains("half of a backup"), "{refused:?}");
    let again = back_up(sandbox, name);
    assert!(again.code == Some(1) && again.stderr.contains("a backup that did not end"), "{again:?}");
    fs::remove_dir_all(&half).expect("it can be removed");
    back_up(sandbox, name).output();
    for folder in [&whole, &sandbox.data()] {
        let verified = verify(sandbox, folder);
        assert_eq!(verified.code, Some(0), "{}: {verified:?}", folder.display());
    }
    fs::remove_dir_all(&whole).expect("it can be removed");
}

fn count(server: &Server) -> usize {
    let rows = server.query("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM quarantine) AS n");
    let count = rows.first().and_then(|row| row["n"].as_u64()).unwrap_or_else(|| panic!("no count in {rows:?}"));
    usize::try_from(count).expect("a count")
}
