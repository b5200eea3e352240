//! Captures with random damage: whatever comes, every decoder answers.

mod common;

use bytes::Bytes;
use common::{admit, capture_folders, captures, door, parsed, post};
use event::pyjson;
use ingest::{Admission, Request, record};

/// Mutants of the whole run. Each goes through the door, so through every decoder that its form has.
const MUTANTS: usize = 24_000;

/// xorshift64*: a fixed seed, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// What breaks parsers.
const MORSELS: [&[u8]; 20] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\\ud800",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"\xff",
    b"\x00",
    b"%",
    b"%5C",
    b"'",
    b"\n",
    b",",
    b"__schema__",
    b"9999999999999999999999",
    b"((((",
];

fn mutated(random: &mut Random, original: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 => {
                bytes.splice(at..at, MORSELS[random.below(MORSELS.len())].iter().copied());
            }
            3 => {
                let end = (at + random.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + random.below(40)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let other = random.below(bytes.len());
                if at < bytes.len() {
                    bytes.swap(at, other);
                }
            }
        }
    }
    bytes
}

fn requests() -> Vec<Request> {
    let mut requests = Vec::new();
    for folder in capture_folders() {
        for handler in ["http_post_first", "http_post_behind_queue", "http_post_json_body", "http_get"] {
            requests.extend(captures(&folder, handler).iter().map(|raw| parsed(raw)));
        }
        let lines = std::fs::read(folder.join("expected.jsonl")).unwrap();
        let gzipped = zstd::encode_all(&lines[..], 1).unwrap();
        requests.push(Request { content_encoding: Some("zstd".into()), ..post(gzipped) });
        requests.push(post(lines.clone()));
        let array = [
            &b"["[..],
            &lines[..lines.len() - 1].iter().map(|byte| if *byte == b'\n' { b',' } else { *byte }).collect::<Vec<_>>(),
            b"]",
        ]
        .concat();
        requests.push(post(array));
    }
    requests
}

fn check(door: &Admission, request: Request) {
    let Ok(batch) = admit(door, request) else { return };
    assert!(!batch.rows.is_empty());
    let payload = record::encode(&batch);
    assert_eq!(record::decode(&payload, &door.registry()).unwrap(), batch);
    for row in &batch.rows {
        let Some(text) = row.text_utf8() else { continue };
        // What the strict parser takes, Python's form takes, and so publishing can always write it.
        if matches!(row.verdict, event::Verdict::Admitted(_)) {
            let normal = pyjson::normalise(text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(pyjson::normalise(&normal).unwrap(), normal);
        }
    }
}

#[test]
fn mutants_of_captures_never_break_the_door() {
    let door = door();
    let requests = requests();
    let mut random = Random(0x0020_1811_0300_7057);
    for index in 0..MUTANTS {
        let request = &requests[index % requests.len()];
        let query = request.query.as_ref().map(|query| {
            let mutant = mutated(&mut random, query.as_bytes());
            String::from_utf8_lossy(&mutant).into_owned()
        });
        let body = Bytes::from(mutated(&mut random, &request.body));
        check(&door, Request { query, body, ..request.clone() });
    }
}

#[test]
fn mutants_never_break_the_decoders_by_themselves() {
    let registry = common::registry();
    let door = door();
    let lines = std::fs::read(common::fixtures().join("captures/jupyter_server-2.21.1-py311/expected.jsonl")).unwrap();
    let payload = record::encode(&admit(&door, post(lines)).unwrap());
    let entry = br#"{"jsonPayload": {"python_logger": null, "message": "{\"timestamp\": \"2018-11-03T00:00:31Z\", \"schema\": \"a/b\", \"event\": {\"x\": [1, \"\\u00e9\"]}}"}}"#;
    let repr = br#"{'a': [1, -2.5e10, "o'brien", 'x\n\x00\u2028\U0001fa90'], 'b': {'c': (1, None, True)}, 2: nan}"#;
    let time = b"2023-03-26T02:30:00.123456+05:45Z";
    let mut random = Random(7);
    for _ in 0..6_000 {
        let _ = record::decode(&mutated(&mut random, &payload), &registry);
        let _ = ingest::decode::cloud_log_line(&mutated(&mut random, entry).into());
        let mutant = mutated(&mut random, repr);
        if let Ok(json) = ingest::decode::repr::to_json(&String::from_utf8_lossy(&mutant), 128) {
            assert_eq!(pyjson::normalise(&json).unwrap(), json, "of {}", String::from_utf8_lossy(&mutant));
        }
        let _ = ingest::decode::event_time(&String::from_utf8_lossy(&mutated(&mut random, time)));
        let _ = pyjson::inspect(&mutated(&mut random, entry), 16, |_| {});
        let _ = pyjson::Elements::new(&mutated(&mut random, b"[{\"a\": [1, \"x\"]}, 2, [3]]"), 16).count();
    }
}
