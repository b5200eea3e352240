//! An exported Cloud Logging log: `<log>/YYYY/MM/DD/<hour>.json`, one log entry a line, as a sink writes them to a
//! bucket.

use std::path::Path;

use event::{Day, Door};

use super::folder::{self, Entry, Listing};
use super::{ScanError, Unit};

/// Folders between the bucket and a day's files. A log's name has one or two parts, the day three; the rest is room for
/// a prefix that the operator chose.
const DEPTH_MAX: usize = 8;

const LOOKED_FOR: &str = "folder YYYY/MM/DD with files *.json (give the bucket, or the folder of one log in it)";

/// Finds the days of every log in `dir`, which is the bucket or the folder of one log; ordered by log, then by day. The
/// files of a day are in order of name, which is the order of the export's hours and shards. A file may be compressed
/// (`.json.gz`).
///
/// # Errors
///
/// [`ScanError::Nothing`] when there is no day at all; see [`ScanError`] for the rest.
pub fn scan(dir: &Path) -> Result<Vec<Unit>, ScanError> {
    let root = folder::root(dir)?;
    let own_name = root.file_name().and_then(|name| name.to_str()).unwrap_or("log");
    let mut search = Search { root: &root, own_name, units: Vec::new() };
    search.folder(&root, &mut Vec::new())?;
    let mut units = search.units;
    if units.is_empty() {
        return Err(ScanError::Nothing { path: dir.to_owned(), looked_for: LOOKED_FOR });
    }
    units.sort_by(|a, b| (&a.source, a.day).cmp(&(&b.source, b.day)));
    Ok(units)
}

struct Search<'a> {
    root: &'a Path,
    /// Name of the log when the folder given is the log's own.
    own_name: &'a str,
    units: Vec<Unit>,
}

impl Search<'_> {
    /// Searches `folder`, whose path below the root is `names`.
    fn folder(&mut self, folder: &Path, names: &mut Vec<String>) -> Result<(), ScanError> {
        if names.len() > DEPTH_MAX {
            return Err(ScanError::TooDeep { path: folder.to_owned(), depth: DEPTH_MAX });
        }
        let Listing { files, folders } = folder::list(self.root, folder, is_export)?;
        if let Some((log, day)) = split_day(names)
            && !files.is_empty()
        {
            let source = self.source(log);
            self.units.push(Unit::new(source, Door::CloudLog, day, files.into_iter().map(|file| file.path).collect()));
        }
        for Entry { name, path } in folders {
            names.push(name);
            self.folder(&path, names)?;
            names.pop();
        }
        Ok(())
    }

    fn source(&self, log: &[String]) -> String {
        if log.is_empty() { format!("cloud-log/{}", self.own_name) } else { format!("cloud-log/{}", log.join("/")) }
    }
}

fn is_export(name: &str) -> bool {
    name.strip_suffix(".gz").unwrap_or(name).ends_with(".json")
}

/// Splits the path of a day's folder into the log's and the day.
fn split_day(names: &[String]) -> Option<(&[String], Day)> {
    let (log, date) = names.split_at_checked(names.len().checked_sub(3)?)?;
    let [year, month, day] = date else { return None };
    Some((log, format!("{year}-{month}-{day}").parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn golden() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/archive/golden/raw-export")
    }

    #[test]
    fn bucket_and_log_folder_give_the_same_units() {
        let from_bucket = scan(&golden()).unwrap();
        let from_log = scan(&golden().join("binderhub-events-text")).unwrap();
        assert_eq!(from_bucket, from_log);
        let days: Vec<_> = from_bucket.iter().map(|unit| (unit.day.to_string(), unit.files.len())).collect();
        let expected = [("2018-11-03", 2), ("2020-06-18", 1), ("2023-08-21", 1), ("2023-08-22", 1)];
        assert_eq!(days, expected.map(|(day, files)| (day.to_owned(), files)));
        assert!(from_bucket.iter().all(|unit| unit.source == "cloud-log/binderhub-events-text"));
        assert!(from_bucket[0].files.is_sorted());
    }

    #[test]
    fn a_day_needs_a_date_and_a_file() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["log/2020/02/30/a.json", "log/2020/02/a.json", "log/2020/03/01/a.txt", "2020/3/01/a.json"] {
            let file = dir.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "{}\n").unwrap();
        }
        let error = scan(dir.path()).unwrap_err();
        assert!(matches!(error, ScanError::Nothing { .. }), "{error}");
        assert!(error.to_string().contains("YYYY/MM/DD"), "{error}");
        fs::write(dir.path().join("log/2020/03/01/b.json.gz"), "").unwrap();
        assert_eq!(scan(dir.path()).unwrap().len(), 1);
    }

    #[test]
    fn two_logs_of_a_bucket_are_two_sources() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["run.example.org/stdout/2020/02/01/a.json", "binderhub/2020/02/01/a.json"] {
            let file = dir.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let sources: Vec<_> = scan(dir.path()).unwrap().into_iter().map(|unit| unit.source).collect();
        assert_eq!(sources, ["cloud-log/binderhub", "cloud-log/run.example.org/stdout"]);
    }

    #[test]
    fn the_search_ends() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b/c/d/e/f/g/h/i/j")).unwrap();
        assert!(matches!(scan(dir.path()), Err(ScanError::TooDeep { .. })));
    }
}
