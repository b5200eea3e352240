//! Which parts a compaction takes, and where in time it cuts them.
//!
//! Only small parts are taken, and only those that share months with another small one: rewriting a part that stands
//! alone in its months gains nothing. Cuts lie between UTC months of `time`; neighbouring months too small to be worth
//! a file share one, so that ten thousand days of a tiny hub do not become hundreds of files.

use std::ops::Range;

use event::EventTime;
use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::options::Options;
use crate::part::Part;

/// Months before this share a cut, as do months after [`LAST_YEAR`]: times there are an emitter's mistakes.
const FIRST_YEAR: i16 = 2015;

/// See [`FIRST_YEAR`].
const LAST_YEAR: i16 = 2100;

/// What to merge.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
    /// Half-open, in order, without gap; together they hold every instant.
    pub(crate) cuts: Vec<Range<EventTime>>,
}

/// What to merge of `parts`, if it is worth it.
pub(crate) fn plan(parts: &[Part], options: &Options) -> Option<Plan> {
    let mut small: Vec<&Part> = parts.iter().filter(|part| options.is_small(part)).collect();
    if small.len() < options.parts_small_max.max(2) {
        return None;
    }
    small.sort_by_key(|part| part.time);
    let bounds = cuts(&small, options.month_bytes_min);
    let shared = |part: &&Part| {
        let own: Vec<_> = bounds.iter().filter(|cut| may_hold(part, cut)).collect();
        small.iter().any(|other| other.path != part.path && own.iter().any(|cut| may_hold(other, cut)))
    };
    let chosen: Vec<Part> = small.iter().copied().filter(shared).take(options.merge_parts_max).cloned().collect();
    if chosen.len() < options.parts_small_max.max(2) {
        return None;
    }
    let cuts = cuts(&chosen.iter().collect::<Vec<_>>(), options.month_bytes_min);
    Some(Plan { parts: chosen, cuts })
}

fn may_hold(part: &Part, cut: &Range<EventTime>) -> bool {
    part.may_hold_time(cut)
}

/// Cuts between months, each with about `bytes_min` or more; the bytes of a part are taken as spread evenly over its
/// months.
fn cuts(parts: &[&Part], bytes_min: u64) -> Vec<Range<EventTime>> {
    let starts = month_starts();
    let month_of = |time: EventTime| starts.partition_point(|start| *start <= time);
    let mut bytes = vec![0_u64; starts.len() + 1];
    for part in parts {
        let Some((least, greatest)) = part.time else { continue };
        let months = month_of(least)..=month_of(greatest);
        let each = part.size / (months.end() - months.start() + 1) as u64;
        for month in months {
            if let Some(bytes) = bytes.get_mut(month) {
                *bytes += each;
            }
        }
    }
    let mut cuts = Vec::new();
    let mut from = EventTime::from_micros(i64::MIN);
    let mut gathered = 0;
    let remaining: u64 = bytes.iter().sum();
    let mut left = remaining;
    for (bytes, end) in bytes.iter().zip(&starts) {
        gathered += bytes;
        left -= bytes;
        if gathered >= bytes_min && left >= bytes_min {
            cuts.push(from..*end);
            from = *end;
            gathered = 0;
        }
    }
    cuts.push(from..EventTime::from_micros(i64::MAX));
    cuts
}

/// First instants of the months from [`FIRST_YEAR`] to [`LAST_YEAR`].
fn month_starts() -> Vec<EventTime> {
    let first = date(FIRST_YEAR, 1, 1);
    let months = i64::from(LAST_YEAR - FIRST_YEAR) * 12;
    let start = |month: i64| -> Option<EventTime> {
        let day = first.checked_add(month.months()).ok()?;
        let timestamp: Timestamp = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Some(EventTime::from_micros(timestamp.as_microsecond()))
    };
    (0..months).filter_map(start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(path: &str, size: u64, from: &str, to: &str) -> Part {
        let time = |day: &str| day.parse::<event::Day>().unwrap().start();
        let mut part = Part::from_log(path, size, None);
        part.time = Some((time(from), time(to)));
        part
    }

    fn options() -> Options {
        Options { parts_small_max: 2, month_bytes_min: 100, part_bytes_small: 1_000, ..Options::default() }
    }

    #[test]
    fn months_are_cut_where_they_are_worth_a_file() {
        let parts = [
            part("a", 90, "2024-01-03", "2024-01-30"),
            part("b", 90, "2024-01-10", "2024-02-20"),
            part("c", 500, "2024-03-01", "2024-03-31"),
            part("d", 10, "2024-03-01", "2024-04-02"),
        ];
        let plan = plan(&parts, &options()).unwrap();
        let ends: Vec<String> = plan.cuts.iter().map(|cut| cut.end.day().to_string()).collect();
        assert_eq!(plan.parts.len(), 4);
        assert_eq!(ends[..ends.len() - 1], ["2024-02-01"]);
        for pair in plan.cuts.windows(2) {
            assert_eq!(pair[0].end, pair[1].start);
        }
    }

    #[test]
    fn tiny_months_share_a_cut_and_ten_thousand_days_are_one() {
        let parts: Vec<Part> = (0..20).map(|n| part(&format!("p{n}"), 4, "1990-01-01", "2030-01-01")).collect();
        assert_eq!(plan(&parts, &options()).unwrap().cuts.len(), 1);
    }

    #[test]
    fn parts_alone_in_their_months_large_ones_and_few_are_left_alone() {
        let alone = [part("a", 500, "2024-01-03", "2024-01-30"), part("b", 500, "2024-02-03", "2024-02-20")];
        assert!(plan(&alone, &options()).is_none());
        let large = [part("a", 5_000, "2024-01-03", "2024-01-30"), part("b", 500, "2024-01-03", "2024-01-20")];
        assert!(plan(&large, &options()).is_none());
        let mut long = [part("a", 5, "2024-01-03", "2024-01-30"), part("b", 5, "2024-01-03", "2024-01-20")];
        assert!(plan(&long, &options()).is_some());
        long[0].rows = options().part_rows_small;
        assert!(plan(&long, &options()).is_none());
        assert!(plan(&[part("a", 5, "2024-01-03", "2024-01-30")], &options()).is_none());
    }
}
