//! Static charts as SVG: what the server shows at once, what a report and a badge take.
//!
//! Nothing in them needs a script or a style sheet: marks and words are drawn in `currentColor`, and classes (`mark`,
//! `series-1` to `series-4` and `series-rest`, `before`, `unfinished`, `whisker`, `band`, `gap`, `grid`, `axis`,
//! `label`, `name`, `value`) let a page give them its colours, light and dark. Widths are those at which a chart is
//! shown, so that text keeps its size: a page includes the size that fits its container.

mod curve;
mod data;
mod dates;
mod ground;
mod heat;
mod histogram;
mod lorenz;
mod plot;
mod ranking;
mod rows;
mod scale;
mod series;
mod text;
mod vega;

use std::fmt::Write as _;

use crate::kpi::{ChartKind, Grain, Kpi, KpiAnswer, grouped};
use text::escaped;
pub use vega::vega_lite;

/// For which container a chart is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    /// A telephone: 328 wide (360 less the page's margins).
    Narrow,
    /// A card of a page with two columns: 580 wide.
    Card,
    /// A page of its own: 1,040 wide.
    Page,
}

impl Size {
    /// Every size, smallest first.
    pub const ALL: [Self; 3] = [Self::Narrow, Self::Card, Self::Page];

    /// Its name in classes and ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Narrow => "narrow",
            Self::Card => "card",
            Self::Page => "page",
        }
    }

    fn width(self) -> f64 {
        match self {
            Self::Narrow => 328.0,
            Self::Card => 580.0,
            Self::Page => 1_040.0,
        }
    }

    fn height(self) -> f64 {
        match self {
            Self::Narrow => 200.0,
            Self::Card => 220.0,
            Self::Page => 390.0,
        }
    }

    /// Bars of a ranking; the rest is said in words.
    fn ranks(self) -> usize {
        match self {
            Self::Narrow => 6,
            Self::Card => 8,
            Self::Page => 25,
        }
    }

    /// Lines of a field of squares; the rest is said in words.
    fn lines(self) -> usize {
        match self {
            Self::Narrow | Self::Card => 12,
            Self::Page => 36,
        }
    }
}

/// Height of a line of text; its letters are 12 units high.
const LINE: f64 = 16.0;

/// Draws `answer`, to be put into a page.
pub fn svg(kpi: &Kpi, answer: &KpiAnswer, size: Size) -> String {
    let (height, body) = match kpi.chart {
        ChartKind::Bar => series::draw(kpi, answer, size, series::Marks::Bars),
        ChartKind::Stacked => series::draw(kpi, answer, size, series::Marks::Stacked),
        ChartKind::Line => series::draw(kpi, answer, size, series::Marks::Lines),
        ChartKind::Ranking => ranking::draw(kpi, answer, size),
        ChartKind::Heat => heat::draw(kpi, answer, size),
        ChartKind::Histogram => histogram::draw(kpi, answer, size),
        ChartKind::Curve => curve::draw(kpi, answer, size),
        ChartKind::Lorenz => lorenz::draw(kpi, answer, size),
    };
    frame(kpi, answer, size, height, &body)
}

/// Draws `answer` as a document of its own, with colours for light and dark.
pub fn svg_document(kpi: &Kpi, answer: &KpiAnswer, size: Size) -> String {
    svg(kpi, answer, size).replacen("<title", &format!("<style>{DOCUMENT_STYLE}</style><title"), 1)
}

/// The colours of `web/page.css`, for a chart that stands alone.
const DOCUMENT_STYLE: &str = "svg{--1:#1d3f8f;--2:#d9760f;--3:#17a08a;--4:#7a1f55;--rest:#8b95a1;background:#fff;\
color:#1b2026}.series-1{color:var(--1)}.series-2{color:var(--2)}.series-3{color:var(--3)}.series-4{color:var(--4)}\
.series-rest{color:var(--rest)}rect.mark,.surface,.swatch{fill:currentcolor}.name{fill:currentcolor}\
@media(prefers-color-scheme:dark){svg{--1:#4d8dff;--2:#ffc078;--3:#57d6bd;--4:#c94f9b;--rest:#7c8794;background:#15191e;\
color:#e8ebef}}";

fn frame(kpi: &Kpi, answer: &KpiAnswer, size: Size, height: f64, body: &str) -> String {
    let id = format!("chart-{}-{}", kpi.id, size.name());
    let kind = match kpi.chart {
        ChartKind::Bar => "bar",
        ChartKind::Line => "line",
        ChartKind::Stacked => "stacked",
        ChartKind::Ranking => "ranking",
        ChartKind::Heat => "heat",
        ChartKind::Histogram => "histogram",
        ChartKind::Curve => "curve",
        ChartKind::Lorenz => "lorenz",
    };
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart chart-{kind} chart-{size}\" \
         viewBox=\"0 0 {width} {height}\" font-size=\"12\" fill=\"currentColor\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-desc\">\
         <title id=\"{id}-title\">{title}</title><desc id=\"{id}-desc\">{desc}</desc>{body}</svg>",
        size = size.name(),
        width = number(size.width()),
        height = number(height),
        title = escaped(&answer.message),
        desc = escaped(&description(kpi, answer)),
    );
    out
}

/// What cannot be heard from the title: axes, what is unfinished, what was left out.
fn description(kpi: &Kpi, answer: &KpiAnswer) -> String {
    let mut sentences = vec![answer.reading.clone()];
    let axes = |up: &str, across: &str| format!("Vertical axis: {up}, from 0. Horizontal axis: {across}.");
    match kpi.chart {
        ChartKind::Ranking | ChartKind::Heat => {}
        ChartKind::Bar | ChartKind::Line | ChartKind::Stacked => {
            sentences.push(axes(&kpi.unit, &format!("time, {}", zone(answer))));
        }
        ChartKind::Histogram => sentences.push(axes(&kpi.unit, "classes, in order")),
        ChartKind::Curve => sentences.push(axes(&kpi.unit, &rows::first_words(answer))),
        ChartKind::Lorenz => {
            let shares = lorenz::Shares::of(kpi, answer);
            let told = shares.map(|shares| axes(&shares.up_words(kpi), &shares.across_words(kpi)));
            sentences.extend(told.map(|axes| format!("{axes} The thin line is what it would be if all had alike.")));
        }
    }
    sentences.extend(answer.notes.iter().cloned());
    sentences.join(" ")
}

/// What stands where a chart would be when there is nothing to draw.
fn empty(answer: &KpiAnswer, size: Size) -> (f64, String) {
    let height = 4.0 * LINE;
    let words = format!("No data from {} to {} ({})", answer.range.from, answer.range.last(), zone(answer));
    let body = format!(
        "<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        number(size.width() / 2.0),
        number(2.0 * LINE),
        escaped(&words)
    );
    (height, body)
}

/// The time zone in which the days of `answer` are cut.
fn zone(answer: &KpiAnswer) -> &str {
    answer.zone.name()
}

/// The word for one step of the time axis.
fn step_word(grain: Grain) -> &'static str {
    match grain {
        Grain::Week => "week",
        Grain::Month => "month",
        Grain::Day | Grain::None => "day",
    }
}

/// A value of an axis: grouped, without zeros behind the last digit that counts.
fn figure(value: f64) -> String {
    // A step of 0.05 is no sum of powers of two; what it misses is far beyond what is shown.
    let rounded = (value * 1e4).round() / 1e4;
    if rounded.fract() == 0.0 || rounded.abs() >= 1e3 {
        return grouped(rounded.round());
    }
    rounded.to_string()
}

/// A coordinate with at most one digit after the point.
fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded.fract() == 0.0 { format!("{rounded:.0}") } else { format!("{rounded:.1}") }
}
