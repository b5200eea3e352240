//! Bad input: what is refused, what is kept aside, and what is said about it.

mod common;

use std::fmt::Write as _;
use std::io::Write as _;

use bytes::Bytes;
use common::{admit, admitted, door, only, post, quarantined};
use event::{Reason, Verdict};
use ingest::{RefusalKind, Request};

const GOOD: &str = r#"{"timestamp": "2024-01-01T00:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 5, "provider": "GitHub", "spec": "a/b/c", "status": "success"}"#;

fn launch(fields: &str) -> String {
    format!(
        r#"{{"timestamp": "2024-01-01T00:00:00Z", "schema": "binderhub.jupyter.org/launch", "version": 5{fields}}}"#
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn encoded(encoding: &str, body: impl Into<Bytes>) -> Request {
    Request { content_encoding: Some(encoding.to_owned()), ..post(body) }
}

#[test]
fn a_request_of_which_nothing_can_be_kept_is_refused_with_code_and_reason() {
    use RefusalKind::{BadRequest, TooLarge, UnsupportedMedia};
    // A hundred members of 4 MiB each, which decoders take for one file.
    let bomb = gzip(&vec![b' '; 4 << 20]).repeat(100);
    assert!(bomb.len() < 500_000);
    let zstd_bomb = zstd::encode_all(&vec![b'0'; 40 << 20][..], 3).unwrap();
    let halved = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let body = GOOD.repeat(20);
    let many = "1\n".repeat(10_001);
    let door = door();
    for (name, request, code, kind, detail) in [
        ("empty", post(""), "empty", BadRequest, "the body is empty; send a JSON object, an array or NDJSON"),
        ("space", post(" \r\n\t"), "empty", BadRequest, "the body is empty; send a JSON object, an array or NDJSON"),
        ("empty array", post("[ ]"), "empty", BadRequest, "the array is empty; send at least one event"),
        (
            "words",
            post("hello"),
            "not_json",
            BadRequest,
            "no event could be read; the first is not JSON: a JSON value is expected, at byte 0",
        ),
        (
            "page",
            post("<html>\n<body>\n</html>"),
            "not_json",
            BadRequest,
            "no event could be read; the first is not JSON: a JSON value is expected, at byte 0",
        ),
        (
            "cut object",
            post(&GOOD[..50]),
            "not_json",
            BadRequest,
            "no event could be read; the first is not JSON: the text ends within a value, at byte 50",
        ),
        (
            "cut array",
            post("[{}, "),
            "not_json",
            BadRequest,
            "the body begins like an array but is not JSON: the text ends within a value, at byte 4",
        ),
        (
            "binary",
            post(&b"\x89PNG\r\n\x1a\n\xff\xfe"[..]),
            "not_json",
            BadRequest,
            "no event could be read; the first is not JSON: a JSON value is expected, at byte 0",
        ),
        (
            "single quotes",
            post("{'a': 1}"),
            "not_json",
            BadRequest,
            "no event could be read; the first is not JSON: a key in double quotes is expected, at byte 1",
        ),
        (
            "cut gzip",
            encoded("gzip", halved(gzip(body.as_bytes()))),
            "bad_encoding",
            BadRequest,
            "the body is not whole gzip: incomplete deflate stream",
        ),
        (
            "no gzip",
            encoded("gzip", GOOD),
            "bad_encoding",
            BadRequest,
            "the body is not whole gzip: invalid gzip header",
        ),
        (
            "cut zstd",
            encoded("zstd", halved(zstd::encode_all(body.as_bytes(), 3).unwrap())),
            "bad_encoding",
            BadRequest,
            "the body is not whole zstd: incomplete frame",
        ),
        (
            "no zstd",
            encoded("zstd", GOOD),
            "bad_encoding",
            BadRequest,
            "the body is not whole zstd: Unknown frame descriptor",
        ),
        (
            "cut zlib",
            encoded("deflate", halved(zlib(body.as_bytes()))),
            "bad_encoding",
            BadRequest,
            "the body is not whole deflate: ",
        ),
        (
            "cut deflate",
            encoded("deflate", halved(deflate(body.as_bytes()))),
            "bad_encoding",
            BadRequest,
            "the body is not whole deflate: ",
        ),
        (
            "brotli",
            encoded("br", GOOD),
            "unknown_encoding",
            UnsupportedMedia,
            "the encoding 'br' is not understood; there are gzip, zstd and deflate, one at once",
        ),
        (
            "two encodings",
            encoded("gzip, gzip", GOOD),
            "unknown_encoding",
            UnsupportedMedia,
            "the encoding 'gzip, gzip' is not understood; there are gzip, zstd and deflate, one at once",
        ),
        (
            "400 MB from gzip",
            encoded("gzip", bomb),
            "inflates_too_far",
            TooLarge,
            "the body inflates to more than 16777216 bytes; send fewer events at once",
        ),
        (
            "40 MB from zstd",
            encoded("zstd", zstd_bomb),
            "inflates_too_far",
            TooLarge,
            "the body inflates more than 200 fold",
        ),
        (
            "20 MiB",
            post(vec![b' '; 20 << 20]),
            "body_too_large",
            TooLarge,
            "the body is 20971520 bytes long; at most 16777216 are taken",
        ),
        (
            "too many",
            post(many),
            "too_many_events",
            TooLarge,
            "the body has more than 10000 events; send fewer at once",
        ),
        (
            "form without msg",
            Request { content_type: Some("application/x-www-form-urlencoded".into()), ..post("a=b&c=d") },
            "no_msg",
            BadRequest,
            "the form has no field 'msg'; ",
        ),
    ] {
        let refusal = admit(&door, request).expect_err(name);
        assert_eq!((refusal.code, refusal.kind), (code, kind), "{name}: {refusal}");
        assert!(refusal.detail.starts_with(detail), "{name}: {refusal}");
    }
}

#[test]
fn an_event_that_cannot_be_admitted_is_kept_aside_with_reason_and_claims() {
    let levels = |levels: usize| format!("{}1{}", r#"{"a": "#.repeat(levels), "}".repeat(levels));
    let deep = levels(5_000);
    let deep_array = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let long = launch(&format!(r#", "spec": "{}""#, "x".repeat(1 << 20)));
    let door = door();
    let mut told = String::new();
    for (name, body) in [
        ("a number", Bytes::from("42")),
        ("an array of numbers", Bytes::from("[1]")),
        ("unknown schema", Bytes::from(GOOD.replace("launch", "lunch"))),
        ("unknown version", Bytes::from(GOOD.replace("5,", "99,"))),
        ("no version", Bytes::from(GOOD.replace("\"version\": 5, ", ""))),
        ("version of a wrong kind", Bytes::from(GOOD.replace("5,", "[5],"))),
        ("no schema", Bytes::from(r#"{"timestamp": "2024-01-01T00:00:00Z"}"#)),
        ("schema of a wrong kind", Bytes::from(r#"{"schema": 1}"#)),
        ("wrong type", Bytes::from(launch(r#", "build_token": "yes""#))),
        (
            "missing field",
            Bytes::from(
                r#"{"__timestamp__": "2024-01-01T00:00:00Z", "__schema__": "https://schema.jupyter.org/jupyterhub/events/server-action", "__schema_version__": "1", "__metadata_version__": 1, "action": "start", "username": "u"}"#,
            ),
        ),
        ("5,000 levels", Bytes::from(deep)),
        ("5,000 arrays", Bytes::from(deep_array)),
        ("129 levels", Bytes::from(levels(129))),
        ("128 levels", Bytes::from(levels(128))),
        ("over a megabyte", Bytes::from(long)),
        (
            "bad UTF-8",
            Bytes::from(
                launch(r#", "spec": "?""#)
                    .into_bytes()
                    .into_iter()
                    .map(|byte| if byte == b'?' { 0xff } else { byte })
                    .collect::<Vec<u8>>(),
            ),
        ),
        ("lone surrogate", Bytes::from(launch(r#", "spec": "\ud83e""#))),
        ("lone surrogate in a key", Bytes::from(launch(r#", "\udc00": 1"#))),
        ("a number beyond any type", Bytes::from(launch(r#", "n": 1e400"#))),
        ("a time that is not one", Bytes::from(GOOD.replace("2024-01-01T00:00:00Z", "yesterday"))),
        ("a time that is a number", Bytes::from(GOOD.replace("\"2024-01-01T00:00:00Z\"", "1704067200"))),
        ("no time", Bytes::from(GOOD.replace("timestamp", "time"))),
        ("31 February", Bytes::from(GOOD.replace("2024-01-01", "2024-02-31"))),
    ] {
        let row = only(&door, body.clone());
        let aside = quarantined(&row);
        let is_whole = row.text == body || (body.first() == Some(&b'[') && body.len() == row.text.len() + 2);
        assert!(is_whole, "{name}: what is kept aside is whole");
        let claims = (aside.schema.as_deref().unwrap_or("-"), aside.version.as_deref().unwrap_or("-"));
        let time = aside.time.map_or("-".to_owned(), |time| time.to_string());
        writeln!(told, "{name}: {} | {} {} {time}\n    {}", aside.reason, claims.0, claims.1, aside.detail).unwrap();
    }
    let expected = include_str!("bad_input.txt");
    assert!(told == expected, "if it is meant, write it to bad_input.txt:\n{told}");
}

#[test]
fn what_looks_bad_and_is_legal_is_admitted() {
    let door = door();
    for fields in [
        r#", "spec": "a\u0000b""#,
        r#", "n": 1180591620717411303424"#,
        r#", "n": -0.0"#,
        r#", "spec": "\ud83e\ude90""#,
        r#", "unknown": {"deeply": [[[{}]]]}"#,
        ", \"spec\": \"\u{7f}\u{2028}é\"",
        "",
    ] {
        let text = launch(fields);
        let row = only(&door, text.clone());
        admitted(&row);
        assert_eq!(row.text, text);
    }
    for time in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T00:00:00Z"] {
        admitted(&only(&door, GOOD.replace("2024-01-01T00:00:00Z", time)));
    }
}

#[test]
fn one_bad_line_amid_a_batch_is_kept_aside_alone() {
    let door = door();
    let good = GOOD.as_bytes();
    for (name, bad, reason) in [
        ("words", &b"hello"[..], Reason::NotJson),
        ("cut", &good[..40], Reason::NotJson),
        ("bad UTF-8", &b"{\"a\": \"\xff\"}"[..], Reason::BadUtf8),
        ("surrogate", br#"{"a": "\ud800"}"#, Reason::LoneSurrogate),
        ("number", b"7", Reason::NotAnObject),
    ] {
        for place in 0..3 {
            let mut lines = vec![good; 2];
            lines.insert(place, bad);
            for (end, kind) in [("\n", None), ("\r\n\r\n", None), ("\n", Some("application/x-ndjson"))] {
                let mut body = lines.join(end.as_bytes());
                body.extend_from_slice(end.as_bytes());
                let batch = admit(&door, Request { content_type: kind.map(str::to_owned), ..post(body) }).unwrap();
                assert_eq!(batch.rows.len(), 3, "{name}");
                for (index, row) in batch.rows.iter().enumerate() {
                    if index == place {
                        assert_eq!(quarantined(row).reason, reason, "{name}");
                        assert_eq!(&row.text[..], bad);
                    } else {
                        admitted(row);
                        assert_eq!(row.text, GOOD);
                    }
                }
            }
        }
        // In an array the neighbours are safe, too, as long as the whole is an array.
        if reason != Reason::NotJson {
            let body = [&b"[ "[..], good, b" ,\n", bad, b",", good, b"]"].concat();
            let batch = admit(&door, post(body)).unwrap();
            assert_eq!(batch.rows.len(), 3, "{name}");
            assert_eq!(quarantined(&batch.rows[1]).reason, reason, "{name}");
            assert_eq!(&batch.rows[1].text[..], bad);
            assert!(matches!(batch.rows[2].verdict, Verdict::Admitted(_)));
        }
    }
}

#[test]
fn every_encoding_and_form_of_a_body_gives_the_same_rows() {
    let door = door();
    let lines = format!("{GOOD}\n{GOOD}\n");
    let array = format!("[{GOOD}, {GOOD}]");
    let pretty = GOOD.replace(", ", ",\n  ");
    for (name, request, texts) in [
        ("lines", post(lines.clone()), vec![GOOD, GOOD]),
        ("byte order mark", post(format!("\u{feff}{lines}")), vec![GOOD, GOOD]),
        ("array", post(array.clone()), vec![GOOD, GOOD]),
        ("array in lines", post(format!("[\n{GOOD}\n,\n{GOOD}\n]\n")), vec![GOOD, GOOD]),
        ("object over lines", post(pretty.clone()), vec![&pretty]),
        ("gzip", encoded("gzip", gzip(lines.as_bytes())), vec![GOOD, GOOD]),
        (
            "gzip of two members",
            encoded("GZIP", [gzip(GOOD.as_bytes()), gzip(format!("\n{GOOD}").as_bytes())].concat()),
            vec![GOOD, GOOD],
        ),
        ("zstd", encoded("zstd", zstd::encode_all(lines.as_bytes(), 3).unwrap()), vec![GOOD, GOOD]),
        ("zlib", encoded("deflate", zlib(lines.as_bytes())), vec![GOOD, GOOD]),
        ("deflate", encoded("deflate", deflate(lines.as_bytes())), vec![GOOD, GOOD]),
        ("identity", encoded("identity", lines.clone()), vec![GOOD, GOOD]),
    ] {
        let batch = admit(&door, request).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let found: Vec<&str> = batch.rows.iter().map(|row| row.text_utf8().unwrap()).collect();
        assert_eq!(found, texts, "{name}");
        assert!(batch.rows.iter().all(|row| matches!(row.verdict, Verdict::Admitted(_))), "{name}");
        assert_eq!((batch.received, &*batch.hub, batch.door), (common::now(), "default", event::Door::Http));
    }
}
