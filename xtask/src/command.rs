//! Programs that stages start.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A program with its arguments, to be started in the repository.
#[derive(Debug)]
pub(crate) struct Tool(Command);

/// What a program printed on its standard output, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) succeeded: bool,
    pub(crate) text: String,
}

impl Tool {
    pub(crate) fn new(program: impl AsRef<OsStr>, root: &Path) -> Self {
        let mut command = Command::new(program);
        command.current_dir(root);
        Self(command)
    }

    /// The cargo that runs this task.
    pub(crate) fn cargo(root: &Path) -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), root)
    }

    pub(crate) fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, arguments: I) -> Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Whether it can be started and succeeds; prints nothing.
    pub(crate) fn works(mut self) -> bool {
        self.0.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// Runs it; what it prints is seen as it comes.
    ///
    /// # Errors
    /// When it cannot be started or does not succeed.
    pub(crate) fn run(mut self) -> Result<()> {
        let told = self.told();
        let status = self.0.status().with_context(|| format!("cannot start `{told}`"))?;
        if !status.success() {
            bail!("`{told}` failed: {status}");
        }
        Ok(())
    }

    /// Runs it; what it prints is seen as it comes, and its standard output is returned.
    ///
    /// # Errors
    /// When it cannot be started or read. A program that fails is no error: see [`Ran::succeeded`].
    pub(crate) fn run_and_read(mut self) -> Result<Ran> {
        let told = self.told();
        let mut child = self.0.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{told}`"))?;
        let output = child.stdout.take().context("standard output was piped")?;
        let mut text = String::new();
        let mut screen = std::io::stdout();
        for line in BufReader::new(output).split(b'\n') {
            let line = line.with_context(|| format!("cannot read what `{told}` prints"))?;
            screen.write_all(&line)?;
            screen.write_all(b"\n")?;
            text.push_str(&String::from_utf8_lossy(&line));
            text.push('\n');
        }
        let status = child.wait().with_context(|| format!("cannot wait for `{told}`"))?;
        Ok(Ran { succeeded: status.success(), text })
    }

    /// Runs it unseen and returns its standard output.
    ///
    /// # Errors
    /// When it cannot be started or does not succeed.
    pub(crate) fn output(mut self) -> Result<Vec<u8>> {
        let told = self.told();
        let output = self.0.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start `{told}`"))?;
        if !output.status.success() {
            bail!("`{told}` failed: {}", output.status);
        }
        Ok(output.stdout)
    }

    /// As one would type it: where the program lies says nothing.
    fn told(&self) -> String {
        let program = Path::new(self.0.get_program());
        let mut words = vec![program.file_name().unwrap_or(program.as_os_str()).to_string_lossy()];
        words.extend(self.0.get_args().map(OsStr::to_string_lossy));
        words.join(" ")
    }
}

/// The program of that name on the search path.
pub(crate) fn on_path(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Whether we may install Debian packages: as root, where there is apt-get.
#[cfg(target_os = "linux")]
pub(crate) fn may_install() -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    is_root && on_path("apt-get").is_some()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn may_install() -> bool {
    false
}

/// Installs Debian packages.
///
/// # Errors
/// When the package lists cannot be fetched or a package cannot be installed.
pub(crate) fn install(root: &Path, packages: &[&str]) -> Result<()> {
    let apt = || Tool::new("apt-get", root).variable("DEBIAN_FRONTEND", "noninteractive");
    apt().args(["update", "--quiet"]).run()?;
    apt().args(["install", "--quiet", "--yes", "--no-install-recommends"]).args(packages).run()
}
