//! The ground of a chart whose horizontal axis is not time: values upwards, numbers along the bottom.

use std::fmt::Write as _;

use super::scale::Scale;
use super::text::{escaped, width};
use super::{LINE, Size, figure, number, zone};
use crate::kpi::KpiAnswer;

/// Between a figure and the chart.
const FIGURE_GAP: f64 = 6.0;

/// Room that a figure under the axis takes.
const FIGURE_WIDTH: f64 = 64.0;

/// Where everything is.
pub(super) struct Ground {
    pub(super) size: Size,
    /// Of the values.
    pub(super) up: Scale,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Ground {
    /// For values up to `highest`, with `lines` lines of words below.
    pub(super) fn new(size: Size, up: Scale, lines: f64) -> Self {
        Self {
            size,
            up,
            left: figures_width(up) + FIGURE_GAP + 4.0,
            right: size.width() - 4.0,
            top: 1.6 * LINE,
            bottom: size.height() - (lines + 0.2) * LINE,
        }
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        self.bottom - value.max(0.0) / self.up.end * (self.bottom - self.top)
    }

    /// Where `value` is between 0 and the end of `across`.
    pub(super) fn x(&self, across: Scale, value: f64) -> f64 {
        self.left + value / across.end * (self.right - self.left)
    }

    /// Values upwards, under a heading: what is counted, and when.
    pub(super) fn value_axis(&self, out: &mut String, unit: &str, answer: &KpiAnswer) {
        let heading = format!("{unit}, {} to {} ({})", answer.range.from, answer.range.last(), zone(answer));
        value_axis(out, &heading, self.up, (self.left, self.right), |value| self.y(value));
    }

    /// Steps of an axis of numbers for which there is room.
    pub(super) fn steps(size: Size) -> f64 {
        (size.width() / FIGURE_WIDTH).floor().min(10.0)
    }

    /// Numbers along the bottom, and below them what they count.
    pub(super) fn number_axis(&self, out: &mut String, across: Scale, words: &str) {
        for tick in across.ticks() {
            let (x, text) = (self.x(across, tick), figure(tick));
            let half = width(&text) / 2.0;
            let _ = write!(
                out,
                "<line class=\"tick\" x1=\"{x1}\" x2=\"{x1}\" y1=\"{}\" y2=\"{}\" stroke=\"currentColor\" \
                 stroke-opacity=\"0.6\"/><text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{text}</text>",
                number(self.bottom),
                number(self.bottom + 4.0),
                number(x.clamp(half, self.size.width() - half)),
                number(self.bottom + LINE + 2.0),
                x1 = number(x),
            );
        }
        let _ = write!(
            out,
            "<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            number(self.right),
            number(self.bottom + 2.0 * LINE),
            escaped(words),
        );
    }
}

/// How wide the figures of `scale` are drawn.
pub(super) fn figures_width(scale: Scale) -> f64 {
    scale.ticks().map(|tick| width(&figure(tick))).fold(0.0, f64::max)
}

/// A line and a figure at each tick of `scale`, and `heading` above them.
pub(super) fn value_axis(
    out: &mut String,
    heading: &str,
    scale: Scale,
    (left, right): (f64, f64),
    y: impl Fn(f64) -> f64,
) {
    let _ = write!(out, "<text class=\"axis\" x=\"0\" y=\"{}\">{}</text>", number(LINE * 0.8), escaped(heading));
    for tick in scale.ticks() {
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"currentColor\" \
             stroke-opacity=\"{opacity}\"/><text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            number(left),
            number(right),
            number(left - FIGURE_GAP),
            number(y(tick) + 4.0),
            figure(tick),
            y = number(y(tick)),
            opacity = if tick == 0.0 { "0.6" } else { "0.15" },
        );
    }
}
