//! The rows of a chart whose horizontal axis is not time. The last two columns are name and value; the first one is a
//! number where the kind asks for one.

use super::text::plain;
use crate::kpi::{Kpi, KpiAnswer, counted, grouped};

/// A row with a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    name: String,
    pub(super) value: f64,
    /// Least and greatest possible value, where they differ.
    pub(super) bounds: Option<(f64, f64)>,
    /// What stands in the first column, if that is a number.
    pub(super) first: Option<f64>,
}

impl Row {
    /// Its name, clean of what turns the direction of writing.
    pub(super) fn shown(&self) -> String {
        plain(&self.name)
    }

    /// What it says: the same under a pointer, by keyboard and in a title.
    pub(super) fn read_out(&self, kpi: &Kpi) -> String {
        let words = format!("\u{2068}{}\u{2069}: {}", self.shown(), counted(self.value, &kpi.unit, &kpi.unit_one));
        match self.bounds {
            Some((low, high)) => format!("{words} (between {} and {})", grouped(low), grouped(high)),
            None => words,
        }
    }

    /// The greatest value that is drawn of it.
    pub(super) fn highest(&self) -> f64 {
        self.bounds.map_or(self.value, |(_, high)| high.max(self.value))
    }
}

/// Those rows of `answer` that have a value, in their order.
pub(super) fn of(answer: &KpiAnswer) -> Vec<Row> {
    let columns = &answer.answer.columns;
    let place = |name: &str| columns.iter().position(|column| column.name == name);
    let bounds = place("value_low").zip(place("value_high"));
    let row = |cells: Vec<crate::answer::Cell>| {
        let number = |at: usize| cells.get(at).and_then(crate::answer::Cell::number);
        let (value, rest) = cells.split_last()?;
        Some(Row {
            name: rest.last()?.text(),
            value: value.number().filter(|value| value.is_finite())?,
            bounds: bounds.and_then(|(low, high)| number(low).zip(number(high))).filter(|(low, high)| low < high),
            first: number(0),
        })
    };
    answer.answer.cells().filter_map(row).collect()
}

/// What the first column counts, in words.
pub(super) fn first_words(answer: &KpiAnswer) -> String {
    answer.answer.columns.first().map(|column| plain(&column.name.replace('_', " "))).unwrap_or_default()
}

/// The greatest value that is drawn of `rows`.
pub(super) fn highest(rows: &[Row]) -> f64 {
    rows.iter().map(Row::highest).fold(0.0, f64::max)
}

/// Whether every value is a whole number, so that the axis has no parts between.
pub(super) fn is_whole(rows: &[Row]) -> bool {
    rows.iter().all(|row| row.value.fract() == 0.0)
}
