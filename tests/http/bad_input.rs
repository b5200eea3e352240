//! Bad input: the answer to each is pinned by a snapshot, and each is kept whole in quarantine or not at all.

use std::fmt::Write as _;
use std::io::Write as _;

use acceptance::{Response, Sandbox, Server};
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, Crc, FlushCompress};

/// A bomb inflates to 400 MB: so many times the same piece.
const BOMB_PIECE_BYTES: usize = 1 << 20;
const BOMB_PIECES: usize = 400;

/// What the program may hold at its peak. It needs about half of it in a build without optimisation; inflating one bomb
/// whole would take more than all of it.
const MEMORY_BYTES_MAX: u64 = 384 << 20;

/// A request, by what is wrong with it.
struct Bad {
    name: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
}

#[test]
fn every_bad_input_gets_an_answer_that_says_what_is_wrong_and_is_kept_whole_or_not_at_all() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let mut answers = String::new();
    for bad in bad_inputs() {
        let before = kept(&server);
        let answer = server.client().post_with("/api/v1/events", &bad.headers, &bad.body);
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", bad.name));
        let added = kept(&server) - before;
        let document = answer.json();
        if answer.status == 200 {
            assert_eq!(document["kept"].as_u64(), Some(added), "{}: {document}", bad.name);
            assert!(added > 0, "{}: {document}", bad.name);
        } else {
            assert!((400..500).contains(&answer.status), "{}: {document}", bad.name);
            assert_eq!(added, 0, "{}: something was kept: {document}", bad.name);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", bad.name);
        }
        writeln!(answers, "{}\n{}", bad.name, told(&answer)).expect("a String takes all");
    }
    insta::assert_snapshot!("answers", answers);
    let peak = server.memory_peak();
    assert!(peak < MEMORY_BYTES_MAX, "{} MiB at the peak", peak >> 20);
}

#[test]
fn what_no_type_holds_stays_exact_in_the_text() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let launch = |extra: &str| {
        format!(
            r#"{{"timestamp": "2024-03-01T12:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 1, "provider": "GitHub", "spec": "a/b/c", "status": "success", "extra": {extra}}}"#
        )
    };
    for (extra, repair) in [("1180591620717411303424", ""), ("NaN", "bare_nan"), ("-Infinity", "bare_nan"), ("5.0", "")]
    {
        let text = launch(extra);
        let answer = server.post_events(text.as_bytes());
        assert_eq!(answer.status, 200, "{extra}: {}", answer.text());
        assert_eq!(answer.json()["admitted"], 1, "{extra}: {}", answer.text());
        let rows = server.query("SELECT text, repairs FROM events ORDER BY position DESC LIMIT 1");
        assert_eq!(rows[0]["text"], text, "{extra}");
        assert_eq!(rows[0]["repairs"].as_str().unwrap_or_default(), repair, "{extra}");
    }
}

#[test]
fn a_server_that_was_sent_everything_bad_still_takes_what_is_good() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    for bad in bad_inputs() {
        server.client().post_with("/api/v1/events", &bad.headers, &bad.body).expect("an answer");
    }
    let answer = server.post_events(LAUNCH.as_bytes());
    assert_eq!((answer.status, &answer.json()["admitted"]), (200, &1.into()), "{}", answer.text());
}

const LAUNCH: &str = r#"{"timestamp": "2024-03-01T12:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 1, "provider": "GitHub", "spec": "a/b/c", "status": "success"}"#;

/// The launch with one part of its text replaced.
fn launch_with(part: &str, other: &str) -> Vec<u8> {
    assert!(LAUNCH.contains(part), "{part}");
    LAUNCH.replace(part, other).into_bytes()
}

fn bad_inputs() -> Vec<Bad> {
    let json =
        |name, body: &[u8]| Bad { name, headers: vec![("Content-Type", "application/json")], body: body.to_vec() };
    let encoded = |name, encoding, body: Vec<u8>| Bad {
        name,
        headers: vec![("Content-Type", "application/json"), ("Content-Encoding", encoding)],
        body,
    };
    let server_action = r#"{"__timestamp__": "2026-11-21T00:34:29Z", "__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": "1", "__metadata_version__": 1, "action": "start", "servername": ""}"#;
    let mut truncated = gzip(LAUNCH.as_bytes());
    truncated.truncate(truncated.len() / 2);
    let deep = format!("{}{}{}", r#"{"a": "#, "[".repeat(5_000), "]".repeat(5_000)) + "}";
    let lines = [LAUNCH.as_bytes(), b"{\"not\": json}", LAUNCH.as_bytes()].join(&b'\n');
    vec![
        json("not JSON", b"hello"),
        json("empty", b""),
        json("JSON, but a number", b"42"),
        json("an empty array", b"[]"),
        json("cut off amid an object", &LAUNCH.as_bytes()[..60]),
        encoded("truncated gzip", "gzip", truncated),
        encoded("not gzip at all", "gzip", LAUNCH.as_bytes().to_vec()),
        encoded("a small gzip that inflates to 400 MB", "gzip", bomb()),
        encoded("a small zstd that inflates to 400 MB", "zstd", zstd_bomb()),
        encoded("unknown encoding", "br", LAUNCH.as_bytes().to_vec()),
        Bad { name: "unknown content type", headers: vec![("Content-Type", "text/html")], body: b"<p>".to_vec() },
        json("unknown schema", &launch_with("binderhub.jupyter.org/launch", "binderhub.jupyter.org/lunch")),
        json("unknown version", &launch_with("\"version\": 1", "\"version\": 77")),
        json("no schema", &launch_with("\"schema\"", "\"schemer\"")),
        json("wrong type", &launch_with("\"a/b/c\"", "7")),
        json("a value that is not among those allowed", &launch_with("\"success\"", "\"perhaps\"")),
        json("missing field", server_action.as_bytes()),
        json("5,000 levels deep", deep.as_bytes()),
        json("20 MiB body", &vec![b' '; 20 << 20]),
        json(
            "bad UTF-8",
            &launch_with("a/b/c", "a/b/@").iter().map(|b| if *b == b'@' { 0xff } else { *b }).collect::<Vec<u8>>(),
        ),
        json("lone surrogate", &launch_with("a/b/c", "a/b/\\ud800")),
        json("NUL within a text", &launch_with("a/b/c", "a/b/\\u0000")),
        json("NUL byte", b"{\"a\": \0}"),
        json("a number beyond any type", &launch_with("\"a/b/c\"", "1e400")),
        json("a time that is not one", &launch_with("2024-03-01T12:00:00Z", "yesterday")),
        json("a time that the calendar does not have", &launch_with("2024-03-01", "2024-02-30")),
        Bad { name: "one bad line amid a batch", headers: vec![("Content-Type", "application/x-ndjson")], body: lines },
        json("one bad element amid an array", format!("[{LAUNCH}, 7, {LAUNCH}]").as_bytes()),
        Bad {
            name: "a form without an event",
            headers: vec![("Content-Type", "application/x-www-form-urlencoded")],
            body: b"name=root&msg=hello".to_vec(),
        },
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory")
}

/// 400 MB of blanks as gzip. One piece is compressed and ended so that the next begins afresh (a full flush); then its
/// bytes are repeated, which takes no time, and makes a file as whole as any.
fn bomb() -> Vec<u8> {
    let piece = vec![b' '; BOMB_PIECE_BYTES];
    let mut deflate = Compress::new(Compression::best(), false);
    let mut packed = Vec::with_capacity(BOMB_PIECE_BYTES);
    deflate.compress_vec(&piece, &mut packed, FlushCompress::Full).expect("memory");
    let mut crc = Crc::new();
    crc.update(&piece);
    let mut checksum = Crc::new();
    let mut bomb = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff".to_vec();
    for _ in 0..BOMB_PIECES {
        bomb.extend_from_slice(&packed);
        checksum.combine(&crc);
    }
    // A last block, empty; then checksum and length.
    bomb.extend_from_slice(b"\x03\0");
    bomb.extend_from_slice(&checksum.sum().to_le_bytes());
    bomb.extend_from_slice(&checksum.amount().to_le_bytes());
    bomb
}

/// The same as zstd: frames may follow each other.
fn zstd_bomb() -> Vec<u8> {
    zstd::encode_all(&vec![b' '; BOMB_PIECE_BYTES][..], 3).expect("memory").repeat(BOMB_PIECES)
}

/// Events in both tables.
fn kept(server: &Server) -> u64 {
    let rows = server.query("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM quarantine) AS n");
    rows[0]["n"].as_u64().expect("a count")
}

/// Status, codes and sentences, without what differs between runs.
fn told(answer: &Response) -> String {
    let document = answer.json();
    let mut text = String::new();
    if answer.status == 200 {
        writeln!(
            text,
            "  200 kept {} (admitted {}, quarantined {})",
            document["kept"], document["admitted"], document["quarantined"]
        )
        .expect("a String takes all");
        for event in document["events"].as_array().into_iter().flatten() {
            match event["verdict"].as_str() {
                Some("admitted") => text.push_str("    admitted\n"),
                _ => writeln!(text, "    {}: {}", event["reason"], event["detail"]).expect("a String takes all"),
            }
        }
    } else {
        writeln!(text, "  {} {}: {}", answer.status, document["code"], document["detail"]).expect("a String takes all");
    }
    text
}

#[test]
fn the_bomb_is_whole_gzip() {
    let mut inflated = std::io::sink();
    let size = std::io::copy(&mut flate2::read::GzDecoder::new(&bomb()[..]), &mut inflated).expect("whole gzip");
    assert_eq!(size, (BOMB_PIECES * BOMB_PIECE_BYTES) as u64);
}
