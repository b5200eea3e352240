//! Marks over periods: bars, lines, and series that stand on each other.

use std::fmt::Write as _;

use super::data::Data;
use super::plot::Plot;
use super::text::escaped;
use super::{LINE, Size, empty, number};
use crate::kpi::{Kpi, KpiAnswer};

/// How values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marks {
    /// A bar for each period; of several series on each other.
    Bars,
    /// A line through them, for each series.
    Lines,
    /// Series on each other: bars where there is room, else surfaces.
    Stacked,
}

/// Narrower bars than this are drawn as a line: they would be a grey surface.
const BAR_WIDTH_MIN: f64 = 3.0;

/// Narrower periods than this have no read-out of their own under a line: nobody could point at one.
pub(super) const READ_OUT_WIDTH_MIN: f64 = 4.0;

/// Height and elements of the chart.
pub(super) fn draw(kpi: &Kpi, answer: &KpiAnswer, size: Size, marks: Marks) -> (f64, String) {
    let Some(data) = Data::of(kpi, answer) else {
        return empty(answer, size);
    };
    let is_stacked = marks == Marks::Stacked || (marks == Marks::Bars && data.is_split());
    let plot = Plot::new(kpi, answer, &data, size, is_stacked);
    let has_bars = plot.step() >= BAR_WIDTH_MIN;
    let mut out = String::new();
    plot.value_axis(&mut out);
    plot.gaps(&mut out);
    let ends = match marks {
        Marks::Lines => lines(&plot, &mut out),
        Marks::Bars | Marks::Stacked if has_bars => bars(&plot, &mut out),
        Marks::Bars if !is_stacked => lines(&plot, &mut out),
        Marks::Bars | Marks::Stacked => surfaces(&plot, &mut out),
    };
    if marks == Marks::Lines || !has_bars {
        read_outs(&plot, &mut out);
    }
    whiskers(&plot, &mut out);
    before(&plot, &mut out, has_bars && marks != Marks::Lines);
    if data.is_split() {
        if plot.names_are_at_end() { plot.names_at_end(&mut out, &ends) } else { plot.legend(&mut out) }
    }
    plot.time_axis(&mut out);
    (size.height(), out)
}

/// From the least to the greatest possible value of each period that is not exact.
fn whiskers(plot: &Plot<'_>, out: &mut String) {
    let mut d = String::new();
    for (at, bounds) in plot.data.bounds.iter().enumerate() {
        let Some((low, high)) = bounds.filter(|(low, high)| low < high) else { continue };
        let (from, to) = plot.span(at);
        let _ = write!(d, "M{} {}V{}", number(f64::midpoint(from, to)), number(plot.y(low)), number(plot.y(high)));
    }
    if !d.is_empty() {
        let _ = write!(
            out,
            "<path class=\"whisker\" d=\"{d}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.25\"/>"
        );
    }
}

/// A bar for each period and series. Returns where each series ends at the right.
fn bars(plot: &Plot<'_>, out: &mut String) -> Vec<f64> {
    let mut ends = vec![plot.bottom; plot.data.series.len()];
    for (at, period) in plot.data.periods.iter().enumerate() {
        if plot.data.total(at).is_none() {
            continue;
        }
        let (x, end) = plot.span(at);
        let gap = ((end - x) * 0.15).clamp(0.5, 12.0);
        let drawn = if period.is_unfinished {
            " fill-opacity=\"0.3\" stroke=\"currentColor\" stroke-dasharray=\"3 3\""
        } else {
            ""
        };
        let state = if period.is_unfinished { " unfinished" } else { "" };
        let title = escaped(&plot.data.read_out(plot.kpi, at));
        let _ = write!(out, "<g><title>{title}</title>");
        let mut below = 0.0;
        for (number_of, (series, series_end)) in plot.data.series.iter().zip(&mut ends).enumerate() {
            let value = series.values.get(at).copied().flatten().unwrap_or(0.0);
            let (y, bottom) = (plot.y(below + value), plot.y(below));
            below += value;
            *series_end = f64::midpoint(y, bottom);
            let _ = write!(
                out,
                "<rect class=\"mark {class}{state}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{drawn}/>",
                number(x + gap / 2.0),
                number(y),
                number(end - x - gap),
                number(bottom - y),
                class = series.class(number_of),
            );
        }
        out.push_str("</g>");
    }
    ends
}

/// A line for each series, broken at gaps; the way to an unfinished period is dashed. Returns where each ends.
fn lines(plot: &Plot<'_>, out: &mut String) -> Vec<f64> {
    let mut ends = Vec::with_capacity(plot.data.series.len());
    for (at, series) in plot.data.series.iter().enumerate() {
        let class = series.class(at);
        let (path, dashed) = paths(plot, &series.values);
        for (d, state, dash) in [(path, "", ""), (dashed, " unfinished", " stroke-dasharray=\"3 3\"")] {
            if d.is_empty() {
                continue;
            }
            let _ = write!(
                out,
                "<path class=\"mark {class}{state}\" d=\"{d}\" fill=\"none\" stroke=\"currentColor\" \
                 stroke-width=\"1.75\" stroke-linejoin=\"round\" stroke-linecap=\"round\"{dash}/>"
            );
        }
        ends.push(series.values.iter().rev().copied().flatten().next().map_or(plot.bottom, |value| plot.y(value)));
    }
    ends
}

/// The way through `values`, and the dashed way to the unfinished period.
fn paths(plot: &Plot<'_>, values: &[Option<f64>]) -> (String, String) {
    let (mut path, mut dashed) = (String::new(), String::new());
    let mut last: Option<(f64, f64)> = None;
    for (at, value) in values.iter().enumerate() {
        let Some(value) = value else {
            last = None;
            continue;
        };
        let (from, to) = plot.span(at);
        let (x, y) = (f64::midpoint(from, to), plot.y(*value));
        let is_unfinished = plot.data.periods.get(at).is_some_and(|period| period.is_unfinished);
        match last {
            Some((from_x, from_y)) if is_unfinished => {
                let _ = write!(dashed, "M{} {}L{} {}", number(from_x), number(from_y), number(x), number(y));
            }
            Some(_) => {
                let _ = write!(path, "L{} {}", number(x), number(y));
            }
            // A point alone is drawn by the line's round end.
            None => {
                let _ = write!(path, "M{} {}l0.1 0", number(x), number(y));
            }
        }
        last = Some((x, y));
    }
    (path, dashed)
}

/// Surfaces of series on each other, broken at gaps. Returns where each ends.
fn surfaces(plot: &Plot<'_>, out: &mut String) -> Vec<f64> {
    let periods = plot.data.periods.len();
    let mut below = vec![0.0; periods];
    let mut ends = Vec::with_capacity(plot.data.series.len());
    for (at, series) in plot.data.series.iter().enumerate() {
        let above: Vec<f64> = series.values.iter().zip(&below).map(|(value, sum)| sum + value.unwrap_or(0.0)).collect();
        let mut d = String::new();
        for stretch in known_stretches(plot.data) {
            outline(plot, &mut d, stretch, &above, &below);
        }
        let _ = write!(out, "<path class=\"mark surface {}\" d=\"{d}\" stroke=\"none\"/>", series.class(at));
        let end = plot.data.periods.len().checked_sub(1).and_then(|last| Some((*above.get(last)?, *below.get(last)?)));
        ends.push(end.map_or(plot.bottom, |(above, below)| f64::midpoint(plot.y(above), plot.y(below))));
        below = above;
    }
    ends
}

/// Runs of periods of which something is known, as first and last.
fn known_stretches(data: &Data) -> Vec<(usize, usize)> {
    let mut stretches: Vec<(usize, usize)> = Vec::new();
    for at in (0..data.periods.len()).filter(|at| data.total(*at).is_some()) {
        match stretches.last_mut() {
            Some(last) if last.1 + 1 == at => last.1 = at,
            _ => stretches.push((at, at)),
        }
    }
    stretches
}

fn outline(plot: &Plot<'_>, d: &mut String, (first, last): (usize, usize), above: &[f64], below: &[f64]) {
    let corner = |at: usize, value: Option<&f64>| {
        let (from, to) = plot.span(at);
        (number(f64::midpoint(from, to)), number(plot.y(value.copied().unwrap_or(0.0))))
    };
    for at in first..=last {
        let (x, y) = corner(at, above.get(at));
        let _ = write!(d, "{}{x} {y}", if at == first { "M" } else { "L" });
    }
    for at in (first..=last).rev() {
        let (x, y) = corner(at, below.get(at));
        let _ = write!(d, "L{x} {y}");
    }
    d.push('Z');
}

/// What each period says, for a pointer over a line or surface.
fn read_outs(plot: &Plot<'_>, out: &mut String) {
    if plot.step() < READ_OUT_WIDTH_MIN || plot.size == Size::Narrow {
        return;
    }
    for at in (0..plot.data.periods.len()).filter(|at| plot.data.total(*at).is_some()) {
        let (from, to) = plot.span(at);
        let _ = write!(
            out,
            "<rect class=\"read\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" pointer-events=\"all\">\
             <title>{}</title></rect>",
            number(from),
            number(plot.top),
            number(to - from),
            number(plot.bottom - plot.top),
            escaped(&plot.data.read_out(plot.kpi, at)),
        );
    }
}

/// What was before: a thin quiet line, level over each bar where there are `bars`.
fn before(plot: &Plot<'_>, out: &mut String, bars: bool) {
    if plot.data.before.is_empty() {
        return;
    }
    let d = if bars { levels(plot) } else { paths_whole(plot) };
    let _ = write!(
        out,
        "<path class=\"before\" d=\"{d}\" fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.75\" \
         stroke-width=\"1.25\" stroke-linejoin=\"round\"/>\
         <text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
        number(plot.right),
        number(0.8 * LINE),
        escaped(&format!("thin line: {}", plot.data.before_words)),
    );
}

fn levels(plot: &Plot<'_>) -> String {
    let mut d = String::new();
    let mut is_joined = false;
    for (at, value) in plot.data.before.iter().enumerate() {
        let Some(value) = value else {
            is_joined = false;
            continue;
        };
        let (from, to) = plot.span(at);
        let way = if is_joined { "L" } else { "M" };
        let _ = write!(d, "{way}{} {y}H{}", number(from), number(to), y = number(plot.y(*value)));
        is_joined = true;
    }
    d
}

fn paths_whole(plot: &Plot<'_>) -> String {
    let (path, dashed) = paths(plot, &plot.data.before);
    path + &dashed
}
