//! A table in Markdown, as code hosts show it.

use super::{Answer, Cell};

impl Answer {
    /// As a Markdown table; numbers aligned to the right.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let names: Vec<String> = self.columns.iter().map(|column| escaped(&heading(column))).collect();
        push_row(&mut out, &names);
        let rules: Vec<String> = self
            .columns
            .iter()
            .map(|column| if matches!(column.type_name, "integer" | "number") { "---:" } else { "---" }.to_owned())
            .collect();
        push_row(&mut out, &rules);
        for cells in self.cells() {
            let row: Vec<String> = cells.iter().map(|cell: &Cell| escaped(&cell.text())).collect();
            push_row(&mut out, &row);
        }
        if let Some(told) = self.cut() {
            out.push_str(&format!("\n({told})\n"));
        }
        out
    }
}

/// The name, with its unit in brackets.
pub(super) fn heading(column: &super::AnswerColumn) -> String {
    match &column.unit {
        Some(unit) => format!("{} ({unit})", column.name),
        None => column.name.clone(),
    }
}

fn push_row(out: &mut String, cells: &[String]) {
    out.push_str("| ");
    out.push_str(&cells.join(" | "));
    out.push_str(" |\n");
}

/// No cell may end its cell, its row, or become mark-up.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '~' | '&' => {
                out.push('\\');
                out.push(letter);
            }
            '\r' => {}
            '\n' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_cell() {
        for (text, expected) in [
            ("a|b", "a\\|b"),
            ("a\nb", "a b"),
            ("<script>", "\\<script\\>"),
            ("[x](http://y)", "\\[x\\](http://y)"),
            ("plain", "plain"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
