//! A request as Arrow columns: the work that needs no position, done before the journal's fsync.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Array, Int64Builder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray, TimestampMicrosecondBuilder, new_null_array,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::SchemaRef;
use event::{Admitted, Batch, Column, ColumnKind, EventTime, Position, Quarantined, Revision, Verdict};

use crate::base64;
use crate::columns::promoted_type;

/// Times before this are no event's: 2015-01-01, before there was a `BinderHub` or a stable `JupyterHub`.
const EARLIEST: EventTime = EventTime::from_micros(1_420_070_400_000_000);

/// An emitter's clock may run this far ahead of ours: one day, which also covers a time zone taken for another.
const AHEAD_MAX_MICROS: i64 = 86_400_000_000;

/// Whether `time` is outside what an emitter can mean: before 2015, or more than a day after it reached us.
pub fn is_suspect(time: EventTime, received: EventTime) -> bool {
    time < EARLIEST || time.micros() > received.micros().saturating_add(AHEAD_MAX_MICROS)
}

/// The rows of one request, ready but for collector and position.
#[derive(Clone, Debug)]
pub struct Rows {
    pub(crate) count: u32,
    pub(crate) received: EventTime,
    pub(crate) text_bytes: usize,
    pub(crate) events: Portion,
    pub(crate) quarantine: Portion,
    pub(crate) promoted: Vec<Column>,
    /// Promoted values that were left out, because two schemas of this request give one name two types.
    pub(crate) clashes: u64,
}

/// The rows that go to one of the tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Portion {
    /// Which rows of the request: index of each.
    pub(crate) indexes: Vec<u32>,
    columns: Vec<(Box<str>, ArrayRef)>,
}

impl Rows {
    /// The columns of `batch`. Pure computation, about a microsecond a row; a request of one event takes thirty.
    pub fn build(batch: &Batch) -> Self {
        Self::build_all(std::slice::from_ref(batch))
    }

    /// The columns of requests whose positions follow each other.
    pub(crate) fn build_all(batches: &[Batch]) -> Self {
        let texts = || batches.iter().flat_map(|batch| &batch.rows).map(|row| row.text.len());
        let (count, text_bytes) = (texts().count(), texts().sum());
        let mut events = EventsBuilder::new(count, text_bytes);
        let mut quarantine = QuarantineBuilder::default();
        let mut index = 0;
        for batch in batches {
            for row in &batch.rows {
                match &row.verdict {
                    Verdict::Admitted(admitted) => events.push(index, batch, admitted, &row.text),
                    Verdict::Quarantined(quarantined) => quarantine.push(index, batch, quarantined, &row.text),
                }
                index += 1;
            }
        }
        let clashes = events.clashes;
        let (events, promoted) = events.finish();
        Self {
            count: index,
            received: batches.iter().map(|batch| batch.received).max().unwrap_or(EARLIEST),
            text_bytes,
            events,
            quarantine: quarantine.finish(),
            promoted,
            clashes,
        }
    }

    /// How many events the request held.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of their texts.
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }
}

impl Portion {
    /// The batch of `schema`, with positions counted from `first`; columns that the request lacks are null.
    pub(crate) fn batch(
        &self,
        schema: &SchemaRef,
        collector: &str,
        first: Position,
    ) -> Result<RecordBatch, arrow::error::ArrowError> {
        let rows = self.indexes.len();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let column: ArrayRef = match field.name().as_str() {
                "collector" => Arc::new(repeated(collector, rows)),
                "position" => Arc::new(self.positions(first)),
                name => match self.columns.iter().find(|(own, _)| &**own == name) {
                    Some((_, array)) if array.data_type() == field.data_type() => Arc::clone(array),
                    _ => new_null_array(field.data_type(), rows),
                },
            };
            columns.push(column);
        }
        RecordBatch::try_new(Arc::clone(schema), columns)
    }

    fn positions(&self, first: Position) -> Int64Array {
        self.indexes.iter().map(|index| position_value(first.plus(u64::from(*index)))).collect::<Vec<_>>().into()
    }
}

/// A position as it stands in the table. Positions stay below 2⁶³: a journal would take 29,000 years at ten million
/// events a second, and an import's largest day number is 31 bits.
pub(crate) fn position_value(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

/// `text`, `rows` times.
fn repeated(text: &str, rows: usize) -> StringArray {
    let offsets = OffsetBuffer::from_repeated_length(text.len(), rows);
    StringArray::new(offsets, Buffer::from(text.repeat(rows).into_bytes()), None)
}

fn times(values: Vec<i64>) -> TimestampMicrosecondArray {
    TimestampMicrosecondArray::new(ScalarBuffer::from(values), None).with_timezone("UTC")
}

/// What all rows of a request share.
#[derive(Default)]
struct Envelope {
    received: Vec<i64>,
    hub: StringBuilder,
    door: StringBuilder,
}

impl Envelope {
    fn push(&mut self, batch: &Batch) {
        self.received.push(batch.received.micros());
        self.hub.append_value(&batch.hub);
        self.door.append_value(batch.door.name());
    }

    fn finish(mut self) -> Vec<(Box<str>, ArrayRef)> {
        vec![
            ("received".into(), Arc::new(times(self.received))),
            ("hub".into(), Arc::new(self.hub.finish())),
            ("door".into(), Arc::new(self.door.finish())),
        ]
    }
}

struct EventsBuilder {
    indexes: Vec<u32>,
    envelope: Envelope,
    time: Vec<i64>,
    suspect: BooleanBuilder,
    schema: StringBuilder,
    version: StringBuilder,
    revision: StringBuilder,
    repairs: StringBuilder,
    text: StringBuilder,
    promoted: Vec<Promoted>,
    /// Places in `promoted` of the columns of the revision that came last: requests are mostly of one schema.
    last: Option<(Arc<Revision>, Vec<Option<usize>>)>,
    clashes: u64,
}

impl EventsBuilder {
    fn new(rows: usize, text_bytes: usize) -> Self {
        Self {
            indexes: Vec::with_capacity(rows),
            envelope: Envelope::default(),
            time: Vec::with_capacity(rows),
            suspect: BooleanBuilder::with_capacity(rows),
            schema: StringBuilder::with_capacity(rows, rows * 32),
            version: StringBuilder::with_capacity(rows, rows * 2),
            revision: StringBuilder::with_capacity(rows, rows * 16),
            repairs: StringBuilder::with_capacity(rows, 0),
            text: StringBuilder::with_capacity(rows, text_bytes),
            promoted: Vec::new(),
            last: None,
            clashes: 0,
        }
    }

    fn push(&mut self, index: u32, batch: &Batch, admitted: &Admitted, text: &[u8]) {
        self.push_promoted(admitted);
        self.indexes.push(index);
        self.envelope.push(batch);
        self.time.push(admitted.time.micros());
        self.suspect.append_value(is_suspect(admitted.time, batch.received));
        self.schema.append_value(&admitted.revision.schema);
        self.version.append_value(&admitted.revision.version);
        self.revision.append_value(&admitted.revision.hash);
        append_repairs(&mut self.repairs, admitted.repairs);
        match std::str::from_utf8(text) {
            Ok(text) => self.text.append_value(text),
            // An admitted text is UTF-8 by contract; were it not, its bytes would still be told apart, not lost.
            Err(_) => self.text.append_value(String::from_utf8_lossy(text)),
        }
    }

    fn push_promoted(&mut self, admitted: &Admitted) {
        let known = self.last.as_ref().is_some_and(|(revision, _)| Arc::ptr_eq(revision, &admitted.revision));
        if !known {
            let places = admitted.revision.columns.iter().map(|column| self.place(column)).collect();
            self.last = Some((Arc::clone(&admitted.revision), places));
        }
        let Some((_, places)) = &self.last else { return };
        let row = self.indexes.len();
        for (place, value) in places.iter().zip(&admitted.promoted) {
            match (place.and_then(|place| self.promoted.get_mut(place)), value) {
                (Some(builder), Some(value)) => {
                    if !builder.append(row, value) {
                        self.clashes += 1;
                    }
                }
                (None, Some(_)) => self.clashes += 1,
                (_, None) => {}
            }
        }
    }

    /// Where `column` is built; nowhere if its name already has another type.
    fn place(&mut self, column: &Column) -> Option<usize> {
        match self.promoted.iter().position(|promoted| promoted.column.name == column.name) {
            Some(place) => (self.promoted.get(place)?.column.kind == column.kind).then_some(place),
            None => {
                self.promoted.push(Promoted::new(column.clone()));
                Some(self.promoted.len() - 1)
            }
        }
    }

    fn finish(mut self) -> (Portion, Vec<Column>) {
        let rows = self.indexes.len();
        let mut columns = self.envelope.finish();
        columns.push(("time".into(), Arc::new(times(self.time))));
        columns.push(("time_suspect".into(), Arc::new(self.suspect.finish())));
        columns.push(("schema".into(), Arc::new(self.schema.finish())));
        columns.push(("version".into(), Arc::new(self.version.finish())));
        columns.push(("revision".into(), Arc::new(self.revision.finish())));
        columns.push(("repairs".into(), Arc::new(self.repairs.finish())));
        columns.push(("text".into(), Arc::new(self.text.finish())));
        let mut promoted = Vec::with_capacity(self.promoted.len());
        for builder in self.promoted {
            let (column, array) = builder.finish(rows);
            columns.push((column.name.clone(), array));
            promoted.push(column);
        }
        (Portion { indexes: self.indexes, columns }, promoted)
    }
}

fn append_repairs(builder: &mut StringBuilder, repairs: event::Repairs) {
    if repairs.is_empty() {
        builder.append_null();
    } else {
        builder.append_value(repairs.to_string());
    }
}

/// One promoted column; rows without a value are made null when the next value comes, or at the end.
struct Promoted {
    column: Column,
    builder: Typed,
}

enum Typed {
    Text(StringBuilder),
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Number(Float64Builder),
}

impl Promoted {
    fn new(column: Column) -> Self {
        let builder = match column.kind {
            ColumnKind::Text => Typed::Text(StringBuilder::new()),
            ColumnKind::Boolean => Typed::Boolean(BooleanBuilder::new()),
            ColumnKind::Integer => Typed::Integer(Int64Builder::new()),
            ColumnKind::Number => Typed::Number(Float64Builder::new()),
        };
        Self { column, builder }
    }

    /// Appends the value of row `row`; false (and null) if it is of another type than the column.
    fn append(&mut self, row: usize, value: &event::Value) -> bool {
        self.pad(row);
        match (&mut self.builder, value) {
            (Typed::Text(builder), event::Value::Text(text)) => builder.append_value(text),
            (Typed::Boolean(builder), event::Value::Boolean(value)) => builder.append_value(*value),
            (Typed::Integer(builder), event::Value::Integer(value)) => builder.append_value(*value),
            (Typed::Number(builder), event::Value::Number(value)) => builder.append_value(*value),
            _ => return false,
        }
        true
    }

    fn pad(&mut self, rows: usize) {
        use arrow::array::ArrayBuilder;
        match &mut self.builder {
            Typed::Text(builder) => (builder.len()..rows).for_each(|_| builder.append_null()),
            Typed::Boolean(builder) => builder.append_nulls(rows - builder.len()),
            Typed::Integer(builder) => builder.append_nulls(rows - builder.len()),
            Typed::Number(builder) => builder.append_nulls(rows - builder.len()),
        }
    }

    fn finish(mut self, rows: usize) -> (Column, ArrayRef) {
        self.pad(rows);
        let array: ArrayRef = match self.builder {
            Typed::Text(mut builder) => Arc::new(builder.finish()),
            Typed::Boolean(mut builder) => Arc::new(builder.finish()),
            Typed::Integer(mut builder) => Arc::new(builder.finish()),
            Typed::Number(mut builder) => Arc::new(builder.finish()),
        };
        debug_assert_eq!(*array.data_type(), promoted_type(self.column.kind));
        (self.column, array)
    }
}

#[derive(Default)]
struct QuarantineBuilder {
    indexes: Vec<u32>,
    envelope: Envelope,
    time: TimestampMicrosecondBuilder,
    schema: StringBuilder,
    version: StringBuilder,
    repairs: StringBuilder,
    reason: StringBuilder,
    detail: StringBuilder,
    text: StringBuilder,
    base64: BooleanBuilder,
}

impl QuarantineBuilder {
    fn push(&mut self, index: u32, batch: &Batch, quarantined: &Quarantined, text: &[u8]) {
        self.indexes.push(index);
        self.envelope.push(batch);
        self.time.append_option(quarantined.time.map(EventTime::micros));
        self.schema.append_option(quarantined.schema.as_deref());
        self.version.append_option(quarantined.version.as_deref());
        append_repairs(&mut self.repairs, quarantined.repairs);
        self.reason.append_value(quarantined.reason.code());
        self.detail.append_value(&quarantined.detail);
        let utf8 = std::str::from_utf8(text);
        self.base64.append_value(utf8.is_err());
        match utf8 {
            Ok(text) => self.text.append_value(text),
            Err(_) => self.text.append_value(base64::encode(text)),
        }
    }

    fn finish(mut self) -> Portion {
        let mut columns = self.envelope.finish();
        let time = self.time.finish().with_timezone("UTC");
        columns.push(("time".into(), Arc::new(time)));
        columns.push(("schema".into(), Arc::new(self.schema.finish())));
        columns.push(("version".into(), Arc::new(self.version.finish())));
        columns.push(("repairs".into(), Arc::new(self.repairs.finish())));
        columns.push(("reason".into(), Arc::new(self.reason.finish())));
        columns.push(("detail".into(), Arc::new(self.detail.finish())));
        columns.push(("text".into(), Arc::new(self.text.finish())));
        columns.push(("text_base64".into(), Arc::new(self.base64.finish())));
        Portion { indexes: self.indexes, columns }
    }
}
