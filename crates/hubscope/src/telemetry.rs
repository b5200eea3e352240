//! Diagnostics: structured lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Our own crates. The libraries below them tell much at `info` that helps only whoever works on them.
const OURS: [&str; 10] =
    ["hubscope", "event", "schema", "insight", "journal", "ingest", "store", "query", "publish", "server"];

/// Lets messages of `filter` through: as text on a terminal, else as JSON lines. A bare level (`info`) is that of our
/// own crates, libraries then tell warnings; anything else is taken as written (`warn,store=debug`).
pub(crate) fn start(filter: &str) {
    let filter = if filter.chars().all(char::is_alphabetic) { ours_at(filter) } else { filter.to_owned() };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(ours_at("info")));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        lines.compact().init();
    } else {
        lines.json().flatten_event(true).init();
    }
}

fn ours_at(level: &str) -> String {
    let mut filter = "warn".to_owned();
    for name in OURS {
        filter.push_str(&format!(",{name}={level}"));
    }
    filter
}
