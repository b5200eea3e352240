//! From files and requests to the published folder, through the real door and the real tables.

mod model;
mod sandbox;

use std::fs;

use event::{CollectorId, Position};
use ingest::sources::import::{archive, cloud_log};
use sandbox::{Sandbox, files, golden};

/// The golden pair was made by running mybinder.org's own archiver and indexer.
#[tokio::test(flavor = "multi_thread")]
async fn cloud_log_in_archive_out_byte_for_byte() {
    let sandbox = Sandbox::new().await;
    let first = sandbox.import(cloud_log::scan(&golden("raw-export")).unwrap()).await;
    assert_eq!((first.added, first.rows, first.quarantined), (4, 8, 0));
    let published = sandbox.publish().await;
    assert_eq!((published.days_written, published.days_unchanged, published.events), (4, 0, 8));
    assert_eq!(files(&sandbox.archive()), files(&golden("archive")));

    let again = sandbox.import(cloud_log::scan(&golden("raw-export/binderhub-events-text")).unwrap()).await;
    assert_eq!((again.added, again.replaced, again.unchanged, again.rows), (0, 0, 4, 0));
    let published = sandbox.publish().await;
    assert_eq!((published.days_written, published.days_unchanged, published.events), (0, 4, 8));
    assert_eq!(files(&sandbox.archive()), files(&golden("archive")));
}

#[tokio::test(flavor = "multi_thread")]
async fn archive_in_archive_out_byte_for_byte() {
    let sandbox = Sandbox::new().await;
    let first = sandbox.import(archive::scan(&golden("archive")).unwrap()).await;
    assert_eq!((first.added, first.rows, first.quarantined), (4, 8, 0));
    sandbox.publish().await;
    assert_eq!(files(&sandbox.archive()), files(&golden("archive")));

    // What was published is an archive, too; it is known already.
    let again = sandbox.import(archive::scan(&sandbox.archive()).unwrap()).await;
    assert_eq!((again.added, again.replaced, again.unchanged, again.rows), (0, 0, 4, 0));
    assert_eq!(sandbox.publish().await.days_unchanged, 4);
    assert_eq!(files(&sandbox.archive()), files(&golden("archive")));
}

/// Real lines of several years, filed under days that are not theirs and out of order: an archive comes out as it came
/// in.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_another_day_stay_where_they_were() {
    let sandbox = Sandbox::new().await;
    let real = fs::read_to_string(golden("../launches-from-tables.jsonl")).unwrap();
    let mut lines: Vec<&str> = real.lines().collect();
    lines.reverse();
    let source = sandbox.folder("source");
    fs::write(source.join("events-2019-02-22.jsonl"), lines.join("\n") + "\n").unwrap();
    fs::write(source.join("events-2019-02-23.jsonl"), "").unwrap();
    fs::write(source.join("cloud-costs.jsonl"), "{}").unwrap();
    let imported = sandbox.import(archive::scan(&source).unwrap()).await;
    assert_eq!((imported.added, imported.rows, imported.quarantined), (2, lines.len() as u64, 0));
    sandbox.publish().await;
    fs::remove_file(source.join("cloud-costs.jsonl")).unwrap();
    let published: Vec<_> = files(&sandbox.archive()).into_iter().filter(|(name, _)| name != "index.jsonl").collect();
    assert_eq!(published, files(&source));
    let sorted_on_disk = files(&sandbox.publish_afresh("afresh").await);
    assert_eq!(sorted_on_disk, files(&sandbox.archive()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_changed_replaces_itself() {
    let sandbox = Sandbox::new().await;
    let source = sandbox.folder("source");
    for (name, bytes) in files(&golden("archive")) {
        fs::write(source.join(name), bytes).unwrap();
    }
    sandbox.import(archive::scan(&source).unwrap()).await;
    sandbox.publish().await;
    let day = source.join("events-2018-11-03.jsonl");
    let text = fs::read_to_string(&day).unwrap();
    let fewer: String = text.lines().skip(1).map(|line| format!("{line}\n")).collect();
    fs::write(&day, &fewer).unwrap();
    let imported = sandbox.import(archive::scan(&source).unwrap()).await;
    assert_eq!((imported.added, imported.replaced, imported.unchanged), (0, 1, 3));
    let published = sandbox.publish().await;
    assert_eq!((published.days_written, published.days_unchanged, published.events), (1, 3, 7));
    assert_eq!(fs::read_to_string(sandbox.archive().join("events-2018-11-03.jsonl")).unwrap(), fewer);
    assert!(fs::read_to_string(sandbox.archive().join("index.jsonl")).unwrap().contains("\"count\": \"3\""));
}

/// P1: nothing that was not declared public is in any file, whatever it is called and wherever it stands.
#[tokio::test(flavor = "multi_thread")]
async fn private_fields_never_leave() {
    let sandbox = Sandbox::new().await;
    let launch = |more: &str| {
        format!(
            "{{\"timestamp\": \"2026-01-02T03:04:05Z\", \"schema\": \"binderhub.jupyter.org/launch\", \"version\": 5, \
             \"provider\": \"GitHub\", \"spec\": \"a/b/c\", \"status\": \"success\"{more}}}\n"
        )
    };
    let lines = [
        launch(""),
        launch(", \"user\": \"TAINT\""),
        launch(", \"extra\": {\"spec\": \"TAINT\"}"),
        launch(", \"python_logger\": {\"user\": [\"TAINT\"]}"),
        launch(", \"python_logger\": [\"TAINT\"], \"python_logger\": null"),
        launch(", \"event\": {\"user\": \"TAINT\"}"),
        launch(", \"message\": \"TAINT\""),
        launch(", \"taskName\": \"TAINT\""),
        // Not declared public, and in quarantine.
        "{\"__timestamp__\": \"2026-01-02T03:04:05+00:00Z\", \"__schema__\": \
         \"https://schema.jupyter.org/jupyterhub/events/server-action\", \"__schema_version__\": \"1\", \
         \"__metadata_version__\": 1, \"action\": \"start\", \"username\": \"TAINT\", \"servername\": \"\"}\n"
            .to_owned(),
        launch(", \"origin\": [\"TAINT\"]"),
    ];
    let (admitted, quarantined) = sandbox.receive(&lines.concat());
    assert!(admitted >= 7 && quarantined >= 1, "{admitted} {quarantined}");
    let published = sandbox.publish().await;
    assert!(published.fields_withheld >= 6, "{published:?}");
    assert!(published.events >= 6);
    let all = files(&sandbox.archive());
    let day = &all.iter().find(|(name, _)| name == "events-2026-01-02.jsonl").unwrap().1;
    let text = String::from_utf8(day.clone()).unwrap();
    assert!(text.lines().all(|line| line.contains("\"timestamp\": \"2026-01-02T03:04:00+00:00\"")), "{text}");
    for entry in fs::read_dir(sandbox.archive()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("TAINT") && !text.contains("03:04:05"), "{}", path.display());
        assert!(!text.contains("server-action"), "{}", path.display());
    }
}

/// P2: the same rows give the same bytes, be they in the tail or in a part, published at once or in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_a_function_of_the_rows() {
    let sandbox = Sandbox::new().await;
    sandbox.import(cloud_log::scan(&golden("raw-export")).unwrap()).await;
    let launch = |second: u32, spec: &str| {
        format!(
            "{{\"timestamp\": \"2018-11-03T00:00:{second:02}Z\", \"schema\": \"binderhub.jupyter.org/launch\", \
             \"version\": 1, \"provider\": \"GitHub\", \"spec\": \"{spec}\", \"status\": \"success\"}}\n"
        )
    };
    sandbox.receive(&(launch(59, "live/first/x") + &launch(1, "live/second/x")));
    sandbox.publish().await;
    let from_tail = files(&sandbox.archive());
    let day = String::from_utf8(from_tail[0].1.clone()).unwrap();
    let order: Vec<_> = ["Qiskit", "ipython", "late/line", "live/first", "live/second", "a/\\u00e9"]
        .map(|spec| day.find(spec).unwrap())
        .into();
    assert!(order.is_sorted(), "imports first, then live by position: {day}");

    sandbox.store.flush().await.unwrap();
    let published = sandbox.publish().await;
    assert_eq!(published.days_written, 0);
    assert_eq!(files(&sandbox.archive()), from_tail);
    let collector = CollectorId::of_journal(7);
    assert_eq!(sandbox.store.committed(&collector), Position(2));
}

/// P3, and what a crash or a curious hand leaves behind.
#[tokio::test(flavor = "multi_thread")]
async fn the_folder_repairs_itself() {
    let sandbox = Sandbox::new().await;
    sandbox.import(archive::scan(&golden("archive")).unwrap()).await;
    sandbox.publish().await;
    let archive = sandbox.archive();
    let right = files(&archive);
    let page = fs::read_to_string(archive.join("index.html")).unwrap();

    fs::remove_file(archive.join("events-2023-08-22.jsonl")).unwrap();
    let tampered = fs::read_to_string(archive.join("events-2018-11-03.jsonl")).unwrap().replace("Qiskit", "Qiskat");
    fs::write(archive.join("events-2018-11-03.jsonl"), tampered).unwrap();
    fs::write(archive.join("index.jsonl"), "").unwrap();
    fs::remove_file(archive.join("index.html")).unwrap();
    fs::write(archive.join(".events-2018-11-03.jsonl.hubscope-part"), "half").unwrap();
    fs::write(archive.join("events-1999-01-01.jsonl"), "somebody's").unwrap();

    let published = sandbox.publish().await;
    assert_eq!((published.days_written, published.days_unchanged), (2, 2));
    assert_eq!(published.set_aside, ["events-1999-01-01.jsonl.set-aside"]);
    assert_eq!(files(&archive), right);
    assert_eq!(fs::read_to_string(archive.join("index.html")).unwrap(), page, "the clock stands still");
    assert_eq!(fs::read_to_string(archive.join("events-1999-01-01.jsonl.set-aside")).unwrap(), "somebody's");
    assert!(!archive.join(".events-2018-11-03.jsonl.hubscope-part").exists());
}

/// A server that stops does not wait for a long day.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_done_by_the_next_run() {
    let sandbox = Sandbox::new().await;
    sandbox.import(archive::scan(&golden("archive")).unwrap()).await;
    for _ in 0..3 {
        let given_up = tokio::time::timeout(std::time::Duration::ZERO, sandbox.publish()).await;
        assert!(given_up.is_err(), "it ended at once");
    }
    sandbox.publish().await;
    assert_eq!(files(&sandbox.archive()), files(&golden("archive")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_publish_is_an_empty_archive() {
    let sandbox = Sandbox::new().await;
    let published = sandbox.publish().await;
    assert_eq!((published.days_written, published.events), (0, 0));
    assert_eq!(files(&sandbox.archive()), [("index.jsonl".to_owned(), Vec::new())]);
    assert!(fs::read_to_string(sandbox.archive().join("index.html")).unwrap().contains("0 events in 0 files"));
}

/// The books tell what was published; they lie with the data, not in the public folder.
#[tokio::test(flavor = "multi_thread")]
async fn the_books_are_kept() {
    let sandbox = Sandbox::new().await;
    sandbox.import(archive::scan(&golden("archive")).unwrap()).await;
    let published = sandbox.publish().await;
    let books: Vec<_> = fs::read_dir(sandbox.data().join("state/publication")).unwrap().collect();
    assert_eq!(books.len(), 1);
    let text = fs::read_to_string(books[0].as_ref().unwrap().path()).unwrap();
    let state: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(state["data_version"], published.data_version);
    assert_eq!(state["days"].as_array().unwrap().len(), 4);
    assert_eq!(state["days"][0]["day"], "2018-11-03");
    assert_eq!(state["days"][3]["sha256"], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
