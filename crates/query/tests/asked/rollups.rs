//! Facts that are kept: whatever happens to the table, answers are those of the events; and files give the same facts.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{Batch, CollectorId, Day, Door, EventTime, Row};
use query::{Catalogue, Engine, Hubs, KpiAnswer, Limits, Params, Scope};
use store::{Derived, ImportUnit, Rewrite, Rows, Share, Table};

use crate::oracle::Chance;
use crate::sandbox::{CATALOGUE, Sandbox, at, launch_from, lines, server_action_of};

/// The day so many days after another.
fn days_from(day: Day, days: i64) -> Day {
    Day::from_number(day.number() + i32::try_from(days).unwrap())
}

const HOUR: i64 = 3_600_000_000;
const HUBS: [&str; 3] = ["north", "south", "island"];
const SPECS: [(&str, &str); 8] = [
    ("GitHub", "a/b/HEAD"),
    ("GitHub", "A/B.git/main"),
    ("GitHub", "a/B/0123456789012345678901234567890123456789"),
    ("GitHub", "c/d/v1.2"),
    ("GitHub", "broken"),
    ("Zenodo", "10.5281/zenodo.1"),
    ("GitLab", "g%2Fh/HEAD"),
    ("Unheard-of", "x/y/z"),
];
const ORIGINS: [Option<&str>; 4] = [Some("one.example.org"), Some("ONE.example.org:443"), Some(""), None];

fn hubs() -> Hubs {
    let hubs = Hubs::new().with("north", "Europe/Berlin").unwrap().with("south", "Asia/Kathmandu").unwrap();
    hubs.with("island", "Australia/Lord_Howe").unwrap()
}

/// An engine over the same store that keeps nothing.
fn plain(sandbox: &Sandbox, hubs: Hubs) -> Engine {
    let limits = Limits { threads: 2, ..Limits::default() };
    let clock = Arc::clone(&sandbox.clock) as Arc<dyn event::Clock>;
    Engine::with_clock(Arc::clone(&sandbox.store), limits, clock).unwrap().with_hubs(hubs)
}

/// Everything that an answer says, apart from where it comes from.
fn told(answer: &KpiAnswer) -> String {
    let headline = answer.headline.as_ref().map(|headline| headline.value);
    let change = answer.change.as_ref().map(|change| (change.value, change.before));
    let then = answer.comparison.as_ref().map(|then| lines(&then.answer));
    format!(
        "{}\n{headline:?} {:?} {change:?} {then:?} {:?} {:?}",
        lines(&answer.answer),
        answer.ratio,
        answer.excluded,
        answer.notes
    )
}

/// The questions that read facts, with values for what they must be given.
fn questions(catalogue: &Catalogue) -> Vec<(String, Vec<(String, String)>)> {
    let needs_facts = |kpi: &&query::Kpi| kpi.reads_rollup();
    let given = |kpi: &query::Kpi| {
        let repo = kpi.parameter("repo").map(|_| ("repo".to_owned(), "a/b".to_owned()));
        repo.into_iter().collect::<Vec<_>>()
    };
    catalogue.iter().filter(needs_facts).map(|kpi| (kpi.id.clone(), given(kpi))).collect()
}

/// Compares some questions, of all hubs and of one; returns how many were answered from facts that are kept.
async fn compare(
    (kept, plain): (&Engine, &Engine),
    asked: &[(String, Vec<(String, String)>)],
    range: (Day, Day),
    zone: Option<&str>,
    what: &str,
) -> usize {
    let mut from_rollup = 0;
    for (number, (id, given)) in asked.iter().enumerate() {
        let kpi = CATALOGUE.find(id).unwrap();
        for scope in [Scope::All, Scope::Hub(["north", "south"][number % 2].into())] {
            let mut params: Params = given.iter().cloned().collect();
            params = params.with("from", range.0.to_string()).with("to", range.1.to_string());
            if let Some(zone) = zone {
                params = params.with("zone", zone);
            }
            let found = kept.kpi(kpi, &params, &scope).await.unwrap_or_else(|error| panic!("{what} {id}: {error}"));
            let expected = plain.kpi(kpi, &params, &scope).await.unwrap();
            assert!(!expected.is_from_rollup, "{what} {id}");
            assert_eq!(told(&found), told(&expected), "{what} {id} {scope:?} {range:?}");
            from_rollup += usize::from(found.is_from_rollup);
        }
    }
    from_rollup
}

/// Rows of some users and repositories around a day, some of them late by weeks.
fn some_rows(chance: &mut Chance, day: Day, count: i64) -> Vec<Row> {
    let rows = (0..count).map(|_| {
        let back = chance.pick(&[0, 0, 0, 1, 2, 9, 40]);
        let start = days_from(day, -back).start().micros();
        let (hour, any) = (chance.below(24) * HOUR, chance.below(24 * HOUR));
        let time = EventTime::from_micros(start + chance.pick(&[0, -1, 400_000, hour, any]));
        if chance.below(2) == 0 {
            let user = format!("user-{}", chance.below(9));
            server_action_of(time, chance.pick(&["start", "start", "stop"]), &user, chance.pick(&["", "gpu"]))
        } else {
            let (provider, spec) = chance.pick(&SPECS);
            launch_from(time, provider, spec, chance.pick(&ORIGINS))
        }
    });
    let rows: Vec<Row> = rows.collect();
    // Some are told of twice.
    let twice = if chance.below(3) == 0 { rows.iter().take(2).cloned().collect() } else { Vec::new() };
    rows.into_iter().chain(twice).collect()
}

/// Takes the rows of one user out of the table.
#[derive(Debug)]
struct Without(&'static str);

impl Rewrite for Without {
    fn share(&self, table: Table, _part: &store::Part) -> Share {
        if table == Table::Events { Share::Some } else { Share::None }
    }

    fn columns(&self, _table: Table) -> Vec<String> {
        vec!["username".to_owned()]
    }

    fn leaves(
        &self,
        _table: Table,
        batch: &arrow::array::RecordBatch,
    ) -> Result<arrow::array::BooleanArray, store::Cause> {
        use arrow::array::AsArray;
        let users = batch.column_by_name("username").ok_or("no users")?;
        Ok(users.as_string::<i32>().iter().map(|user| Some(user == Some(self.0))).collect())
    }
}

async fn import(sandbox: &Sandbox, chance: &mut Chance, day: Day, version: u8) {
    let rows = (0..(1 + chance.below(6))).map(|_| {
        let time = EventTime::from_micros(day.start().micros() + chance.below(1440) * 60_000_000);
        let (provider, spec) = chance.pick(&SPECS);
        launch_from(time, provider, spec, chance.pick(&ORIGINS))
    });
    let rows: Vec<Row> = rows.collect();
    let batch = Batch {
        received: EventTime::from_micros(day.start().micros() + 30 * HOUR),
        hub: chance.pick(&HUBS).into(),
        door: Door::Archive,
        key: None,
        rows,
    };
    let unit = ImportUnit { day, sha256: [version; 32], pieces: vec![Rows::build(&batch)] };
    sandbox.store.import(&CollectorId::of_import("archive"), vec![unit]).await.unwrap();
}

/// Writes what is kept to `folder`, and gives an engine that starts from it.
fn restarted(sandbox: &Sandbox, engine: &Engine, folder: &Derived) -> Engine {
    if let Some(mut files) = engine.rollup_files().unwrap() {
        let (of, new) = (std::mem::take(&mut files.of), std::mem::take(&mut files.files));
        let replaced = folder.replace(of, new).unwrap();
        engine.rollups_written(files, &replaced.manifest);
    }
    let engine = plain(sandbox, hubs());
    assert!(engine.load_rollups(folder).unwrap());
    engine
}

fn names(folder: &Derived) -> BTreeSet<String> {
    folder.manifest().unwrap().map(|manifest| manifest.files.into_keys().collect()).unwrap_or_default()
}

/// A random life: events, late ones too, several hubs in several zones, imports that are replaced, erasures,
/// compactions, restarts from the files. After each step the answers are those of the events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_answers_are_those_of_the_events() {
    let is_long = std::env::var_os("HUBSCOPE_LONG").is_some();
    let (lives, steps, questions_a_step) = if is_long { (40, 20, 12) } else { (1, 10, 2) };
    let all = questions(&CATALOGUE);
    let mut step_number = 0;
    for seed in 1..=lives {
        let mut chance = Chance::new(seed);
        let mut sandbox = Sandbox::new().await.with_hubs(hubs());
        let first: Day =
            ["2024-03-20", "2024-12-25", "2024-02-20"][usize::try_from(seed % 3).unwrap()].parse().unwrap();
        let mut kept = plain(&sandbox, hubs());
        let reference = plain(&sandbox, hubs());
        let folder = sandbox.store.derived("rollups");
        let mut from_rollup = 0;
        let mut asked = 0;
        for step in 0..steps {
            let day = days_from(first, step);
            sandbox.clock.set(EventTime::from_micros(day.start().micros() + 40 * HOUR));
            for _ in 0..2 {
                let hub = chance.pick(&HUBS);
                let count = 3 + chance.below(12);
                let rows = some_rows(&mut chance, day, count);
                sandbox.acknowledge_of(hub, EventTime::from_micros(day.start().micros() + 26 * HOUR), rows);
            }
            let done = match chance.below(9) {
                0..=2 => {
                    sandbox.flush().await;
                    "flush"
                }
                3 => {
                    sandbox.flush().await;
                    sandbox.store.rewrite(Arc::new(Without("user-3"))).await.unwrap();
                    "erasure"
                }
                4 => {
                    import(&sandbox, &mut chance, days_from(first, step % 4), u8::try_from(step).unwrap() + 1).await;
                    "import"
                }
                5 => {
                    sandbox.store.compact().await.unwrap();
                    "compaction"
                }
                6 => {
                    kept.refresh_rollups(&|_| {}).await.unwrap();
                    "refresh"
                }
                7 if step > 3 => {
                    kept.forget_in_rollups(&|_, _| None, &|_| {}).await.unwrap();
                    "names"
                }
                _ => {
                    kept.refresh_rollups(&|_| {}).await.unwrap();
                    kept = restarted(&sandbox, &kept, &folder);
                    "restart"
                }
            };
            let what = format!("life {seed}, step {step}, {done}");
            let range = (days_from(first, chance.below(20) - 15), days_from(first, 16));
            let zone = chance.pick(&[None, None, Some("UTC"), Some("America/St_Johns")]);
            // Each question has its turn, time and again.
            let turn: Vec<_> =
                (0..questions_a_step).map(|n| all[(step_number * questions_a_step + n) % all.len()].clone()).collect();
            step_number += 1;
            from_rollup += compare((&kept, &reference), &turn, range, zone, &what).await;
            asked += 1;
        }
        assert!(from_rollup > asked, "life {seed}: {from_rollup} answers in {asked} steps came from what is kept");
        // What went on for long is, byte for byte, what is made anew.
        sandbox.flush().await;
        kept.refresh_rollups(&|_| {}).await.unwrap();
        drop(restarted(&sandbox, &kept, &folder));
        let went_on = names(&folder);
        let anew = plain(&sandbox, hubs());
        anew.rebuild_rollups(&|_| {}).await.unwrap();
        let other = sandbox.store.derived("other");
        drop(restarted(&sandbox, &anew, &other));
        assert_eq!(went_on, names(&other), "life {seed}");
        assert!(went_on.len() > 3, "{went_on:?}");
    }
}

#[tokio::test]
async fn damaged_and_missing_files_are_told_and_made_anew() {
    let mut sandbox = Sandbox::new().await;
    sandbox.acknowledge(vec![
        server_action_of(at("2024-02-28T12:00:00Z"), "start", "ada", ""),
        server_action_of(at("2024-03-01T12:00:00Z"), "start", "ada", ""),
        launch_from(at("2024-02-29T12:00:00.5Z"), "GitHub", "a/b/HEAD", None),
    ]);
    sandbox.flush().await;
    let folder = sandbox.store.derived("rollups");
    assert!(!sandbox.engine.load_rollups(&folder).unwrap(), "nothing there yet");
    assert_eq!(sandbox.engine.rollup_files().unwrap().map(|files| files.files.len()), None);
    sandbox.engine.refresh_rollups(&|_| {}).await.unwrap();
    let figures = sandbox.engine.rollup_figures();
    assert!(figures.is_ready && figures.bytes > 0, "{figures:?}");
    drop(restarted(&sandbox, &sandbox.engine, &folder));
    assert_eq!(sandbox.engine.rollup_files().unwrap().map(|files| files.files.len()), None, "nothing changed since");
    let whole = names(&folder);
    let months: Vec<&str> = whole.iter().filter_map(|name| name.rsplit_once('-').map(|(stem, _)| stem)).collect();
    assert_eq!(months, ["launches-000-2024-02", "parts", "starts-001-2024-02", "starts-001-2024-03"]);
    for name in &whole {
        for damage in ["flipped", "missing"] {
            let path = folder.path(name);
            let bytes = std::fs::read(&path).unwrap();
            match damage {
                "flipped" => {
                    let mut flipped = bytes.clone();
                    flipped[bytes.len() / 2] ^= 1;
                    std::fs::write(&path, flipped).unwrap();
                }
                _ => std::fs::remove_file(&path).unwrap(),
            }
            let engine = plain(&sandbox, Hubs::new());
            let error = engine.load_rollups(&folder).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            assert!(!engine.rollup_figures().is_ready, "{name} {damage}: nothing is half taken over");
            engine.refresh_rollups(&|_| {}).await.unwrap();
            let mut files = engine.rollup_files().unwrap().unwrap();
            let new = std::mem::take(&mut files.files);
            folder.replace(std::mem::take(&mut files.of), new).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name} {damage}");
        }
    }
    assert_eq!(names(&folder), whole);
}

/// Facts of one hub are made of its events alone, also those that are kept.
#[tokio::test]
async fn one_hub_sees_no_other_in_what_is_kept() {
    let mut sandbox = Sandbox::new().await;
    let time = at("2024-02-29T12:00:00.5Z");
    sandbox.acknowledge_of("north", time, vec![server_action_of(time, "start", "ada", "")]);
    sandbox.acknowledge_of("north", time, vec![launch_from(time, "GitHub", "a/b/HEAD", None)]);
    sandbox.flush().await;
    sandbox.engine.refresh_rollups(&|_| {}).await.unwrap();
    let params = [("from", "2024-02-29"), ("to", "2024-03-01")];
    let asked = async |sandbox: &Sandbox, hub: &str, id: &str| {
        let scope = if hub.is_empty() { Scope::All } else { Scope::Hub(hub.into()) };
        let answer = sandbox.kpi_within(&scope, id, &params).await.unwrap();
        (lines(&answer.answer), answer.is_from_rollup)
    };
    assert_eq!(asked(&sandbox, "north", "starts").await, ("2024-02-29,1".to_owned(), true));
    // The south has told nothing: a gap, whatever the north did.
    assert_eq!(asked(&sandbox, "south", "starts").await.0, "2024-02-29,");
    // The same launch told by both: one for all, one for each.
    sandbox.acknowledge_of("south", time, vec![server_action_of(time, "start", "ada", "")]);
    sandbox.acknowledge_of("south", time, vec![launch_from(time, "GitHub", "a/b/HEAD", None)]);
    for is_refreshed in [false, true] {
        if is_refreshed {
            sandbox.flush().await;
            sandbox.engine.refresh_rollups(&|_| {}).await.unwrap();
        }
        for (hub, id, expected) in [
            ("", "starts", "2024-02-29,2"),
            ("north", "starts", "2024-02-29,1"),
            ("south", "starts", "2024-02-29,1"),
            ("", "active-users-daily", "2024-02-29,2"),
            ("south", "active-users-daily", "2024-02-29,1"),
            ("", "launches", "2024-02-29,1"),
            ("north", "launches", "2024-02-29,1"),
            ("south", "launches", "2024-02-29,1"),
            ("", "repos-active", "2024-02-29,1"),
        ] {
            let (found, is_from_rollup) = asked(&sandbox, hub, id).await;
            assert_eq!(found, expected, "{hub} {id} {is_refreshed}");
            assert!(is_from_rollup || !is_refreshed, "{hub} {id}");
        }
    }
}
