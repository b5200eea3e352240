//! What a chart of periods draws, read from an answer: one series or several, what was before, gaps.
//!
//! The static drawing and the interactive one take the same [`Data`], so that both show the same marks and say the same
//! words.

use std::collections::BTreeMap;

use event::Day;

use super::text::plain;
use crate::answer::{Answer, Cell};
use crate::kpi::{Comparison, Grain, Kpi, KpiAnswer, counted, grouped, period_end, periods};

/// Series that have a colour of their own. The rest is drawn as one, so that no two colours look alike.
pub(super) const SERIES_MAX: usize = 4;

/// Name of the series that stands for the rest, here and in answers.
const OTHER: &str = "other";

/// Series named in one read-out.
const NAMED_MAX: usize = SERIES_MAX + 1;

/// A chart of periods.
#[derive(Debug)]
pub(super) struct Data {
    /// The periods of the range, in order.
    pub(super) periods: Vec<Period>,
    /// At least one, the largest first, the rest last. Each has a value for each period.
    pub(super) series: Vec<Series>,
    /// Numerator and denominator of each period of a percentage; empty of anything else.
    ratios: Vec<Option<(f64, f64)>>,
    /// Least and greatest possible value of each period; empty of anything exact.
    pub(super) bounds: Vec<Option<(f64, f64)>>,
    /// The value of the period that is compared, for each period; empty without a comparison.
    pub(super) before: Vec<Option<f64>>,
    /// Which time that is, in words.
    pub(super) before_words: String,
}

/// One step of the time axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// Its first day.
    pub(super) from: Day,
    /// The day after its last.
    pub(super) to: Day,
    /// Whether it goes on beyond what is known; what is foretold does.
    pub(super) is_unfinished: bool,
    /// Whether a trend foretells it.
    pub(super) is_foretold: bool,
}

/// One measure over the periods.
#[derive(Debug)]
pub(super) struct Series {
    /// Its name, clean of what turns the direction of writing; empty when it is the only one.
    pub(super) name: String,
    /// Whether it stands for several.
    pub(super) is_rest: bool,
    /// The value in each period; `None` where nothing is known.
    pub(super) values: Vec<Option<f64>>,
}

impl Series {
    fn sum(&self) -> f64 {
        self.values.iter().flatten().sum()
    }

    /// Its class in a drawing.
    pub(super) fn class(&self, at: usize) -> String {
        if self.is_rest { "series-rest".to_owned() } else { format!("series-{}", at + 1) }
    }
}

impl Data {
    /// Reads `answer`; `None` when no period has a value.
    pub(super) fn of(kpi: &Kpi, answer: &KpiAnswer) -> Option<Self> {
        let periods: Vec<Period> = periods(kpi.grain, answer.drawn())
            .into_iter()
            .map(|from| {
                let is_foretold = answer.ahead().is_some_and(|ahead| ahead.holds(from));
                let is_unfinished = is_foretold || answer.unfinished == Some(from);
                Period { from, to: period_end(kpi.grain, from), is_unfinished, is_foretold }
            })
            .collect();
        let days: Vec<Day> = periods.iter().map(|period| period.from).collect();
        let series = gathered(&answer.answer, &days);
        if series.iter().all(|series| series.values.iter().flatten().next().is_none()) {
            return None;
        }
        let (before, before_words) =
            answer.comparison.as_ref().map(|then| compared(kpi, then, periods.len())).unwrap_or_default();
        let ratios = pairs(&answer.answer, &days, ["numerator", "denominator"]);
        let bounds = pairs(&answer.answer, &days, ["value_low", "value_high"]);
        Some(Self { periods, series: with_rest(series), ratios, bounds, before, before_words })
    }

    /// Whether there is more than one series.
    pub(super) fn is_split(&self) -> bool {
        self.series.iter().any(|series| !series.name.is_empty())
    }

    /// What all series have together in the period `at`; `None` when nothing is known of it.
    pub(super) fn total(&self, at: usize) -> Option<f64> {
        let mut known = self.series.iter().filter_map(|series| series.values.get(at).copied().flatten()).peekable();
        known.peek().is_some().then_some(()).map(|()| known.sum())
    }

    /// The largest value that is drawn: of one series, or of all together when they are `stacked`.
    pub(super) fn largest(&self, stacked: bool) -> f64 {
        let of_series = self.series.iter().flat_map(|series| series.values.iter().copied().flatten());
        let totals = (0..self.periods.len()).filter_map(|at| self.total(at)).filter(|_| stacked);
        let highest = self.bounds.iter().flatten().map(|(_, high)| *high);
        of_series.chain(totals).chain(highest).chain(self.before.iter().copied().flatten()).fold(0.0, f64::max)
    }

    /// Whether every value is a whole number, so that the axis has no parts between.
    pub(super) fn is_whole(&self) -> bool {
        let values = self.series.iter().flat_map(|series| series.values.iter().copied().flatten());
        values.chain(self.before.iter().copied().flatten()).all(|value| value.fract() == 0.0)
    }

    /// Stretches of periods of which nothing is known, each as first day and day after the last.
    pub(super) fn gaps(&self) -> Vec<(Day, Day)> {
        let mut stretches: Vec<(Day, Day)> = Vec::new();
        for (at, period) in self.periods.iter().enumerate() {
            if self.total(at).is_some() {
                continue;
            }
            match stretches.last_mut() {
                Some(last) if last.1 == period.from => last.1 = period.to,
                _ => stretches.push((period.from, period.to)),
            }
        }
        stretches
    }

    /// What the period `at` says, in words: the same under a pointer, by keyboard and in a title.
    pub(super) fn read_out(&self, kpi: &Kpi, at: usize) -> String {
        let Some(period) = self.periods.get(at) else { return String::new() };
        let when = when(kpi.grain, *period);
        let Some(total) = self.total(at) else { return format!("{when}: no data") };
        let mut words = format!("{when}: {}", counted(total, &kpi.unit, &kpi.unit_one));
        if let Some((part, whole)) = self.ratios.get(at).copied().flatten() {
            words.push_str(&format!(" ({} of {})", grouped(part), grouped(whole)));
        }
        if let Some((low, high)) = self.bounds.get(at).copied().flatten().filter(|(low, high)| low < high) {
            words.push_str(&format!(" (between {} and {})", grouped(low), grouped(high)));
        }
        if self.is_split() {
            let of = |series: &Series| Some((series.name.clone(), series.values.get(at).copied().flatten()?));
            let parts: Vec<String> = self
                .series
                .iter()
                .filter_map(of)
                .take(NAMED_MAX)
                .map(|(name, value)| format!("\u{2068}{name}\u{2069} {}", grouped(value)))
                .collect();
            words.push_str(&format!(" ({})", parts.join(", ")));
        }
        if let Some(before) = self.before.get(at).copied().flatten() {
            words.push_str(&format!("; compared with {}", grouped(before)));
        }
        if period.is_foretold {
            words.push_str(" (foretold)");
        } else if period.is_unfinished {
            words.push_str(" (not finished)");
        }
        words
    }
}

/// `2026-03-03`, or `2026-03` of a month.
fn when(grain: Grain, period: Period) -> String {
    let text = period.from.to_string();
    match grain {
        Grain::Month => text.get(..7).unwrap_or(&text).to_owned(),
        Grain::Week => format!("week of {text}"),
        Grain::Day | Grain::None => text,
    }
}

/// The time compared, period by period from its first, added up over its series; and which time that is.
fn compared(kpi: &Kpi, then: &Comparison, wanted: usize) -> (Vec<Option<f64>>, String) {
    let periods = periods(kpi.grain, then.range);
    let series = gathered(&then.answer, &periods);
    let value = |at: usize| {
        let known = || series.iter().filter_map(|series| series.values.get(at).copied().flatten());
        known().next().map(|_| known().sum())
    };
    let values = (0..wanted).map(value).collect();
    (values, format!("{} to {}", then.range.from, then.range.last()))
}

/// Where the column called `name` is.
fn place(answer: &Answer, name: &str) -> Option<usize> {
    answer.columns.iter().position(|column| column.name == name)
}

/// The numbers in two columns of each of `days`, where the answer has them.
fn pairs(answer: &Answer, days: &[Day], columns: [&str; 2]) -> Vec<Option<(f64, f64)>> {
    let [part, whole] = columns.map(|name| place(answer, name));
    let (Some(part), Some(whole)) = (part, whole) else {
        return Vec::new();
    };
    let number = |cells: &[Cell], at: usize| cells.get(at).and_then(Cell::number);
    let known: BTreeMap<Day, (f64, f64)> = answer
        .cells()
        .filter_map(|cells| {
            let day = cells.first()?.text().parse().ok()?;
            Some((day, (number(&cells, part)?, number(&cells, whole)?)))
        })
        .collect();
    days.iter().map(|day| known.get(day).copied()).collect()
}

/// The rows as series: the column `period`, the column `value`, and, of three columns, the one that names the series.
fn gathered(answer: &Answer, days: &[Day]) -> Vec<Series> {
    let at_day: BTreeMap<Day, usize> = days.iter().enumerate().map(|(at, day)| (*day, at)).collect();
    let Some(value_at) = place(answer, "value") else { return Vec::new() };
    let is_split = answer.columns.len() == 3;
    let mut named: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
    let mut is_known = vec![false; days.len()];
    for cells in answer.cells() {
        let (Some(period), Some(value)) = (cells.first(), cells.get(value_at)) else { continue };
        let Some(at) = period.text().parse::<Day>().ok().and_then(|day| at_day.get(&day).copied()) else { continue };
        let Some(value) = value.number() else { continue };
        let name = match cells.get(1).filter(|_| is_split) {
            Some(Cell::Null) => "unknown".to_owned(),
            Some(name) => plain(&name.text()),
            None => String::new(),
        };
        let values = named.entry(name).or_insert_with(|| vec![None; days.len()]);
        if let (Some(slot), Some(known)) = (values.get_mut(at), is_known.get_mut(at)) {
            // Two names that look alike once they are clean are one series.
            *slot = Some(slot.unwrap_or(0.0) + value);
            *known = true;
        }
    }
    let mut series: Vec<Series> =
        named.into_iter().map(|(name, values)| Series { name, is_rest: false, values }).collect();
    for series in &mut series {
        // Of a period that is known, a series without a row had nothing.
        for (value, known) in series.values.iter_mut().zip(&is_known) {
            *value = value.or(known.then_some(0.0));
        }
    }
    // What the answer itself added up is the rest, however much it is.
    series.sort_by(|one, other| {
        let order = other.sum().total_cmp(&one.sum()).then_with(|| one.name.cmp(&other.name));
        (one.name == OTHER).cmp(&(other.name == OTHER)).then(order)
    });
    series
}

/// The largest series, and all others as one.
fn with_rest(mut series: Vec<Series>) -> Vec<Series> {
    if let Some(last) = series.last_mut().filter(|last| last.name == OTHER) {
        last.is_rest = true;
    }
    if series.iter().filter(|series| !series.is_rest).count() <= SERIES_MAX {
        return series;
    }
    let rest = series.split_off(SERIES_MAX);
    let periods = rest.first().map_or(0, |first| first.values.len());
    let value = |at: usize| {
        let known = || rest.iter().filter_map(|series| series.values.get(at).copied().flatten());
        known().next().map(|_| known().sum())
    };
    let name = OTHER.to_owned();
    let values = (0..periods).map(value).collect();
    series.push(Series { name, is_rest: true, values });
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, values: &[Option<f64>]) -> Series {
        Series { name: name.to_owned(), is_rest: false, values: values.to_vec() }
    }

    fn data(series: Vec<Series>) -> Data {
        let days = series.first().map_or(0, |first| first.values.len());
        let period = |at: usize| {
            let from = Day::from_number(i32::try_from(at).unwrap());
            Period { from, to: from.next(), is_unfinished: false, is_foretold: false }
        };
        Data {
            periods: (0..days).map(period).collect(),
            series,
            ratios: Vec::new(),
            bounds: Vec::new(),
            before: Vec::new(),
            before_words: String::new(),
        }
    }

    #[test]
    fn what_is_beyond_four_series_is_drawn_as_one() {
        let six = (0..6).map(|at| series(&format!("s{at}"), &[Some(f64::from(at)), None])).collect();
        let drawn = with_rest(six);
        assert_eq!(drawn.len(), 5);
        let rest = drawn.last().unwrap();
        assert!(rest.is_rest && rest.name == OTHER);
        assert_eq!(rest.values, [Some(9.0), None]);
        assert_eq!(with_rest((0..4).map(|_| series("x", &[None])).collect()).len(), 4);
    }

    #[test]
    fn gaps_are_stretches_and_totals_are_of_what_is_known() {
        let data = data(vec![
            series("a", &[Some(1.0), None, None, Some(0.0), None]),
            series("b", &[Some(2.5), None, None, Some(0.0), None]),
        ]);
        assert_eq!(data.total(0), Some(3.5));
        assert_eq!(data.total(1), None);
        assert_eq!(data.total(3), Some(0.0));
        let day = Day::from_number;
        assert_eq!(data.gaps(), [(day(1), day(3)), (day(4), day(5))]);
        assert_eq!((data.largest(false), data.largest(true)), (2.5, 3.5));
        assert!(!data.is_whole());
    }
}
