//! All application transactions of a table: per application id, the last version committed.
//!
//! Delta's reader answers for one id at a time; an import has one id for each of its days, so they are read here at
//! once, from the newest checkpoint and the commits after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Deserialize;

use crate::columns::Table;
use crate::error::TableError;

/// Version by application id.
pub(crate) type Transactions = BTreeMap<Arc<str>, i64>;

#[derive(Deserialize)]
struct Line {
    txn: Option<Txn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Txn {
    app_id: Arc<str>,
    version: i64,
}

/// The transactions of the table in `store` at `version`.
pub(crate) async fn read(store: &dyn ObjectStore, table: Table, version: u64) -> Result<Transactions, TableError> {
    let unreadable = |source: object_store::Error| TableError::log(table, "read", source);
    let folder = Path::from("_delta_log");
    let names: Vec<String> = store
        .list(Some(&folder))
        .try_filter_map(|meta| std::future::ready(Ok(meta.location.filename().map(str::to_owned))))
        .try_collect()
        .await
        .map_err(unreadable)?;
    let mut found = Transactions::new();
    let mut next = 0;
    if let Some((checkpoint, files)) = newest_checkpoint(&names, version) {
        for file in files {
            let bytes =
                store.get(&folder.clone().join(file)).await.map_err(unreadable)?.bytes().await.map_err(unreadable)?;
            from_checkpoint(bytes, &mut found)
                .map_err(|source| TableError::Damaged { table, detail: format!("checkpoint '{file}': {source}") })?;
        }
        next = checkpoint + 1;
    }
    for number in next..=version {
        let file = format!("{number:020}.json");
        let bytes = store
            .get(&folder.clone().join(file.as_str()))
            .await
            .map_err(unreadable)?
            .bytes()
            .await
            .map_err(unreadable)?;
        from_commit(&bytes, &mut found)
            .map_err(|source| TableError::Damaged { table, detail: format!("commit '{file}': {source}") })?;
    }
    Ok(found)
}

/// Version and files of the newest whole checkpoint at or below `version`. One of several files is named
/// `N.checkpoint.<i>.<n>.parquet`.
fn newest_checkpoint(names: &[String], version: u64) -> Option<(u64, Vec<&str>)> {
    let mut by_version: BTreeMap<u64, (Vec<&str>, usize)> = BTreeMap::new();
    for name in names {
        let Some((number, rest)) = name.split_once(".checkpoint.") else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        if number > version {
            continue;
        }
        let wanted = match rest.split('.').collect::<Vec<_>>()[..] {
            ["parquet"] => 1,
            [_, count, "parquet"] => count.parse().unwrap_or(usize::MAX),
            _ => continue,
        };
        let entry = by_version.entry(number).or_insert((Vec::new(), wanted));
        if wanted == 1 {
            *entry = (vec![name.as_str()], 1);
        } else if entry.1 == wanted {
            entry.0.push(name.as_str());
        }
    }
    by_version.into_iter().rev().find(|(_, (files, wanted))| files.len() == *wanted).map(|(n, (files, _))| (n, files))
}

fn from_checkpoint(bytes: Bytes, found: &mut Transactions) -> Result<(), parquet::errors::ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["txn.appId", "txn.version"]);
    for batch in builder.with_projection(mask).build()? {
        let batch = batch?;
        let Some(txn) = batch.column_by_name("txn").and_then(|column| column.as_struct_opt()) else { continue };
        let (Some(ids), Some(versions)) = (txn.column_by_name("appId"), txn.column_by_name("version")) else {
            continue;
        };
        let (Some(ids), Some(versions)) = (ids.as_string_opt::<i32>(), versions.as_primitive_opt::<Int64Type>()) else {
            return Err(parquet::errors::ParquetError::General("txn.appId or txn.version has another type".into()));
        };
        for row in (0..txn.len()).filter(|row| txn.is_valid(*row) && ids.is_valid(*row)) {
            found.insert(ids.value(row).into(), versions.value(row));
        }
    }
    Ok(())
}

fn from_commit(bytes: &[u8], found: &mut Transactions) -> Result<(), serde_json::Error> {
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        if let Some(txn) = serde_json::from_slice::<Line>(line)?.txn {
            found.insert(txn.app_id, txn.version);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_checkpoint_is_taken() {
        let names: Vec<String> = [
            "00000000000000000009.json",
            "00000000000000000010.checkpoint.parquet",
            "00000000000000000020.checkpoint.0000000001.0000000002.parquet",
            "00000000000000000030.checkpoint.0000000001.0000000002.parquet",
            "00000000000000000020.checkpoint.0000000002.0000000002.parquet",
            "00000000000000000040.checkpoint.parquet",
            "_last_checkpoint",
        ]
        .map(str::to_owned)
        .into();
        for (version, expected, files) in [(9, None, 0), (15, Some(10), 1), (35, Some(20), 2), (40, Some(40), 1)] {
            let found = newest_checkpoint(&names, version);
            assert_eq!(found.as_ref().map(|(number, _)| *number), expected);
            assert_eq!(found.map_or(0, |(_, files)| files.len()), files);
        }
    }

    #[test]
    fn the_last_transaction_of_an_id_counts() {
        let mut found = Transactions::new();
        let commit = br#"{"commitInfo":{"x":1}}
{"txn":{"appId":"a","version":3}}

{"txn":{"appId":"b","version":9,"lastUpdated":1}}
{"txn":{"appId":"a","version":2}}"#;
        from_commit(commit, &mut found).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [("a".into(), 2), ("b".into(), 9)]);
        assert!(from_commit(b"{\"txn\":", &mut Transactions::new()).is_err());
    }
}
