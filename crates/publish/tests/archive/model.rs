//! Whatever happened before: a publisher that remembers its last run leaves the same folder as one that has never seen
//! the store (P2).

use std::fs;

use event::Day;
use ingest::sources::import::archive;

use crate::sandbox::{Sandbox, files};

/// Days on which things happen: few, so that they meet.
const DAYS: [&str; 4] = ["2026-01-30", "2026-01-31", "2026-02-01", "2026-03-07"];
/// Each seed is another history.
const SEEDS: std::ops::Range<u64> = 0..6;
const STEPS: usize = 20;

struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn launches(&mut self, day: &str) -> String {
        let launch = |chance: &mut Self| {
            let (minute, second, number) = (chance.below(3), chance.below(60), chance.below(1000));
            format!(
                "{{\"timestamp\": \"{day}T00:0{minute}:{second:02}+00:00\", \"schema\": \"binderhub.jupyter.org/launch\", \
                 \"version\": 5, \"provider\": \"GitHub\", \"spec\": \"a/b/{number}\", \"status\": \"success\"}}\n"
            )
        };
        (0..self.below(4)).map(|_| launch(self)).collect()
    }

    fn launches_of_two_days(&mut self) -> String {
        let (one, other) = (self.day(), self.day());
        self.launches(one) + &self.launches(other)
    }

    fn day(&mut self) -> &'static str {
        DAYS[usize::try_from(self.below(DAYS.len() as u64)).unwrap()]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_remembers_equals_one_that_does_not() {
    for seed in SEEDS {
        let sandbox = Sandbox::new().await;
        let source = sandbox.folder("source");
        let mut chance = Chance(seed);
        for step in 0..STEPS {
            act(&sandbox, &source, &mut chance).await;
            if chance.below(2) == 0 {
                sandbox.publish().await;
                let fresh = sandbox.publish_afresh(&format!("fresh-{step}")).await;
                assert_eq!(files(&sandbox.archive()), files(&fresh), "seed {seed}, step {step}");
            }
        }
    }
}

async fn act(sandbox: &Sandbox, source: &std::path::Path, chance: &mut Chance) {
    match chance.below(8) {
        0..=2 => {
            let lines = chance.launches_of_two_days();
            if !lines.is_empty() {
                sandbox.receive(&lines);
            }
        }
        3 => {
            sandbox.store.flush().await.unwrap();
        }
        4 => {
            sandbox.store.compact().await.unwrap();
        }
        5 | 6 => {
            // Lines of any day under the name of another.
            let lines = chance.launches_of_two_days();
            fs::write(source.join(format!("events-{}.jsonl", chance.day())), lines).unwrap();
            sandbox.import(archive::scan(source).unwrap()).await;
        }
        _ => tamper(sandbox, chance),
    }
}

/// Spoils one published file, if there is one: by as many bytes, or altogether.
fn tamper(sandbox: &Sandbox, chance: &mut Chance) {
    let path = sandbox.archive().join(format!("events-{}.jsonl", chance.day().parse::<Day>().unwrap()));
    match fs::read(&path) {
        Ok(bytes) if chance.below(2) == 0 => fs::write(path, vec![b' '; bytes.len()]).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}
