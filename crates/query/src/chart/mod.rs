//! Static charts as SVG: what the server shows at once, what a report and a badge take.
//!
//! Nothing in them needs a script or a style sheet: marks and words are drawn in `currentColor`, and classes (`mark`,
//! `unfinished`, `gap`, `grid`, `axis`, `label`, `value`) let a page give them its colours, light and dark. Widths are
//! those at which a chart is shown, so that text keeps its size: a page includes the size that fits its container.

mod dates;
mod ranking;
mod scale;
mod series;
mod text;

use std::fmt::Write as _;

use crate::kpi::{ChartKind, Kpi, KpiAnswer};
use text::escaped;

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
}

/// Height of a line of text; its letters are 12 units high.
const LINE: f64 = 16.0;

/// Draws `answer`, to be put into a page.
pub fn svg(kpi: &Kpi, answer: &KpiAnswer, size: Size) -> String {
    let (height, body) = match kpi.chart {
        ChartKind::Bar | ChartKind::Stacked => series::draw(kpi, answer, size, series::Marks::Bars),
        ChartKind::Line => series::draw(kpi, answer, size, series::Marks::Line),
        ChartKind::Ranking => ranking::draw(kpi, answer, size),
    };
    frame(kpi, answer, size, height, &body)
}

/// Draws `answer` as a document of its own, with colours for light and dark.
pub fn svg_document(kpi: &Kpi, answer: &KpiAnswer, size: Size) -> String {
    svg(kpi, answer, size).replacen("<title", &format!("<style>{DOCUMENT_STYLE}</style><title"), 1)
}

const DOCUMENT_STYLE: &str = "svg{background:#fff;color:#1b2026}.mark{color:#1d3f8f}rect.mark{fill:#1d3f8f}\
@media(prefers-color-scheme:dark){svg{background:#15191e;color:#e8ebef}.mark{color:#4d8dff}rect.mark{fill:#4d8dff}}";

fn frame(kpi: &Kpi, answer: &KpiAnswer, size: Size, height: f64, body: &str) -> String {
    let id = format!("chart-{}-{}", kpi.id, size.name());
    let kind = match kpi.chart {
        ChartKind::Bar => "bar",
        ChartKind::Line => "line",
        ChartKind::Stacked => "stacked",
        ChartKind::Ranking => "ranking",
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
    if kpi.chart != ChartKind::Ranking {
        sentences.push(format!("Vertical axis: {}, from 0. Horizontal axis: time, {}.", kpi.unit, answer.zone));
    }
    sentences.extend(answer.notes.iter().cloned());
    sentences.join(" ")
}

/// What stands where a chart would be when there is nothing to draw.
fn empty(answer: &KpiAnswer, size: Size) -> (f64, String) {
    let height = 4.0 * LINE;
    let words = format!("No data from {} to {} ({})", answer.range.from, answer.range.last(), answer.zone);
    let body = format!(
        "<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        number(size.width() / 2.0),
        number(2.0 * LINE),
        escaped(&words)
    );
    (height, body)
}

/// A coordinate with at most one digit after the point.
fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded.fract() == 0.0 { format!("{rounded:.0}") } else { format!("{rounded:.1}") }
}
