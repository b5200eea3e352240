//! A coverage as JSON, so that an earlier life's reading of a part need not be done again.
//!
//! `[[hub, door, schema, table, import, events, [first, last], received, happened, receipts], …]`, where sets of
//! quarters are `{"day": "mask"}`: days since 1970, and 96 bits in hexadecimal, the first quarter lowest.

use std::sync::Arc;

use event::{CollectorId, EventTime};
use serde::{Deserialize, Serialize};

use crate::columns::Table;
use crate::coverage::{Coverage, Quarters, Seen, Source};

/// A source and what it told, as it is written.
#[derive(Serialize, Deserialize)]
struct Told(
    Arc<str>,
    Arc<str>,
    Option<Arc<str>>,
    Box<str>,
    Option<Box<str>>,
    u64,
    Option<(i64, i64)>,
    i64,
    Vec<(i32, Box<str>)>,
    Vec<(i32, Box<str>)>,
);

impl Coverage {
    /// As JSON; equal coverages give equal texts.
    pub fn to_json(&self) -> serde_json::Value {
        let told: Vec<Told> = self
            .iter()
            .map(|(source, seen)| {
                Told(
                    Arc::clone(&source.hub),
                    Arc::clone(&source.door),
                    source.schema.clone(),
                    source.table.name().into(),
                    source.import.as_ref().map(|import| import.as_str().into()),
                    seen.events,
                    seen.times.map(|(first, last)| (first.micros(), last.micros())),
                    seen.received.micros(),
                    masks(&seen.happened),
                    masks(&seen.receipts),
                )
            })
            .collect();
        serde_json::to_value(told).unwrap_or_default()
    }

    /// From what [`Self::to_json`] gave; `None` if it is anything else.
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        let told: Vec<Told> = Vec::deserialize(value).ok()?;
        let mut coverage = Self::default();
        for Told(hub, door, schema, table, import, events, times, received, happened, receipts) in told {
            let table = Table::ALL.into_iter().find(|own| own.name() == &*table)?;
            let import = import.map(|name| CollectorId::from(&*name));
            let seen = Seen {
                events,
                times: times.map(|(first, last)| (EventTime::from_micros(first), EventTime::from_micros(last))),
                received: EventTime::from_micros(received),
                happened: quarters(&happened)?,
                receipts: quarters(&receipts)?,
            };
            coverage.put(Source { hub, door, schema, table, import }, seen);
        }
        Some(coverage)
    }
}

impl Quarters {
    /// As JSON; equal sets give equal texts.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(masks(self)).unwrap_or_default()
    }

    /// From what [`Self::to_json`] gave; `None` if it is anything else.
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        quarters(&Vec::deserialize(value).ok()?)
    }
}

fn masks(quarters: &Quarters) -> Vec<(i32, Box<str>)> {
    quarters.masks().map(|(day, mask)| (day, format!("{mask:x}").into())).collect()
}

fn quarters(masks: &[(i32, Box<str>)]) -> Option<Quarters> {
    let masks = masks.iter().map(|(day, mask)| Some((*day, u128::from_str_radix(mask, 16).ok()?)));
    Quarters::of_masks(masks.collect::<Option<Vec<_>>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let mut coverage = Coverage::default();
        assert_eq!(Coverage::from_json(&coverage.to_json()), Some(coverage.clone()));
        for (number, import) in [(0, None), (1, Some("import/archive"))] {
            let mut seen = Seen { events: 7 + number, ..Seen::default() };
            for micros in [0, -1, 86_399_999_999, 1_700_000_000_123_456] {
                seen.happened.insert(EventTime::from_micros(micros));
                seen.receipts.insert(EventTime::from_micros(micros + 1));
            }
            seen.times = Some((EventTime::from_micros(-1), EventTime::from_micros(5)));
            let source = Source {
                hub: "north \"1\"".into(),
                door: "http".into(),
                schema: import.map(|_| "a/b".into()),
                table: Table::ALL[usize::try_from(number).unwrap()],
                import: import.map(CollectorId::from),
            };
            coverage.put(source, seen);
        }
        let json = coverage.to_json();
        assert_eq!(Coverage::from_json(&json), Some(coverage));
        let text = json.to_string();
        assert_eq!(Coverage::from_json(&serde_json::from_str(&text).unwrap()).unwrap().to_json().to_string(), text);
        for wrong in ["{}", "[[]]", &text.replacen("events", "no table", 1), &text.replacen("\"http\"", "1", 1)] {
            assert_eq!(Coverage::from_json(&serde_json::from_str(wrong).unwrap()), None, "{wrong}");
        }
    }
}
