//! An upright bar for each class, side by side in the order of the rows, which is that of the classes.

use std::fmt::Write as _;

use super::ground::{Ground, figures_width};
use super::rows::{self, Row};
use super::scale::Scale;
use super::text::{cut, escaped, width};
use super::{LINE, Size, empty, number};
use crate::kpi::{Kpi, KpiAnswer};

/// Between two bars, where they are wide enough for it to be seen.
const GAP: f64 = 1.0;
const GAP_FROM: f64 = 4.0;

/// The widest name in one line.
const NAME_MAX: f64 = 170.0;

/// Lines of a name that is broken at its spaces.
const NAME_LINES_MAX: usize = 4;

/// Between two names.
const NAME_GAP: f64 = 6.0;

/// Height and elements of the chart.
pub(super) fn draw(kpi: &Kpi, answer: &KpiAnswer, size: Size) -> (f64, String) {
    let classes = rows::of(answer);
    let highest = rows::highest(&classes);
    if highest <= 0.0 {
        return empty(answer, size);
    }
    let up = Scale::up_to(highest, 4.0, rows::is_whole(&classes));
    let ground = Ground::new(size, up, 1.0);
    let step = (ground.right - ground.left) / at_f64(classes.len());
    let mut out = String::new();
    ground.value_axis(&mut out, &kpi.unit, answer);
    let mut whiskers = String::new();
    for (at, class) in classes.iter().enumerate() {
        let left = ground.left + at_f64(at) * step;
        bar(&mut out, kpi, class, &ground, (left, step));
        if let Some((low, high)) = class.bounds {
            let middle = number(left + step / 2.0);
            let _ = write!(whiskers, "M{middle} {}V{}", number(ground.y(low)), number(ground.y(high)));
        }
    }
    if !whiskers.is_empty() {
        let _ = write!(
            out,
            "<path class=\"whisker\" d=\"{whiskers}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.25\"/>"
        );
    }
    let names: Vec<String> = classes.iter().map(|class| cut(&class.shown(), NAME_MAX)).collect();
    let lines = below(&mut out, &names, &ground, step);
    (size.height() + at_f64(lines.saturating_sub(1)) * LINE, out)
}

fn bar(out: &mut String, kpi: &Kpi, class: &Row, ground: &Ground, (left, step): (f64, f64)) {
    let gap = if step >= GAP_FROM { GAP } else { 0.0 };
    let top = ground.y(class.value);
    let _ = write!(
        out,
        "<rect class=\"mark series-1\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
        number(left),
        number(top),
        number(step - gap),
        number(ground.bottom - top),
        escaped(&class.read_out(kpi)),
    );
}

/// The names of the classes: each under its bar, broken at spaces where that makes room; else as many as there is room
/// for, in one line. Returns how many lines they take.
fn below(out: &mut String, names: &[String], ground: &Ground, step: f64) -> usize {
    let broken: Option<Vec<Vec<String>>> = names.iter().map(|name| lines(name, step - NAME_GAP)).collect();
    let widest = names.iter().map(|name| width(name)).fold(0.0, f64::max) + NAME_GAP;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small ratio of lengths")]
    let every = if broken.is_some() { 1 } else { (widest / step).ceil().max(1.0) as usize };
    let broken = broken.unwrap_or_else(|| names.iter().map(|name| vec![name.clone()]).collect());
    let (mut most, mut free) = (0, 0.0);
    for (at, name) in broken.iter().enumerate().step_by(every) {
        let half = name.iter().map(|line| width(line)).fold(0.0, f64::max) / 2.0;
        let middle = ground.left + (at_f64(at) + 0.5) * step;
        let middle = middle.clamp(half, (ground.size.width() - half).max(half));
        // What the edge pushed back has no room beside the one before it.
        if middle - half < free {
            continue;
        }
        free = middle + half;
        most = most.max(name.len());
        let x = number(middle);
        for (line, words) in name.iter().enumerate() {
            let _ = write!(
                out,
                "<text class=\"axis\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">\u{2068}{}\u{2069}</text>",
                number(ground.bottom + (at_f64(line) + 1.0) * LINE),
                escaped(words),
            );
        }
    }
    most
}

/// `name` in lines of at most `room`; `None` when one of its words is wider, or it takes too many.
fn lines(name: &str, room: f64) -> Option<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    for word in name.split_whitespace() {
        if width(word) > room {
            return None;
        }
        match lines.last_mut() {
            Some(line) if width(line) + width(" ") + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    (lines.len() <= NAME_LINES_MAX).then_some(lines)
}

/// How wide the chart has to be for each of `classes` to have its name in one line.
pub(super) fn width_for_names(classes: &[Row]) -> f64 {
    let widest = classes.iter().map(|class| width(&class.shown())).fold(0.0, f64::max).min(NAME_MAX);
    let figures = figures_width(Scale::up_to(rows::highest(classes), 4.0, rows::is_whole(classes)));
    at_f64(classes.len()) * (widest + NAME_GAP) + figures
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn at_f64(at: usize) -> f64 {
    at as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_broken_at_its_spaces_and_nowhere_else() {
        // Sums of widths are rounded: a tenth of a letter more.
        let broken = |name: &str, letters: f64| lines(name, (letters + 0.1) * width("x"));
        assert_eq!(broken("4 weeks to 90 days", 18.0).unwrap(), ["4 weeks to 90 days"]);
        assert_eq!(broken("4 weeks to 90 days", 7.0).unwrap(), ["4 weeks", "to 90", "days"]);
        assert_eq!(broken("4 weeks to 90 days", 4.0), None, "a word is wider");
        assert_eq!(broken("a b c d e", 1.0), None, "too many lines");
    }
}
