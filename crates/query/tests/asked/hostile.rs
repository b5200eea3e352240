//! Statements that must not be answered, and that nothing outside the tables is touched by.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use crate::sandbox::{Sandbox, at, launch};

/// Each is refused. The path is one inside the sandbox, so that a file that appeared would be found.
const HOSTILE: [&str; 66] = [
    "",
    "   ",
    ";",
    "-- nothing",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE events",
    "DROP TABLE events",
    "DROP VIEW launches",
    "DROP SCHEMA public CASCADE",
    "DELETE FROM events",
    "DELETE FROM events WHERE true",
    "UPDATE events SET hub = 'x'",
    "INSERT INTO events SELECT * FROM events",
    "INSERT INTO events VALUES (1)",
    "INSERT OVERWRITE events SELECT * FROM events",
    "MERGE INTO events USING launches ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE TABLE events",
    "ALTER TABLE events ADD COLUMN x INT",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TABLE x (a INT)",
    "CREATE OR REPLACE TABLE events AS SELECT 1",
    "CREATE TEMPORARY TABLE x AS SELECT 1",
    "CREATE VIEW x AS SELECT 1",
    "CREATE OR REPLACE VIEW launches AS SELECT 1",
    "CREATE SCHEMA x",
    "CREATE DATABASE x",
    "CREATE INDEX i ON events (hub)",
    "CREATE FUNCTION f(x INT) RETURNS INT RETURN x",
    "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION 'DIR/'",
    "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION 'http://127.0.0.1:1/x.csv'",
    "CREATE UNBOUNDED EXTERNAL TABLE x (a INT) STORED AS CSV LOCATION 'DIR/x'",
    "COPY events TO 'DIR/out.parquet'",
    "COPY (SELECT 1) TO 'DIR/out.csv'",
    "COPY (SELECT 1) TO 'DIR/out' STORED AS JSON",
    "EXPLAIN COPY (SELECT 1) TO 'DIR/out.csv'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'DIR/out.csv'",
    "EXPLAIN DELETE FROM events",
    "EXPLAIN ANALYZE INSERT INTO events SELECT * FROM events",
    "WITH x AS (INSERT INTO events SELECT * FROM events) SELECT 1",
    "WITH x AS (DELETE FROM events) SELECT 1",
    "WITH x AS (SELECT 1) DELETE FROM events",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "SELECT 1 INTO x",
    "SELECT * FROM events FOR UPDATE",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM \"/etc/passwd\"",
    "SELECT * FROM 'DIR/tables/events'",
    "SELECT * FROM 'file:///etc/passwd'",
    "SELECT * FROM 'http://127.0.0.1:1/x.parquet'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_parquet('DIR/x')",
    "SELECT * FROM parquet_metadata('DIR/x')",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM other.public.events",
    "SHOW TABLES",
    "SHOW ALL",
    "DESCRIBE events",
    "SET datafusion.execution.batch_size = 1",
    "RESET datafusion.execution.batch_size",
    "PREPARE p AS SELECT 1",
    "EXECUTE p(1)",
    "DEALLOCATE p",
    "BEGIN",
    "USE x",
    "CALL f()",
];

/// Refused for what is inside them.
const HOSTILE_PARTS: [&str; 4] = [
    "SELECT spec FROM launches WHERE spec SIMILAR TO '(a|b)*'",
    "SELECT spec FROM launches WHERE spec LIKE provider",
    "SELECT spec FROM launches WHERE spec LIKE 'LONG'",
    "SELECT count(*) FROM launches WHERE EXISTS (SELECT 1 FROM events WHERE text ILIKE hub)",
];

#[tokio::test]
async fn nothing_but_a_question_is_answered_and_no_file_is_touched() {
    let mut sandbox = Sandbox::new().await;
    sandbox.acknowledge(vec![launch(at("2021-11-01T00:00:00Z"), "a/b/c")]);
    sandbox.flush().await;
    let before = files(sandbox.folder());
    for sql in HOSTILE.iter().chain(&HOSTILE_PARTS) {
        let sql = sql.replace("DIR", sandbox.folder().to_str().unwrap()).replace("LONG", &"%a".repeat(600));
        let error = sandbox.sql(&sql).await.expect_err(&sql);
        let expected = ["refused", "syntax", "unknown_table", "invalid"];
        assert!(expected.contains(&error.code()), "{sql}: {} {error}", error.code());
        assert!(!error.to_string().is_empty() && error.is_callers(), "{sql}: {error}");
    }
    assert_eq!(files(sandbox.folder()), before);
    assert_eq!(sandbox.rows("SELECT count(*) FROM events").await, "1");
}

#[tokio::test]
async fn refusals_say_what_would_be_right() {
    let sandbox = Sandbox::new().await;
    let only = "only one SELECT, WITH, VALUES or EXPLAIN statement can be asked";
    let sums = format!("SELECT 1{}", "+1".repeat(1_001));
    let unions = vec!["SELECT 1"; 201].join(" UNION ALL ");
    let words = format!("SELECT 1 IN ({}1)", "1,".repeat(10_000));
    for (sql, expected) in [
        ("DELETE FROM events", format!("DELETE is not allowed; {only}")),
        ("COPY events TO 'x.csv'", format!("COPY is not allowed; {only}")),
        ("SELECT 1; SELECT 2", format!("there are 2 statements; {only}")),
        ("SELECT * FROM events FOR UPDATE", format!("FOR UPDATE or FOR SHARE is not allowed; {only}")),
        (&sums, "the statement has more than 1000 operators; ask in several steps".to_owned()),
        (&unions, "the statement has more than 200 SELECTs; ask in several steps".to_owned()),
        (&words, "the statement has 20006 words and signs; at most 20000 are allowed".to_owned()),
        ("WITH x AS (DELETE FROM events) SELECT 1", format!("DELETE is not allowed; {only}")),
    ] {
        assert_eq!(sandbox.sql(sql).await.expect_err(sql).to_string(), expected);
    }
    let long = format!("SELECT '{}'", "x".repeat(70_000));
    assert_eq!(
        sandbox.sql(&long).await.unwrap_err().to_string(),
        "the statement has 70009 bytes; at most 65536 are allowed"
    );
}

#[tokio::test]
async fn statements_made_to_exhaust_the_stack_are_answered_or_refused() {
    let sandbox = Sandbox::new().await;
    let parentheses = format!("SELECT {}1{}", "(".repeat(30_000), ")".repeat(30_000));
    let sums = format!("SELECT 1{}", "+1".repeat(9_990));
    let allowed = format!("SELECT 1{}", "+1".repeat(300));
    let too_many = format!("SELECT 1{}", "+1".repeat(32_000));
    let ors = format!("SELECT count(*) FROM events WHERE {}", vec!["hub='x'"; 5_000].join(" OR "));
    let unions = vec!["SELECT 1"; 3_000].join(" UNION ALL ");
    let subqueries = format!("{}SELECT 1{}", "SELECT * FROM (".repeat(2_000), ") t".repeat(2_000));
    let cases = format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(2_000), " END".repeat(2_000));
    for sql in [parentheses, sums, allowed, too_many, ors, unions, subqueries, cases] {
        // Whatever the answer is, the engine is there afterwards.
        let _ = sandbox.sql(&sql).await;
        assert_eq!(sandbox.rows("SELECT 1").await, "1", "{}", &sql[..40]);
    }
}

/// Every file below `folder` with its size and time.
fn files(folder: &Path) -> BTreeMap<String, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.metadata().unwrap();
        if metadata.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.display().to_string(), (metadata.len(), metadata.modified().unwrap()));
        }
    }
    found
}
