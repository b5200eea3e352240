//! What a reader must know beside the figures, as sentences.

use event::Day;

use super::Grain;
use super::answer::{Ratio, grouped};
use super::range::TimeRange;
use super::series::Period;
use crate::rollup::NotReady;
use crate::zone::Zone;

/// `1 day`, `3 weeks`.
fn several(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

fn noun(grain: Grain) -> &'static str {
    match grain {
        Grain::Day | Grain::None => "day",
        Grain::Week => "week",
        Grain::Month => "month",
    }
}

/// How many periods nobody watched.
pub(super) fn gaps(grain: Grain, periods: &[Period]) -> Option<String> {
    let missing = periods.iter().filter(|period| !period.is_covered).count();
    let verb = if missing == 1 { "has" } else { "have" };
    (missing > 0).then(|| {
        let of = several(periods.len(), noun(grain));
        format!("{missing} of {of} {verb} no data: nothing came in, which is not the same as 0.")
    })
}

/// How many periods somebody watched in part.
pub(super) fn partial(grain: Grain, periods: usize, days: i32) -> Option<String> {
    let days = usize::try_from(days).unwrap_or(0);
    let verb = if periods == 1 { "lacks" } else { "lack" };
    (periods > 0).then(|| format!("{} {verb} data on {} in all.", several(periods, noun(grain)), several(days, "day")))
}

/// That a period is not over.
pub(super) fn unfinished(grain: Grain, period: Day, has_trend: bool) -> String {
    match grain {
        _ if has_trend => format!("The week from {period} is not finished; the trend leaves it out."),
        Grain::Month => format!("The month of {period} is not finished; it is left out of the comparison."),
        Grain::Week => format!("The week from {period} is not finished; it is left out of the comparison."),
        Grain::Day | Grain::None => format!("The day {period} is not over; it is left out of the comparison."),
    }
}

/// How many series are shown as one.
pub(super) fn folded(series: usize) -> Option<String> {
    (series > 0).then(|| format!("The {series} smallest are shown together as 'other'."))
}

/// How much of an answer rests on what was seen.
pub(super) fn proven(proven: Ratio, unit: &str) -> Option<String> {
    if proven.denominator <= 0.0 {
        return None;
    }
    let both = format!("{} of {} {unit}", grouped(proven.numerator), grouped(proven.denominator));
    let share = proven.percent().map_or(both.clone(), |percent| format!("{} % ({both})", grouped(percent.floor())));
    let told = "rest on ends that were seen; of the others the end is inferred";
    Some(if proven.is_estimate() { format!("An estimate: only {share} {told}.") } else { format!("{share} {told}.") })
}

/// On how many days a percentage would say more than the figures do.
pub(super) fn small(days: usize) -> Option<String> {
    (days > 0).then(|| format!("No percentage on {}: fewer than 20 users are behind it.", several(days, "day")))
}

/// That history begins within the range.
pub(super) fn history(first: Day) -> String {
    format!("The data begin on {first}: whoever was there before counts as new when they first come after it.")
}

/// That the data begin after the time to be compared with.
pub(super) fn not_reaching_back(covered: TimeRange, then: TimeRange, now: TimeRange) -> String {
    format!(
        "No comparison: the data cover {} to {}, not all of {} to {}.",
        covered.from,
        covered.last(),
        then.from,
        now.last()
    )
}

/// That one of the two was watched on fewer days.
pub(super) fn unequal(now: TimeRange, now_missing: usize, then: TimeRange, then_missing: usize) -> String {
    format!(
        "No comparison: {} from {} to {} have no data, and {} from {} to {}.",
        several(now_missing, "day"),
        now.from,
        now.last(),
        several(then_missing, "day"),
        then.from,
        then.last()
    )
}

/// That the answer was made of events.
pub(super) fn from_events(why: NotReady, zone: &Zone) -> String {
    match why {
        NotReady::Soon => {
            "Counted from the events themselves: what is kept ready for this is still being made.".to_owned()
        }
        NotReady::Zone => {
            format!("Counted from the events themselves: nothing is kept ready for days as {zone} cuts them.")
        }
    }
}
