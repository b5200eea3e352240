//! Bytes that real emitters sent: each decodes to its line of the FileHandler's output.

mod common;

use common::{admit, admitted, capture_folders, captures, door, fixtures, parsed, quarantined};
use event::{Reason, Repair, Verdict};

const HANDLERS: [&str; 6] = [
    "http_post_first",
    "http_post_after_formatter",
    "http_post_basic_auth",
    "http_post_json_body",
    "http_post_behind_queue",
    "http_get",
];

/// The formatter puts a message first, and adds an empty one to events whose schema has one; other handlers see the
/// event as it was emitted. So these lines are compared without their order.
fn fields(line: &str) -> Vec<(String, String)> {
    let object = event::pyjson::Object::parse(line).unwrap();
    let texts = object.fields().iter().map(|field| (field.key.to_string(), field.value.to_string()));
    let mut fields: Vec<_> = texts.filter(|field| *field != ("message".to_owned(), "\"\"".to_owned())).collect();
    fields.sort();
    fields
}

#[test]
fn every_capture_decodes_to_its_line() {
    let door = door();
    let mut count = 0;
    for folder in capture_folders() {
        let expected = std::fs::read_to_string(folder.join("expected.jsonl")).unwrap();
        for handler in HANDLERS {
            let captures = captures(&folder, handler);
            assert!(!captures.is_empty(), "{}/{handler}", folder.display());
            for (index, (raw, line)) in captures.iter().zip(expected.lines()).enumerate() {
                let at = format!("{}/{handler}/{:03}", folder.display(), index + 1);
                let batch = admit(&door, parsed(raw)).unwrap_or_else(|refusal| panic!("{at}: {refusal}"));
                let [row] = batch.rows.as_slice() else { panic!("{at}: {} rows", batch.rows.len()) };
                let text = row.text_utf8().unwrap();
                if text != line {
                    assert!(line.starts_with(r#"{"message""#), "{at}: {text}");
                    assert_eq!(fields(text), fields(line), "{at}");
                    assert_ne!(handler, "http_post_json_body", "{at}: that one is the line itself");
                }
                let repairs = match &row.verdict {
                    Verdict::Admitted(admitted) => admitted.repairs,
                    Verdict::Quarantined(aside) => {
                        assert_eq!(aside.reason, Reason::UnknownSchema, "{at}: {}", aside.detail);
                        assert!(line.contains("hub.example.org"), "{at}");
                        assert!(aside.schema.is_some() && aside.version.is_some() && aside.time.is_some(), "{at}");
                        aside.repairs
                    }
                };
                let is_json = handler.ends_with("json_body") || handler.ends_with("behind_queue");
                assert_eq!(repairs.contains(Repair::PythonRepr), !is_json, "{at}");
                count += 1;
            }
        }
    }
    assert!(count >= 200, "{count} captures");
}

#[test]
fn what_a_handler_writes_to_a_file_is_admitted_as_one_body_of_lines() {
    let door = door();
    for folder in capture_folders() {
        let text = std::fs::read_to_string(folder.join("expected.jsonl")).unwrap();
        let batch = admit(&door, common::post(text.clone())).unwrap();
        let texts: Vec<&str> = batch.rows.iter().map(|row| row.text_utf8().unwrap()).collect();
        assert_eq!(texts, text.lines().collect::<Vec<_>>());
        let is_builtin = !folder.ends_with("jupyter_events-0.12.1-py311");
        for row in &batch.rows {
            assert_eq!(matches!(row.verdict, Verdict::Admitted(_)), is_builtin, "{row:?}");
        }
    }
}

#[test]
fn a_capture_whose_fields_are_flat_is_refused_because_its_types_are_lost() {
    let door = door();
    for folder in capture_folders() {
        for raw in captures(&folder, "http_post_map_json") {
            assert_eq!(admit(&door, parsed(&raw)).unwrap_err().code, "no_msg");
        }
    }
}

#[test]
fn launches_promote_what_the_event_says() {
    let folder = fixtures().join("captures/binderhub-eventlog-py311");
    let raw = captures(&folder, "http_post_first").remove(0);
    let batch = admit(&door(), parsed(&raw)).unwrap();
    let admitted = admitted(&batch.rows[0]);
    let promoted: Vec<String> = admitted
        .revision
        .columns
        .iter()
        .zip(&admitted.promoted)
        .map(|(column, value)| format!("{}={value:?}", column.name))
        .collect();
    assert_eq!(
        promoted.join("\n"),
        "provider=Some(Text(\"GitHub\"))\nspec=Some(Text(\"binder-examples/requirements/HEAD\"))\n\
         ref=Some(Text(\"50533eb470ee6c24e872043d30b2fee463d6943f\"))\nstatus=Some(Text(\"success\"))\n\
         build_token=Some(Boolean(false))\norigin=Some(Text(\"gesis.mybinder.org\"))\n\
         request_origin=Some(Text(\"same-origin\"))"
    );
    assert_eq!(admitted.time.to_string(), "2026-11-21T00:49:59.802921Z");
    assert_eq!(&*admitted.revision.version, "6");
}

#[test]
fn cloud_log_lines_become_the_lines_that_the_real_archiver_wrote_but_for_the_time() {
    let door = door();
    let golden = fixtures().join("archive/golden");
    let mut made = Vec::new();
    let mut folders = vec![golden.join("raw-export")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let row = door.admit_cloud_log_line(line.to_owned().into());
                let time = admitted(&row).time.to_string();
                let mut object = event::pyjson::Object::parse(row.text_utf8().unwrap()).unwrap();
                object.set("timestamp", format!("\"{}:00+00:00\"", &time[..16]));
                let mut out = String::new();
                object.write_python(&mut out).unwrap();
                made.push(out);
            }
        }
    }
    let mut expected = Vec::new();
    for entry in std::fs::read_dir(golden.join("archive")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().ends_with(".jsonl") && !path.ends_with("index.jsonl") {
            expected.extend(std::fs::read_to_string(path).unwrap().lines().map(str::to_owned));
        }
    }
    made.sort();
    expected.sort();
    assert_eq!(made, expected);
    assert!(made.len() >= 8);
}

#[test]
fn log_entries_without_an_event_are_kept_aside_with_the_reason() {
    let door = door();
    for (line, reason) in [
        (r#"{"textPayload": "x"}"#, Reason::NoSchema),
        (r#"{"jsonPayload": "x"}"#, Reason::NoSchema),
        (r#"{"jsonPayload": {"message": "hello"}}"#, Reason::NoSchema),
        (r#"["x"]"#, Reason::NotAnObject),
        ("{", Reason::NotJson),
        ("", Reason::NotJson),
    ] {
        let row = door.admit_cloud_log_line(line.into());
        assert_eq!(quarantined(&row).reason, reason, "{line}");
        if reason != Reason::NoSchema {
            assert_eq!(row.text, line);
        }
    }
}
