//! RFC 4180, safe to open in a spreadsheet: a text that would be taken for a formula gets an apostrophe before it.

use super::{Answer, Cell};

/// What makes a spreadsheet take a text for a formula.
///
/// Source: OWASP, "CSV Injection".
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

impl Answer {
    /// As CSV with a line of names, lines ended by CR LF.
    pub fn csv(&self) -> String {
        let mut out = String::new();
        let names = self.columns.iter().map(|column| field(&safe(&column.name)));
        push_line(&mut out, names);
        for cells in self.cells() {
            push_line(&mut out, cells.iter().map(value));
        }
        out
    }
}

fn push_line(out: &mut String, fields: impl Iterator<Item = String>) {
    let line: Vec<String> = fields.collect();
    out.push_str(&line.join(","));
    out.push_str("\r\n");
}

fn value(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => field(&safe(text)),
        other => field(&other.text()),
    }
}

fn safe(text: &str) -> String {
    if text.starts_with(FORMULA_STARTS) { format!("'{text}") } else { text.to_owned() }
}

fn field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_look_like_formulas_are_defused_and_numbers_are_not() {
        for (cell, expected) in [
            (Cell::Text("=1+1".into()), "'=1+1"),
            (Cell::Text("+49".into()), "'+49"),
            (Cell::Text("-x".into()), "'-x"),
            (Cell::Text("@SUM(A1)".into()), "'@SUM(A1)"),
            (Cell::Text("\tx".into()), "'\tx"),
            (Cell::Text("\rx".into()), "\"'\rx\""),
            (Cell::Text("=HYPERLINK(\"http://x\",\"y\")".into()), "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
            (Cell::Text("a=b".into()), "a=b"),
            (Cell::Text(String::new()), ""),
            (Cell::Text("a,b".into()), "\"a,b\""),
            (Cell::Text("a\nb".into()), "\"a\nb\""),
            (Cell::Text("say \"x\"".into()), "\"say \"\"x\"\"\""),
            (Cell::Integer(-5), "-5"),
            (Cell::Number(-1.5), "-1.5"),
            (Cell::Boolean(true), "true"),
            (Cell::Null, ""),
        ] {
            assert_eq!(value(&cell), expected, "{cell:?}");
        }
    }
}
