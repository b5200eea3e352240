//! The list of files, for machines and for people.

use std::fmt::Write as _;

use event::{Day, EventTime};

/// Name of the list for machines.
pub(crate) const INDEX: &str = "index.jsonl";
/// Name of the list for people.
pub(crate) const PAGE: &str = "index.html";
/// Name of the page's style, a file of its own so that the page needs no leave to run styles of its own.
pub(crate) const STYLE: &str = "archive.css";
/// What [`STYLE`] holds.
pub(crate) const STYLE_TEXT: &str = include_str!("archive.css");

/// A day's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) day: Day,
    pub(crate) events: u64,
}

/// The name of the file of `day`.
pub(crate) fn file_name(day: Day) -> String {
    format!("events-{day}.jsonl")
}

/// The day whose file has that name.
pub(crate) fn day_of(name: &str) -> Option<Day> {
    name.strip_prefix("events-")?.strip_suffix(".jsonl")?.parse().ok()
}

/// The list for machines: a line per file, oldest first, joined by line ends and without one at the end. The count is
/// text, because readers of the archive have always found text there.
pub(crate) fn jsonl(entries: &[Entry]) -> String {
    let line = |entry: &Entry| {
        let Entry { day, events } = entry;
        format!("{{\"name\": \"{}\", \"date\": \"{day}\", \"count\": \"{events}\"}}", file_name(*day))
    };
    entries.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The page: a table with the headings that readers look for, newest first. It asks nothing of any other host and runs
/// no script.
pub(crate) fn page(title: &str, entries: &[Entry], generated: EventTime) -> String {
    let title = escaped(title);
    let events: u64 = entries.iter().map(|entry| entry.events).sum();
    let generated = seconds(generated);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"{STYLE}\">\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p>One file a day (UTC), one event a line, as JSON. Times are cut to the minute; only fields that were declared \
         public are here. A day without events has an empty file; a day without a file was not observed.</p>\n\
         <p>{events} events in {} files. Programs read <a href=\"{INDEX}\">{INDEX}</a>.</p>\n\
         <table>\n<thead>\n<tr><th scope=\"col\">Date</th><th scope=\"col\">Filename</th>\
         <th scope=\"col\">Number of Events</th></tr>\n</thead>\n<tbody>\n",
        entries.len()
    );
    for Entry { day, events } in entries.iter().rev() {
        let name = file_name(*day);
        // A String takes everything that is written to it.
        let _ = writeln!(
            html,
            "<tr><td><time datetime=\"{day}\">{day}</time></td><td><a href=\"{name}\">{name}</a></td><td>{events}</td></tr>"
        );
    }
    let _ = write!(
        html,
        "</tbody>\n</table>\n<footer>Written by hubscope, <time datetime=\"{generated}\">{generated}</time></footer>\n\
         </main>\n</body>\n</html>\n"
    );
    html
}

/// An instant to the second, with `Z`.
fn seconds(time: EventTime) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let entry = |day: &str, events| Entry { day: day.parse().unwrap(), events };
        vec![entry("2018-11-03", 4), entry("2020-06-18", 2), entry("2023-08-21", 2), entry("2023-08-22", 0)]
    }

    #[test]
    fn the_list_is_that_of_the_archive() {
        let golden = include_str!("../../../tests/fixtures/archive/golden/archive/index.jsonl");
        assert_eq!(jsonl(&entries()), golden);
        assert_eq!(jsonl(&[]), "");
    }

    /// Readers of the page look for these headings in a table; newest first.
    #[test]
    fn the_page_has_the_table_that_readers_expect() {
        let html = page("A & B <archive>", &entries(), EventTime::from_micros(1_772_931_723_456_789));
        assert!(html.contains(
            "<th scope=\"col\">Date</th><th scope=\"col\">Filename</th><th scope=\"col\">Number of Events</th>"
        ));
        assert!(html.contains("<h1>A &amp; B &lt;archive&gt;</h1>"));
        assert!(html.contains("8 events in 4 files"));
        assert!(html.contains("2026-03-08T01:02:03Z"));
        let places: Vec<_> = ["2023-08-22", "2023-08-21", "2020-06-18", "2018-11-03"]
            .map(|day| html.find(&format!("<td><a href=\"events-{day}.jsonl\">")).unwrap())
            .into();
        assert!(places.is_sorted());
        for foreign in ["http:", "https:", "//", "<script", "style=", "<style"] {
            assert!(!html.contains(foreign) && !STYLE_TEXT.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn names_and_days_belong_together() {
        for entry in entries() {
            assert_eq!(day_of(&file_name(entry.day)), Some(entry.day));
        }
        for name in ["index.jsonl", "events-2018-11-03.jsonl.metadata", "events-2018-11-31.jsonl", "events-.jsonl"] {
            assert_eq!(day_of(name), None, "{name}");
        }
    }
}
