//! Bars or a line over periods, from zero.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use event::Day;

use super::scale::Scale;
use super::text::{escaped, width};
use super::{LINE, Size, dates, empty, number};
use crate::kpi::{Grain, Kpi, KpiAnswer, counted, grouped, period_end, periods, series_values};

/// How values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marks {
    /// A bar for each period.
    Bars,
    /// A line through them.
    Line,
}

/// Narrower bars than this are drawn as a line: they would be a grey surface.
const BAR_WIDTH_MIN: f64 = 3.0;

/// Room that a word under the axis takes.
const DATE_WIDTH: f64 = 84.0;

struct Plot<'a> {
    kpi: &'a Kpi,
    answer: &'a KpiAnswer,
    values: BTreeMap<Day, f64>,
    scale: Scale,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// Height and elements of the chart.
pub(super) fn draw(kpi: &Kpi, answer: &KpiAnswer, size: Size, marks: Marks) -> (f64, String) {
    let values = series_values(&answer.answer);
    if values.is_empty() {
        return empty(answer, size);
    }
    let largest = values.values().copied().fold(0.0, f64::max);
    let scale = Scale::for_counts(largest, 4.0);
    let plot = Plot {
        kpi,
        answer,
        values,
        scale,
        left: width(&grouped(scale.end)) + 10.0,
        right: size.width() - 4.0,
        top: 1.6 * LINE,
        bottom: size.height() - 2.2 * LINE,
    };
    let mut out = String::new();
    plot.value_axis(&mut out);
    plot.gaps(&mut out);
    let step = plot.x(answer.range.from.next()) - plot.x(answer.range.from);
    let days = match kpi.grain {
        Grain::Day | Grain::None => 1.0,
        Grain::Week => 7.0,
        Grain::Month => 28.0,
    };
    let bar = days * step;
    if marks == Marks::Bars && bar >= BAR_WIDTH_MIN {
        plot.bars(&mut out);
    } else {
        plot.line(&mut out);
    }
    plot.time_axis(&mut out);
    (size.height(), out)
}

impl Plot<'_> {
    fn x(&self, day: Day) -> f64 {
        let range = self.answer.range;
        let share = f64::from(day.number() - range.from.number()) / f64::from(range.days().max(1));
        self.left + share * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - value / self.scale.end * (self.bottom - self.top)
    }

    fn value_axis(&self, out: &mut String) {
        let _ =
            write!(out, "<text class=\"axis\" x=\"0\" y=\"{}\">{}</text>", number(LINE * 0.8), escaped(&self.kpi.unit));
        for tick in self.scale.ticks() {
            let y = self.y(tick);
            let _ = write!(
                out,
                "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"currentColor\" \
                 stroke-opacity=\"{opacity}\"/><text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                number(self.left),
                number(self.right),
                number(self.left - 6.0),
                number(y + 4.0),
                grouped(tick),
                y = number(y),
                opacity = if tick == 0.0 { "0.6" } else { "0.15" },
            );
        }
    }

    fn time_axis(&self, out: &mut String) {
        let baseline = self.bottom + LINE;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few words")]
        let labels_max = ((self.right - self.left) / DATE_WIDTH) as usize;
        for label in dates::labels(self.answer.range, self.kpi.grain, labels_max) {
            let (from, to) = (self.x(label.day), self.x(period_end(self.kpi.grain, label.day)));
            let half = width(&label.text) / 2.0;
            let x = f64::midpoint(from, to).clamp(half, (self.right - half).max(half));
            let _ = write!(
                out,
                "<line class=\"tick\" x1=\"{x1}\" x2=\"{x1}\" y1=\"{}\" y2=\"{}\" stroke=\"currentColor\" \
                 stroke-opacity=\"0.6\"/><text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                number(self.bottom),
                number(self.bottom + 4.0),
                number(x),
                number(baseline + 2.0),
                escaped(&label.text),
                x1 = number(f64::midpoint(from, to)),
            );
        }
        let period = match self.kpi.grain {
            Grain::Day | Grain::None => "day",
            Grain::Week => "week",
            Grain::Month => "month",
        };
        let words = escaped(&format!("{period} ({})", self.answer.zone));
        let _ = write!(
            out,
            "<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{words}</text>",
            number(self.right),
            number(self.bottom + 2.0 * LINE),
        );
    }

    /// Where the data cover nothing, a stretch says so; it is neither zero nor missing by mistake.
    fn gaps(&self, out: &mut String) {
        for (from, to) in self.gap_stretches() {
            let (x, end) = (self.x(from), self.x(to));
            let _ = write!(
                out,
                "<rect class=\"gap\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill-opacity=\"0.05\">\
                 <title>No data from {from} to {}</title></rect>",
                number(x),
                number(self.top),
                number(end - x),
                number(self.bottom - self.top),
                Day::from_number(to.number() - 1),
            );
            if end - x > width("no data") + 8.0 {
                let _ = write!(
                    out,
                    "<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill-opacity=\"0.7\">no data</text>",
                    number(f64::midpoint(x, end)),
                    number(f64::midpoint(self.top, self.bottom)),
                );
            }
        }
    }

    fn gap_stretches(&self) -> Vec<(Day, Day)> {
        let mut stretches: Vec<(Day, Day)> = Vec::new();
        for period in periods(self.kpi.grain, self.answer.range) {
            if self.values.contains_key(&period) {
                continue;
            }
            let end = period_end(self.kpi.grain, period);
            match stretches.last_mut() {
                Some(last) if last.1 == period => last.1 = end,
                _ => stretches.push((period, end)),
            }
        }
        stretches
    }

    fn bars(&self, out: &mut String) {
        for (period, value) in &self.values {
            let (x, end) = (self.x(*period), self.x(period_end(self.kpi.grain, *period)));
            let gap = ((end - x) * 0.15).clamp(0.5, 12.0);
            let y = self.y(*value);
            let (class, drawn) = self.mark(*period);
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{drawn}><title>{}</title></rect>",
                number(x + gap / 2.0),
                number(y),
                number(end - x - gap),
                number(self.bottom - y),
                escaped(&self.read_out(*period, *value)),
            );
        }
    }

    fn mark(&self, period: Day) -> (&'static str, &'static str) {
        if self.answer.unfinished == Some(period) {
            ("mark unfinished", " fill-opacity=\"0.3\" stroke=\"currentColor\" stroke-dasharray=\"3 3\"")
        } else {
            ("mark", "")
        }
    }

    fn read_out(&self, period: Day, value: f64) -> String {
        let value = counted(value, &self.kpi.unit, &self.kpi.unit_one);
        let text = period.to_string();
        let when = if self.kpi.grain == Grain::Month { text.get(..7).unwrap_or(&text).to_owned() } else { text };
        let more = if self.answer.unfinished == Some(period) { " (not finished)" } else { "" };
        format!("{when}: {value}{more}")
    }

    /// A line broken at gaps; the way to an unfinished period is dashed.
    fn line(&self, out: &mut String) {
        let mut path = String::new();
        let mut last: Option<(Day, f64, f64)> = None;
        for (period, value) in &self.values {
            let end = period_end(self.kpi.grain, *period);
            let (x, y) = (f64::midpoint(self.x(*period), self.x(end)), self.y(*value));
            let joins = last.is_some_and(|(next, ..)| next == *period);
            match last {
                Some((_, from_x, from_y)) if joins && self.answer.unfinished == Some(*period) => {
                    let _ = write!(
                        out,
                        "<path class=\"mark unfinished\" d=\"M{} {}L{} {}\" fill=\"none\" stroke=\"currentColor\" \
                         stroke-width=\"2\" stroke-dasharray=\"3 3\"/>",
                        number(from_x),
                        number(from_y),
                        number(x),
                        number(y),
                    );
                }
                _ => {
                    let _ = write!(path, "{}{} {}", if joins { "L" } else { "M" }, number(x), number(y));
                    if !joins {
                        // A point alone is drawn by the line's round end.
                        let _ = write!(path, "l0.1 0");
                    }
                }
            }
            last = Some((end, x, y));
        }
        let _ = write!(
            out,
            "<path class=\"mark\" d=\"{path}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\" \
             stroke-linejoin=\"round\" stroke-linecap=\"round\"/>"
        );
    }
}
