//! How unevenly something is spread: what the rows have together against how many have it, those with most first, and
//! a straight line for what it would be if all had alike. The first column says how many a row stands for.

use std::fmt::Write as _;

use super::ground::Ground;
use super::rows::{self, Row};
use super::scale::Scale;
use super::text::escaped;
use super::{Size, empty, figure, number};
use crate::kpi::{Kpi, KpiAnswer, Ratio, grouped};

/// What the straight line is.
pub(super) const EVEN: &str = "thin line: if all had alike";

/// The end of an axis of percentages.
const WHOLE: f64 = 100.0;

/// Rows added up, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shares {
    pub(super) points: Vec<Point>,
    /// Where the straight line ends: all of them, and all that they have.
    pub(super) end: (f64, f64),
    /// In percent; of few in numbers, because a percentage of few says more than is known.
    pub(super) is_percent: bool,
    /// Who they are.
    who: String,
}

/// A row with all before it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    /// Where the row before it is.
    pub(super) from: f64,
    pub(super) x: f64,
    pub(super) y: f64,
    /// What it says: the same under a pointer, by keyboard and in a title.
    pub(super) read: String,
}

impl Shares {
    /// Reads `answer`; `None` when there is nothing to be spread.
    pub(super) fn of(kpi: &Kpi, answer: &KpiAnswer) -> Option<Self> {
        let count = |row: &Row| row.first.filter(|count| *count > 0.0 && count.is_finite());
        let rows: Vec<(f64, Row)> = rows::of(answer).into_iter().filter_map(|row| Some((count(&row)?, row))).collect();
        let all: f64 = rows.iter().map(|(count, _)| count).sum();
        let whole: f64 = rows.iter().map(|(_, row)| row.value).sum();
        if whole <= 0.0 {
            return None;
        }
        let who = rows::first_words(answer);
        let is_percent = Ratio { numerator: all, denominator: all }.percent().is_some();
        let end = if is_percent { (WHOLE, WHOLE) } else { (all, whole) };
        let share = |part: f64, of: f64| if is_percent { WHOLE * part / of } else { part };
        let words = |part: f64, of: f64, what: &str| match is_percent {
            true => format!("{} % of the {what}", tenths(WHOLE * part / of)),
            false => format!("{} of {} {what}", grouped(part), grouped(of)),
        };
        let (mut counted, mut had, mut from) = (0.0, 0.0, 0.0);
        let mut points = Vec::with_capacity(rows.len());
        for (count, row) in rows {
            counted += count;
            had += row.value;
            let (x, y) = (share(counted, all), share(had, whole));
            let so_far = format!("{} have {}", words(counted, all, &who), words(had, whole, &kpi.unit));
            let read = format!("{}; up to here {so_far}", row.read_out(kpi));
            points.push(Point { from, x, y, read });
            from = x;
        }
        Some(Self { points, end, is_percent, who })
    }

    /// The words of the horizontal axis.
    pub(super) fn across_words(&self, kpi: &Kpi) -> String {
        format!("{}, those with most {} first", self.measured(&self.who), kpi.unit)
    }

    /// The words of the vertical axis.
    pub(super) fn up_words(&self, kpi: &Kpi) -> String {
        self.measured(&kpi.unit)
    }

    fn measured(&self, what: &str) -> String {
        if self.is_percent { format!("{what} in %") } else { what.to_owned() }
    }

    /// The horizontal axis and the vertical one.
    pub(super) fn scales(&self, size: Size) -> (Scale, Scale) {
        let across = Scale::up_to(self.end.0, Ground::steps(size), true);
        (across, Scale::up_to(self.end.1, 5.0, self.is_percent))
    }
}

/// A percentage with at most one digit after the point.
fn tenths(percent: f64) -> String {
    figure((percent * 10.0).round() / 10.0)
}

/// Height and elements of the chart.
pub(super) fn draw(kpi: &Kpi, answer: &KpiAnswer, size: Size) -> (f64, String) {
    let Some(shares) = Shares::of(kpi, answer) else {
        return empty(answer, size);
    };
    let (across, up) = shares.scales(size);
    let ground = Ground::new(size, up, 2.0);
    let place = |x: f64, y: f64| (number(ground.x(across, x)), number(ground.y(y)));
    let mut out = String::new();
    ground.value_axis(&mut out, &shares.up_words(kpi), answer);
    let ((x0, y0), (x1, y1)) = (place(0.0, 0.0), place(shares.end.0, shares.end.1));
    let _ = write!(
        out,
        "<path class=\"before\" d=\"M{x0} {y0}L{x1} {y1}\" fill=\"none\" stroke=\"currentColor\" \
         stroke-opacity=\"0.75\" stroke-width=\"1.25\"/>\
         <text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{EVEN}</text>",
        number(ground.right - 4.0),
        number(ground.bottom - 8.0),
    );
    let mut d = format!("M{x0} {y0}");
    for point in &shares.points {
        let (x, y) = place(point.x, point.y);
        let _ = write!(d, "L{x} {y}");
    }
    let _ = write!(
        out,
        "<path class=\"mark series-1\" d=\"{d}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.75\" \
         stroke-linejoin=\"round\"/>"
    );
    for point in &shares.points {
        let (x, y) = place(point.x, point.y);
        let _ = write!(
            out,
            "<circle class=\"surface series-1\" cx=\"{x}\" cy=\"{y}\" r=\"3.5\"><title>{}</title></circle>",
            escaped(&point.read)
        );
    }
    ground.number_axis(&mut out, across, &shares.across_words(kpi));
    (size.height(), out)
}
