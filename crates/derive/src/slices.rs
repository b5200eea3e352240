//! In which pieces everything is read when it is read anew: stretches of time, so that what was settled of one can be
//! put away before the next is read.

use event::{Day, EventTime};
use jiff::civil::Date;
use store::{Selection, TableSnapshot};

/// Events that are read at once, about; of more, a month is.
pub(crate) const SLICE_ROWS: u64 = 1 << 20;

/// Nothing is believed of earlier events, so that no slices are made for them.
const FIRST_YEAR: i16 = 2015;

/// A stretch of events.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) selection: Selection,
    /// No event of a later slice is from before; `None` of the last.
    pub(crate) until: Option<EventTime>,
}

/// The slices of `table`, in order of time: one where it has no more than `rows_max` rows.
pub(crate) fn slices(table: &TableSnapshot, rows_max: u64) -> Vec<Slice> {
    let cuts = if table.rows() > rows_max { cuts(table) } else { Vec::new() };
    if cuts.is_empty() {
        return vec![Slice { selection: Selection::All, until: None }];
    }
    let (first, last) = (EventTime::from_micros(i64::MIN), EventTime::from_micros(i64::MAX));
    let starts = [first].into_iter().chain(cuts.iter().copied());
    let ends = cuts.iter().copied().map(Some).chain([None]);
    let slice = |(start, until): (EventTime, Option<EventTime>)| Slice {
        selection: Selection::Time(start..until.unwrap_or(last)),
        until,
    };
    starts.zip(ends).map(slice).collect()
}

/// The beginnings of the months (UTC) within the time of the parts; none where that is not known.
fn cuts(table: &TableSnapshot) -> Vec<EventTime> {
    let bounds: Option<Vec<(EventTime, EventTime)>> = table.parts.iter().map(|part| part.time).collect();
    let bounds = bounds.unwrap_or_default();
    let received = table.parts.iter().filter_map(|part| part.received).map(|(_, last)| last).max();
    let (Some(first), Some(last)) =
        (bounds.iter().map(|(low, _)| *low).min(), bounds.iter().map(|(_, high)| *high).max())
    else {
        return Vec::new();
    };
    // What claims to be of later than its receipt makes no slices either.
    let Some(last) = received.map(|received| last.min(received)) else { return Vec::new() };
    let mut month = first.day().date().first_of_month().max(Date::constant(FIRST_YEAR, 1, 1));
    let mut cuts = Vec::new();
    loop {
        let Ok(next) = month.checked_add(jiff::Span::new().months(1)) else { return cuts };
        month = next;
        let Some(start) = Day::from_ymd(month.year(), month.month(), 1).map(Day::start).filter(|start| *start <= last)
        else {
            return cuts;
        };
        cuts.push(start);
    }
}
