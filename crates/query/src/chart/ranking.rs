//! A horizontal bar for each row, longest first, its name above it, so that names have room on any screen.

use std::fmt::Write as _;

use super::text::{escaped, name, width};
use super::{LINE, Size, empty, number};
use crate::kpi::{Kpi, KpiAnswer, counted, grouped};

/// From one bar to the next.
const ROW: f64 = 2.1 * LINE;

/// Height of a bar.
const BAR: f64 = 9.0;

struct Rank {
    name: String,
    value: f64,
}

/// Height and elements of the chart.
pub(super) fn draw(kpi: &Kpi, answer: &KpiAnswer, size: Size) -> (f64, String) {
    let ranks = ranks(answer);
    let Some(largest) = ranks.iter().map(|rank| rank.value).reduce(f64::max).filter(|largest| *largest > 0.0) else {
        return empty(answer, size);
    };
    let shown = ranks.len().min(size.ranks());
    let mut out = String::new();
    let _ = write!(
        out,
        "<text class=\"axis\" x=\"0\" y=\"{}\">{}</text>",
        number(0.8 * LINE),
        escaped(&heading(kpi, answer))
    );
    let mut top = 1.4 * LINE;
    for rank in ranks.iter().take(shown) {
        row(&mut out, kpi, rank, largest, top, size);
        top += ROW;
    }
    if ranks.len() > shown {
        let more = format!("and {} more", ranks.len() - shown);
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
    format!("{}, {} to {} (UTC)", kpi.unit, answer.range.from, answer.range.last())
}

fn row(out: &mut String, kpi: &Kpi, rank: &Rank, largest: f64, top: f64, size: Size) {
    let value = grouped(rank.value);
    let value_width = width(&value) + 8.0;
    let shown = rank.name.strip_prefix("https://").unwrap_or(&rank.name);
    let _ = write!(
        out,
        "<g><title>{full}: {words}</title>\
         <text class=\"label\" x=\"0\" y=\"{text_y}\" unicode-bidi=\"isolate\">{label}</text>\
         <text class=\"value\" x=\"{right}\" y=\"{text_y}\" text-anchor=\"end\">{value}</text>\
         <rect class=\"mark\" x=\"0\" y=\"{bar_y}\" width=\"{bar_width}\" height=\"{BAR}\"/></g>",
        full = name(&rank.name, f64::INFINITY),
        words = escaped(&counted(rank.value, &kpi.unit, &kpi.unit_one)),
        text_y = number(top + 0.8 * LINE),
        label = name(shown, size.width() - value_width),
        right = number(size.width()),
        bar_y = number(top + LINE + 1.0),
        bar_width = number((rank.value / largest * size.width()).max(1.0)),
    );
}
