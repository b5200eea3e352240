//! A field of squares, lines by places: the fuller the colour, the larger the number. The first two columns are line
//! and place, the last two name and number.

use std::fmt::Write as _;

use super::text::{escaped, name, plain, width};
use super::{LINE, Size, empty, number, zone};
use crate::answer::Cell;
use crate::kpi::{Kpi, KpiAnswer, counted};

/// Height of a line of squares.
const ROW: f64 = 1.25 * LINE;

/// Between two squares.
const GAP: f64 = 1.0;

/// The colour of what is least, as a share of the fullest, and that of nothing at all.
const PALEST: f64 = 0.15;
const NOTHING: f64 = 0.04;

/// The widest label of a line.
const LABEL_MAX: f64 = 90.0;

/// A square.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Square {
    pub(super) line: usize,
    pub(super) place: usize,
    name: String,
    pub(super) value: f64,
    /// Of the fullest colour, from 0 to 1.
    pub(super) share: f64,
}

impl Square {
    /// What it says: the same under a pointer, by keyboard and in a title.
    pub(super) fn read_out(&self, kpi: &Kpi) -> String {
        format!("\u{2068}{}\u{2069}: {}", plain(&self.name), counted(self.value, &kpi.unit, &kpi.unit_one))
    }
}

/// The squares in order of lines and places, and what stands beside and below them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Field {
    pub(super) lines: Vec<String>,
    pub(super) places: Vec<String>,
    pub(super) squares: Vec<Square>,
    pub(super) largest: f64,
    /// Lines that `size` has no room for; they come first.
    left_out: usize,
}

impl Field {
    /// The newest lines that `size` has room for.
    pub(super) fn of(answer: &KpiAnswer, size: Size) -> Self {
        let mut rows: Vec<(String, Cell, String, f64)> = answer.answer.cells().filter_map(row).collect();
        let mut lines: Vec<String> = Vec::new();
        for (line, ..) in &rows {
            if !lines.contains(line) {
                lines.push(line.clone());
            }
        }
        let left_out = lines.len().saturating_sub(size.lines());
        lines.drain(..left_out);
        rows.retain(|(line, ..)| lines.contains(line));
        let mut places: Vec<&Cell> = Vec::new();
        for (_, place, ..) in &rows {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places.sort_by(|one, other| match (one.number(), other.number()) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            _ => one.text().cmp(&other.text()),
        });
        let squares = rows.iter().filter_map(|(line, place, name, value)| {
            let line = lines.iter().position(|own| own == line)?;
            let place = places.iter().position(|own| *own == place)?;
            Some(Square { line, place, name: name.clone(), value: *value, share: NOTHING })
        });
        let mut squares: Vec<Square> = squares.collect();
        squares.sort_by_key(|square| (square.line, square.place));
        let largest = squares.iter().map(|square| square.value).fold(0.0, f64::max);
        for square in squares.iter_mut().filter(|square| square.value > 0.0) {
            square.share = PALEST + (1.0 - PALEST) * square.value / largest;
        }
        let places = places.iter().map(|place| place.text()).collect();
        Self { lines, places, squares, largest, left_out }
    }

    /// What the colours mean.
    pub(super) fn fullest(&self, kpi: &Kpi) -> String {
        format!("The fullest colour is {}", counted(self.largest, &kpi.unit, &kpi.unit_one))
    }
}

/// Line, place, name and number of a row; a row without a number has no square.
fn row(cells: Vec<Cell>) -> Option<(String, Cell, String, f64)> {
    let [line, place, .., name, value] = cells.as_slice() else { return None };
    // A month is written as its first day.
    let line = line.text();
    let line = line.strip_suffix("-01").filter(|month| month.len() == 7).map_or(line.clone(), str::to_owned);
    Some((line, place.clone(), name.text(), value.number()?))
}

/// Height and elements of the chart.
pub(super) fn draw(kpi: &Kpi, answer: &KpiAnswer, size: Size) -> (f64, String) {
    let field = Field::of(answer, size);
    if field.largest <= 0.0 {
        return empty(answer, size);
    }
    let labels = field.lines.iter().map(|line| width(line)).fold(0.0, f64::max).min(LABEL_MAX) + 8.0;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let step = (size.width() - labels) / field.places.len().max(1) as f64;
    let mut out = String::new();
    let heading = format!("{}, {} to {} ({})", kpi.unit, answer.range.from, answer.range.last(), zone(answer));
    let mut top = 1.4 * LINE;
    words(&mut out, "axis", &heading, 0.8 * LINE);
    let mut squares = field.squares.iter().peekable();
    for (at, line) in field.lines.iter().enumerate() {
        let _ = write!(
            out,
            "<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"end\" unicode-bidi=\"isolate\">{}</text>",
            number(labels - 8.0),
            number(top + 0.9 * LINE),
            name(line, LABEL_MAX)
        );
        while let Some(square) = squares.next_if(|square| square.line == at) {
            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
            let left = labels + square.place as f64 * step;
            let _ = write!(
                out,
                "<rect class=\"mark series-1\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" opacity=\"{:.2}\">\
                 <title>{}</title></rect>",
                number(left),
                number(top),
                number((step - GAP).max(0.5)),
                number(ROW - GAP),
                square.share,
                escaped(&square.read_out(kpi))
            );
        }
        top += ROW;
    }
    below(&mut out, &field.places, labels, step, top);
    top += 1.2 * LINE;
    let more =
        if field.left_out > 0 { format!("; {} earlier lines are left out", field.left_out) } else { String::new() };
    words(&mut out, "label", &format!("{}{more}.", field.fullest(kpi)), top + 0.8 * LINE);
    (top + 1.2 * LINE, out)
}

/// A line of words over the whole width.
fn words(out: &mut String, class: &str, text: &str, y: f64) {
    let _ = write!(out, "<text class=\"{class}\" x=\"0\" y=\"{}\">{}</text>", number(y), escaped(text));
}

/// As many places in words as there is room for.
fn below(out: &mut String, places: &[String], labels: f64, step: f64, top: f64) {
    let widest = places.iter().map(|place| width(place)).fold(0.0, f64::max) + 10.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small ratio of lengths")]
    let every = (widest / step).ceil().max(1.0) as usize;
    for (at, place) in places.iter().enumerate().step_by(every) {
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let middle = labels + (at as f64 + 0.5) * step;
        let _ = write!(
            out,
            "<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            number(middle),
            number(top + 0.8 * LINE),
            escaped(place)
        );
    }
}
