//! The answer to a question of the catalogue: rows, and what a reader must know beside them.

use serde_json::{Map, Value, json};

use super::params::Compare;
use super::range::TimeRange;
use super::series::leader;
use super::trend::Trend;
use super::{ChartKind, Grain, Kpi, Shape};
use crate::answer::{Answer, Cell};
use crate::zone::Zone;

/// Least number before, from which a change is given in percent; below it a percentage says more than the figures do.
const PERCENT_OF_MIN: f64 = 20.0;

/// An answered question.
#[derive(Clone, Debug)]
pub struct KpiAnswer {
    /// Which question.
    pub id: String,
    /// The rows: of a time series `period` and `value`, where a period that nobody watched has no value.
    pub answer: Answer,
    /// Names of the series of a split, largest first.
    pub series: Vec<String>,
    /// The number above the chart; `None` when there are no data in the range, or too few for a percentage.
    pub headline: Option<Headline>,
    /// The two numbers that the headline of a ratio is made of.
    pub ratio: Option<Ratio>,
    /// How much of the figures rests on what was seen, where that is a question.
    pub proven: Option<Ratio>,
    /// The headline against that of the time compared; `None` when the data do not reach back, or nothing is finished.
    pub change: Option<Change>,
    /// The time compared, with its own headline and rows; `None` as for `change`.
    pub comparison: Option<Comparison>,
    /// The range that was asked, whole periods.
    pub range: TimeRange,
    /// Where its days begin and end.
    pub zone: Zone,
    /// The hub that was asked about; `None`: all.
    pub hub: Option<String>,
    /// From the first to the last day that the data cover; `None` when there are none.
    pub covered: Option<TimeRange>,
    /// First days of the periods of the range of which nobody watched a day.
    pub gaps: Vec<event::Day>,
    /// First days of the periods of which somebody watched some days only; the unfinished one is not among them.
    pub partial: Vec<event::Day>,
    /// The first day of the last period, when that period is not over or not covered to its end.
    pub unfinished: Option<event::Day>,
    /// The trend of the figures, where the question has one and there are data.
    pub trend: Option<Trend>,
    /// What the figures say, in one sentence.
    pub message: String,
    /// How to read them, in one sentence.
    pub reading: String,
    /// What was left out of the count.
    pub excluded: Vec<Excluded>,
    /// What else a reader must know.
    pub notes: Vec<String>,
    /// Whether facts that are kept were read; if not, events were.
    pub is_from_rollup: bool,
    /// The values of the parameters, as text.
    pub parameters: Vec<(String, String)>,
}

/// The time with which a range is compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// How it was found.
    pub compare: Compare,
    /// Which time.
    pub range: TimeRange,
    /// Its headline.
    pub headline: Headline,
    /// Its rows, as those of the answer.
    pub answer: Answer,
}

/// The two numbers of a percentage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The part.
    pub numerator: f64,
    /// The whole.
    pub denominator: f64,
}

impl Ratio {
    /// The part in percent; `None` when the whole is below 20.
    pub fn percent(&self) -> Option<f64> {
        (self.denominator >= PERCENT_OF_MIN).then(|| 100.0 * self.numerator / self.denominator)
    }

    /// Whether, as a share of what is proven, it makes the answer an estimate.
    pub fn is_estimate(&self) -> bool {
        self.numerator < ESTIMATE_BELOW * self.denominator
    }
}

/// An answer of which a smaller share than this is proven is an estimate, and says so.
const ESTIMATE_BELOW: f64 = 0.8;

/// The number above the chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    /// The number.
    pub value: f64,
    /// Not less and not more, where that is known and they differ.
    pub bounds: Option<(f64, f64)>,
    /// What it counts, as a word for several.
    pub unit: String,
    /// The same for one.
    pub unit_one: String,
}

impl Headline {
    /// `1 launch`, `1,204 launches`, `1,204 hours (between 1,100 and 1,310)`.
    pub fn words(&self) -> String {
        let counted = counted(self.value, &self.unit, &self.unit_one);
        match self.between() {
            Some(between) => format!("{counted} ({between})"),
            None => counted,
        }
    }

    /// `between 1,100 and 1,310`, where the bounds differ.
    pub fn between(&self) -> Option<String> {
        let (low, high) = self.bounds?;
        let (low, high) = (grouped(low), grouped(high));
        (low != high).then(|| format!("between {low} and {high}"))
    }
}

/// The headline of a range against that of the time compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The range compared: the finished part of the answer's.
    pub range: TimeRange,
    /// Its number.
    pub value: f64,
    /// The time compared: as long before it, or a year before.
    pub before_range: TimeRange,
    /// The number then.
    pub before: f64,
}

impl Change {
    /// How much more or less.
    pub fn difference(&self) -> f64 {
        self.value - self.before
    }

    /// The difference in percent of the number before; `None` when that is below 20.
    pub fn percent(&self) -> Option<f64> {
        (self.before >= PERCENT_OF_MIN).then(|| 100.0 * self.difference() / self.before)
    }
}

/// Rows that were left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// Why, as one word.
    pub name: String,
    /// How many.
    pub rows: u64,
    /// The same as a sentence; empty when there are none.
    pub sentence: String,
}

impl KpiAnswer {
    /// The range that a chart of it shows: with the weeks that a trend foretells.
    pub(crate) fn drawn(&self) -> TimeRange {
        let ahead = self.ahead().map_or(self.range.to, |ahead| ahead.to);
        TimeRange { from: self.range.from, to: self.range.to.max(ahead) }
    }

    /// The weeks that a trend foretells.
    pub(crate) fn ahead(&self) -> Option<TimeRange> {
        self.trend.as_ref().and_then(|trend| trend.ahead)
    }

    /// The form of the API.
    pub fn json(&self, kpi: &Kpi) -> Value {
        let mut document = Map::new();
        let mut put = |name: &str, value: Value| {
            document.insert(name.to_owned(), value);
        };
        put("id", self.id.as_str().into());
        put("from_rollup", self.is_from_rollup.into());
        put("question", kpi.question.as_str().into());
        put("unit", kpi.unit.as_str().into());
        put("grain", json!(kpi.grain));
        put("definition", kpi.definition.into());
        put(
            "parameters",
            Value::Object(self.parameters.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect()),
        );
        let range = |range: TimeRange| range_json(range, &self.zone);
        put("range", range(self.range));
        put("zone", self.zone.name().into());
        put("hub", self.hub.as_deref().into());
        put("covered", self.covered.map_or(Value::Null, range));
        put("gaps", days_json(&self.gaps));
        put("partial", days_json(&self.partial));
        put("unfinished", self.unfinished.map_or(Value::Null, |day| day.to_string().into()));
        put("headline", self.headline.as_ref().map_or(Value::Null, headline_json));
        put(
            "ratio",
            self.ratio.map_or(
                Value::Null,
                |ratio| json!({"numerator": number(ratio.numerator), "denominator": number(ratio.denominator)}),
            ),
        );
        put("proven", self.proven.map_or(Value::Null, |proven| proven_json(&proven)));
        put("change", self.change.as_ref().map_or(Value::Null, |change| change_json(change, &self.zone)));
        put("comparison", self.comparison.as_ref().map_or(Value::Null, |then| comparison_json(then, &self.zone)));
        if let Some(trend) = &self.trend {
            put("trend", json!({"ahead": trend.ahead.map_or(Value::Null, range), "told": trend.told}));
        }
        if let Shape::Split(split) = &kpi.shape {
            put("split", split.as_str().into());
            put("series", json!(self.series));
        }
        put("message", self.message.as_str().into());
        put("reading", self.reading.as_str().into());
        put(
            "excluded",
            Value::Object(self.excluded.iter().map(|left_out| (left_out.name.clone(), left_out.rows.into())).collect()),
        );
        put("notes", json!(self.notes));
        self.answer.put_json(&mut document);
        Value::Object(document)
    }
}

fn range_json(range: TimeRange, zone: &Zone) -> Value {
    json!({"from": range.from.to_string(), "to": range.to.to_string(), "zone": zone.name()})
}

fn days_json(days: &[event::Day]) -> Value {
    days.iter().map(ToString::to_string).collect()
}

fn headline_json(headline: &Headline) -> Value {
    let mut document = json!({"value": number(headline.value), "unit": headline.unit});
    if let (Some((low, high)), Some(fields)) = (headline.bounds, document.as_object_mut()) {
        fields.insert("value_low".to_owned(), number(low));
        fields.insert("value_high".to_owned(), number(high));
    }
    document
}

fn proven_json(proven: &Ratio) -> Value {
    json!({
        "numerator": number(proven.numerator),
        "denominator": number(proven.denominator),
        "percent": proven.percent(),
        "estimate": proven.is_estimate(),
    })
}

fn change_json(change: &Change, zone: &Zone) -> Value {
    json!({
        "range": range_json(change.range, zone),
        "value": number(change.value),
        "before_range": range_json(change.before_range, zone),
        "before": number(change.before),
        "difference": number(change.difference()),
        "percent": change.percent(),
    })
}

fn comparison_json(then: &Comparison, zone: &Zone) -> Value {
    let mut document = Map::new();
    document.insert("compare".to_owned(), then.compare.name().into());
    document.insert("range".to_owned(), range_json(then.range, zone));
    document.insert("headline".to_owned(), headline_json(&then.headline));
    if let Value::Object(mut answer) = then.answer.json() {
        document.insert("rows".to_owned(), answer.remove("rows").unwrap_or_default());
    }
    Value::Object(document)
}

/// A whole number without a point.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    if value.fract() == 0.0 && value.abs() < 9e15 { (value as i64).into() } else { value.into() }
}

/// One sentence on what the figures say.
pub(crate) fn message(kpi: &Kpi, answer: &KpiAnswer) -> String {
    let range = answer.range;
    let span = format!("from {} to {} ({})", range.from, range.last(), answer.zone);
    let hub = answer.hub.as_ref().map(|hub| format!(" at {hub}")).unwrap_or_default();
    if let Some(trend) = &answer.trend {
        let untold = || trend.told.first().cloned().unwrap_or_default();
        return answer
            .headline
            .as_ref()
            .map_or_else(untold, |headline| format!("{}{hub}, if the trend goes on.", capital(&headline.words())));
    }
    let both = answer.ratio.map(|ratio| {
        format!("on average {} of {} {}", grouped(ratio.numerator), grouped(ratio.denominator), kpi.whole)
    });
    let estimate = if answer.proven.is_some_and(|proven| proven.is_estimate()) { "an estimate: " } else { "" };
    let has_rows = kpi.grain == Grain::None && answer.answer.cells().next().is_some();
    let total = match (&answer.headline, both) {
        (None, None) if has_rows => return format!("Too few for a figure{hub} {span}."),
        (None, None)
            if answer.covered.is_none()
                && let Some(need) = kpi.needs.first() =>
        {
            return format!(
                "There are no data{hub} {span}: nothing of `{need}` ever came; docs/connect says how it comes."
            );
        }
        (None, None) => return format!("There are no data{hub} {span}."),
        (None, Some(both)) => return format!("{}{hub} {span}: too few for a percentage.", capital(&both)),
        (Some(headline), None) => capital(&format!("{estimate}{}{hub} {span}", headline.words())),
        (Some(headline), Some(both)) => format!("{}{hub} {span} ({both})", headline.words()),
    };
    match most(kpi, answer) {
        Some(most) => format!("{total}; {most}."),
        None => format!("{total}."),
    }
}

/// What stands out.
fn most(kpi: &Kpi, answer: &KpiAnswer) -> Option<String> {
    if let Shape::Split(split) = &kpi.shape {
        let (name, value) = leader(&answer.answer, split)?;
        return Some(format!("most: {name} ({})", grouped(value)));
    }
    if kpi.chart == ChartKind::Curve {
        return before_the_end(&answer.answer);
    }
    let place = |name: &str| answer.answer.columns.iter().position(|column| column.name == name);
    let value_at = place("value")?;
    let name_at = place("period").or(value_at.checked_sub(1))?;
    let (value, name) = answer
        .answer
        .cells()
        .filter_map(|cells| Some((cells.get(value_at)?.number()?, cells.get(name_at)?.text())))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .filter(|(value, _)| *value > 0.0)?;
    let value = if kpi.shape == Shape::Ratio { format!("{} %", grouped(value)) } else { grouped(value) };
    Some(match kpi.grain {
        Grain::Day => format!("most on {name} ({value})"),
        Grain::Week => format!("most in the week from {name} ({value})"),
        Grain::Month => format!("most in {} ({value})", name.get(..7).unwrap_or(&name)),
        Grain::None => format!("most {}: {name} ({value})", kpi.unit),
    })
}

/// The step of a curve before its last one: whether the end of it stands out.
fn before_the_end(answer: &Answer) -> Option<String> {
    let step = |cells: Vec<Cell>| {
        let [at, .., name, value] = cells.as_slice() else { return None };
        Some((at.number()?, name.text(), value.number()?))
    };
    let mut steps: Vec<(f64, String, f64)> = answer.cells().filter_map(step).collect();
    steps.sort_by(|one, other| other.0.total_cmp(&one.0));
    let (_, name, value) = steps.into_iter().nth(1)?;
    Some(format!("{name}: {}", grouped(value)))
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A number to two places.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// A number with its unit.
pub(crate) fn counted(value: f64, unit: &str, unit_one: &str) -> String {
    format!("{} {}", grouped(value), if value == 1.0 { unit_one } else { unit })
}

/// A number with a comma before every three digits; at most two after the point.
pub(crate) fn grouped(value: f64) -> String {
    let text = if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, fraction) =
        digits.split_once('.').map_or((digits, String::new()), |(whole, fraction)| (whole, format!(".{fraction}")));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        for (value, expected) in
            [(0.0, "0"), (999.0, "999"), (1_000.0, "1,000"), (-1_234_567.0, "-1,234,567"), (1_234.5, "1,234.50")]
        {
            assert_eq!(grouped(value), expected);
        }
    }

    #[test]
    fn small_numbers_have_no_percentage() {
        let day = event::Day::from_number(0);
        let range = TimeRange { from: day, to: day.next() };
        let change = |before: f64| Change { range, value: 30.0, before_range: range, before };
        assert_eq!(change(19.0).percent(), None);
        assert_eq!(change(20.0).percent(), Some(50.0));
        assert_eq!(change(0.0).difference(), 30.0);
    }
}
