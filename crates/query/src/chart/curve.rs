//! A level for each number of the first column, in steps from 0 on, with a band from the least to the greatest possible
//! one.

use std::fmt::Write as _;

use super::ground::Ground;
use super::rows::{self, Row};
use super::scale::Scale;
use super::series::READ_OUT_WIDTH_MIN;
use super::text::escaped;
use super::{Size, empty, number};
use crate::kpi::{Kpi, KpiAnswer};

/// A stretch of the horizontal axis with one level.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) row: Row,
}

/// The stretches from 0 on, in order. A row without a number above 0 in its first column has none.
pub(super) fn steps(answer: &KpiAnswer) -> Vec<Step> {
    let at = |row: &Row| row.first.filter(|at| *at > 0.0 && at.is_finite());
    let mut rows: Vec<(f64, Row)> = rows::of(answer).into_iter().filter_map(|row| Some((at(&row)?, row))).collect();
    rows.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut from = 0.0;
    let mut steps = Vec::with_capacity(rows.len());
    for (to, row) in rows {
        steps.push(Step { from, to, row });
        from = to;
    }
    steps
}

/// The horizontal axis of `steps`.
pub(super) fn across(steps: &[Step], size: Size) -> Scale {
    Scale::up_to(steps.last().map_or(0.0, |last| last.to), Ground::steps(size), false)
}

/// Height and elements of the chart.
pub(super) fn draw(kpi: &Kpi, answer: &KpiAnswer, size: Size) -> (f64, String) {
    let steps = steps(answer);
    if steps.is_empty() {
        return empty(answer, size);
    }
    let highest = steps.iter().map(|step| step.row.highest()).fold(0.0, f64::max);
    let is_whole = steps.iter().all(|step| step.row.value.fract() == 0.0);
    let ground = Ground::new(size, Scale::up_to(highest, 4.0, is_whole), 2.0);
    let across = across(&steps, size);
    let mut out = String::new();
    ground.value_axis(&mut out, &kpi.unit, answer);
    band(&mut out, &steps, &ground, across);
    let mut d = String::new();
    for step in &steps {
        corner(&mut d, &ground, across, step, step.row.value);
    }
    let _ = write!(
        out,
        "<path class=\"mark series-1\" d=\"{d}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.75\" \
         stroke-linejoin=\"round\"/>"
    );
    read_outs(&mut out, kpi, &steps, &ground, across);
    ground.number_axis(&mut out, across, &rows::first_words(answer));
    (size.height(), out)
}

/// The way over `step` at the height of `value`.
fn corner(d: &mut String, ground: &Ground, across: Scale, step: &Step, value: f64) {
    let (y, to) = (number(ground.y(value)), number(ground.x(across, step.to)));
    if d.is_empty() {
        let _ = write!(d, "M{} {y}H{to}", number(ground.x(across, step.from)));
    } else {
        let _ = write!(d, "V{y}H{to}");
    }
}

/// From the least to the greatest possible value.
fn band(out: &mut String, steps: &[Step], ground: &Ground, across: Scale) {
    if steps.iter().all(|step| step.row.bounds.is_none()) {
        return;
    }
    let bounds = |step: &Step| step.row.bounds.unwrap_or((step.row.value, step.row.value));
    let mut d = String::new();
    for step in steps {
        corner(&mut d, ground, across, step, bounds(step).1);
    }
    for step in steps.iter().rev() {
        let _ = write!(d, "V{}H{}", number(ground.y(bounds(step).0)), number(ground.x(across, step.from)));
    }
    let _ = write!(out, "<path class=\"band surface series-1\" d=\"{d}Z\" stroke=\"none\" fill-opacity=\"0.25\"/>");
}

/// What each stretch says, for a pointer over the curve.
fn read_outs(out: &mut String, kpi: &Kpi, steps: &[Step], ground: &Ground, across: Scale) {
    if ground.size == Size::Narrow {
        return;
    }
    for step in steps {
        let (from, to) = (ground.x(across, step.from), ground.x(across, step.to));
        if to - from < READ_OUT_WIDTH_MIN {
            continue;
        }
        let _ = write!(
            out,
            "<rect class=\"read\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" pointer-events=\"all\">\
             <title>{}</title></rect>",
            number(from),
            number(ground.top),
            number(to - from),
            number(ground.bottom - ground.top),
            escaped(&step.row.read_out(kpi)),
        );
    }
}
