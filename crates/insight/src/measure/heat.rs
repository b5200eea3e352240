//! When it is used: weekday by hour of a time zone.

use event::EventTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::{Period, Share, Span};

/// One cell: server microseconds of the microseconds that the period has of this hour of this weekday. Where clocks
/// are set back an hour comes twice, where they are set forward it does not come at all.
pub type Cell = Share;

/// The longest period of a heat map, in hours: a century.
const HOURS_MAX: usize = 900_000;

/// Why there is no map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeatError {
    /// The period lies beyond the calendar.
    #[error("the period lies beyond the years that a calendar has")]
    BeyondCalendar,
    /// It has too many hours.
    #[error("the period has more than {HOURS_MAX} hours")]
    TooLong,
}

/// The mean number of servers by weekday (from Monday) and hour, in `zone`.
///
/// # Errors
/// For periods that are too long or beyond the calendar.
pub fn heat_map(
    spans: impl IntoIterator<Item = Span>,
    period: Period,
    zone: &TimeZone,
) -> Result<[[Cell; 24]; 7], HeatError> {
    let hours = hours(period, zone)?;
    let mut micros = vec![0_i128; hours.len()];
    // Hours that are covered whole: one more from here on, one less from there on.
    let mut whole = vec![0_i64; hours.len() + 1];
    for span in spans.into_iter().filter_map(|span| period.part_of(span)) {
        let (first, last) = (hour_of(&hours, span.from), hour_of(&hours, before(span.to)));
        if first == last {
            micros[first] += span.micros();
            continue;
        }
        micros[first] += Span { from: span.from, to: hours[first].span.to }.micros();
        micros[last] += Span { from: hours[last].span.from, to: span.to }.micros();
        whole[first + 1] += 1;
        whole[last] -= 1;
    }
    let mut map = [[Cell::default(); 24]; 7];
    let mut covering = 0;
    for ((hour, some), change) in hours.iter().zip(micros).zip(whole) {
        covering += change;
        let length = hour.span.micros();
        let cell = &mut map[hour.weekday][hour.hour];
        cell.part += (some + i128::from(covering) * length).unsigned_abs();
        cell.whole += length.unsigned_abs();
    }
    Ok(map)
}

/// A stretch in which a clock on the wall shows one hour.
#[derive(Clone, Copy, Debug)]
struct Hour {
    span: Span,
    weekday: usize,
    hour: usize,
}

fn hours(period: Period, zone: &TimeZone) -> Result<Vec<Hour>, HeatError> {
    let mut hours = Vec::new();
    let end = zoned(period.end, zone)?;
    let mut now = zoned(period.begin, zone)?;
    while now < end {
        if hours.len() == HOURS_MAX {
            return Err(HeatError::TooLong);
        }
        let next = next_hour(&now)?.min(end.clone());
        hours.push(Hour {
            span: Span { from: instant(&now), to: instant(&next) },
            weekday: usize::try_from(now.weekday().to_monday_zero_offset()).unwrap_or(0),
            hour: usize::try_from(now.hour()).unwrap_or(0),
        });
        now = next;
    }
    Ok(hours)
}

/// The instant at which the clock on the wall shows the next full hour; of an hour that comes twice, both are one.
fn next_hour(now: &Zoned) -> Result<Zoned, HeatError> {
    let beyond = |_| HeatError::BeyondCalendar;
    let this = now.datetime().date().at(now.hour(), 0, 0, 0);
    let next = this.checked_add(1.hour()).and_then(|next| next.to_zoned(now.time_zone().clone())).map_err(beyond)?;
    // In zones whose clocks move by more than they ought to, time still goes on.
    if &next > now { Ok(next) } else { now.checked_add(1.hour()).map_err(beyond) }
}

fn zoned(time: EventTime, zone: &TimeZone) -> Result<Zoned, HeatError> {
    let timestamp = Timestamp::from_microsecond(time.micros()).map_err(|_| HeatError::BeyondCalendar)?;
    Ok(timestamp.to_zoned(zone.clone()))
}

fn instant(time: &Zoned) -> EventTime {
    EventTime::from_micros(time.timestamp().as_microsecond())
}

fn before(time: EventTime) -> EventTime {
    EventTime::from_micros(time.micros() - 1)
}

/// The hour that holds `time`, which lies within the period.
fn hour_of(hours: &[Hour], time: EventTime) -> usize {
    hours.partition_point(|hour| hour.span.to <= time)
}
