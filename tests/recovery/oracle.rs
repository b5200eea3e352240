//! Compares what the client knows with what is found.

use std::collections::BTreeMap;
use std::path::Path;

use acceptance::lines_of;
use serde_json::Value;

use crate::ledger::{Ledger, Told};

/// All rows of both tables at one moment, for [`check_tables`].
pub(crate) const ALL_ROWS: &str = "\
    SELECT 'events' AS kept_in, collector, position, text FROM events \
    UNION ALL SELECT 'quarantine', collector, position, text FROM quarantine";

/// In the text of an event that hubscope keeps of its own accord.
const OWN: &str = "schema.hubscope/";

/// How often each id was found.
type Found = BTreeMap<String, u64>;

/// Every acknowledged event stands once in the table where it belongs; what was refused stands nowhere; what got no
/// answer stands once or nowhere; positions have no gap and no double. Of people who were forgotten there is nothing
/// but places: left empty, or filled with a row of quarantine without text.
#[track_caller]
pub(crate) fn check_tables(ledger: &Ledger, rows: &[Value]) {
    let (mut events, mut quarantine) = (Found::new(), Found::new());
    let mut positions: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let removed = ledger.places_removed();
    for (collector, position) in &removed {
        positions.entry(collector).or_default().push(*position);
    }
    for row in rows {
        if removed.contains(&(text(row, "collector").to_owned(), row["position"].as_u64().unwrap_or(u64::MAX))) {
            assert_eq!((text(row, "kept_in"), text(row, "text")), ("quarantine", ""), "somebody was not forgotten");
            continue;
        }
        let table = if text(row, "kept_in") == "events" { &mut events } else { &mut quarantine };
        // What a start tells of the time before it was sent by nobody.
        if !text(row, "text").contains(OWN) {
            *table.entry(id_of(text(row, "text"))).or_default() += 1;
        }
        let position = row["position"].as_u64().unwrap_or_else(|| panic!("no position in {row}"));
        positions.entry(text(row, "collector")).or_default().push(position);
    }
    check_ids(ledger, &events, true, "events");
    check_ids(ledger, &quarantine, false, "quarantine");
    for (collector, mut positions) in positions {
        positions.sort_unstable();
        let expected: Vec<u64> = (0..positions.len() as u64).collect();
        assert_eq!(positions, expected, "positions of {collector}");
    }
}

/// Every acknowledged launch stands once in the published files, and nothing from quarantine does.
#[track_caller]
pub(crate) fn check_archive(ledger: &Ledger, folder: &Path) {
    let mut found = Found::new();
    for entry in std::fs::read_dir(folder).expect("the archive was written") {
        let path = entry.expect("its entries can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("events-") && name.ends_with(".jsonl") {
            for line in lines_of(&path) {
                *found.entry(id_of(&line)).or_default() += 1;
            }
        }
    }
    check_ids(ledger, &found, true, "the archive");
}

/// What `found` in a place says of the ledger's launches, or of its other events.
#[track_caller]
fn check_ids(ledger: &Ledger, found: &Found, launches: bool, place: &str) {
    let sent = ledger.events();
    for (id, count) in found {
        let known = sent.get(id).unwrap_or_else(|| panic!("{place} holds {id}, which was never sent"));
        assert_eq!(known.is_launch, launches, "{place} holds {id}, which belongs elsewhere");
        assert_eq!(*count, 1, "{place} holds {id} {count} times; the client was told: {:?}", known.told);
        assert!(!matches!(known.told, Told::Refused(_)), "{place} holds {id}, of which the client was told {known:?}");
    }
    let is_lost = |id: &String| !found.contains_key(id);
    let kept_here = sent.iter().filter(|(_, sent)| sent.is_launch == launches && sent.told == Told::Acknowledged);
    let lost: Vec<&String> = kept_here.map(|(id, _)| id).filter(|id| is_lost(id)).collect();
    assert!(lost.is_empty(), "{place} lost {} acknowledged events, the first is {}", lost.len(), lost[0]);
}

fn id_of(event: &str) -> String {
    let event: Value = serde_json::from_str(event).unwrap_or_else(|error| panic!("{error} in {event}"));
    text(&event, "spec").to_owned()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_else(|| panic!("no text '{name}' in {row}"))
}
