//! A table for a terminal: one line a row, columns aligned, nothing that a terminal would obey.

use super::{Answer, Cell};

/// Width of a cell; longer texts are cut, with a sign. The other forms have them whole.
const CELL_WIDTH_MAX: usize = 60;

impl Answer {
    /// As a table for people, with a last line that says how many rows there are.
    pub fn table(&self) -> String {
        let headings: Vec<Shown> = self
            .columns
            .iter()
            .map(|column| Shown { text: shown(&super::markdown::heading(column)), right: false })
            .collect();
        let rows: Vec<Vec<Shown>> = self.cells().map(|cells| cells.iter().map(Shown::of).collect()).collect();
        let widths: Vec<usize> = (0..headings.len()).map(|at| width_of(at, &headings, &rows)).collect();
        let right: Vec<bool> =
            (0..headings.len()).map(|at| rows.iter().any(|row| row.get(at).is_some_and(|cell| cell.right))).collect();
        let mut out = String::new();
        push_line(&mut out, &headings, &widths, &right);
        let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        out.push_str(rule.join("  ").trim_end());
        out.push('\n');
        for row in &rows {
            push_line(&mut out, row, &widths, &right);
        }
        out.push_str(&self.cut().unwrap_or_else(|| counted(rows.len())));
        out.push('\n');
        out
    }
}

struct Shown {
    text: String,
    right: bool,
}

impl Shown {
    fn of(cell: &Cell) -> Self {
        let text = match cell {
            Cell::Null => "·".to_owned(),
            other => shown(&other.text()),
        };
        Self { text, right: cell.is_number() }
    }
}

fn width_of(at: usize, headings: &[Shown], rows: &[Vec<Shown>]) -> usize {
    rows.iter()
        .filter_map(|row| row.get(at))
        .chain(headings.get(at))
        .map(|cell| cell.text.chars().count())
        .max()
        .unwrap_or(0)
}

fn push_line(out: &mut String, cells: &[Shown], widths: &[usize], right: &[bool]) {
    let mut line = String::new();
    for ((cell, width), right) in cells.iter().zip(widths).zip(right) {
        let space = " ".repeat(width.saturating_sub(cell.text.chars().count()));
        if *right {
            line.push_str(&space);
            line.push_str(&cell.text);
        } else {
            line.push_str(&cell.text);
            line.push_str(&space);
        }
        line.push_str("  ");
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

fn counted(rows: usize) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

/// One line, no control characters (a name may try to move the cursor), not too wide.
fn shown(text: &str) -> String {
    let clean: String = text.chars().map(|letter| if is_control(letter) { '\u{FFFD}' } else { letter }).collect();
    if clean.chars().count() <= CELL_WIDTH_MAX {
        return clean;
    }
    clean.chars().take(CELL_WIDTH_MAX - 1).chain(['…']).collect()
}

/// Control characters, and those that turn the direction of the rest of the line.
fn is_control(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        for (text, expected) in [
            ("a\u{1b}[2Jb", "a\u{FFFD}[2Jb"),
            ("a\nb", "a\u{FFFD}b"),
            ("a\u{202E}b", "a\u{FFFD}b"),
            ("äöü 🎉", "äöü 🎉"),
        ] {
            assert_eq!(shown(text), expected);
        }
        assert_eq!(shown(&"x".repeat(61)).chars().count(), CELL_WIDTH_MAX);
        assert_eq!(shown(&"x".repeat(60)), "x".repeat(60));
    }
}
