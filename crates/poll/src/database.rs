//! A hub's own database, read as if it were an answer of the hub.
//!
//! `JupyterHub` keeps the present and no history: its users with their last activity, and the servers that run with
//! their starts. What a file says was so at some moment that the file does not name, at or after the latest time in it.
//! At that time a server that started earlier ran, since its end would be written; one that is missing may have run and
//! ended between, so a database proves who was there and not who was not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use event::EventTime;
use insight::session::Between;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OpenFlags, Row};

use crate::client::Problem;
use crate::reading::{Account, Chosen, Reading, Seen, Users};

/// A hub that writes meanwhile is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// More users or servers than any hub has; what a file makes us hold is bounded by it.
const ROWS_MAX: usize = 2_000_000;

/// What is asked of the database, and what it tells of a file that is no hub's.
const TABLES: [(&str, &[&str]); 2] =
    [("users", &["id", "name", "last_activity"]), ("spawners", &["user_id", "server_id", "name", "started"])];

/// A database could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// `SQLite` refused.
    #[error("cannot read {} as a database of SQLite", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// Another program's, or a hub's of before 0.9.
    #[error("{} is no database of JupyterHub 0.9 or later: its table '{table}' has no column '{column}'", path.display())]
    NotAHub {
        /// The file.
        path: PathBuf,
        /// Of which table.
        table: &'static str,
        /// What is missing there.
        column: String,
    },
    /// A time in it is none.
    #[error("{} holds the time '{text}', which is none: a time is YYYY-MM-DD HH:MM:SS, UTC", path.display())]
    NotATime {
        /// The file.
        path: PathBuf,
        /// As it stands there.
        text: String,
    },
    /// Nothing in it has a time.
    #[error("{} names no time at all: no user was ever active", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
    },
    /// It lists more than any hub has.
    #[error("{} lists more than {ROWS_MAX} users or servers", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the database at `path`, also while the hub runs: nothing is written.
///
/// # Errors
/// See [`DatabaseError`].
pub fn read_database(path: &Path) -> Result<(Reading, Users), DatabaseError> {
    let database = Database::open(path)?;
    let created = if database.has("users", "created")? { "created" } else { "NULL" };
    let users = database.rows(&format!("SELECT name, last_activity, {created} FROM users"), |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, Option<String>>(2)?))
    })?;
    // An old hub's spawners have no activity of their own.
    let activity = if database.has("spawners", "last_activity")? { "spawners.last_activity" } else { "NULL" };
    let running = format!(
        "SELECT users.name, spawners.name, spawners.started, {activity} FROM spawners \
         JOIN users ON users.id = spawners.user_id \
         WHERE spawners.server_id IS NOT NULL AND spawners.started IS NOT NULL"
    );
    let servers = database.rows(&running, |row| {
        let name: Option<String> = row.get(1)?;
        Ok(((row.get::<_, String>(0)?, name.unwrap_or_default()), row.get::<_, String>(2)?, row.get(3)?))
    })?;

    let mut latest: Option<EventTime> = None;
    let mut time = |text: String| {
        let at = utc(&text).ok_or(DatabaseError::NotATime { path: path.to_owned(), text })?;
        latest = latest.max(Some(at));
        Ok(at)
    };
    let mut listed = BTreeMap::new();
    for (name, activity, created) in users {
        let (last_activity, created) = (activity.map(&mut time).transpose()?, created.map(&mut time).transpose()?);
        listed.insert(name, Account { last_activity, created, groups: None });
    }
    let mut running = BTreeMap::new();
    for (key, started, activity) in servers {
        let activity: Option<String> = activity;
        let (started, last_activity) = (time(started)?, activity.map(&mut time).transpose()?);
        // Of a server that comes up, its start is the last activity.
        let is_ready = last_activity.is_some_and(|activity| started < activity);
        running.insert(key, Seen { started, is_ready, last_activity, chosen: Chosen::default() });
    }
    let at = latest.ok_or(DatabaseError::Nothing { path: path.to_owned() })?;
    let at = Between { after: at, before: at };
    let problem = Some(Problem::Copy);
    Ok((Reading { at, servers: running, problem: problem.clone() }, Users { at, users: listed, problem }))
}

struct Database<'a> {
    path: &'a Path,
    connection: Connection,
}

impl<'a> Database<'a> {
    fn open(path: &'a Path) -> Result<Self, DatabaseError> {
        let failed = |source| DatabaseError::Sqlite { path: path.to_owned(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        // One moment for all that is asked.
        connection.execute_batch("BEGIN").map_err(failed)?;
        let database = Self { path, connection };
        for (table, columns) in TABLES {
            for column in columns {
                if !database.has(table, column)? {
                    let (path, column) = (path.to_owned(), (*column).to_owned());
                    return Err(DatabaseError::NotAHub { path, table, column });
                }
            }
        }
        Ok(database)
    }

    fn has(&self, table: &str, column: &str) -> Result<bool, DatabaseError> {
        let asked = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
        let count: i64 = self.connection.query_row(asked, [table, column], |row| row.get(0)).map_err(self.failed())?;
        Ok(count > 0)
    }

    fn rows<T>(
        &self,
        sql: &str,
        read: impl Fn(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Vec<T>, DatabaseError> {
        let mut statement = self.connection.prepare(sql).map_err(self.failed())?;
        let mut rows = statement.query([]).map_err(self.failed())?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(self.failed())? {
            if found.len() == ROWS_MAX {
                return Err(DatabaseError::TooLarge { path: self.path.to_owned() });
            }
            found.push(read(row).map_err(self.failed())?);
        }
        Ok(found)
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> DatabaseError + '_ {
        |source| DatabaseError::Sqlite { path: self.path.to_owned(), source }
    }
}

/// Of a time as `SQLAlchemy` writes it: UTC without saying so.
fn utc(text: &str) -> Option<EventTime> {
    let at: DateTime = text.parse().ok()?;
    let zoned = TimeZone::UTC.to_zoned(at).ok()?;
    Some(EventTime::from_micros(zoned.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::texts_of_database;

    /// The columns that matter here, as `JupyterHub` 6 declares them.
    const TABLES_OF_A_HUB: &str = "
        CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(255), created DATETIME, last_activity DATETIME);
        CREATE TABLE spawners (id INTEGER PRIMARY KEY, user_id INTEGER, server_id INTEGER, name VARCHAR(255),
            started DATETIME, last_activity DATETIME);
        INSERT INTO users VALUES (1, 'ada', '2024-01-01 00:00:00.000000', '2024-02-29 12:00:00.250000');
        INSERT INTO users VALUES (2, 'b\"<i>', '2024-01-01 00:00:00', NULL);
        INSERT INTO spawners VALUES (1, 1, 7, '', '2024-02-29 09:00:00.000000', '2024-02-29 11:58:00.000000');
        INSERT INTO spawners VALUES (2, 1, 8, 'gpu', '2024-02-29 11:59:00.000000', '2024-02-29 11:59:00.000000');
        INSERT INTO spawners VALUES (3, 2, NULL, '', NULL, '2024-02-20 01:00:00.000000');";

    fn file(sql: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jupyterhub.sqlite");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        (dir, path)
    }

    #[test]
    fn who_runs_and_who_was_active_is_told_of_the_latest_time_in_it() {
        let (_dir, path) = file(TABLES_OF_A_HUB);
        let before = std::fs::read(&path).unwrap();
        let (reading, users) = read_database(&path).unwrap();
        assert_eq!(reading.at, users.at);
        assert_eq!(reading.at.after.to_string(), "2024-02-29T12:00:00.250000Z");
        let servers: Vec<String> = reading
            .servers
            .iter()
            .map(|((user, server), seen)| format!("{user}/{server} {} {}", seen.started, seen.is_ready))
            .collect();
        assert_eq!(servers, ["ada/ 2024-02-29T09:00:00.000000Z true", "ada/gpu 2024-02-29T11:59:00.000000Z false"]);
        assert_eq!(users.users.keys().collect::<Vec<_>>(), ["ada", "b\"<i>"]);
        let texts = texts_of_database(&reading, &users);
        let polls: Vec<&String> = texts.iter().filter(|text| text.contains("-poll\"")).collect();
        assert_eq!((texts.len(), polls.len()), (9, 3));
        // Nobody is proven to be gone, and no outage of ours ends with it.
        assert!(polls.iter().all(|text| text.contains("\"complete\":false")), "{polls:?}");
        assert!(!texts.iter().any(|text| text.contains("\"begins\":true")), "{texts:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn what_is_no_hubs_database_is_told() {
        let whole = |error: DatabaseError| match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        for (sql, expected) in [
            ("CREATE TABLE other (id INTEGER);", "its table 'users' has no column 'id'"),
            (
                "CREATE TABLE users (id INTEGER, name TEXT, last_activity DATETIME, server_id INTEGER);",
                "JupyterHub 0.9 or later: its table 'spawners' has no column 'user_id'",
            ),
            (&TABLES_OF_A_HUB.replace("2024-02-29 12:00:00.250000", "yesterday"), "holds the time 'yesterday'"),
            (TABLES_OF_A_HUB.split_once("INSERT").unwrap().0, "names no time at all"),
        ] {
            let (_dir, path) = file(sql);
            let error = whole(read_database(&path).unwrap_err());
            assert!(error.contains(expected) && error.contains("jupyterhub.sqlite"), "{error}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.txt");
        std::fs::write(&path, "[I 2026-11-21 00:36:47.295 JupyterHub base:1090] no database").unwrap();
        let error = whole(read_database(&path).unwrap_err());
        assert!(error.contains("log.txt") && error.contains("not a database"), "{error}");
        assert!(read_database(&dir.path().join("gone")).is_err());
    }
}
