//! Tasks of the repository, run as `cargo xtask <task>`: nothing has to be installed first but a Rust toolchain.
//!
//! A task is a list of [`stage::Stage`]s. Every stage runs, also after one that failed; at the end stands a table of
//! what each said and how long it took, and under it the closing totals of the test runners.

mod chromium;
mod command;
mod proxy;
mod python;
mod stage;
mod strace;
mod tidy;
mod totals;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::command::Tool;
use crate::stage::{Outcome, Plan};

const HELP: &str = "\
Tasks of the repository

  cargo xtask check          style rules, formatting, clippy
  cargo xtask test           sets up what the tests need and runs all of them
  cargo xtask test --rust    style rules, formatting, clippy and the Rust tests: no set-up, no Python, no browser
  cargo xtask test --long    the same as without it, but tests that go by chance or by steps go on for long; with
                             --rust, too
  cargo xtask tidy           the style rules alone
  cargo xtask browser        the tests in a browser alone (builds and sets up what they need)
  cargo xtask hub            the tests with real hubs alone (builds and sets up what they need)
  cargo xtask readers        the tests with other programs that read the tables alone (the same)
  cargo xtask bench          measures the program, built for release, beside its peers; what follows is passed on:
                             --quick (to see that it works), --soak (eleven minutes more), --durability (instead: what
                             is kept of what was acknowledged when programs are killed)
";

/// What the real program is built with wherever tests start it: places at which a test can kill it.
const FEATURES: &str = "hubscope/failpoints";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = repository();
    let mut plan = Plan::new(&root);
    match words.as_slice() {
        ["check"] => check(&mut plan),
        ["tidy"] => plan.run("tidy", tidy_stage),
        ["test"] => everything(&mut plan, Length::Usual),
        ["test", "--long"] => everything(&mut plan, Length::Long),
        ["test", "--rust"] => rust(&mut plan, Length::Usual),
        ["test", "--rust", "--long"] | ["test", "--long", "--rust"] => rust(&mut plan, Length::Long),
        ["browser"] => {
            plan.run("build", build_stage);
            plan.run("set up python", |root| python::TESTS.set_up(root));
            browser(&mut plan);
        }
        ["hub"] => {
            plan.run("build", build_stage);
            plan.run("set up python", |root| python::TESTS.set_up(root));
            hub(&mut plan);
        }
        ["readers"] => {
            plan.run("build", build_stage);
            readers(&mut plan);
        }
        ["bench", wishes @ ..] => bench(&mut plan, wishes),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("xtask: no task '{}'\n\n{HELP}", words.join(" "));
            return ExitCode::from(2);
        }
    }
    plan.report()
}

/// The checkout that this program was built from.
fn repository() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

fn check(plan: &mut Plan) {
    plan.run("tidy", tidy_stage);
    plan.run("format", format_stage);
    plan.run("clippy", clippy_stage);
}

/// How long tests take that could go on for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// As often as fits into a run that somebody waits for.
    Usual,
    /// As often as in [`LONG`].
    Long,
}

/// What makes tests long. A variable that is set already counts.
const LONG: [(&str, &str); 4] = [
    // power cuts: of the journal alone, of the whole way
    ("JOURNAL_SIMULATION_SEEDS", "200000"),
    ("PIPELINE_SIMULATION_SEEDS", "4000"),
    // deaths of the real program
    ("RECOVERY_KILLS", "2000"),
    // every step instead of every so-manieth; flipped bits
    ("HUBSCOPE_LONG", "1"),
];

fn everything(plan: &mut Plan, length: Length) {
    plan.run("set up strace", strace::set_up);
    rust(plan, length);
    plan.run("set up python", |root| python::TESTS.set_up(root));
    readers(plan);
    browser(plan);
    hub(plan);
}

/// Builds before it tests, in one profile and with one set of features: the program that the acceptance tests start is
/// then compiled once, by the same units as the unit tests.
fn rust(plan: &mut Plan, length: Length) {
    check(plan);
    plan.run("build", build_stage);
    plan.run("rust tests", move |root| rust_tests_stage(root, length));
}

fn browser(plan: &mut Plan) {
    plan.run("set up browser", chromium::set_up);
    plan.run("browser tests", browser_tests_stage);
}

fn readers(plan: &mut Plan) {
    plan.run("set up readers", |root| python::READERS.set_up(root));
    plan.run("readers tests", |root| {
        let python = python::READERS.interpreter(root);
        python_tests(Tool::new(python, root).args(["-m", "pytest", "tests/readers"]))
    });
}

fn hub(plan: &mut Plan) {
    plan.run("set up hub", |root| python::HUB.set_up(root));
    plan.run("set up hub 4", |root| python::HUB_4.set_up(root));
    plan.run("set up proxy", proxy::set_up);
    plan.run("hub tests", hub_tests_stage);
}

fn bench(plan: &mut Plan, wishes: &[&str]) {
    plan.run("build for release", release_stage);
    plan.run("set up peers", |root| python::PEERS.set_up(root));
    plan.run("the door alone", door_stage);
    plan.run("bench", |root| bench_stage(root, wishes));
}

fn tidy_stage(root: &Path) -> Result<Outcome> {
    tidy::check(root).map(Outcome::from)
}

fn format_stage(root: &Path) -> Result<Outcome> {
    if !Tool::cargo(root).args(["fmt", "--version"]).works() {
        return Ok(Outcome::Skipped("rustfmt is not installed".into()));
    }
    Tool::cargo(root).args(["fmt", "--all", "--check"]).run()?;
    Ok(Outcome::Passed(String::new()))
}

fn clippy_stage(root: &Path) -> Result<Outcome> {
    if !Tool::cargo(root).args(["clippy", "--version"]).works() {
        return Ok(Outcome::Skipped("clippy is not installed".into()));
    }
    let arguments = ["clippy", "--workspace", "--all-targets", "--features", FEATURES, "--", "--deny", "warnings"];
    Tool::cargo(root).args(arguments).run()?;
    Ok(Outcome::Passed(String::new()))
}

fn build_stage(root: &Path) -> Result<Outcome> {
    Tool::cargo(root).args(["build", "--workspace", "--all-targets", "--features", FEATURES]).run()?;
    Ok(Outcome::Passed(String::new()))
}

fn rust_tests_stage(root: &Path, length: Length) -> Result<Outcome> {
    let mut tests = Tool::cargo(root).args(["test", "--workspace", "--features", FEATURES, "--no-fail-fast"]);
    if length == Length::Long {
        for (name, value) in LONG.into_iter().filter(|(name, _)| std::env::var_os(name).is_none()) {
            tests = tests.variable(name, value);
        }
    }
    let ran = tests.run_and_read()?;
    let totals = totals::of_cargo_test(&ran.text);
    Ok(Outcome::of_tests(ran.succeeded && totals.passed > 0, totals.to_string()))
}

fn browser_tests_stage(root: &Path) -> Result<Outcome> {
    let browser = chromium::find().context("there is no Chromium; see the stage 'set up browser'")?;
    python_tests(pytest(root, "tests/browser").variable("CHROMIUM", &browser))
}

fn hub_tests_stage(root: &Path) -> Result<Outcome> {
    python_tests(pytest(root, "tests/hub"))
}

fn release_stage(root: &Path) -> Result<Outcome> {
    Tool::cargo(root).args(["build", "--release", "--package", "hubscope", "--package", "bench"]).run()?;
    Ok(Outcome::Passed(String::new()))
}

/// Decoding and validation on one core, beside the parser that they stand on.
fn door_stage(root: &Path) -> Result<Outcome> {
    Tool::cargo(root).args(["run", "--release", "--package", "ingest", "--example", "admit_rate"]).run()?;
    Ok(Outcome::Passed(String::new()))
}

fn bench_stage(root: &Path, wishes: &[&str]) -> Result<Outcome> {
    let built = |name: &str| root.join("target/release").join(name);
    let python = python::PEERS.interpreter(root);
    Tool::new(built("bench"), root)
        .args([built("hubscope")])
        .args([Path::new("--python"), &python])
        .args(wishes)
        .run()?;
    Ok(Outcome::Passed(String::new()))
}

/// The tests of a folder.
fn pytest(root: &Path, folder: &str) -> Tool {
    Tool::new(python::TESTS.interpreter(root), root).args(["-m", "pytest", folder])
}

fn python_tests(pytest: Tool) -> Result<Outcome> {
    let ran = pytest.run_and_read()?;
    let total = totals::of_pytest(&ran.text).context("pytest printed no totals")?;
    Ok(Outcome::of_tests(ran.succeeded, total))
}
