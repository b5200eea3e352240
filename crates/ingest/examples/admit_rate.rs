//! How fast the door is, beside the parser alone on the same bytes: `cargo run --release -p ingest --example
//! admit_rate`.
//!
//! One core, batches of 1,000 launches as BinderHub sends them. The budget is half of the parser's rate.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use event::SystemClock;
use ingest::{Admission, Limits, Method, Request, record};
use schema::Registry;
use sonic_rs::Value;

const EVENTS: usize = 1_000;
const ROUNDS: usize = 1_000;

/// Lines as the archive of 2021 to 2025 has them, of 250 to 280 bytes.
fn lines() -> String {
    let mut out = String::new();
    for index in 0..EVENTS {
        // A String takes everything that is written to it.
        let _ = writeln!(
            out,
            r#"{{"timestamp": "2024-03-{:02}T{:02}:{:02}:{:02}.{:06}Z", "schema": "binderhub.jupyter.org/launch", "version": 5, "provider": "GitHub", "spec": "organisation-{}/repository-{}/HEAD", "ref": "{:040x}", "status": "success", "build_token": {}, "origin": "gke.mybinder.org"}}"#,
            index % 28 + 1,
            index % 24,
            index % 60,
            index % 59,
            index * 997 % 1_000_000,
            index % 97,
            index % 389,
            index * 7_919,
            index % 3 == 0,
        );
    }
    out
}

/// The rate of the best round, in events a second: other work on the machine only makes rounds slower.
fn rate(name: &str, anchor: Option<f64>, mut round: impl FnMut()) -> f64 {
    // For a profiler: a part of a name as argument leaves the others out.
    if std::env::args().nth(1).is_some_and(|wanted| !name.contains(&wanted)) {
        return f64::NAN;
    }
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round();
        best = best.min(start.elapsed().as_secs_f64());
    }
    let rate = EVENTS as f64 / best;
    let share = anchor.map_or_else(String::new, |anchor| format!("  {:.2} of the parser", rate / anchor));
    println!("{name:34} {:6.2} M events/s  {:4.0} ns{share}", rate / 1e6, 1e9 / rate);
    rate
}

fn main() {
    let text = lines();
    let each: Vec<&str> = text.lines().collect();
    let body = Bytes::from(text.clone());
    let array = Bytes::from(format!("[{}]", each.join(", ")));
    let door = Admission::new(Registry::builtin(), Limits::default(), Arc::new(SystemClock));
    let hub: Arc<str> = "default".into();
    let post = |body: &Bytes| Request {
        method: Method::Post,
        content_type: None,
        content_encoding: None,
        query: None,
        body: body.clone(),
    };
    println!("{EVENTS} launches of {} bytes on average, batches of {EVENTS}", text.len() / EVENTS);
    let anchor = rate("parser alone (sonic-rs DOM)", None, || {
        for line in &each {
            let value: Result<Value, _> = sonic_rs::from_str(line);
            assert!(black_box(value).is_ok());
        }
    });
    let registry = door.registry();
    let schema::Found::Revisions(revisions) = registry.find("binderhub.jupyter.org/launch", "5") else {
        panic!("launch 5 is built in")
    };
    let entry = &revisions[0];
    rate("parse and validate", Some(anchor), || {
        for line in &each {
            let Ok(value) = sonic_rs::from_str::<Value>(line) else { panic!("{line}") };
            assert!(entry.validate_without(&schema::Event::of(&value), schema::Hidden::BINDERHUB).is_ok());
        }
    });
    rate("door, lines", Some(anchor), || {
        assert!(black_box(door.admit(post(&body), Arc::clone(&hub))).is_ok_and(|batch| batch.rows.len() == EVENTS));
    });
    rate("door, array", Some(anchor), || {
        assert!(black_box(door.admit(post(&array), Arc::clone(&hub))).is_ok_and(|batch| batch.rows.len() == EVENTS));
    });
    let Ok(batch) = door.admit(post(&body), hub) else { panic!("the batch is refused") };
    rate("record, encode", Some(anchor), || assert!(!black_box(record::encode(&batch)).is_empty()));
    let payload = record::encode(&batch);
    rate("record, decode", Some(anchor), || assert!(black_box(record::decode(&payload, &registry)).is_ok()));
    rate("Python's form", Some(anchor), || {
        for line in &each {
            assert!(black_box(event::pyjson::normalise(line)).is_ok());
        }
    });
}
