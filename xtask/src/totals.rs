//! The closing totals of the test runners, read from what they print.

use std::fmt;

/// What the `test result:` lines of one `cargo test` add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CargoTotals {
    pub(crate) suites: u64,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl fmt::Display for CargoTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { suites, passed, failed, ignored } = self;
        write!(f, "cargo test: {passed} passed; {failed} failed; {ignored} ignored; {suites} suites")
    }
}

/// Adds up the `test result:` lines.
pub(crate) fn of_cargo_test(text: &str) -> CargoTotals {
    let mut totals = CargoTotals::default();
    for line in text.lines() {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            continue;
        };
        totals.suites += 1;
        for count in counts.split("; ") {
            match count.split_once(' ').map(|(number, word)| (number.parse::<u64>(), word)) {
                Some((Ok(number), "passed")) => totals.passed += number,
                Some((Ok(number), "failed")) => totals.failed += number,
                Some((Ok(number), "ignored")) => totals.ignored += number,
                _ => {}
            }
        }
    }
    totals
}

/// The last line of pytest, without its frame.
pub(crate) fn of_pytest(text: &str) -> Option<String> {
    let is_total = |line: &&str| {
        line.contains(" in ") && ["passed", "failed", "error", "no tests ran"].iter().any(|word| line.contains(word))
    };
    let line = text.lines().rev().find(is_total)?;
    Some(format!("pytest: {}", line.trim_matches(['=', ' '])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_of_all_suites_add_up_and_other_lines_do_not_count() {
        let text = "\
running 3 tests
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
a line that says test result: ok. 9 passed; 9 failed
test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s
";
        assert_eq!(of_cargo_test(text), CargoTotals { suites: 2, passed: 4, failed: 2, ignored: 1 });
        assert_eq!(of_cargo_test("error: could not compile"), CargoTotals::default());
    }

    #[test]
    fn the_total_of_pytest_is_its_last_such_line() {
        let text = "tests/browser/test_home.py ....  [100%]\n\n========= 1 failed, 4 passed in 12.34s =========\n";
        assert_eq!(of_pytest(text).as_deref(), Some("pytest: 1 failed, 4 passed in 12.34s"));
        assert_eq!(of_pytest("ImportError"), None);
    }
}
