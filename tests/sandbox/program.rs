//! A fresh folder and the program in it.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::Server;

/// Nothing that a test waits for takes longer, on a slow machine and in a build without optimisation.
pub const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Beginning of the environment variables that set the program up; a test inherits none of them.
const SETTINGS: &str = "HUBSCOPE_";

/// A folder of its own for one test; it is removed at the end.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
}

/// A command that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed on standard output.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
}

impl Ended {
    /// Standard output of a command that succeeded.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn output(self) -> String {
        assert_eq!(self.code, Some(0), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// A fresh one. Its path is short, because a socket's path in it may have about 100 bytes.
    ///
    /// # Panics
    /// When no folder can be made.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("hs").tempdir().expect("a temporary folder");
        Self { folder }
    }

    /// The place called `name` in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program's folder of data.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The program, with `HUBSCOPE_DATA` as its only setting and nothing else inherited that could be one.
    pub fn command<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Command {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(SETTINGS) {
                command.env_remove(name);
            }
        }
        command.args(arguments).env("HUBSCOPE_DATA", self.data()).env("NO_COLOR", "1");
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it cannot be started, or lasts longer than [`TIME_LIMIT`].
    pub fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Ended {
        self.run_command(self.command(arguments))
    }

    /// Runs a command that a test made with [`Sandbox::command`] to its end.
    ///
    /// # Panics
    /// When it cannot be started, or lasts longer than [`TIME_LIMIT`].
    pub fn run_command(&self, command: Command) -> Ended {
        run(command, self.folder.path())
    }

    /// Starts `serve` with these settings and waits until it listens.
    ///
    /// # Panics
    /// When it does not come to listen.
    pub fn serve(&self, settings: &[(&str, &str)]) -> Server {
        Server::started(self.serve_command(settings))
    }

    /// `serve` on a free port, not started yet.
    pub fn serve_command(&self, settings: &[(&str, &str)]) -> Command {
        let mut command = self.command(["serve", "--listen", "127.0.0.1:0"]);
        command.envs(settings.iter().copied());
        command
    }

    /// The rows that `hubscope query` answers.
    ///
    /// # Panics
    /// When it fails, or its answer was cut.
    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<Value> {
        let output = self.run(["query", "--format", "json", "--limit", "1000000", sql]).output();
        rows(&output)
    }
}

/// The same command, started by another program: `wrapper` with its arguments comes first.
///
/// # Panics
/// When `wrapper` is empty.
pub fn wrapped(command: &Command, wrapper: &[&str]) -> Command {
    let (program, arguments) = wrapper.split_first().expect("a program to start it with");
    let mut outer = Command::new(program);
    outer.args(arguments).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    outer.stdin(Stdio::null());
    outer
}

/// The rows of an answer in JSON.
///
/// # Panics
/// When it is none, or says that rows were left out.
#[track_caller]
pub(crate) fn rows(answer: &str) -> Vec<Value> {
    let mut answer: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error} in {answer}"));
    assert_ne!(answer.get("truncated"), Some(&Value::Bool(true)), "the answer was cut");
    match answer.get_mut("rows").map(Value::take) {
        Some(Value::Array(rows)) => rows,
        other => panic!("rows are {other:?}"),
    }
}

/// The program that the tests are about.
///
/// # Panics
/// When it was not built.
fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("ACCEPTANCE_BINARY") {
        return named.into();
    }
    let own = std::env::current_exe().expect("a test knows where it lies");
    // target/debug/deps/<test> → target/debug/hubscope
    let built = own.ancestors().nth(2).expect("a test lies in a folder of cargo").join("hubscope");
    assert!(built.is_file(), "{} was not built; `cargo xtask test --rust` builds it first", built.display());
    built
}

/// Output goes to files: a pipe that nobody reads while we wait could fill and stop the program.
fn run(mut command: Command, folder: &Path) -> Ended {
    let dir = tempfile::Builder::new().prefix("out").tempdir_in(folder).expect("a folder for output");
    let file = |name: &str| File::create(dir.path().join(name)).expect("a file for output");
    command.stdout(file("stdout")).stderr(file("stderr"));
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let Some(status) = wait(&mut child, TIME_LIMIT) else {
        child.kill().expect("our own child can be killed");
        panic!("{command:?} did not end within {TIME_LIMIT:?}");
    };
    let text = |name: &str| {
        let bytes = std::fs::read(dir.path().join(name)).expect("the output can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ended { code: status.code(), stdout: text("stdout"), stderr: text("stderr") }
}

/// Waits for a child's end, at most so long.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("our own child can be waited for") {
            return Some(status);
        }
        if Instant::now() >= end {
            return None;
        }
        // The condition is the child's state, which the standard library can only ask for.
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
