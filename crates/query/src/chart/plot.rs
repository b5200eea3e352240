//! The ground of a chart of periods: where a value and a day are, axes, gaps, names of series.

use std::fmt::Write as _;

use event::Day;

use super::data::{Data, Series};
use super::ground::{figures_width, value_axis};
use super::scale::Scale;
use super::text::{cut, escaped, name, plain, width};
use super::{LINE, Size, dates, number, step_word, zone};
use crate::kpi::{Kpi, KpiAnswer};

/// Room that a word under the axis takes.
const DATE_WIDTH: f64 = 84.0;

/// Room for the names of series at the right end, where it is wide enough for them.
const NAMES_WIDTH_MAX: f64 = 150.0;

/// Side of the square beside a name.
const SWATCH: f64 = 9.0;

/// Where everything is.
pub(super) struct Plot<'a> {
    pub(super) kpi: &'a Kpi,
    pub(super) answer: &'a KpiAnswer,
    pub(super) data: &'a Data,
    pub(super) size: Size,
    pub(super) scale: Scale,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl<'a> Plot<'a> {
    /// The ground for `data`, of which series stand on each other when `stacked`.
    pub(super) fn new(kpi: &'a Kpi, answer: &'a KpiAnswer, data: &'a Data, size: Size, stacked: bool) -> Self {
        let scale = Scale::up_to(data.largest(stacked), 4.0, data.is_whole());
        let mut plot = Self {
            kpi,
            answer,
            data,
            size,
            scale,
            left: figures_width(scale) + 10.0,
            right: size.width() - 4.0,
            top: 1.6 * LINE,
            bottom: size.height() - 2.2 * LINE,
        };
        if data.is_split() {
            if plot.names_are_at_end() {
                let widest = data.series.iter().map(|series| width(&series.name)).fold(0.0, f64::max);
                plot.right -= widest.min(NAMES_WIDTH_MAX) + SWATCH + 14.0;
            } else {
                plot.top += LINE * f64::from(u16::try_from(plot.legend_rows().len()).unwrap_or(u16::MAX));
            }
        }
        plot
    }

    /// Names stand at the right end of their series where there is room; else above the chart.
    pub(super) fn names_are_at_end(&self) -> bool {
        self.size != Size::Narrow
    }

    pub(super) fn x(&self, day: Day) -> f64 {
        let range = self.answer.drawn();
        let share = f64::from(day.number() - range.from.number()) / f64::from(range.days().max(1));
        self.left + share * (self.right - self.left)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        self.bottom - value / self.scale.end * (self.bottom - self.top)
    }

    /// Where the period `at` begins and ends.
    pub(super) fn span(&self, at: usize) -> (f64, f64) {
        self.data.periods.get(at).map_or((self.left, self.left), |period| (self.x(period.from), self.x(period.to)))
    }

    /// How wide one period is.
    pub(super) fn step(&self) -> f64 {
        let (from, to) = self.span(0);
        to - from
    }

    pub(super) fn value_axis(&self, out: &mut String) {
        value_axis(out, &self.kpi.unit, self.scale, (self.left, self.right), |value| self.y(value));
    }

    pub(super) fn time_axis(&self, out: &mut String) {
        let baseline = self.bottom + LINE;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few words")]
        let labels_max = ((self.right - self.left) / DATE_WIDTH) as usize;
        for label in dates::labels(self.answer.drawn(), self.kpi.grain, labels_max) {
            let period = self.data.periods.iter().find(|period| period.from <= label.day && label.day < period.to);
            let to = period.map_or(label.day.next(), |period| period.to);
            let x = f64::midpoint(self.x(label.day), self.x(to));
            let half = width(&label.text) / 2.0;
            let _ = write!(
                out,
                "<line class=\"tick\" x1=\"{x1}\" x2=\"{x1}\" y1=\"{}\" y2=\"{}\" stroke=\"currentColor\" \
                 stroke-opacity=\"0.6\"/><text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                number(self.bottom),
                number(self.bottom + 4.0),
                number(x.clamp(half, (self.size.width() - half).max(half))),
                number(baseline + 2.0),
                escaped(&label.text),
                x1 = number(x),
            );
        }
        let _ = write!(
            out,
            "<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{} ({})</text>",
            number(self.right),
            number(self.bottom + 2.0 * LINE),
            step_word(self.kpi.grain),
            escaped(zone(self.answer)),
        );
    }

    /// Where nothing is known, a stretch says so; it is neither zero nor missing by mistake.
    pub(super) fn gaps(&self, out: &mut String) {
        for (from, to) in self.data.gaps() {
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

    /// The names of series, each at the height `at_heights` says, pushed apart where they would touch.
    pub(super) fn names_at_end(&self, out: &mut String, at_heights: &[f64]) {
        let mut placed: Vec<(f64, usize)> = at_heights.iter().copied().zip(0..).collect();
        placed.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut free = self.top;
        for (height, _) in &mut placed {
            *height = height.max(free);
            free = *height + LINE;
        }
        // What was pushed out below is pushed back up.
        let mut limit = self.bottom;
        for (height, _) in placed.iter_mut().rev() {
            *height = height.min(limit);
            limit = *height - LINE;
        }
        for (height, at) in placed {
            let Some(series) = self.data.series.get(at) else { continue };
            self.entry(out, series, at, self.right + 6.0, height + 4.0);
        }
    }

    /// The names of series above the chart, each with a square of its colour.
    pub(super) fn legend(&self, out: &mut String) {
        for (row, entries) in self.legend_rows().into_iter().enumerate() {
            let y = 1.8 * LINE + LINE * f64::from(u16::try_from(row).unwrap_or(u16::MAX));
            for (x, at, series) in entries {
                self.entry(out, series, at, x, y);
            }
        }
    }

    /// A name beside a square of its colour: words are always in the colour of words.
    fn entry(&self, out: &mut String, series: &Series, at: usize, x: f64, y: f64) {
        let _ = write!(
            out,
            "<rect class=\"swatch {class}\" x=\"{}\" y=\"{}\" width=\"{SWATCH}\" height=\"{SWATCH}\"/>\
             <text class=\"label\" x=\"{}\" y=\"{}\" unicode-bidi=\"isolate\">{}</text>",
            number(x),
            number(y - SWATCH),
            number(x + SWATCH + 4.0),
            number(y),
            name(&series.name, NAMES_WIDTH_MAX),
            class = series.class(at),
        );
    }

    /// Entries of the legend in rows: where each begins, which series.
    fn legend_rows(&self) -> Vec<Vec<(f64, usize, &Series)>> {
        let mut rows: Vec<Vec<(f64, usize, &Series)>> = Vec::new();
        let mut x = f64::INFINITY;
        for (at, series) in self.data.series.iter().enumerate() {
            let wide = width(&cut(&plain(&series.name), NAMES_WIDTH_MAX)) + SWATCH + 4.0;
            if x + wide > self.size.width() {
                rows.push(Vec::new());
                x = 0.0;
            }
            if let Some(row) = rows.last_mut() {
                row.push((x, at, series));
            }
            x += wide + 14.0;
        }
        rows
    }
}
