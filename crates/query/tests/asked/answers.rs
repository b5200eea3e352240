//! Every form of an answer says the same.

use query::SqlOptions;
use serde_json::json;

use crate::sandbox::{Sandbox, at, launch_of};

const ALL_TYPES: &str = "SELECT
    1 AS i, CAST(1.5 AS DOUBLE) AS f, 'té|x' AS t, true AS b, NULL AS n,
    TIMESTAMP '2024-02-29T12:00:00.25Z' AS at, DATE '2024-02-29' AS d, [1, 2] AS l,
    CAST(9007199254740993 AS BIGINT) AS big, CAST('18446744073709551615' AS BIGINT UNSIGNED) AS biggest,
    CAST('NaN' AS DOUBLE) AS nan, 12.50 AS dec, named_struct('k', 1) AS r";

#[tokio::test]
async fn json_has_names_types_rows_and_the_version_of_the_data() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.sql(ALL_TYPES).await.unwrap().json();
    assert_eq!(
        document["rows"],
        json!([{
            "i": 1, "f": 1.5, "t": "té|x", "b": true, "n": null, "at": "2024-02-29T12:00:00.25", "d": "2024-02-29",
            "l": [1, 2], "big": 9_007_199_254_740_993_i64, "biggest": u64::MAX, "nan": "NaN", "dec": 12.5, "r": {"k": 1},
        }])
    );
    let types: Vec<&str> =
        document["columns"].as_array().unwrap().iter().map(|column| column["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "integer", "number", "text", "boolean", "null", "time", "date", "list", "integer", "integer", "number",
            "number", "record"
        ]
    );
    assert_eq!(document["truncated"], json!(false));
    assert_eq!(document["data_version"], json!(sandbox.store.snapshot().data_version()));
}

#[tokio::test]
async fn equal_names_do_not_hide_each_other_in_json() {
    let sandbox = Sandbox::new().await;
    let sql = "SELECT a.x, b.x, c.x_2 FROM (VALUES (1)) a(x), (VALUES (2)) b(x), (VALUES (3)) c(x_2)";
    let document = sandbox.sql(sql).await.unwrap().json();
    assert_eq!(document["rows"][0].as_object().unwrap().len(), 3, "{document}");
}

#[tokio::test]
async fn an_empty_answer_keeps_its_columns_in_every_form() {
    let sandbox = Sandbox::new().await;
    let answer = sandbox.sql("SELECT time, spec FROM launches").await.unwrap();
    assert_eq!(answer.json()["rows"], json!([]));
    assert_eq!(answer.csv(), "time,spec\r\n");
    assert_eq!(answer.markdown(), "| time | spec |\n| --- | --- |\n");
    assert_eq!(answer.table(), "time  spec\n────  ────\n0 rows\n");
    assert!(answer.parquet().unwrap().starts_with(b"PAR1"));
}

#[tokio::test]
async fn spreadsheets_markdown_and_terminals_get_nothing_that_they_obey() {
    let mut sandbox = Sandbox::new().await;
    let hostile = ["=cmd|' /C calc'!A0/HEAD", "a|b/c/HEAD", "<b>x</b>/y/HEAD", "\u{1b}[2J/x/HEAD", "a\r\nb/c/HEAD"];
    let rows = hostile.iter().map(|spec| launch_of(at("2021-11-01T00:00:00Z"), "GitHub", spec)).collect();
    sandbox.acknowledge(rows);
    let answer = sandbox.sql("SELECT spec, -position AS p FROM launches ORDER BY position").await.unwrap();
    insta::assert_snapshot!("hostile_csv", answer.csv().replace('\r', "␍").replace('\u{1b}', "␛"));
    insta::assert_snapshot!("hostile_markdown", answer.markdown().replace('\u{1b}', "␛"));
    insta::assert_snapshot!("hostile_table", answer.table());
}

#[tokio::test]
async fn parquet_holds_the_rows() {
    use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let mut sandbox = Sandbox::new().await;
    sandbox.acknowledge(vec![launch_of(at("2021-11-01T10:00:00.5Z"), "GitHub", "a/b/c")]);
    let sql = "SELECT time, repo, [position] AS l FROM launches";
    let answer = sandbox.engine.sql(sql, SqlOptions::default()).await.unwrap();
    let bytes = bytes::Bytes::from(answer.parquet().unwrap());
    let batches: Vec<_> = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap().collect();
    assert_eq!(batches.len(), 1);
    let batch = batches[0].as_ref().unwrap();
    assert_eq!(batch.columns(), answer.batches[0].columns());
}
