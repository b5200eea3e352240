//! Sessions that outlive the events that told of them: what retention takes from `events` it leaves here.
//!
//! Two kinds of rows are kept, in files of plain Parquet with the columns of `sessions`:
//!
//! - *told*: sessions that ended before the events that stay, by the month (UTC) in which they began. They are
//!   answered as they stand; what events still say of the same time tells nothing beside them.
//! - *carried*: sessions that ended later, or go on, although the event that began them leaves. They are no answer but
//!   evidence: the start from which, with the events that are left, the same session is told as before.
//!
//! The form of the files is that of [`store::Derived`], and so is what a crash does to them: nothing.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringViewArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::{SortColumn, cast, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use event::EventTime;
use insight::session::{EndKnownBy, EventId, Evidence, Flags, Life, Server, ServerEvent, Session, StartKnownBy};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use store::{Derived, DerivedDamaged, NewFile};

use crate::rows::{known_by, schema};

/// Version of the files' form.
const FORM: u32 = 1;

/// Stem of the file of carried rows; those of told ones are called by their month.
const CARRIED: &str = "carried";

/// By what rows of a file are sorted, so that equal rows give equal bytes.
const SORTED_BY: [&str; 5] = ["hub", "username", "servername", "start", "end_low"];

/// What a folder's manifest says of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    form: u32,
    /// Events from before this (microseconds since 1970) may have left.
    until: i64,
}

/// What is kept could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Rows(#[from] ArrowError),
    #[error(transparent)]
    File(#[from] ParquetError),
}

/// The rows that are kept.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// Events from before this may have left.
    pub(crate) until: EventTime,
    /// By month, `2024-02`; sorted, none empty.
    told: BTreeMap<String, RecordBatch>,
    carried: RecordBatch,
    /// The file of each month.
    files: BTreeMap<String, String>,
}

impl Default for History {
    fn default() -> Self {
        let carried = RecordBatch::new_empty(schema());
        Self { until: EventTime::from_micros(i64::MIN), told: BTreeMap::new(), carried, files: BTreeMap::new() }
    }
}

impl History {
    /// What `folder` holds. Blocks.
    ///
    /// # Errors
    /// A file that is missing, damaged or of another version.
    pub(crate) fn read(folder: &Derived) -> Result<Self, DerivedDamaged> {
        let mut history = Self::default();
        let Some(manifest) = folder.manifest()? else { return Ok(history) };
        let wrong = |name: &str, detail: String| DerivedDamaged { path: folder.path(name), detail };
        let of = Of::deserialize(&manifest.of).map_err(|error| wrong("manifest", error.to_string()))?;
        if of.form != FORM {
            return Err(wrong("manifest", format!("it has form {}; this program knows {FORM}", of.form)));
        }
        history.until = EventTime::from_micros(of.until);
        for name in manifest.files.keys() {
            let bytes = folder.read(&manifest, name)?;
            let rows = rows_of(bytes).map_err(|detail| wrong(name, detail))?;
            let stem = name.rsplit_once('-').map_or(name.as_str(), |(stem, _)| stem);
            if stem == CARRIED {
                history.carried = rows;
            } else {
                history.files.insert(stem.to_owned(), name.clone());
                history.told.insert(stem.to_owned(), rows);
            }
        }
        Ok(history)
    }

    /// The rows that are answered.
    pub(crate) fn told(&self) -> impl Iterator<Item = &RecordBatch> {
        self.told.values()
    }

    /// How many rows there are, carried ones too.
    pub(crate) fn rows(&self) -> u64 {
        self.told().chain([&self.carried]).map(|rows| rows.num_rows() as u64).sum()
    }

    /// Of each server that is told of, its hub, its last row and the last `stop` of any of its rows.
    pub(crate) fn lasts(&self) -> BTreeMap<(Arc<str>, Server), (Session, Option<EventTime>)> {
        let mut lasts: BTreeMap<(Arc<str>, Server), (Session, Option<EventTime>)> = BTreeMap::new();
        for (hub, server, session) in self.told().flat_map(sessions) {
            let stopped = session.end.filter(|_| session.end_known_by == EndKnownBy::Stop);
            let (last, last_stopped) = lasts.entry((hub, server)).or_insert((session, stopped));
            if (session.start, session.end_high) > (last.start, last.end_high) {
                *last = session;
            }
            *last_stopped = stopped.max(*last_stopped);
        }
        lasts
    }

    /// How sessions began that go on.
    pub(crate) fn carried(&self) -> impl Iterator<Item = (Arc<str>, Server, Evidence)> {
        sessions(&self.carried).into_iter().flat_map(|(hub, server, session)| {
            let (at, last_activity) = (session.start, session.last_activity);
            let life = session.hub_started.map(|started| {
                Evidence::Life(Life { started, seen_last: session.end_low, ready_by: None, last_activity })
            });
            let is_told = session.start_known_by == StartKnownBy::Event;
            let start = Evidence::Start(ServerEvent { at, received: at, id: EventId::default() });
            let all = life.into_iter().chain(is_told.then_some(start));
            all.map(move |evidence| (Arc::clone(&hub), server.clone(), evidence))
        })
    }

    /// The same as of `until`, with more rows, without those that began before `from`, and with other carried ones.
    /// Whether told rows changed.
    pub(crate) fn with(
        &self,
        until: EventTime,
        more: &[RecordBatch],
        carried: &[RecordBatch],
        from: Option<EventTime>,
    ) -> Result<(Self, bool), ArrowError> {
        let mut next = Self { until, ..self.clone() };
        let mut changed = false;
        for (month, rows) in by_month(more)? {
            let known = next.told.remove(&month).unwrap_or_else(|| RecordBatch::new_empty(schema()));
            next.told.insert(month.clone(), sorted(&[known, rows])?);
            next.files.remove(&month);
            changed = true;
        }
        if let Some(from) = from {
            changed |= next.keep_only(&|_, _, session| session.start >= from)?;
        }
        next.carried = sorted(carried)?;
        Ok((next, changed))
    }

    /// The same without the rows that began until the time that `until` tells by hub and name. Whether there were any.
    pub(crate) fn without(&self, until: &dyn Fn(&str, &str) -> Option<EventTime>) -> Result<(Self, bool), ArrowError> {
        let mut next = self.clone();
        let stays = |hub: &str, server: &Server, session: &Session| {
            until(hub, &server.user).is_none_or(|until| session.start > until)
        };
        let mut changed = next.keep_only(&stays)?;
        let carried = kept(&next.carried, &stays)?;
        changed |= carried.num_rows() < next.carried.num_rows();
        next.carried = carried;
        Ok((next, changed))
    }

    fn keep_only(&mut self, stays: &dyn Fn(&str, &Server, &Session) -> bool) -> Result<bool, ArrowError> {
        let mut changed = false;
        for (month, rows) in std::mem::take(&mut self.told) {
            let left = kept(&rows, stays)?;
            if left.num_rows() < rows.num_rows() {
                self.files.remove(&month);
                changed = true;
            }
            if left.num_rows() > 0 {
                self.told.insert(month, left);
            }
        }
        Ok(changed)
    }

    /// Makes `folder` hold this and nothing else. Returns the files that are gone. Blocks.
    pub(crate) fn write(&mut self, folder: &Derived) -> Result<Vec<String>, NotKept> {
        let mut files = Vec::with_capacity(self.told.len() + 1);
        for (month, rows) in &self.told {
            files.push(match self.files.get(month) {
                Some(name) => NewFile::Kept(name.clone()),
                None => NewFile::Bytes { stem: month.clone(), extension: "parquet", bytes: bytes_of(rows)? },
            });
        }
        if self.carried.num_rows() > 0 {
            let bytes = bytes_of(&self.carried)?;
            files.push(NewFile::Bytes { stem: CARRIED.to_owned(), extension: "parquet", bytes });
        }
        let of = serde_json::to_value(Of { form: FORM, until: self.until.micros() }).map_err(io::Error::from)?;
        let replaced = folder.replace(of, files)?;
        let stem = |name: &String| Some((name.rsplit_once('-')?.0.to_owned(), name.clone()));
        self.files = replaced.manifest.files.keys().filter_map(stem).filter(|(stem, _)| stem != CARRIED).collect();
        Ok(replaced.removed)
    }

    /// Whether both carry the same to the same time.
    pub(crate) fn carries_the_same(&self, other: &Self) -> bool {
        self.until == other.until && self.carried == other.carried
    }
}

/// The rows of `batch` for which `stays` says so, taking no more memory than they need.
pub(crate) fn kept(
    batch: &RecordBatch,
    stays: &dyn Fn(&str, &Server, &Session) -> bool,
) -> Result<RecordBatch, ArrowError> {
    let mask: BooleanArray =
        sessions(batch).iter().map(|(hub, server, session)| Some(stays(hub, server, session))).collect();
    compact(&filter_record_batch(batch, &mask)?)
}

/// Rows by the month in which they began.
fn by_month(batches: &[RecordBatch]) -> Result<BTreeMap<String, RecordBatch>, ArrowError> {
    let mut months: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
    for batch in batches {
        let of_row: Vec<String> = sessions(batch).iter().map(|(_, _, session)| month(session.start)).collect();
        let mut found: Vec<&String> = of_row.iter().collect();
        found.sort();
        found.dedup();
        for month in found {
            let mask: BooleanArray = of_row.iter().map(|of_row| Some(of_row == month)).collect();
            months.entry(month.clone()).or_default().push(filter_record_batch(batch, &mask)?);
        }
    }
    let joined = |(month, rows): (String, Vec<RecordBatch>)| Ok((month, concat_batches(&schema(), &rows)?));
    months.into_iter().map(joined).collect()
}

/// `2024-02`.
fn month(at: EventTime) -> String {
    at.day().to_string().rsplit_once('-').map(|(month, _)| month.to_owned()).unwrap_or_default()
}

/// All of `batches` as one, sorted.
fn sorted(batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let rows = concat_batches(&schema(), batches)?;
    let columns = SORTED_BY.iter().filter_map(|name| rows.column_by_name(name));
    let by: Vec<SortColumn> = columns.map(|column| SortColumn { values: Arc::clone(column), options: None }).collect();
    compact(&take_record_batch(&rows, &lexsort_to_indices(&by, None)?)?)
}

/// The same rows with the texts of no others in memory.
fn compact(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let own = |column: &ArrayRef| -> ArrayRef {
        match column.as_string_view_opt() {
            Some(texts) => Arc::new(texts.gc()),
            None => Arc::clone(column),
        }
    };
    RecordBatch::try_new(batch.schema(), batch.columns().iter().map(own).collect())
}

fn bytes_of(rows: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_created_by("hubscope".to_owned())
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties))?;
    writer.write(rows)?;
    writer.close()?;
    Ok(bytes)
}

/// The rows of a file. A column more than is known is let be; one that came later than the file is null in it, and one
/// that every row needs is damage where it is missing.
fn rows_of(bytes: Vec<u8>) -> Result<RecordBatch, String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).map_err(|error| told(&error))?;
    let (of, mut batches) = (schema(), Vec::new());
    for batch in reader.build().map_err(|error| told(&error))? {
        let batch = batch.map_err(|error| told(&error))?;
        let columns = of.fields().iter().map(|field| match batch.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()).map_err(|error| told(&error)),
            None if field.is_nullable() => Ok(new_null_array(field.data_type(), batch.num_rows())),
            None => Err(format!("it has no column '{}'", field.name())),
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, String>>()?;
        batches.push(RecordBatch::try_new(Arc::clone(&of), columns).map_err(|error| told(&error))?);
    }
    let rows = concat_batches(&of, &batches).map_err(|error| told(&error))?;
    compact(&rows).map_err(|error| told(&error))
}

/// The columns of a batch of [`schema`] that say whose a session is, and when.
struct Columns<'a> {
    hub: &'a StringViewArray,
    user: &'a StringViewArray,
    server: &'a StringViewArray,
    start: &'a TimestampMicrosecondArray,
    start_known_by: &'a StringViewArray,
    hub_started: &'a TimestampMicrosecondArray,
    end_low: &'a TimestampMicrosecondArray,
    end: &'a TimestampMicrosecondArray,
    end_high: &'a TimestampMicrosecondArray,
    end_known_by: &'a StringViewArray,
    last_activity: &'a TimestampMicrosecondArray,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        debug_assert_eq!(batch.schema(), schema());
        let text = |name: &str| batch.column_by_name(name)?.as_string_view_opt();
        let time = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>();
        Some(Self {
            hub: text("hub")?,
            user: text("username")?,
            server: text("servername")?,
            start: time("start")?,
            start_known_by: text("start_known_by")?,
            hub_started: time("hub_started")?,
            end_low: time("end_low")?,
            end: time("end")?,
            end_high: time("end_high")?,
            end_known_by: text("end_known_by")?,
            last_activity: time("last_activity")?,
        })
    }

    /// Without its flags and the ids of its events, which nobody asks for.
    fn session(&self, row: usize) -> Session {
        let time = |column: &TimestampMicrosecondArray| {
            column.is_valid(row).then(|| EventTime::from_micros(column.value(row)))
        };
        let start = EventTime::from_micros(self.start.value(row));
        let of_start = self.start_known_by.value(row);
        let all = [StartKnownBy::Event, StartKnownBy::Hub, StartKnownBy::Nothing];
        Session {
            start_low: start,
            start,
            start_known_by: all.into_iter().find(|one| known_by(*one) == of_start).unwrap_or(StartKnownBy::Nothing),
            hub_started: time(self.hub_started),
            end_low: EventTime::from_micros(self.end_low.value(row)),
            end: time(self.end),
            end_high: time(self.end_high),
            end_known_by: EndKnownBy::from_name(self.end_known_by.value(row)).unwrap_or(EndKnownBy::Open),
            last_activity: time(self.last_activity),
            flags: Flags::default(),
            start_id: None,
            end_id: None,
        }
    }
}

/// The rows of a batch of [`schema`].
fn sessions(batch: &RecordBatch) -> Vec<(Arc<str>, Server, Session)> {
    let Some(columns) = Columns::of(batch) else { return Vec::new() };
    let row = |row: usize| {
        let server = Server { user: columns.user.value(row).into(), name: columns.server.value(row).into() };
        (columns.hub.value(row).into(), server, columns.session(row))
    };
    (0..batch.num_rows()).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::batch;

    #[test]
    fn a_file_from_before_a_column_opens_and_one_without_a_start_does_not() {
        let at = EventTime::from_micros;
        let session = Session {
            start_low: at(1),
            start: at(1),
            start_known_by: StartKnownBy::Event,
            hub_started: Some(at(0)),
            end_low: at(7),
            end: Some(at(7)),
            end_high: Some(at(7)),
            end_known_by: EndKnownBy::Stop,
            last_activity: Some(at(5)),
            flags: Flags::default(),
            start_id: None,
            end_id: None,
        };
        let server = Server { user: "ada".into(), name: "".into() };
        let whole = batch("lab", None, &[(server.clone(), session)]).unwrap();
        assert_eq!(rows_of(bytes_of(&whole).unwrap()).unwrap(), whole);
        let without = |name: &str| {
            let kept: Vec<usize> =
                (0..whole.num_columns()).filter(|at| whole.schema().field(*at).name() != name).collect();
            rows_of(bytes_of(&whole.project(&kept).unwrap()).unwrap())
        };
        let read = without("hub_started").unwrap();
        assert_eq!(sessions(&read), [("lab".into(), server, Session { hub_started: None, ..session })]);
        assert_eq!(without("start").unwrap_err(), "it has no column 'start'");
    }
}
