//! What each source told, and for whom a day counts as watched.

use std::sync::Arc;

use event::{Batch, Day, Door, EventTime};
use query::{Hubs, Scope, SourceCoverage};
use store::{ImportUnit, Rows};

use crate::sandbox::{Sandbox, at, launch, lines, refused, server_action};

fn days(source: &SourceCoverage) -> Vec<String> {
    source.days.iter().map(ToString::to_string).collect()
}

/// Imports archive days, each with its launches.
async fn import(sandbox: &Sandbox, units: &[(&str, &[&str])]) {
    let units = units.iter().enumerate().map(|(number, (day, times))| ImportUnit {
        day: day.parse().unwrap(),
        sha256: [u8::try_from(number).unwrap() + 1; 32],
        pieces: vec![Rows::build(&Batch {
            received: at("2024-06-01T08:00:00Z"),
            hub: "default".into(),
            door: Door::Archive,
            key: None,
            rows: times.iter().map(|time| launch(at(time), "a/b/HEAD")).collect(),
        })],
    });
    sandbox.store.import(&event::CollectorId::of_import("archive"), units.collect()).await.unwrap();
}

#[tokio::test]
async fn an_import_covers_its_days_and_not_the_day_on_which_it_was_made() {
    let sandbox = Sandbox::new().await;
    import(&sandbox, &[("2024-05-01", &["2024-05-01T10:00:00Z"]), ("2024-05-02", &[]), ("2024-05-04", &[])]).await;
    let range = [("from", "2024-04-30"), ("to", "2024-05-06")];
    let answer = sandbox.kpi("launches", &range).await.unwrap();
    assert_eq!(lines(&answer.answer), "2024-04-30,;2024-05-01,1;2024-05-02,0;2024-05-03,;2024-05-04,0;2024-05-05,");
    let covered = answer.covered.unwrap();
    assert_eq!((covered.from.to_string(), covered.to.to_string()), ("2024-05-01".to_owned(), "2024-05-05".to_owned()));
    // A BinderHub's archive says nothing of servers.
    let answer = sandbox.kpi("starts", &range).await.unwrap();
    assert_eq!(answer.gaps.len(), 6);
    // It is the hub `default` of which it tells.
    let default = sandbox.kpi("launches", &[range[0], range[1], ("hub", "default")]).await.unwrap();
    assert_eq!(default.gaps.len(), 3);
    let sources = sandbox.engine.sources(&Scope::All).await.unwrap();
    assert_eq!(sources.len(), 1);
    let source = &sources[0];
    assert_eq!((&*source.hub, &*source.door, source.import.as_deref()), ("default", "archive", Some("import/archive")));
    assert_eq!((source.events, source.quarantined), (1, 0));
    assert_eq!(days(source), ["2024-05-01", "2024-05-02", "2024-05-04"]);
}

#[tokio::test]
async fn days_of_sources_are_told_and_one_hub_covers_no_other() {
    let hubs = Hubs::new().with("north", "Asia/Kathmandu").unwrap().with("south", "UTC").unwrap();
    let mut sandbox = Sandbox::new().await.with_hubs(hubs);
    // 18:15 UTC is midnight in Kathmandu.
    sandbox.acknowledge_of(
        "north",
        at("2024-05-02T18:15:00Z"),
        vec![
            server_action(at("2024-05-01T18:14:59.999999Z"), "start", "ada"),
            server_action(at("2024-05-02T18:14:59.999999Z"), "start", "ada"),
            server_action(at("1999-05-02T18:14:59Z"), "start", "ada"),
            refused(b"not json"),
        ],
    );
    sandbox.flush().await;
    sandbox.acknowledge_of(
        "south",
        at("2024-05-09T10:00:00Z"),
        vec![server_action(at("2024-05-09T09:00:00Z"), "stop", "bob"), launch(at("2024-05-08T09:00:00Z"), "a/b/HEAD")],
    );
    let sources = sandbox.engine.sources(&Scope::All).await.unwrap();
    let told: Vec<_> = sources
        .iter()
        .map(|source| (&*source.hub, source.schema.as_deref(), source.events, source.quarantined, days(source)))
        .collect();
    let day = |days: &[&str]| days.iter().map(|day| (*day).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            ("north", None, 0, 1, day(&["2024-05-03"])),
            ("north", Some("hub.jupyter.org/server-action"), 3, 0, day(&["2024-05-01", "2024-05-02", "2024-05-03"])),
            ("south", Some("binderhub.jupyter.org/launch"), 1, 0, day(&["2024-05-08", "2024-05-09"])),
            ("south", Some("hub.jupyter.org/server-action"), 1, 0, day(&["2024-05-09"])),
        ]
    );
    let action = &sources[1];
    assert_eq!(action.first, Some(at("2024-05-01T18:14:59.999999Z")), "a suspect time is no first time");
    assert_eq!(action.last, Some(at("2024-05-02T18:14:59.999999Z")));
    assert_eq!(action.received, at("2024-05-02T18:15:00Z"));
    let south = sandbox.engine.sources(&Scope::Hub("south".into())).await.unwrap();
    assert_eq!(south, sources[2..]);

    let range = [("from", "2024-05-01"), ("to", "2024-05-11")];
    for (hub, expected) in [
        ("north", "2024-05-01,1;2024-05-02,1;2024-05-03,0;"),
        (
            "south",
            "2024-05-01,;2024-05-02,;2024-05-03,;2024-05-04,;2024-05-05,;2024-05-06,;2024-05-07,;2024-05-08,;2024-05-09,0;",
        ),
    ] {
        let answer = sandbox.kpi("starts", &[range[0], range[1], ("hub", hub)]).await.unwrap();
        assert!(lines(&answer.answer).starts_with(expected), "{hub}: {}", lines(&answer.answer));
        assert_eq!(answer.hub.as_deref(), Some(hub));
    }
}

/// Parts are told of once; what comes later, is compacted, or lies in the tail is never missing and never there twice.
#[tokio::test]
async fn what_is_known_follows_the_table() {
    let mut sandbox = Sandbox::new().await;
    let first: Day = "2024-05-01".parse().unwrap();
    for number in 0..12 {
        let time = EventTime::from_micros(Day::from_number(first.number() + 2 * number).start().micros() + 1);
        sandbox.acknowledge(vec![server_action(time, "start", "ada")]);
        if number % 2 == 0 {
            sandbox.flush().await;
        }
        let sources = sandbox.engine.sources(&Scope::All).await.unwrap();
        let expected: Vec<Day> = (0..=number).map(|number| Day::from_number(first.number() + 2 * number)).collect();
        assert_eq!((sources.len(), sources[0].events), (1, u64::try_from(number).unwrap() + 1));
        assert_eq!(sources[0].days, expected);
    }
    let before = sandbox.engine.sources(&Scope::All).await.unwrap();
    let engine = Arc::new(&sandbox.engine);
    sandbox.flush().await;
    sandbox.store.compact().await.unwrap();
    assert_eq!(engine.sources(&Scope::All).await.unwrap(), before);
}
