//! The rows of `sessions`, as Arrow columns.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BooleanBuilder, RecordBatch, StringViewBuilder, TimestampMicrosecondBuilder};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use event::EventTime;
use insight::measure::reason;
use insight::session::{Culler, StartKnownBy};
use store::DerivedDamaged;

use crate::file::SessionFile;
use crate::hub::Owned;

/// A batch has no more rows: a query that passes batches on is charged for each as a whole.
const BATCH_ROWS_MAX: usize = 65_536;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8View, false);
    let time = |name: &str, nullable: bool| {
        Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), nullable)
    };
    let flag = |name: &str| Field::new(name, DataType::Boolean, false);
    Arc::new(Schema::new(vec![
        text("hub"),
        text("username"),
        text("servername"),
        time("start_low", false),
        time("start", false),
        text("start_known_by"),
        time("hub_started", true),
        time("end_low", false),
        time("end", true),
        time("end_high", true),
        text("end_known_by"),
        text("end_reason"),
        time("last_activity", true),
        flag("truncated"),
        flag("capped"),
        flag("conflicted"),
        flag("unheard"),
        flag("restarted"),
    ]))
});

/// The columns of `sessions`. Times are UTC; `end` and `end_high` are null while a session is open.
pub fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// Every session, as things stood at one moment. Cheap to clone; the files stay readable as long as it is held.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    files: Arc<[Arc<SessionFile>]>,
    batches: Arc<[RecordBatch]>,
}

impl Rows {
    pub(crate) fn new(files: Vec<Arc<SessionFile>>, batches: Vec<RecordBatch>) -> Self {
        Self { files: files.into(), batches: batches.into() }
    }

    /// Those that stand in files.
    pub fn files(&self) -> &[Arc<SessionFile>] {
        &self.files
    }

    /// The others: batches of [`schema`], of which none is empty. The rows have no order.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        let in_files = self.files.iter().map(|file| file.rows());
        in_files.chain(self.batches.iter().map(RecordBatch::num_rows)).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, those of files too. Blocks.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(&self) -> Result<Vec<RecordBatch>, DerivedDamaged> {
        let in_files = self.files.iter().map(SessionFile::read);
        in_files.chain(self.batches.iter().cloned().map(Ok)).collect()
    }
}

/// Settled rows, as they come, until they stand in files. Batches are joined as long as the earlier one is not longer:
/// so there are few of them, and a row is copied a logarithmic number of times.
#[derive(Debug, Default)]
pub(crate) struct Recent(Vec<RecordBatch>);

impl Recent {
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), ArrowError> {
        let mut newest = batch;
        while let Some(previous) = self.0.pop_if(|previous| joins(previous, &newest)) {
            newest = concat_batches(&SCHEMA, [&previous, &newest])?;
        }
        self.0.push(newest);
        Ok(())
    }

    pub(crate) fn batches(&self) -> &[RecordBatch] {
        &self.0
    }

    pub(crate) fn rows(&self) -> usize {
        self.0.iter().map(RecordBatch::num_rows).sum()
    }
}

fn joins(previous: &RecordBatch, newest: &RecordBatch) -> bool {
    previous.num_rows() <= newest.num_rows() && previous.num_rows() + newest.num_rows() <= BATCH_ROWS_MAX
}

/// The columns of `sessions` of one hub, as batches of which none is empty.
pub(crate) fn batches(hub: &str, culler: Option<Culler>, sessions: &[Owned]) -> Vec<Result<RecordBatch, ArrowError>> {
    sessions.chunks(BATCH_ROWS_MAX).map(|sessions| batch(hub, culler, sessions)).collect()
}

/// One batch of them.
pub(crate) fn batch<'a>(
    hub: &'a str,
    culler: Option<Culler>,
    sessions: &'a [Owned],
) -> Result<RecordBatch, ArrowError> {
    let text = |of: &dyn Fn(&'a Owned) -> &'a str| -> ArrayRef {
        let mut column = StringViewBuilder::with_capacity(sessions.len()).with_deduplicate_strings();
        sessions.iter().for_each(|row| column.append_value(of(row)));
        Arc::new(column.finish())
    };
    let time = |of: &dyn Fn(&Owned) -> Option<EventTime>| -> ArrayRef {
        let mut column = TimestampMicrosecondBuilder::with_capacity(sessions.len()).with_timezone("UTC");
        sessions.iter().for_each(|row| column.append_option(of(row).map(EventTime::micros)));
        Arc::new(column.finish())
    };
    let flag = |of: &dyn Fn(&Owned) -> bool| -> ArrayRef {
        let mut column = BooleanBuilder::with_capacity(sessions.len());
        sessions.iter().for_each(|row| column.append_value(of(row)));
        Arc::new(column.finish())
    };
    let columns = vec![
        text(&|_| hub),
        text(&|(server, _)| &server.user),
        text(&|(server, _)| &server.name),
        time(&|(_, session)| Some(session.start_low)),
        time(&|(_, session)| Some(session.start)),
        text(&|(_, session)| known_by(session.start_known_by)),
        time(&|(_, session)| session.hub_started),
        time(&|(_, session)| Some(session.end_low)),
        time(&|(_, session)| session.end),
        time(&|(_, session)| session.end_high),
        text(&|(_, session)| session.end_known_by.name()),
        text(&|(_, session)| reason(session, culler).name()),
        time(&|(_, session)| session.last_activity),
        flag(&|(_, session)| session.flags.truncated),
        flag(&|(_, session)| session.flags.capped),
        flag(&|(_, session)| session.flags.conflicted),
        flag(&|(_, session)| session.flags.unheard),
        flag(&|(_, session)| session.flags.restarted),
    ];
    RecordBatch::try_new(schema(), columns)
}

/// By what a start is known, as the column has it.
pub(crate) fn known_by(start: StartKnownBy) -> &'static str {
    match start {
        StartKnownBy::Event => "event",
        StartKnownBy::Hub => "hub",
        StartKnownBy::Nothing => "nothing",
    }
}

#[cfg(test)]
mod tests {
    use insight::session::{EndKnownBy, Flags, Server, Session};

    use super::*;

    #[test]
    fn no_batch_is_empty_or_longer_than_a_query_can_pass_on() {
        let at = EventTime::from_micros;
        let session = |number: i64| Session {
            start_low: at(number),
            start: at(number),
            start_known_by: StartKnownBy::Event,
            hub_started: None,
            end_low: at(number + 1),
            end: Some(at(number + 1)),
            end_high: Some(at(number + 1)),
            end_known_by: EndKnownBy::Stop,
            last_activity: None,
            flags: Flags::default(),
            start_id: None,
            end_id: None,
        };
        let server = Server { user: "ada".into(), name: "".into() };
        let mut recent = Recent::default();
        for count in [0, 1, 2 * BATCH_ROWS_MAX + 1, 5] {
            let rows: Vec<Owned> =
                (0..count).map(|number| (server.clone(), session(i64::try_from(number).unwrap()))).collect();
            for batch in batches("lab", None, &rows) {
                recent.push(batch.unwrap()).unwrap();
            }
        }
        let lengths: Vec<usize> = recent.batches().iter().map(RecordBatch::num_rows).collect();
        assert_eq!(lengths, [1, BATCH_ROWS_MAX, BATCH_ROWS_MAX, 6]);
    }
}
