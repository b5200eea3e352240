//! How a line and a file look.

use std::path::Path;

use super::Finding;

/// Longest line of Rust, in characters: rustfmt's own limit, which it does not hold in comments and literals. A line
/// with a raw literal may be longer: that is data, such as the JSON of an emitter, which reads best in one piece.
const LINE_CHARS_MAX: usize = 120;
/// Longest line of Rust with a literal in it, and of a table in a comment, which cannot be broken anywhere.
const UNBROKEN_LINE_CHARS_MAX: usize = 160;
const RAW_LITERAL: &str = "r#\"";
/// Longest file of Rust: one that needs more holds more than one idea.
const FILE_LINES_MAX: usize = 700;

/// Lines and length of a Rust file.
pub(crate) fn check_rust(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut tell = |told: String| found.push(Finding { place: format!("{path}:{}", index + 1), told });
        let length = line.chars().count();
        let is_unbroken = line.contains('"') || line.ends_with('\\') || line.trim_start().starts_with("//! |");
        let limit = if is_unbroken { UNBROKEN_LINE_CHARS_MAX } else { LINE_CHARS_MAX };
        if length > limit && !line.contains(RAW_LITERAL) {
            tell(format!("is {length} characters long; at most {limit}"));
        }
        if line.ends_with([' ', '\t']) {
            tell("ends with blanks".into());
        }
    }
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        let told = format!("has {lines} lines; at most {FILE_LINES_MAX}, and one idea a file");
        found.push(Finding { place: path.to_owned(), told });
    }
    if !text.is_empty() && !text.ends_with('\n') {
        found.push(Finding { place: path.to_owned(), told: "does not end with a newline".into() });
    }
    found
}

/// Folders of whoever runs this: no file may name them.
#[derive(Debug)]
pub(crate) struct Places(Vec<String>);

impl Places {
    /// The checkout and the home folder.
    pub(crate) fn of_this_machine(root: &Path) -> Self {
        let home = std::env::home_dir();
        let folders = [Some(root), home.as_deref()].into_iter().flatten();
        // The root of the file system, as a home of services, would be found everywhere.
        let named = folders.filter(|folder| folder.components().count() > 1);
        Self(named.filter_map(Path::to_str).map(str::to_owned).collect())
    }

    /// Where `text` names one of them.
    pub(crate) fn check(&self, path: &str, text: &str) -> Vec<Finding> {
        let names_one = |line: &str| self.0.iter().find(|folder| names(line, folder));
        let lines = text.lines().enumerate();
        lines
            .filter_map(|(index, line)| names_one(line).map(|folder| (index + 1, folder)))
            .map(|(line, folder)| Finding {
                place: format!("{path}:{line}"),
                told: format!("names the folder {folder} of this machine"),
            })
            .collect()
    }
}

/// Whether `line` has `folder` as a whole path or as its beginning.
fn names(line: &str, folder: &str) -> bool {
    let is_part_of_name = |c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '-' | '.');
    line.match_indices(folder).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + folder.len()..].chars().next();
        !before.is_some_and(is_part_of_name) && !after.is_some_and(|c| c != '/' && is_part_of_name(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_blanks_and_missing_newlines_are_found() {
        let line = "x".repeat(LINE_CHARS_MAX);
        assert_eq!(check_rust("a.rs", &format!("{line}\n")), []);
        assert_eq!(check_rust("a.rs", &format!("{}\n", "é".repeat(LINE_CHARS_MAX))), []);
        assert_eq!(check_rust("a.rs", &format!("r#\"{line}\"#\n")), []);
        let found = check_rust("a.rs", &format!("fine\n{line}x\nblank \nno newline"));
        let places: Vec<&str> = found.iter().map(|finding| finding.place.as_str()).collect();
        assert_eq!(places, ["a.rs:2", "a.rs:3", "a.rs"]);
    }

    #[test]
    fn long_files_are_found() {
        assert_eq!(check_rust("a.rs", &"\n".repeat(FILE_LINES_MAX)), []);
        assert_eq!(check_rust("a.rs", &"\n".repeat(FILE_LINES_MAX + 1)).len(), 1);
    }

    #[test]
    fn folders_of_a_machine_are_found_as_paths_and_not_as_parts_of_names() {
        let places = Places(vec!["/home/ada".into()]);
        for (line, is_found) in [
            ("see \"/home/ada/x\"", true),
            ("/home/ada", true),
            ("at /home/ada, say", true),
            ("/srv/home/ada/x", false),
            ("/home/adam/x", false),
            ("/home/ada.old", false),
        ] {
            assert_eq!(!places.check("a", line).is_empty(), is_found, "{line}");
        }
    }
}
