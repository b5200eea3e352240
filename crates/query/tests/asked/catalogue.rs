//! Every question of the catalogue, on data at the edges: it answers, whatever there is, and alike from events and from
//! facts that are kept.

use std::collections::BTreeMap;

use event::Row;
use query::{Hubs, Kpi, Params, Scope};

use crate::sandbox::{CATALOGUE, Sandbox, at, launch_from, lines, refused, server_action};

/// What happened, when it is asked, and in which zone.
struct Scene {
    name: &'static str,
    zone: &'static str,
    now: &'static str,
    actions: &'static [&'static str],
    launches: &'static [&'static str],
}

const SCENES: [Scene; 5] = [
    Scene { name: "nothing", zone: "UTC", now: "2024-03-01T12:00:00Z", actions: &[], launches: &[] },
    Scene {
        name: "one start",
        zone: "UTC",
        now: "2024-03-01T12:00:00Z",
        actions: &["2024-02-29T12:00:00Z"],
        launches: &[],
    },
    Scene {
        name: "one user on a leap day and around it",
        zone: "UTC",
        now: "2024-03-02T00:00:00Z",
        actions: &[
            "2024-02-28T23:59:59.999999Z",
            "2024-02-29T00:00:00Z",
            "2024-02-29T23:59:59.999999Z",
            "2024-03-01T00:00:00Z",
        ],
        launches: &["2024-02-29T00:00:00Z", "2024-02-29T23:59:59.999999Z"],
    },
    Scene {
        name: "a night without an hour",
        zone: "Europe/Berlin",
        now: "2024-04-01T12:00:00Z",
        actions: &[
            "2024-03-30T23:00:00Z",
            "2024-03-31T00:59:59.999999Z",
            "2024-03-31T01:00:00Z",
            "2024-03-31T21:59:59Z",
        ],
        launches: &["2024-03-31T00:30:00.5Z"],
    },
    Scene {
        name: "the end of a year",
        zone: "Asia/Kathmandu",
        now: "2021-01-05T12:00:00Z",
        actions: &["2020-12-31T18:14:59.999999Z", "2020-12-31T18:15:00Z", "2021-01-01T18:15:00Z"],
        launches: &["2020-12-31T18:15:00Z"],
    },
];

fn params(kpi: &Kpi) -> Params {
    match kpi.parameter("repo") {
        Some(_) => Params::new().with("repo", "a/b"),
        None => Params::new(),
    }
    // What it is compared with is the same question again.
    .with("compare", "none")
}

#[tokio::test]
async fn every_question_answers_at_the_edges_alike_from_events_and_from_facts() {
    let catalogue = &*CATALOGUE;
    assert!(catalogue.iter().count() > 35);
    for scene in SCENES {
        let hubs = Hubs::new().with("north", scene.zone).unwrap();
        let mut sandbox = Sandbox::new().await.with_hubs(hubs);
        sandbox.clock.set(at(scene.now));
        let actions = scene.actions.iter().map(|time| server_action(at(time), "start", "ada"));
        let launches = scene.launches.iter().map(|time| launch_from(at(time), "GitHub", "a/b/HEAD", None));
        let rows: Vec<Row> = actions.chain(launches).collect();
        if !rows.is_empty() {
            sandbox.acknowledge(rows);
            sandbox.acknowledge_at(at(scene.now), vec![refused(b"not json")]);
        }
        let mut wrong: Vec<String> = Vec::new();
        let mut told: BTreeMap<&str, String> = BTreeMap::new();
        for is_kept in [false, true] {
            if is_kept {
                sandbox.flush().await;
                sandbox.engine.refresh_rollups(&|_| {}).await.unwrap();
            }
            let has_rows = !scene.actions.is_empty() && !scene.launches.is_empty();
            for kpi in catalogue.iter().filter(|kpi| !is_kept || (kpi.reads_rollup() && has_rows)) {
                let answer = match sandbox.engine.kpi(kpi, &params(kpi), &Scope::All).await {
                    Ok(answer) => answer,
                    Err(error) => {
                        wrong.push(format!("{}: {error}", kpi.id));
                        continue;
                    }
                };
                assert_eq!(answer.is_from_rollup, is_kept, "{}: {}", scene.name, kpi.id);
                let headline = answer.headline.as_ref().map(|headline| headline.value);
                assert!(headline.is_none_or(f64::is_finite), "{}: {}", scene.name, kpi.id);
                let all = format!("{} {headline:?} {:?} {}", lines(&answer.answer), answer.ratio, answer.message);
                let first = told.entry(&kpi.id).or_insert_with(|| all.clone());
                assert_eq!(*first, all, "{}: {}", scene.name, kpi.id);
            }
        }
        assert!(wrong.is_empty(), "{}: {wrong:#?}", scene.name);
    }
}
