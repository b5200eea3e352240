//! The ordinary way: acknowledged, shown, flushed, compacted, read back.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use event::{Column, ColumnKind, EventTime, Position, Value};
use store::{Rows, Selection, Store, Table};
use support::*;

#[tokio::test]
async fn an_acknowledged_event_shows_at_once_and_moves_into_a_part_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    assert_eq!(store.snapshot().events.rows(), 0);
    store.acknowledge(
        Position(0),
        Rows::build(&batch(vec![admitted("a", NOON), quarantined("b"), admitted("c", NOON)])),
    );
    let before = store.snapshot();
    assert_eq!((before.events.rows(), before.quarantine.rows()), (2, 1));
    assert_eq!(before.position(&journal()), Position(3));
    assert_eq!(store.committed(&journal()), Position(0));

    let flushed = store.flush().await.unwrap();
    assert_eq!((flushed.through, flushed.rows), (Position(3), 3));
    let after = store.snapshot();
    assert_eq!(after.events.tail.len() + after.quarantine.tail.len(), 0);
    assert_eq!(after.events.parts.len(), 1);
    assert_ne!(after.data_version(), before.data_version());
    assert_eq!(seen(&store, &before), seen(&store, &after), "both snapshots stay readable");

    let again = store.flush().await.unwrap();
    assert_eq!((again.version, again.rows), (flushed.version, 0), "nothing new, no commit");
    drop(store);
    let store = open(folder.path()).await;
    assert_eq!(store.committed(&journal()), Position(3));
    assert_eq!(seen(&store, &store.snapshot()), seen_texts(&["a", "b", "c"]));
    assert!(store.verify_positions(&journal()).await.unwrap().is_sound());
}

fn seen_texts(texts: &[&str]) -> Seen {
    let id = |position: usize| (journal().to_string(), i64::try_from(position).unwrap());
    texts.iter().enumerate().map(|(position, text)| (id(position), (*text).to_owned())).collect()
}

#[tokio::test]
async fn each_column_says_what_was_decided() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let late = NOON + 86_400_000_001;
    let rows = vec![admitted("x7", NOON), admitted("late", late), admitted("old", 0), quarantined(vec![0xff, 0x00])];
    store.acknowledge(Position(0), Rows::build(&batch(rows)));
    for flushed in [false, true] {
        if flushed {
            store.flush().await.unwrap();
        }
        let snapshot = store.snapshot();
        let names: Vec<&str> = snapshot.events.schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(
            names.join(" "),
            "collector position time received time_suspect hub door schema version revision repairs spec build_token text"
        );
        let mut rows = BTreeSet::new();
        for batch in store.scan(Table::Events, &snapshot).read() {
            let batch = batch.unwrap();
            let time = batch.column_by_name("time").unwrap().as_primitive::<TimestampMicrosecondType>().clone();
            let suspect = batch.column_by_name("time_suspect").unwrap().as_boolean().clone();
            assert_eq!(batch.column_by_name("build_token").unwrap().null_count(), batch.num_rows());
            assert_eq!(text_of(&batch, "hub"), vec![Some("default".to_owned()); batch.num_rows()]);
            assert_eq!(text_of(&batch, "door"), vec![Some("http".to_owned()); batch.num_rows()]);
            for row in 0..batch.num_rows() {
                let [text, spec, repairs] = ["text", "spec", "repairs"].map(|name| text_of(&batch, name)[row].clone());
                rows.insert((text.unwrap(), spec.unwrap(), repairs, time.value(row), suspect.value(row)));
            }
        }
        let expect = |text: &str, repairs: Option<&str>, time, suspect| {
            (text.to_owned(), format!("spec of {text}"), repairs.map(str::to_owned), time, suspect)
        };
        let expected = [
            expect("x7", Some("offset_before_z,task_name"), NOON, false),
            expect("late", None, late, true),
            expect("old", None, 0, true),
        ];
        assert_eq!(rows, BTreeSet::from(expected));
        let aside: Vec<_> = store.scan(Table::Quarantine, &snapshot).read().collect::<Result<_, _>>().unwrap();
        assert_eq!(aside.len(), 1);
        assert_eq!(text_of(&aside[0], "reason"), [Some("not_json".to_owned())]);
        assert_eq!(text_of(&aside[0], "text"), [Some("/wA=".to_owned())]);
        assert!(aside[0].column_by_name("text_base64").unwrap().as_boolean().value(0));
        assert!(aside[0].column_by_name("time").unwrap().is_null(0));
    }
}

#[tokio::test]
async fn a_part_says_its_bounds_also_after_reopening_and_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let time = NOON + 123_457;
    store.acknowledge(Position(0), Rows::build(&batch(vec![admitted("a", time), admitted("b", NOON - 1)])));
    store.flush().await.unwrap();
    let bounds = |store: &Store| {
        let part = store.snapshot().events.parts[0].clone();
        (part.size, part.rows, part.time, part.received, part.schema, part.hub)
    };
    let fresh = bounds(&store);
    assert_eq!(fresh.1, 2);
    assert_eq!(fresh.2, Some((EventTime::from_micros(NOON - 1), EventTime::from_micros(time))));
    assert_eq!(fresh.5, Some(("default".into(), "default".into())));
    for position in 2..130 {
        store.acknowledge(Position(position), Rows::build(&batch(vec![quarantined("q")])));
        store.flush().await.unwrap();
    }
    assert!(folder.path().join("tables/events/_delta_log/_last_checkpoint").exists());
    drop(store);
    assert_eq!(bounds(&open(folder.path()).await), fresh);
}

#[tokio::test]
async fn many_commits_cross_checkpoints_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for position in 0..130 {
        store.acknowledge(Position(position), Rows::build(&batch(vec![admitted(&format!("e{position}"), NOON)])));
        let flushed = store.flush().await.unwrap();
        assert_eq!(flushed.through, Position(position + 1));
    }
    let before = seen(&store, &store.snapshot());
    assert_eq!(before.len(), 130);
    drop(store);
    let store = open(folder.path()).await;
    assert_eq!(store.committed(&journal()), Position(130));
    assert_eq!(seen(&store, &store.snapshot()), before);
    let compacted = store.compact().await.unwrap();
    assert_eq!(store.snapshot().events.rows(), 130);
    assert!(store.snapshot().events.parts.len() < 10, "{compacted:?}");
    assert_eq!(seen(&store, &store.snapshot()), before);
    assert!(store.verify_positions(&journal()).await.unwrap().is_sound());
}

#[tokio::test]
async fn a_new_promoted_column_joins_without_a_rewrite_of_the_past() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.acknowledge(Position(0), Rows::build(&batch(vec![admitted("before", NOON)])));
    store.flush().await.unwrap();
    store.acknowledge(Position(1), Rows::build(&batch(vec![admitted("in the tail", NOON)])));
    let grown = revision("https://schema.example/more", vec![column("cores", ColumnKind::Integer)]);
    let row = admitted_under(grown, "after", NOON, vec![Some(Value::Integer(8))]);
    store.acknowledge(Position(2), Rows::build(&batch(vec![row])));
    let expected = BTreeSet::from([("before".into(), None), ("in the tail".into(), None), ("after".into(), Some(8))]);
    let cores = |store: &Store| {
        let mut found: BTreeSet<(String, Option<i64>)> = BTreeSet::new();
        for batch in store.scan(Table::Events, &store.snapshot()).columns(&["cores", "text"]).read() {
            let batch = batch.unwrap();
            let values = batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().clone();
            found.extend(text_of(&batch, "text").into_iter().flatten().zip(values.iter()));
        }
        found
    };
    assert_eq!(cores(&store), expected);
    store.flush().await.unwrap();
    assert_eq!(cores(&store), expected);
    store.acknowledge(Position(3), Rows::build(&batch(vec![admitted("d", NOON)])));
    store.flush().await.unwrap();
    assert_eq!(store.compact().await.unwrap().parts_taken, 3);
    drop(store);
    let store = Store::open(folder.path(), small_options(), &[]).await.unwrap();
    let names: Vec<String> = store.snapshot().events.schema.fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names[11..], ["spec", "build_token", "cores", "text"]);
    assert_eq!(cores(&store).len(), 4);
}

#[tokio::test]
async fn one_name_with_two_types_is_refused_beforehand_and_survived_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let clash = store.add_columns(&[column("spec", ColumnKind::Integer)]).unwrap_err();
    assert_eq!(&*clash.column, "spec");
    let other = revision("https://schema.example/other", vec![column("spec", ColumnKind::Integer)]);
    let row = admitted_under(other, "other", NOON, vec![Some(Value::Integer(1))]);
    store.acknowledge(Position(0), Rows::build(&batch(vec![admitted("one", NOON), row.clone()])));
    store.acknowledge(Position(2), Rows::build(&batch(vec![row])));
    store.flush().await.unwrap();
    assert_eq!(store.status().values_clashed, 2);
    assert_eq!(seen(&store, &store.snapshot()), seen_texts(&["one", "other", "other"]));
}

#[tokio::test]
async fn a_column_of_another_type_stands_beside_the_one_whose_name_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.acknowledge(Position(0), Rows::build(&batch(vec![admitted("before", NOON)])));
    store.flush().await.unwrap();
    let [old] = parquet_files(store.table_dir(Table::Events)).try_into().expect("one part");
    let as_it_is = || (std::fs::read(&old).unwrap(), std::fs::metadata(&old).unwrap().modified().unwrap());
    let as_it_was = as_it_is();

    // As the registry of schemas names it when a schema comes that promotes `spec` with another type.
    let named = Column { name: "example_other_spec".into(), property: "spec".into(), kind: ColumnKind::Integer };
    store.add_columns(std::slice::from_ref(&named)).unwrap();
    let other = revision("example/other", vec![named]);
    let row = admitted_under(other, "after", NOON, vec![Some(Value::Integer(8))]);
    store.acknowledge(Position(1), Rows::build(&batch(vec![row, admitted("as before", NOON)])));
    let expected = BTreeSet::from([
        ("before".into(), Some("spec of before".into()), None),
        ("after".into(), None, Some(8)),
        ("as before".into(), Some("spec of as before".into()), None),
    ]);
    let values = |store: &Store| {
        let mut found: BTreeSet<(String, Option<String>, Option<i64>)> = BTreeSet::new();
        let columns = ["spec", "example_other_spec", "text"];
        for batch in store.scan(Table::Events, &store.snapshot()).columns(&columns).read() {
            let batch = batch.unwrap();
            let numbers = batch.column_by_name("example_other_spec").unwrap();
            let numbers = numbers.as_primitive::<arrow::datatypes::Int64Type>().clone();
            let specs = text_of(&batch, "spec").into_iter().zip(numbers.iter());
            found.extend(
                text_of(&batch, "text").into_iter().flatten().zip(specs).map(|(text, (spec, n))| (text, spec, n)),
            );
        }
        found
    };
    assert_eq!(values(&store), expected);
    store.flush().await.unwrap();
    assert_eq!(values(&store), expected);
    assert_eq!(store.status().values_clashed, 0);
    assert!(as_it_is() == as_it_was, "the old part was touched");
    drop(store);
    let store = open(folder.path()).await;
    assert_eq!(values(&store), expected);
    let live: Vec<_> = store.snapshot().events.parts.iter().map(|part| part.path.to_string()).collect();
    assert_eq!(live.len(), 2);
    assert!(live.iter().any(|path| old.ends_with(path)) && as_it_is() == as_it_was, "{live:?}");
}

#[tokio::test]
async fn only_bounds_that_may_stand_in_clear_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.acknowledge(Position(0), Rows::build(&batch(vec![admitted("secret", NOON), quarantined("hidden")])));
    store.flush().await.unwrap();
    for table in Table::ALL {
        let dir = store.table_dir(table);
        let mut log = String::new();
        for entry in std::fs::read_dir(dir.join("_delta_log")).unwrap() {
            log += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
        }
        assert!(log.contains("numRecords") && !log.contains("secret") && !log.contains("hidden"), "{log}");
        for file in parquet_files(dir) {
            let file = std::fs::File::open(file).unwrap();
            let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
            for chunk in reader.metadata().row_group(0).columns() {
                let name = chunk.column_path().string();
                let wanted = ["collector", "position", "time", "received", "schema", "hub", "door"];
                let bounds = chunk.statistics().is_some_and(|stats| stats.min_bytes_opt().is_some());
                let all_null = table == Table::Quarantine && ["time", "schema"].contains(&name.as_str());
                assert_eq!(bounds, wanted.contains(&name.as_str()) && !all_null, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_selection_gives_exactly_its_rows_from_parts_and_tail() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let a_day = 86_400_000_000;
    let rows = (0..20).map(|n| admitted(&format!("e{n}"), NOON + n * a_day)).collect();
    store.acknowledge(Position(0), Rows::build(&batch(rows)));
    store.flush().await.unwrap();
    store.acknowledge(Position(20), Rows::build(&batch(vec![admitted("tail", NOON + 3 * a_day), quarantined("q")])));
    let imported = event::CollectorId::of_import("x");
    let wrong_day =
        unit(day("2023-11-17"), 1, vec![admitted("wrong day", NOON), admitted("right day", NOON + 3 * a_day)]);
    store.import(&imported, vec![wrong_day]).await.unwrap();
    let snapshot = store.snapshot();
    let texts = |selection: Selection| {
        let scan = store.scan(Table::Events, &snapshot).columns(&["text"]).select(selection);
        let batches: Vec<_> = scan.read().collect::<Result<_, _>>().unwrap();
        batches.iter().flat_map(|batch| text_of(batch, "text")).flatten().collect::<BTreeSet<_>>()
    };
    let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(texts(Selection::All).len(), 23);
    let days = day("2023-11-17")..day("2023-11-18");
    assert_eq!(texts(Selection::Days(days.clone())), set(&["e3", "tail", "wrong day", "right day"]));
    assert_eq!(texts(Selection::Time(days.start.start()..days.end.start())), set(&["e3", "tail", "right day"]));
    assert_eq!(texts(Selection::Positions(journal(), Position(19)..Position(21))), set(&["e19", "tail"]));
    let line = Position::imported(days.start, 1);
    assert_eq!(texts(Selection::Positions(imported, line..line.plus(1))), set(&["right day"]));

    let stream = store.scan(Table::Events, &snapshot).columns(&["text", "no such column"]).stream();
    let streamed: Vec<_> = futures::TryStreamExt::try_collect(stream).await.unwrap();
    assert_eq!(streamed.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 23);
    assert_eq!(streamed[0].num_columns(), 1);
}

#[tokio::test]
async fn single_events_do_not_leave_a_thousand_batches() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for position in 0..5_000 {
        store.acknowledge(Position(position), Rows::build(&batch(vec![admitted("e", NOON)])));
    }
    let snapshot = store.snapshot();
    assert_eq!(snapshot.events.rows(), 5_000);
    assert!(snapshot.events.tail.len() <= 14, "{} batches", snapshot.events.tail.len());
    assert!(Arc::ptr_eq(&snapshot, &store.snapshot()));
    assert_eq!(store.status().tail_rows, 5_000);
    store.flush().await.unwrap();
    assert_eq!((store.status().tail_rows, store.status().tail_bytes), (0, 0));
    assert_eq!(store.status().events_rows, 5_000);
}

#[tokio::test]
async fn files_go_only_when_no_snapshot_holds_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for position in 0..3 {
        store.acknowledge(Position(position), Rows::build(&batch(vec![admitted("e", NOON)])));
        store.flush().await.unwrap();
    }
    let held = store.snapshot();
    let compacted = store.compact().await.unwrap();
    assert_eq!((compacted.parts_taken, compacted.parts_made, compacted.files_removed), (3, 1, 0));
    assert_eq!(seen(&store, &held).len(), 3, "a query that runs still reads its files");
    drop(held);
    assert_eq!(store.compact().await.unwrap().files_removed, 3);
    assert_eq!(parquet_files(store.table_dir(Table::Events)).len(), 1);
    assert_eq!(seen(&store, &store.snapshot()).len(), 3);
    std::fs::write(store.table_dir(Table::Events).join("part-orphan.parquet"), b"of a flush that died").unwrap();
    while store.compact().await.unwrap().files_removed == 0 {}
    assert_eq!(parquet_files(store.table_dir(Table::Events)).len(), 1);
}

#[tokio::test]
#[should_panic(expected = "S1")]
async fn a_gap_is_a_bug() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.acknowledge(Position(1), Rows::build(&batch(vec![admitted("e", NOON)])));
}

#[tokio::test]
async fn a_replay_may_begin_before_what_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let record = batch(vec![admitted("a", NOON), quarantined("b"), admitted("c", NOON)]);
    store.acknowledge(Position(0), Rows::build(&record));
    store.flush().await.unwrap();
    store.attach(journal());
    store.acknowledge(Position(0), Rows::build(&record));
    store.acknowledge(Position(3), Rows::build(&batch(vec![admitted("d", NOON)])));
    assert_eq!(seen(&store, &store.snapshot()), seen_texts(&["a", "b", "c", "d"]));
    store.flush().await.unwrap();
    assert_eq!(seen(&store, &store.snapshot()), seen_texts(&["a", "b", "c", "d"]));
}

#[tokio::test]
async fn compaction_cuts_by_month_sorts_and_keeps_rows_without_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let a_day = 86_400_000_000;
    for flush in 0..4_u32 {
        let mut rows: Vec<_> = (0..30)
            .map(|n| admitted(&format!("{flush} {n}"), NOON + ((n * 37 + i64::from(flush)) % 90) * a_day))
            .collect();
        rows.extend((0..5).map(|n| quarantined(format!("q {flush} {n}"))));
        store.acknowledge(Position(u64::from(flush) * 35), Rows::build(&batch(rows)));
        store.flush().await.unwrap();
    }
    let before = seen(&store, &store.snapshot());
    let compacted = store.compact().await.unwrap();
    assert_eq!((compacted.parts_taken, compacted.rows), (8, 140));
    let snapshot = store.snapshot();
    assert_eq!(seen(&store, &snapshot), before);
    assert_eq!((snapshot.events.parts.len(), snapshot.quarantine.parts.len()), (4, 1), "2023-11 to 2024-02");
    let month = |time: EventTime| time.to_string()[..7].to_owned();
    for part in &*snapshot.events.parts {
        let (least, greatest) = part.time.unwrap();
        assert_eq!(month(least), month(greatest), "a part holds one month");
    }
    for batch in store.scan(Table::Events, &snapshot).columns(&["time"]).read() {
        let times = batch.unwrap();
        assert!(times.column(0).as_primitive::<TimestampMicrosecondType>().values().is_sorted());
    }
    assert_eq!(store.compact().await.unwrap().parts_taken, 0, "parts alone in their months are left alone");
}

#[tokio::test]
async fn a_part_of_many_megabytes_is_written_in_pieces_and_closed_at_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let options = store::Options { part_bytes_max: 10 << 20, ..small_options() };
    let store = Store::open(folder.path(), options, &columns()).await.unwrap();
    store.attach(journal());
    // Hexadecimal digits that no codec can halve twice: 1.5 KiB a row, about 16 MB compressed.
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:016x}", state ^ state >> 29)
    };
    let launch = revision("https://schema.example/launch", columns());
    let mut row = || {
        let text: String = (0..96).map(|_| noise()).collect();
        admitted_under(Arc::clone(&launch), &text, NOON, vec![None, None])
    };
    let rows: Vec<_> = (0..20_000).map(|_| row()).collect();
    let rows = batch(rows);
    store.acknowledge(Position(0), Rows::build(&rows));
    assert_eq!(store.flush().await.unwrap().rows, 20_000);
    let snapshot = store.snapshot();
    let sizes: Vec<u64> = snapshot.events.parts.iter().map(|part| part.size).collect();
    assert!(sizes.len() == 2 && sizes.iter().any(|size| *size > 10 << 20), "{sizes:?}");
    for part in &*snapshot.events.parts {
        let file = store.table_dir(Table::Events).join(&*part.path);
        assert_eq!(std::fs::metadata(file).unwrap().len(), part.size);
    }
    let texts: BTreeSet<String> = seen(&store, &snapshot).into_values().collect();
    assert_eq!(texts, rows.rows.iter().map(|row| row.text_utf8().unwrap().to_owned()).collect());
}
