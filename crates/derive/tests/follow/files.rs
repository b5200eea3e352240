//! What is known outlives the process, in files.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use derive::HubSettings;
use insight::session::Micros;

use crate::runtime;
use crate::world::{World, action, at, in_files, told};

async fn some_weeks(slice_rows: u64) -> (World, i64) {
    let mut world = World::in_slices(HubSettings::default(), slice_rows).await;
    let day = 86_400;
    for number in 0..70 {
        let rows = ["ann", "bob"].map(|user| {
            [action(at(number * day), "start", user, ""), action(at(number * day + 3_600), "stop", user, "")]
        });
        world.tell("north", at(number * day + 3_700), rows.concat());
    }
    world.tell("north", at(70 * day), vec![action(at(70 * day), "start", "ann", "")]);
    world.store.flush().await.unwrap();
    (world, 70 * day + 60)
}

#[test]
fn a_start_goes_on_where_the_last_process_ended() {
    runtime().block_on(async {
        let (world, now) = some_weeks(1 << 20).await;
        let (before, _) = world.both(at(now));
        assert_eq!(before.len(), 141);
        world.sessions.save(at(now)).unwrap();
        // Months of 2025, from June to August, and what is known beside them.
        assert_eq!(world.files().len(), 5, "{:?}", world.files());
        let rows = world.sessions.at(&world.store.snapshot(), at(now)).unwrap();
        assert_eq!(rows.files().len(), 3);
        assert!(rows.batches().iter().map(RecordBatch::num_rows).sum::<usize>() < 10);
        let mut world = world.restart().await;
        assert_eq!(world.both(at(now)).0, before);
        assert_eq!(world.sessions.status().rebuilds, 0);
        // It goes on: with what comes next, with what was open, and with evidence for what was settled.
        world.tell("north", at(now + 60), vec![action(at(now), "stop", "ann", "")]);
        let (followed, anew) = world.both(at(now + 60));
        assert_eq!(followed, anew);
        assert_eq!(world.sessions.status().rebuilds, 0);
        world.tell("north", at(now + 61), vec![action(at(1_800), "stop", "bob", "")]);
        let (followed, anew) = world.both(at(now + 62));
        assert_eq!(followed, anew);
        assert_eq!(world.sessions.status().rebuilds, 1);
        // What was told as it stood before can still be read, although its files are gone.
        assert_eq!(told(&rows), before);
    });
}

#[test]
fn what_cannot_be_gone_on_from_is_made_anew() {
    runtime().block_on(async {
        let (mut world, now) = some_weeks(1 << 20).await;
        let (before, _) = world.both(at(now));
        world.sessions.save(at(now)).unwrap();
        for file in world.files() {
            let bytes = std::fs::read(&file).unwrap();
            for at_byte in [0, bytes.len() / 2, bytes.len() - 2] {
                let mut flipped = bytes.clone();
                flipped[at_byte] ^= 4;
                std::fs::write(&file, &flipped).unwrap();
                let another = in_files(&world.store, &world.settings);
                let rows = another.at(&world.store.snapshot(), at(now)).unwrap();
                assert_eq!(told(&rows), before, "byte {at_byte} of {}", file.display());
                assert_eq!(another.status().rebuilds, 1, "byte {at_byte} of {}", file.display());
                another.save(at(now)).unwrap();
                assert_eq!(std::fs::read(&file).unwrap(), bytes, "what is written is the same each time");
            }
        }
        world = world.restart().await;
        assert_eq!(world.both(at(now)).0, before);
        assert_eq!(world.sessions.status().rebuilds, 0);
        world.sessions.save(at(now)).unwrap();
        // What is kept beside events that are about to leave is not told twice, should the process die before they do.
        world.sessions.keep(&|| world.store.snapshot(), at(now), None, at(40 * 86_400)).unwrap();
        world = world.restart().await;
        let (followed, anew) = world.both(at(now));
        assert_eq!(followed, before);
        assert_eq!(followed, anew);
        assert_eq!(world.sessions.status().rebuilds, 1);
        world.sessions.save(at(now)).unwrap();
        // Under other settings sessions end otherwise.
        let settings = HubSettings { max_age: Some(Micros::from_hours(8)), ..HubSettings::default() };
        world.settings = BTreeMap::from([("north".into(), settings)]);
        world = world.restart().await;
        let later = at(now + 9 * 3_600);
        let (followed, anew) = world.both(later);
        assert_eq!(followed, anew);
        assert_eq!(world.sessions.status().rebuilds, 1);
        assert!(followed.iter().any(|row| row.contains("|E6|")), "{followed:?}");
    });
}

#[test]
fn nothing_is_made_anew_once_the_program_ends() {
    runtime().block_on(async {
        let (world, now) = some_weeks(1).await;
        world.sessions.interrupt();
        let refused = world.sessions.at(&world.store.snapshot(), at(now)).unwrap_err();
        assert_eq!(refused.to_string(), "sessions are not made anew, as the program ends");
        assert!(world.sessions.save(at(now)).is_err());
        assert!(world.files().is_empty());
    });
}
