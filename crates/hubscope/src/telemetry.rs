//! Diagnostics: structured lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Lets messages of `filter` (for example `info` or `warn,store=debug`) through: as text on a terminal, else as JSON lines.
pub(crate) fn start(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        lines.compact().init();
    } else {
        lines.json().flatten_event(true).init();
    }
}
