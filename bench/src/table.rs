//! The one table that comes out.

use std::fmt;

/// Rows in the order in which they were measured; each is also printed at once, so that a run that is cut short tells
/// what it has.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    work: String,
    figure: String,
    beside: String,
}

impl Table {
    /// Adds what was measured: the work, its figure, and what that is beside something else.
    pub(crate) fn add(&mut self, work: impl Into<String>, figure: impl Into<String>, beside: impl Into<String>) {
        let row = Row { work: work.into(), figure: figure.into(), beside: beside.into() };
        println!("{}: {}  {}", row.work, row.figure, row.beside);
        self.0.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| work | figure | beside |\n|---|---|---|")?;
        for Row { work, figure, beside } in &self.0 {
            writeln!(f, "| {work} | {figure} | {beside} |")?;
        }
        Ok(())
    }
}

/// `812 k/s`, `1.42 M/s`.
pub(crate) fn rate(a_second: f64) -> String {
    match a_second {
        rate if rate >= 1e6 => format!("{:.2} M/s", rate / 1e6),
        rate if rate >= 1e4 => format!("{:.0} k/s", rate / 1e3),
        rate => format!("{rate:.0}/s"),
    }
}

/// `12 MiB`.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let rates = [5.0, 9_999.0, 14_000.0, 812_345.0, 1_420_000.0].map(rate);
        assert_eq!(rates, ["5/s", "9999/s", "14 k/s", "812 k/s", "1.42 M/s"]);
    }
}
