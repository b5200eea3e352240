//! What is kept of an event of somebody who was forgotten: that there was one.
//!
//! It keeps its place, so that positions have no gap and its sender an answer for every event; its text, its details
//! and what it claims to be are gone.

use bytes::Bytes;
use event::{Batch, EventTime, Quarantined, Reason, Repairs, Row, Value, Verdict};
use insight::mention::mentions;

use crate::erasures::Erasures;
use crate::persons::Persons;

/// Blanks every event of `batch` that is of somebody whom `erasures` covers; returns how many. Costs nothing while
/// nobody was forgotten.
pub fn strike(batch: &mut Batch, erasures: &Erasures, persons: &Persons) -> usize {
    if erasures.is_empty() {
        return 0;
    }
    let (hub, received) = (batch.hub.clone(), batch.received);
    let mut struck = 0;
    for row in &mut batch.rows {
        if is_erased(row, &hub, received, erasures, persons) {
            *row = blank();
            struck += 1;
        }
    }
    struck
}

fn is_erased(row: &Row, hub: &str, received: EventTime, erasures: &Erasures, persons: &Persons) -> bool {
    match &row.verdict {
        Verdict::Admitted(admitted) => {
            let time = admitted.time.min(received);
            let is = |name: &str| erasures.covers(hub, name, time);
            let schema = &*admitted.revision.schema;
            let place = persons
                .property(schema)
                .and_then(|property| admitted.revision.columns.iter().position(|column| *column.property == *property));
            match place.and_then(|place| admitted.promoted.get(place)) {
                Some(Some(Value::Text(name))) => is(name),
                _ => persons.is_about(schema, &String::from_utf8_lossy(&row.text), is),
            }
        }
        Verdict::Quarantined(aside) => {
            let time = aside.time.map_or(received, |time| time.min(received));
            aside.reason != Reason::Forgotten && mentions(&row.text, |name| erasures.covers(hub, name, time))
        }
    }
}

/// The row that takes the place of one that was struck.
fn blank() -> Row {
    let verdict = Verdict::Quarantined(Quarantined {
        reason: Reason::Forgotten,
        detail: "it is about somebody who asked to be forgotten".into(),
        schema: None,
        version: None,
        time: None,
        repairs: Repairs::NONE,
    });
    Row { text: Bytes::new(), verdict }
}
