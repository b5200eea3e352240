//! The answer to a question of the catalogue: rows, and what a reader must know beside them.

use serde_json::{Map, Value, json};

use super::range::TimeRange;
use super::{Grain, Kpi};
use crate::answer::Answer;

/// Least number before, from which a change is given in percent; below it a percentage says more than the figures do.
const PERCENT_OF_MIN: f64 = 20.0;

/// An answered question.
#[derive(Clone, Debug)]
pub struct KpiAnswer {
    /// Which question.
    pub id: String,
    /// The rows: of a time series `period` and `value`.
    pub answer: Answer,
    /// The number above the chart; `None` when there are no data at all.
    pub headline: Option<Headline>,
    /// The headline against the range before; `None` when the data do not reach back, or nothing is finished.
    pub change: Option<Change>,
    /// The range that was asked, whole periods.
    pub range: TimeRange,
    /// The days that the data cover; `None` when there are none.
    pub covered: Option<TimeRange>,
    /// The first day of the last period, when that period is not over or not covered to its end.
    pub unfinished: Option<event::Day>,
    /// What the figures say, in one sentence.
    pub message: String,
    /// How to read them, in one sentence.
    pub reading: String,
    /// What was left out of the count.
    pub excluded: Vec<Excluded>,
    /// What else a reader must know.
    pub notes: Vec<String>,
    /// The values of the parameters, as text.
    pub parameters: Vec<(String, String)>,
}

/// The number above the chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    /// The number.
    pub value: f64,
    /// What it counts, as a word for several.
    pub unit: String,
    /// The same for one.
    pub unit_one: String,
}

impl Headline {
    /// `1 launch`, `1,204 launches`.
    pub fn words(&self) -> String {
        counted(self.value, &self.unit, &self.unit_one)
    }
}

/// The headline of a range against that of the range before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The range compared: the finished part of the answer's.
    pub range: TimeRange,
    /// Its number.
    pub value: f64,
    /// The range of the same length before it.
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
    /// The form of the API.
    pub fn json(&self, kpi: &Kpi) -> Value {
        let mut document = Map::new();
        let mut put = |name: &str, value: Value| {
            document.insert(name.to_owned(), value);
        };
        put("id", self.id.as_str().into());
        put("question", kpi.question.as_str().into());
        put("unit", kpi.unit.as_str().into());
        put("grain", json!(kpi.grain));
        put("definition", kpi.definition.into());
        put(
            "parameters",
            Value::Object(self.parameters.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect()),
        );
        put("range", range_json(self.range));
        put("covered", self.covered.map_or(Value::Null, range_json));
        put("unfinished", self.unfinished.map_or(Value::Null, |day| day.to_string().into()));
        let headline = self.headline.as_ref();
        put(
            "headline",
            headline.map_or(Value::Null, |headline| json!({"value": number(headline.value), "unit": headline.unit})),
        );
        put("change", self.change.as_ref().map_or(Value::Null, change_json));
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

fn range_json(range: TimeRange) -> Value {
    json!({"from": range.from.to_string(), "to": range.to.to_string(), "zone": "UTC"})
}

fn change_json(change: &Change) -> Value {
    json!({
        "range": range_json(change.range),
        "value": number(change.value),
        "before_range": range_json(change.before_range),
        "before": number(change.before),
        "difference": number(change.difference()),
        "percent": change.percent(),
    })
}

/// A whole number without a point.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    if value.fract() == 0.0 && value.abs() < 9e15 { (value as i64).into() } else { value.into() }
}

/// One sentence on what the figures say.
pub(crate) fn message(kpi: &Kpi, answer: &Answer, headline: Option<&Headline>, range: TimeRange) -> String {
    let span = format!("from {} to {} (UTC)", range.from, range.last());
    let Some(headline) = headline else {
        return format!("There are no data {span}.");
    };
    let total = format!("{} {span}", headline.words());
    let top = answer
        .cells()
        .filter_map(|cells| {
            let value = cells.last()?.number()?;
            let name = cells.get(cells.len().checked_sub(2)?)?.text();
            Some((value, name))
        })
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .filter(|(value, _)| *value > 0.0);
    match (kpi.grain, top) {
        (_, None) => format!("{total}."),
        (Grain::Day, Some((value, period))) => format!("{total}; most on {period} ({}).", grouped(value)),
        (Grain::Month, Some((value, period))) => {
            format!("{total}; most in {} ({}).", period.get(..7).unwrap_or(&period), grouped(value))
        }
        (Grain::None, Some((value, name))) => format!("{total}; most {}: {name} ({}).", kpi.unit, grouped(value)),
    }
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
