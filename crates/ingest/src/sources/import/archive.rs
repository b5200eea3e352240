//! The daily files of a public archive: `events-YYYY-MM-DD.jsonl`, in one folder.

use std::path::Path;

use event::{Day, Door};

use super::folder::{self, Entry};
use super::{ScanError, Unit};

/// The source's name unless the caller gives another.
const SOURCE: &str = "archive";

/// Finds the days of the archive in `dir`, oldest first. Every other file (index, page, costs) is passed over; a day's
/// file may be compressed (`.jsonl.gz`).
///
/// # Errors
///
/// [`ScanError::Nothing`] when there is no day at all; [`ScanError::TwoForOneDay`] when a day is there both plain and
/// compressed; see [`ScanError`] for the rest.
pub fn scan(dir: &Path) -> Result<Vec<Unit>, ScanError> {
    let root = folder::root(dir)?;
    let listing = folder::list(&root, &root, |name| day_of(name).is_some())?;
    let mut units: Vec<Unit> = listing.files.iter().filter_map(unit).collect();
    units.sort_by_key(|unit| unit.day);
    if units.is_empty() {
        return Err(ScanError::Nothing { path: dir.to_owned(), looked_for: "file named events-YYYY-MM-DD.jsonl" });
    }
    match units.windows(2).find_map(two_for_one_day) {
        Some(error) => Err(error),
        None => Ok(units),
    }
}

fn unit(file: &Entry) -> Option<Unit> {
    Some(Unit::new(SOURCE.to_owned(), Door::Archive, day_of(&file.name)?, vec![file.path.clone()]))
}

/// The day in a file's name.
fn day_of(name: &str) -> Option<Day> {
    let stem = name.strip_suffix(".gz").unwrap_or(name).strip_suffix(".jsonl")?;
    stem.strip_prefix("events-")?.parse().ok()
}

fn two_for_one_day(pair: &[Unit]) -> Option<ScanError> {
    let [one, other] = pair else { return None };
    let day = (one.day == other.day).then_some(one.day)?;
    Some(ScanError::TwoForOneDay { day, one: one.files.first()?.clone(), other: other.files.first()?.clone() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_names_that_are_days_count() {
        for (name, day) in [
            ("events-2018-11-03.jsonl", Some("2018-11-03")),
            ("events-2018-11-03.jsonl.gz", Some("2018-11-03")),
            ("events-2018-11-03.jsonl.metadata", None),
            ("events-2018-02-30.jsonl", None),
            ("events-2018-11-3.jsonl", None),
            ("index.jsonl", None),
            ("cloud-costs.jsonl", None),
        ] {
            assert_eq!(day_of(name).map(|day| day.to_string()).as_deref(), day, "{name}");
        }
    }

    #[test]
    fn a_folder_without_days_or_with_one_twice_says_so() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("index.jsonl"), "{}").unwrap();
        let error = scan(dir.path()).unwrap_err();
        assert!(error.to_string().ends_with("holds no file named events-YYYY-MM-DD.jsonl"), "{error}");
        fs::write(dir.path().join("events-2020-01-01.jsonl"), "").unwrap();
        assert_eq!(scan(dir.path()).unwrap().len(), 1);
        fs::write(dir.path().join("events-2020-01-01.jsonl.gz"), "").unwrap();
        assert!(matches!(scan(dir.path()), Err(ScanError::TwoForOneDay { .. })));
        assert!(matches!(scan(&dir.path().join("index.jsonl")), Err(ScanError::NotAFolder { .. })));
        assert!(matches!(scan(&dir.path().join("none")), Err(ScanError::Io { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_counts_only_within_the_folder() {
        use std::os::unix::fs::symlink;
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let objects = dir.path().join("objects");
        fs::create_dir(&objects).unwrap();
        fs::write(objects.join("a"), "{}\n").unwrap();
        symlink(objects.join("a"), dir.path().join("events-2020-01-01.jsonl")).unwrap();
        assert_eq!(scan(dir.path()).unwrap().len(), 1);
        fs::write(outside.path().join("secret"), "x").unwrap();
        symlink(outside.path().join("secret"), dir.path().join("events-2020-01-02.jsonl")).unwrap();
        assert!(matches!(scan(dir.path()), Err(ScanError::LinkOutside { .. })));
    }
}
