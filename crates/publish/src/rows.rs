//! Rows of the table that may be published, read from record batches.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use event::{Day, Door, EventTime, Position, Repair};
use schema::{Policy, Registry, Visibility};

use crate::PublishError;
use crate::day::{Event, Origin};
use crate::line::{self, Nesting};

/// What tells whether and where a row is published.
pub(crate) const PLACE: [&str; 5] = ["collector", "position", "time", "time_suspect", "schema"];
/// What its line is made of, too.
pub(crate) const ALL: [&str; 8] =
    ["collector", "position", "time", "time_suspect", "schema", "door", "repairs", "text"];

/// The policies of the schemas that are published, by schema id.
#[derive(Debug)]
pub(crate) struct Policies(HashMap<Box<str>, Policy>);

impl Policies {
    /// Those of which something was declared public.
    pub(crate) fn of(registry: &Registry) -> Self {
        let public = |entry: &&Arc<schema::Entry>| {
            entry.policy.declared().any(|(_, visibility)| visibility == Visibility::Public)
        };
        let entries = registry.iter().filter(public);
        Self(entries.map(|entry| (entry.revision.schema.clone(), entry.policy.clone())).collect())
    }

    fn get(&self, schema: &str) -> Option<&Policy> {
        self.0.get(schema)
    }
}

/// The columns of a batch that say where its rows belong.
struct Places<'a> {
    collector: &'a StringArray,
    position: &'a Int64Array,
    time: &'a TimestampMicrosecondArray,
    time_suspect: &'a BooleanArray,
    schema: &'a StringArray,
}

/// Where a row belongs.
struct Place<'a> {
    day: Day,
    import: bool,
    collector: &'a str,
    position: i64,
    time: EventTime,
    policy: &'a Policy,
}

impl<'a> Places<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, PublishError> {
        Ok(Self {
            collector: column(batch, "collector")?,
            position: column(batch, "position")?,
            time: column(batch, "time")?,
            time_suspect: column(batch, "time_suspect")?,
            schema: column(batch, "schema")?,
        })
    }

    /// Where the row `index` belongs; `None` if it is not published.
    ///
    /// A row of an import belongs to the day whose file held it, whatever its own time says. A live row belongs to the
    /// UTC day of its time; if that time cannot be, it belongs to no day.
    fn get(&self, index: usize, policies: &'a Policies) -> Option<Place<'a>> {
        let policy = policies.get(self.schema.value(index))?;
        let collector = self.collector.value(index);
        let import = collector.starts_with("import/");
        let position = self.position.value(index);
        let time = EventTime::from_micros(self.time.value(index));
        let day = if import {
            Position(u64::try_from(position).ok()?).imported_day()
        } else if self.time_suspect.value(index) {
            return None;
        } else {
            time.day()
        };
        Some(Place { day, import, collector, position, time, policy })
    }
}

/// The day of each row of `batch` that is published.
///
/// # Errors
///
/// [`PublishError::Column`].
pub(crate) fn days(batch: &RecordBatch, policies: &Policies, mut each: impl FnMut(Day)) -> Result<(), PublishError> {
    let places = Places::of(batch)?;
    (0..batch.num_rows()).filter_map(|index| places.get(index, policies)).for_each(|place| each(place.day));
    Ok(())
}

/// Each row of `batch` that is published on a day that is `wanted`, shown, with its day. `None` for a row whose text is
/// no JSON object: it is withheld.
///
/// # Errors
///
/// [`PublishError::Column`].
pub(crate) fn events(
    batch: &RecordBatch,
    policies: &Policies,
    wanted: impl Fn(Day) -> bool,
) -> Result<Vec<(Day, Option<Event>)>, PublishError> {
    let mut shown = Vec::with_capacity(batch.num_rows());
    let places = Places::of(batch)?;
    let (door, repairs, text): (&StringArray, &StringArray, &StringArray) =
        (column(batch, "door")?, column(batch, "repairs")?, column(batch, "text")?);
    let mut last: Option<Arc<str>> = None;
    for index in 0..batch.num_rows() {
        let Some(place) = places.get(index, policies).filter(|place| wanted(place.day)) else { continue };
        let collector = last.take().filter(|last| **last == *place.collector).unwrap_or_else(|| place.collector.into());
        last = Some(Arc::clone(&collector));
        let repairs = if repairs.is_null(index) { "" } else { repairs.value(index) };
        let line = line::show(text.value(index), place.time, nesting(repairs), place.policy);
        if let Err(error) = &line {
            tracing::error!(collector = place.collector, position = place.position, %error, "an event is withheld");
        }
        let origin = match (place.import, door.value(index) == Door::Archive.name()) {
            (true, true) => Origin::Archive,
            (true, false) => Origin::Import,
            (false, _) => Origin::Live,
        };
        let event = |line| Event { origin, collector, position: place.position, line };
        shown.push((place.day, line.ok().map(event)));
    }
    Ok(shown)
}

fn nesting(repairs: &str) -> Nesting {
    let has = |repair: Repair| repairs.split(',').any(|name| name == repair.name());
    Nesting { message: has(Repair::NestedMessage), event: has(Repair::NestedEvent) }
}

fn column<'a, A: Array + 'static>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a A, PublishError> {
    let column = batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref());
    column.ok_or(PublishError::Column { column: name })
}
