//! What is kept of an event of somebody who was forgotten: that there was one.
//!
//! It keeps its place, so that positions have no gap and its sender an answer for every event; its text, its details
//! and what it claims to be are gone.

use bytes::Bytes;
use event::{Batch, EventTime, Quarantined, Reason, Repairs, Row, Value, Verdict};

use crate::erasures::Erasures;
use crate::names::{Effort, Names, Told};
use crate::persons::Persons;

/// Detail of an event that is of somebody who was forgotten.
const OF_SOMEBODY: &str = "it is about somebody who asked to be forgotten";
/// Detail of an event of which that cannot be told.
const UNSURE: &str = "the request holds too many different words to tell whether it is about somebody who asked to be \
                      forgotten; send fewer events at a time";

/// What was blanked of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Struck {
    /// Events of somebody who was forgotten.
    pub named: usize,
    /// Events of which that could not be told within the limit ([`Effort::Limited`]).
    pub unsure: usize,
}

/// Blanks every event of `batch` that is of somebody whom `erasures` covers, or of which that cannot be told; returns
/// how many. Costs nothing while nobody was forgotten.
pub fn strike(batch: &mut Batch, erasures: &Erasures, persons: &Persons, effort: Effort) -> Struck {
    let mut struck = Struck::default();
    if erasures.is_empty() {
        return struck;
    }
    let (hub, received) = (batch.hub.clone(), batch.received);
    let mut names = Names::new(effort, |name: &str| erasures.until(&hub, name));
    for row in &mut batch.rows {
        match judge(row, received, &mut names, persons) {
            Told::Nobody => {}
            Told::Somebody => {
                *row = blank(OF_SOMEBODY);
                struck.named += 1;
            }
            Told::Unsure => {
                *row = blank(UNSURE);
                struck.unsure += 1;
            }
        }
    }
    struck
}

fn judge<F>(row: &Row, received: EventTime, names: &mut Names<F>, persons: &Persons) -> Told
where
    F: FnMut(&str) -> Option<EventTime>,
{
    match &row.verdict {
        Verdict::Admitted(admitted) => {
            let time = admitted.time.min(received);
            let schema = &*admitted.revision.schema;
            let place = persons
                .property(schema)
                .and_then(|property| admitted.revision.columns.iter().position(|column| *column.property == *property));
            match place.and_then(|place| admitted.promoted.get(place)) {
                Some(Some(Value::Text(name))) if names.cover(name, time) => Told::Somebody,
                Some(Some(Value::Text(_))) => Told::Nobody,
                _ => names.judge(time, |is| persons.is_about(schema, &String::from_utf8_lossy(&row.text), is)),
            }
        }
        Verdict::Quarantined(aside) if aside.reason == Reason::Forgotten => Told::Nobody,
        Verdict::Quarantined(aside) => {
            let time = aside.time.map_or(received, |time| time.min(received));
            names.judge_text(time, &row.text)
        }
    }
}

/// The row that takes the place of one that was struck.
fn blank(detail: &str) -> Row {
    let verdict = Verdict::Quarantined(Quarantined {
        reason: Reason::Forgotten,
        detail: detail.into(),
        schema: None,
        version: None,
        time: None,
        repairs: Repairs::NONE,
    });
    Row { text: Bytes::new(), verdict }
}
