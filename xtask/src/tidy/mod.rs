//! Style as a test: rules that a machine can check, each with the reason that it tells.

mod calls;
mod crates;
mod files;
mod text;

use std::fmt;
use std::path::Path;

use anyhow::Result;

use crate::stage::Outcome;

/// The commands that the README must name, as a newcomer types them.
const README_COMMANDS: [&str; 2] = ["cargo run --release -- demo", "cargo xtask test"];

/// One breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// File, with the line where there is one.
    pub(crate) place: String,
    /// What is wrong, and what would be right.
    pub(crate) told: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.told)
    }
}

/// What the rules found.
#[derive(Debug)]
pub(crate) struct Findings {
    files: usize,
    found: Vec<Finding>,
}

impl From<Findings> for Outcome {
    fn from(findings: Findings) -> Self {
        for finding in &findings.found {
            println!("{finding}");
        }
        match findings.found.len() {
            0 => Self::Passed(format!("{} files", findings.files)),
            1 => Self::Failed("1 finding".into()),
            many => Self::Failed(format!("{many} findings")),
        }
    }
}

/// Checks the whole repository.
///
/// # Errors
/// When git or cargo cannot be asked, or a file cannot be read.
pub(crate) fn check(root: &Path) -> Result<Findings> {
    let files = files::of_repository(root)?;
    let places = text::Places::of_this_machine(root);
    let mut found = crates::check(root)?;
    found.extend(readme(&files));
    for file in &files {
        found.extend(files::check_size(file));
        let Some(content) = file.text() else { continue };
        found.extend(places.check(&file.path, content));
        if file.path.ends_with(".rs") {
            found.extend(text::check_rust(&file.path, content));
            found.extend(calls::check(&file.path, content));
        }
    }
    Ok(Findings { files: files.len(), found })
}

fn readme(files: &[files::File]) -> Vec<Finding> {
    let text = files.iter().find(|file| file.path == "README.md").and_then(files::File::text).unwrap_or_default();
    let missing = README_COMMANDS.iter().filter(|command| !text.contains(**command));
    missing.map(|command| Finding { place: "README.md".into(), told: format!("does not name `{command}`") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs with every `cargo test`, so that no one has to remember it.
    #[test]
    fn the_repository_keeps_its_rules() {
        let found = check(&crate::repository()).unwrap().found;
        let told: Vec<String> = found.iter().map(Finding::to_string).collect();
        assert!(told.is_empty(), "\n{}", told.join("\n"));
    }
}
