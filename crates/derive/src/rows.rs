//! The rows of `sessions`, as Arrow columns.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BooleanBuilder, RecordBatch, StringViewBuilder, TimestampMicrosecondBuilder};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use event::EventTime;
use insight::measure::reason;
use insight::session::{Culler, StartKnownBy};

use crate::hub::Owned;

/// Settled batches are joined up to so many rows, as long as the earlier one is not longer: so there are few of them,
/// and a row is copied a logarithmic number of times.
const JOINED_ROWS_MAX: usize = 65_536;

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

/// Every session, as things stood at one moment. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    batches: Arc<[RecordBatch]>,
}

impl Rows {
    pub(crate) fn new(batches: Vec<RecordBatch>) -> Self {
        Self { batches: batches.into() }
    }

    /// Batches of [`schema`]; none is empty. The rows have no order.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }
}

/// Settled rows, as they come.
#[derive(Debug, Default)]
pub(crate) struct Settled(Vec<RecordBatch>);

impl Settled {
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), ArrowError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
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
}

fn joins(previous: &RecordBatch, newest: &RecordBatch) -> bool {
    previous.num_rows() <= newest.num_rows() && previous.num_rows() + newest.num_rows() <= JOINED_ROWS_MAX
}

/// The columns of `sessions` of one hub.
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
