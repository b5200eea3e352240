//! Rows of [`schema`], read back as sessions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow::compute::{SortColumn, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use event::EventTime;
use insight::session::{EndKnownBy, Flags, Server, Session, StartKnownBy};

use crate::rows::{known_by, schema};

/// By what rows of a file are sorted: so that equal rows give equal bytes, and a group of rows is of a few days.
const SORTED_BY: [&str; 5] = ["start", "hub", "username", "servername", "end_low"];

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
pub(crate) fn sessions(batch: &RecordBatch) -> Vec<(Arc<str>, Server, Session)> {
    let Some(columns) = Columns::of(batch) else { return Vec::new() };
    let row = |row: usize| {
        let server = Server { user: columns.user.value(row).into(), name: columns.server.value(row).into() };
        (columns.hub.value(row).into(), server, columns.session(row))
    };
    (0..batch.num_rows()).map(row).collect()
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

/// All of `batches` as one, sorted.
pub(crate) fn sorted(batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
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
