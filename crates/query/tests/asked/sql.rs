//! Tables, views and functions answer as a person would from the rows.

use proptest::prelude::*;

use crate::sandbox::{Sandbox, at, launch, launch_of, lines, on, other, other_status, refused, server_action};

async fn small() -> Sandbox {
    let mut sandbox = Sandbox::new().await;
    sandbox.acknowledge(vec![
        launch(at("2021-11-01T00:00:00Z"), "Binder-Examples/requirements/HEAD"),
        launch(at("2021-11-01T00:00:00Z"), "binder-examples/Requirements.git/feature/x"),
        launch(at("2021-11-01T10:00:00.5Z"), "ipython/ipython-in-depth/HEAD"),
    ]);
    sandbox.flush().await;
    sandbox.acknowledge(vec![
        launch_of(at("2021-11-02T10:00:00Z"), "Zenodo", "10.5281/zenodo.3242074"),
        refused(b"not json"),
        launch(at("2021-11-02T11:00:00Z"), "user/repo"),
        server_action(at("2021-11-03T09:00:00Z"), "start", "ada"),
        refused(b"\xff\xfe"),
    ]);
    sandbox
}

/// A schema that comes later promotes a property of a name that is taken with another type: parts from before and since
/// answer together, by table and view.
#[tokio::test]
async fn columns_of_one_name_and_two_types_answer_side_by_side() {
    let mut sandbox = Sandbox::new().await;
    sandbox.acknowledge(vec![launch(at("2021-11-01T00:00:00Z"), "a/b/HEAD")]);
    sandbox.flush().await;
    sandbox.store.add_columns(&[other_status()]).unwrap();
    sandbox.acknowledge(vec![other(at("2021-11-02T00:00:00Z"), 404), launch(at("2021-11-02T01:00:00Z"), "a/b/HEAD")]);
    for is_flushed in [false, true] {
        if is_flushed {
            sandbox.flush().await;
        }
        for (sql, expected) in [
            (
                "SELECT position, status, example_org_other_status, field(text, '/status') FROM events ORDER BY 1",
                "0,success,,success;1,,404,404;2,success,,success",
            ),
            ("SELECT position, status FROM launches ORDER BY 1", "0,success;2,success"),
            ("SELECT sum(example_org_other_status), count(status) FROM events", "404,2"),
        ] {
            assert_eq!(sandbox.rows(sql).await, expected, "{sql}, flushed: {is_flushed}");
        }
    }
}

#[tokio::test]
async fn tables_and_views_answer_over_parts_and_tail() {
    let sandbox = small().await;
    for (sql, expected) in [
        ("SELECT count(*) FROM events", "6"),
        ("SELECT count(*) FROM launches", "5"),
        ("SELECT count(*) FROM quarantine", "2"),
        (
            "SELECT position, reason, text, text_base64 FROM quarantine ORDER BY 1",
            "4,not_json,not json,false;7,not_json,//4=,true",
        ),
        (
            "SELECT position, repo, ref, repo_key FROM launches ORDER BY position",
            "0,https://github.com/Binder-Examples/requirements,HEAD,https://github.com/binder-examples/requirements;\
             1,https://github.com/binder-examples/Requirements,feature/x,https://github.com/binder-examples/requirements;\
             2,https://github.com/ipython/ipython-in-depth,HEAD,https://github.com/ipython/ipython-in-depth;\
             3,10.5281/zenodo.3242074,,10.5281/zenodo.3242074;\
             5,,,",
        ),
        ("SELECT repo IS NULL, ref IS NULL, resolved_ref FROM launches WHERE position = 5", "true,true,0123abc"),
        ("SELECT action, username, servername, version FROM server_actions", "start,ada,,1"),
        ("SELECT repairs FROM events WHERE schema LIKE 'hub%'", "offset_before_z"),
        ("SELECT field(text, '/username'), field(text, '/missing') FROM events WHERE position = 6", "ada,"),
        ("SELECT min(time), max(time) FROM launches", "2021-11-01T00:00:00Z,2021-11-02T11:00:00Z"),
        ("SELECT time FROM launches WHERE position = 2", "2021-11-01T10:00:00.5Z"),
        (
            "SELECT CAST(date_trunc('day', time) AS DATE) AS d, count(*) FROM launches GROUP BY 1 ORDER BY 1",
            "2021-11-01,3;2021-11-02,2",
        ),
        ("SELECT count(*), count(repeat_key) FROM launches", "5,1"),
        ("WITH a AS (SELECT hub FROM events LIMIT 2) SELECT count(*) FROM a", "2"),
        ("VALUES (1, 'a'), (2, NULL)", "1,a;2,"),
        ("SELECT 'a' || 'b' || 1, NULL || 'x', 'Abc' ~ '^A', 'abc' ~* '^A', 'abc' !~ 'z'", "ab1,,true,true,true"),
        ("SELECT concat('a', 'b'), repeat('ab', 3), lpad('7', 3, '0'), replace('aXa', 'X', '-')", "ab,ababab,007,a-a"),
        ("SELECT [1, 2] || [3], array_to_string(['a', 'b'], '+')", "\"[1,2,3]\",a+b"),
        ("SELECT value FROM generate_series(1, 3)", "1;2;3"),
    ] {
        assert_eq!(sandbox.rows(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn names_and_mistakes_are_told_with_what_would_be_right() {
    let sandbox = small().await;
    for (sql, code, expected) in [
        (
            "SELECT * FROM evnts",
            "unknown_table",
            "there is no table 'evnts'; did you mean 'events'?; the tables are events, launches, server_actions, sessions, \
             server_activity, server_choices, hub_polls, user_lists, accounts, quarantine",
        ),
        ("SELECT * FROM public.events", "unknown_table", "there is no table 'public.events'; did you mean 'events'?"),
        (
            "SELECT provder FROM launches",
            "unknown_column",
            "there is no column 'provder' here; did you mean 'provider'?",
        ),
        ("SELECT nofunction(time) FROM events", "invalid", "Invalid function 'nofunction'"),
        ("SELECT range(1, 2)", "invalid", "range"),
        (
            "SELEC 1",
            "syntax",
            "this is not SQL that can be read: Expected: an SQL statement, found: SELEC at Line: 1, Column: 1",
        ),
        ("SELECT 1 +", "syntax", "this is not SQL that can be read"),
        ("SELECT 1 / 0", "failed", "Divide by zero"),
        ("SELECT CAST('x' AS INT)", "failed", "Cannot cast string 'x'"),
        ("SELECT $x", "invalid", "x"),
        (
            "SELECT field('{}', 'no slash')",
            "failed",
            "'no slash' is not a JSON pointer; it begins with '/', as in '/action'",
        ),
    ] {
        let error = sandbox.sql(sql).await.expect_err(sql);
        assert_eq!(error.code(), code, "{sql}: {error}");
        assert!(error.to_string().contains(expected), "{sql}: {error}");
    }
}

#[tokio::test]
async fn texts_of_an_array_are_taken_apart_and_what_is_none_is_null() {
    let sandbox = Sandbox::new().await;
    for (json, expected) in [
        (r#"'["a","b \" ü"]'"#, Some(r#"[a, b " ü]"#)),
        ("'[]'", Some("[]")),
        (r#"' [ "" ] '"#, Some("[]")),
        ("'[1]'", None),
        (r#"'["a"'"#, None),
        (r#"'{"a": "b"}'"#, None),
        ("NULL", None),
    ] {
        let told = sandbox.sql(&format!("SELECT CAST(items({json}) AS VARCHAR) AS list")).await.unwrap();
        assert_eq!(told.json()["rows"][0]["list"].as_str(), expected, "{json}");
    }
    let rows = sandbox.rows("SELECT unnest(items('[\"a\",\"b\"]')) AS one").await;
    assert_eq!(rows, "a;b");
}

#[tokio::test]
async fn the_dictionary_describes_every_column_that_is_not_a_property() {
    let sandbox = Sandbox::new().await;
    let tables = sandbox.engine.tables().await.unwrap();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "events",
            "launches",
            "server_actions",
            "sessions",
            "server_activity",
            "server_choices",
            "hub_polls",
            "user_lists",
            "accounts",
            "quarantine"
        ]
    );
    for table in &tables[1..] {
        for column in &table.columns {
            assert!(!column.description.is_empty(), "{} {}", table.name, column.name);
        }
    }
    let launches: Vec<&str> = tables[1].columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(
        launches,
        [
            "time",
            "received",
            "hub",
            "door",
            "provider",
            "spec",
            "repo",
            "ref",
            "resolved_ref",
            "repo_key",
            "status",
            "build_token",
            "origin",
            "request_origin",
            "version",
            "time_suspect",
            "repeat_key",
            "collector",
            "position"
        ]
    );
}

#[tokio::test]
async fn a_question_sees_what_was_acknowledged_before_it_and_one_moment_only() {
    let mut sandbox = small().await;
    assert_eq!(sandbox.rows("SELECT count(*) FROM events").await, "6");
    sandbox.acknowledge(vec![launch(at("2021-11-04T00:00:00Z"), "a/b/c")]);
    let before = sandbox.sql("SELECT count(*) FROM events").await.unwrap();
    assert_eq!(lines(&before), "7");
    sandbox.flush().await;
    let after = sandbox.sql("SELECT count(*) FROM events").await.unwrap();
    assert_eq!(lines(&after), "7");
    assert_ne!(before.data_version, after.data_version);
    let both = "SELECT (SELECT count(*) FROM events) AS a, (SELECT count(*) FROM launches) AS b, (SELECT count(DISTINCT position) FROM events) AS c";
    assert_eq!(sandbox.rows(both).await, "7,6,7");
}

#[tokio::test]
async fn parts_outside_the_asked_time_are_not_opened() {
    let mut sandbox = Sandbox::new().await;
    for month in 1..=6 {
        sandbox.acknowledge(vec![launch(on(&format!("2021-{month:02}-15"), 1), "a/b/c")]);
        sandbox.flush().await;
    }
    let files = |plan: String| plan.matches(".parquet").count();
    for (filter, expected) in [
        ("true", 6),
        ("time >= '2021-03-01' AND time < '2021-04-01'", 1),
        ("time < '2020-01-01'", 0),
        ("hub = 'south'", 0),
        ("schema = 'hub.jupyter.org/server-action'", 0),
        ("schema IN ('binderhub.jupyter.org/launch', 'x') AND time > '2021-05-01'", 2),
        ("position = 3", 6),
    ] {
        let plan = sandbox.rows(&format!("EXPLAIN SELECT spec FROM events WHERE {filter}")).await;
        assert_eq!(files(plan), expected, "{filter}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Parts ∪ tail, pruned or not, is what a loop over the rows says.
    #[test]
    fn answers_equal_a_loop_over_the_rows(
        batches in proptest::collection::vec(proptest::collection::vec((0_i64..400, 0_usize..4), 1..12), 1..8),
        flushes in proptest::collection::vec(any::<bool>(), 8),
        ranges in proptest::collection::vec((0_i64..400, 0_i64..400), 6),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            const SPECS: [&str; 4] = ["a/b/HEAD", "A/B.git/main", "broken", "c/d/e/f"];
            const KEYS: [&str; 4] = ["https://github.com/a/b", "https://github.com/a/b", "", "https://github.com/c/d"];
            let mut sandbox = Sandbox::new().await;
            let hour = |hours: i64| on("2023-12-25", hours * 3_600_000_000 + 1);
            let mut rows: Vec<(i64, usize)> = Vec::new();
            for (batch, flush) in batches.iter().zip(&flushes) {
                sandbox.acknowledge(batch.iter().map(|(hours, spec)| launch(hour(*hours), SPECS[*spec])).collect());
                rows.extend(batch);
                if *flush {
                    sandbox.flush().await;
                }
            }
            for (one, other) in &ranges {
                let (from, to) = (one.min(other), one.max(other));
                let inside = |hours: &i64| from <= hours && hours < to;
                for key in ["https://github.com/a/b", ""] {
                    let expected = rows.iter().filter(|(hours, spec)| inside(hours) && KEYS[*spec] == key).count();
                    let key = if key.is_empty() { "repo_key IS NULL".to_owned() } else { format!("repo_key = '{key}'") };
                    for time in ["time", "(time + INTERVAL '0 seconds')"] {
                        let sql = format!(
                            "SELECT count(*) FROM launches WHERE {time} >= '{}' AND {time} < '{}' AND {key}",
                            hour(*from), hour(*to)
                        );
                        assert_eq!(sandbox.rows(&sql).await, expected.to_string(), "{sql}");
                    }
                }
            }
            let mut all: Vec<String> = (0_i64..).zip(&rows).map(|(position, (hours, spec))| {
                format!("{position},{},{}", hour(*hours).micros(), SPECS[*spec])
            }).collect();
            all.sort_by_key(|line| line.split(',').next().unwrap().parse::<i64>().unwrap());
            let sql = "SELECT position, CAST(time AS BIGINT), spec FROM events ORDER BY position";
            assert_eq!(sandbox.rows(sql).await, all.join(";"));
        });
    }
}
