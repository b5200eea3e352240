//! How firmly the ref of a launch names what was run.
//!
//! A branch moves, and so may a tag; nobody can tell one from the other by its name. What can be told is whether a ref
//! is a commit, or looks like a version, which is what tags are called.

use crate::spec::Repo;

/// What a ref looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pin {
    /// The full hash of a commit.
    Commit,
    /// A name like that of a version: `v1.2`, `2021.06.1`, `release-3.0`.
    Version,
    /// The repository is an archive's, and its identifier names one state of it.
    Archive,
    /// Any other name, such as a branch's; also none at all.
    Name,
}

/// Providers whose identifiers name one state of a repository each.
const ARCHIVES: [&str; 5] = ["Zenodo", "Figshare", "Dataverse", "Hydroshare", "CKAN"];

/// Hexadecimal digits of a commit: SHA-1, SHA-256.
const COMMIT_DIGITS: [usize; 2] = [40, 64];

impl Pin {
    /// Of a launch of `repo` from `provider`.
    pub fn of(provider: &str, repo: &Repo) -> Self {
        if is_archive(provider) {
            return Self::Archive;
        }
        match repo.reference.as_deref() {
            Some(name) if is_commit(name) => Self::Commit,
            Some(name) if is_version(name) => Self::Version,
            _ => Self::Name,
        }
    }
}

/// Whether `provider` is an archive of research data, whose repositories have identifiers of their own.
pub fn is_archive(provider: &str) -> bool {
    ARCHIVES.contains(&provider)
}

fn is_commit(name: &str) -> bool {
    COMMIT_DIGITS.contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Numbers with points between them, at least two, after nothing or after a word that says so.
fn is_version(name: &str) -> bool {
    let name = name.strip_prefix("refs/tags/").unwrap_or(name).to_ascii_lowercase();
    let numbers = name.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    let word = name.get(..name.len() - numbers.len()).unwrap_or_default();
    let numbers = match word {
        "" | "v" => numbers,
        "version" | "release" | "rel" | "ver" | "tag" => numbers.trim_start_matches(['-', '_', '/']),
        _ => return false,
    };
    let core = numbers.split(['-', '+', '_']).next().unwrap_or_default();
    let parts: Vec<&str> = core.split('.').collect();
    let is_number = |part: &&str| part.starts_with(|letter: char| letter.is_ascii_digit());
    parts.len() >= 2 && parts.iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse;

    #[test]
    fn refs_are_told_by_their_looks() {
        let commit = "0123456789abcdef0123456789ABCDEF01234567";
        for (name, expected) in [
            (commit, Pin::Commit),
            (&commit[..39], Pin::Name),
            ("v1.2", Pin::Version),
            ("1.2.3", Pin::Version),
            ("V1.2.3-rc.1", Pin::Version),
            ("2021.06.1", Pin::Version),
            ("release-3.0", Pin::Version),
            ("refs/tags/v1.0.0", Pin::Version),
            ("1.0rc1", Pin::Version),
            ("v1", Pin::Name),
            ("2021", Pin::Name),
            ("3.x", Pin::Name),
            ("main", Pin::Name),
            ("HEAD", Pin::Name),
            ("vnext.1", Pin::Name),
            ("lesson-1.2", Pin::Name),
            ("feature/1.2", Pin::Name),
            ("", Pin::Name),
        ] {
            let repo = Repo { repo: "https://github.com/a/b".into(), reference: Some(name.into()) };
            assert_eq!(Pin::of("GitHub", &repo), expected, "{name}");
        }
        let doi = parse("Zenodo", "10.5281/zenodo.1").unwrap();
        assert_eq!(Pin::of("Zenodo", &doi), Pin::Archive);
    }
}
