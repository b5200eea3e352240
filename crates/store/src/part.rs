//! A part: one immutable Parquet file of a table, and what the Delta log says about it.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{max, max_string, min, min_string};
use arrow::datatypes::TimestampMicrosecondType;
use event::EventTime;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::coverage::Coverage;
use crate::sums::Sums;

/// Longest text that stands as a bound in the log. Schema ids of quarantined events are whatever was sent; a longer one
/// leaves the part without bounds for that column, which costs pruning only.
const BOUND_BYTES_MAX: usize = 256;

/// One Parquet file of a table at some version. Whoever holds a `Part` (or a snapshot with it) keeps the file on disk.
#[derive(Clone, Debug)]
pub struct Part {
    /// Path relative to the table's folder.
    pub path: Arc<str>,
    /// Bytes.
    pub size: u64,
    /// Rows.
    pub rows: u64,
    /// Least and greatest `time`, if known.
    pub time: Option<(EventTime, EventTime)>,
    /// Least and greatest `received`, if known.
    pub received: Option<(EventTime, EventTime)>,
    /// Least and greatest `schema` in byte order, if known.
    pub schema: Option<(Arc<str>, Arc<str>)>,
    /// Least and greatest `hub` in byte order, if known.
    pub hub: Option<(Arc<str>, Arc<str>)>,
    /// What its rows tell of their sources, if this process wrote it; see [`Coverage::of_part`].
    pub(crate) coverage: Option<Arc<Coverage>>,
    /// Counts who may still read the file.
    pub(crate) lease: Arc<()>,
    /// With which its file is checked.
    pub(crate) sums: Option<Arc<Sums>>,
}

impl Part {
    /// Whether a row of it can have a `time` in `range`; true when unknown.
    pub fn may_hold_time(&self, range: &Range<EventTime>) -> bool {
        self.time.is_none_or(|(least, greatest)| least < range.end && range.start <= greatest)
    }

    /// Whether a row of it can be of the schema `id`; true when unknown.
    pub fn may_hold_schema(&self, id: &str) -> bool {
        self.schema.as_ref().is_none_or(|(least, greatest)| &**least <= id && id <= &**greatest)
    }

    /// From a file entry of the Delta log. `stats` is the log's JSON.
    pub(crate) fn from_log(path: &str, size: u64, stats: Option<&str>) -> Self {
        let stats: Value = stats.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let bounds = |column: &str| Some((stats.get("minValues")?.get(column)?, stats.get("maxValues")?.get(column)?));
        let times =
            |column: &str| bounds(column).and_then(|(least, greatest)| Some((instant(least)?, instant(greatest)?)));
        let texts = |column: &str| {
            bounds(column).and_then(|(least, greatest)| Some((least.as_str()?.into(), greatest.as_str()?.into())))
        };
        Self {
            path: path.into(),
            size,
            rows: stats.get("numRecords").and_then(Value::as_u64).unwrap_or(0),
            time: times("time"),
            received: times("received"),
            schema: texts("schema"),
            hub: texts("hub"),
            coverage: None,
            lease: Arc::default(),
            sums: None,
        }
    }
}

/// A time of the log. Delta's own writers cut it to milliseconds, so one of theirs may be up to 1 ms low; ours is
/// exact.
fn instant(value: &Value) -> Option<EventTime> {
    let timestamp: Timestamp = value.as_str()?.parse().ok()?;
    Some(EventTime::from_micros(timestamp.as_microsecond()))
}

/// Bounds of the four logged columns, gathered while a part is written.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    rows: u64,
    times: [Bounds<i64>; 2],
    texts: [Bounds<String>; 2],
}

const TIMES: [&str; 2] = ["time", "received"];
const TEXTS: [&str; 2] = ["schema", "hub"];

#[derive(Debug)]
struct Bounds<T> {
    range: Option<(T, T)>,
    nulls: usize,
}

impl<T> Default for Bounds<T> {
    fn default() -> Self {
        Self { range: None, nulls: 0 }
    }
}

impl<T: Ord> Bounds<T> {
    fn widen(&mut self, found: Option<(T, T)>, nulls: usize) {
        self.nulls += nulls;
        self.range = match (self.range.take(), found) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            (one, other) => one.or(other),
        };
    }
}

impl Statistics {
    pub(crate) fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for (name, bounds) in TIMES.iter().zip(&mut self.times) {
            let Some(column) = batch.column_by_name(name) else { continue };
            let values = column.as_primitive::<TimestampMicrosecondType>();
            bounds.widen(min(values).zip(max(values)), column.null_count());
        }
        for (name, bounds) in TEXTS.iter().zip(&mut self.texts) {
            let Some(column) = batch.column_by_name(name) else { continue };
            let values = column.as_string::<i32>();
            let range = min_string(values).zip(max_string(values));
            bounds.widen(range.map(|(least, greatest)| (least.to_owned(), greatest.to_owned())), column.null_count());
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        for (bounds, Bounds { range, nulls }) in self.times.iter_mut().zip(other.times) {
            bounds.widen(range, nulls);
        }
        for (bounds, Bounds { range, nulls }) in self.texts.iter_mut().zip(other.texts) {
            bounds.widen(range, nulls);
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The JSON that goes into the log: `numRecords`, `minValues`, `maxValues`, `nullCount`.
    pub(crate) fn json(&self) -> String {
        let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
        let mut put = |name: &str, range: Option<(String, String)>, null_count: usize| {
            if let Some((low, high)) = range {
                least.insert(name.to_owned(), low.into());
                greatest.insert(name.to_owned(), high.into());
            }
            nulls.insert(name.to_owned(), null_count.into());
        };
        for (name, bounds) in TIMES.iter().zip(&self.times) {
            let range = bounds.range.and_then(|(low, high)| Some((in_calendar(low)?, in_calendar(high)?)));
            put(name, range, bounds.nulls);
        }
        for (name, bounds) in TEXTS.iter().zip(&self.texts) {
            let fits = |(low, high): &(String, String)| low.len() <= BOUND_BYTES_MAX && high.len() <= BOUND_BYTES_MAX;
            put(name, bounds.range.clone().filter(fits), bounds.nulls);
        }
        json!({ "numRecords": self.rows, "minValues": least, "maxValues": greatest, "nullCount": nulls }).to_string()
    }
}

/// RFC 3339 as Delta wants it, four-digit years only; other readers stumble over the rest.
fn in_calendar(micros: i64) -> Option<String> {
    let timestamp = Timestamp::from_microsecond(micros).ok()?;
    let text = EventTime::from_micros(timestamp.as_microsecond()).to_string();
    (text.len() == "2026-11-21T00:00:00.000000Z".len()).then_some(text)
}
