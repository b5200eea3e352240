//! A horizontal bar for each row, longest first, its name above it, so that names have room on any screen.

use std::fmt::Write as _;

use super::text::{escaped, name, plain, width};
use super::{LINE, Size, empty, number, zone};
use crate::kpi::{Kpi, KpiAnswer, counted, grouped};

/// From one bar to the next.
const ROW: f64 = 2.1 * LINE;

/// Height of a bar.
const BAR: f64 = 9.0;

/// A row of a ranking.
pub(super) struct Rank {
    name: String,
    pub(super) value: f64,
}

impl Rank {
    /// Its name, clean of what turns the direction of writing, without what all addresses begin with.
    pub(super) fn shown(&self) -> String {
        let name = plain(&self.name);
        name.strip_prefix("https://").map(str::to_owned).unwrap_or(name)
    }

    /// Its figure.
    pub(super) fn words(&self) -> String {
        grouped(self.value)
    }

    /// What it says: the same under a pointer, by keyboard and in a title.
    pub(super) fn read_out(&self, kpi: &Kpi) -> String {
        format!("\u{2068}{}\u{2069}: {}", plain(&self.name), counted(self.value, &kpi.unit, &kpi.unit_one))
    }
}

/// The rows that `size` has room for.
pub(super) fn rows(answer: &KpiAnswer, size: Size) -> Vec<Rank> {
    ranks(answer).into_iter().take(size.ranks()).collect()
}

/// Height and elements of the chart.
pub(super) fn draw(kpi: &Kpi, answer: &KpiAnswer, size: Size) -> (f64, String) {
    let all = ranks(answer).len();
    let ranks = rows(answer, size);
    let Some(largest) = ranks.iter().map(|rank| rank.value).reduce(f64::max).filter(|largest| *largest > 0.0) else {
        return empty(answer, size);
    };
    let mut out = String::new();
    let _ = write!(
        out,
        "<text class=\"axis\" x=\"0\" y=\"{}\">{}</text>",
        number(0.8 * LINE),
        escaped(&heading(kpi, answer))
    );
    let mut top = 1.4 * LINE;
    for rank in &ranks {
        row(&mut out, kpi, rank, largest, top, size);
        top += ROW;
    }
    if all > ranks.len() {
        let more = format!("and {} more", all - ranks.len());
        let _ = write!(out, "<text class=\"label\" x=\"0\" y=\"{}\">{more}</text>", number(top + 0.8 * LINE));
        top += 1.2 * LINE;
    }
    (top, out)
}

/// The rows' last two columns: name and value.
fn ranks(answer: &KpiAnswer) -> Vec<Rank> {
    let rank = |cells: Vec<crate::answer::Cell>| {
        let (value, rest) = cells.split_last()?;
        Some(Rank { name: rest.last()?.text(), value: value.number()? })
    };
    answer.answer.cells().filter_map(rank).collect()
}

fn heading(kpi: &Kpi, answer: &KpiAnswer) -> String {
    format!("{}, {} to {} ({})", kpi.unit, answer.range.from, answer.range.last(), zone(answer))
}

fn row(out: &mut String, kpi: &Kpi, rank: &Rank, largest: f64, top: f64, size: Size) {
    let value = rank.words();
    let value_width = width(&value) + 8.0;
    let _ = write!(
        out,
        "<g><title>{title}</title>\
         <text class=\"label\" x=\"0\" y=\"{text_y}\" unicode-bidi=\"isolate\">{label}</text>\
         <text class=\"value\" x=\"{right}\" y=\"{text_y}\" text-anchor=\"end\">{value}</text>\
         <rect class=\"mark series-1\" x=\"0\" y=\"{bar_y}\" width=\"{bar_width}\" height=\"{BAR}\"/></g>",
        title = escaped(&rank.read_out(kpi)),
        text_y = number(top + 0.8 * LINE),
        label = name(&rank.shown(), size.width() - value_width),
        right = number(size.width()),
        bar_y = number(top + LINE + 1.0),
        bar_width = number((rank.value / largest * size.width()).max(1.0)),
    );
}
