//! Stages: one after the other, timed, none skipped because an earlier one failed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How a stage ended, with a remark for the table.
#[derive(Debug)]
pub(crate) enum Outcome {
    Passed(String),
    Skipped(String),
    Failed(String),
    /// A test runner's closing totals; repeated under the table.
    Tests {
        passed: bool,
        totals: String,
    },
}

impl Outcome {
    pub(crate) fn of_tests(passed: bool, totals: String) -> Self {
        Self::Tests { passed, totals }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Passed(_) | Self::Tests { passed: true, .. } => "ok",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) | Self::Tests { passed: false, .. } => "FAILED",
        }
    }

    fn remark(&self) -> &str {
        match self {
            Self::Passed(remark) | Self::Skipped(remark) | Self::Failed(remark) => remark,
            Self::Tests { totals, .. } => totals,
        }
    }

    fn failed(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Tests { passed: false, .. })
    }
}

/// A stage that ended.
#[derive(Debug)]
struct Stage {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

/// The stages of one task.
#[derive(Debug)]
pub(crate) struct Plan {
    root: PathBuf,
    began: Instant,
    stages: Vec<Stage>,
}

impl Plan {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf(), began: Instant::now(), stages: Vec::new() }
    }

    /// Runs a stage and keeps how it ended.
    pub(crate) fn run(&mut self, name: &'static str, work: impl FnOnce(&Path) -> Result<Outcome>) {
        println!("\n── {name}");
        let began = Instant::now();
        let outcome = work(&self.root).unwrap_or_else(|error| {
            eprintln!("{error:#}");
            Outcome::Failed(first_line(&format!("{error:#}")))
        });
        self.stages.push(Stage { name, took: began.elapsed(), outcome });
    }

    /// Prints the table and the runners' totals; fails if a stage did.
    pub(crate) fn report(&self) -> ExitCode {
        println!("\n{}", self.table());
        if self.stages.iter().any(|stage| stage.outcome.failed()) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn table(&self) -> String {
        let mut text = format!("{:<16} {:>8}  {:<8} remark\n", "stage", "seconds", "result");
        for stage in &self.stages {
            let (word, remark) = (stage.outcome.word(), stage.outcome.remark());
            let line = format!("{:<16} {:>8.1}  {word:<8} {remark}", stage.name, stage.took.as_secs_f64());
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push_str(&format!("{:<16} {:>8.1}\n", "all", self.began.elapsed().as_secs_f64()));
        for stage in &self.stages {
            if let Outcome::Tests { totals, .. } = &stage.outcome {
                text.push_str(&format!("\n{}: {totals}", stage.name));
            }
        }
        text
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn later_stages_run_and_the_table_tells_which_failed() {
        let mut plan = Plan::new(Path::new("."));
        plan.run("first", |_| bail!("no luck\nand more of it"));
        plan.run("second", |_| Ok(Outcome::Skipped("nothing to do".into())));
        plan.run("third", |_| Ok(Outcome::of_tests(true, "3 passed".into())));
        let table = plan.table();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].starts_with("first ") && lines[1].ends_with("FAILED   no luck"), "{table}");
        assert!(lines[2].ends_with("skipped  nothing to do"), "{table}");
        assert_eq!(lines.last(), Some(&"third: 3 passed"));
        assert_eq!(plan.report(), ExitCode::FAILURE);
    }

    #[test]
    fn failed_tests_fail_the_task() {
        let mut plan = Plan::new(Path::new("."));
        plan.run("tests", |_| Ok(Outcome::of_tests(false, "2 passed, 1 failed".into())));
        assert_eq!(plan.report(), ExitCode::FAILURE);
    }
}
