//! Events as BinderHubs send them, and requests of them, made before anything is timed.

use std::fmt::Write as _;

/// Requests of a kind that differ: enough that nothing repeats within a group, few enough to stay in the cache.
const VARIANTS: usize = 16;

/// Between two events of a request: sixteen thousand make most of a day.
const MICROS_APART: usize = 5_000_003;

/// One launch of about 280 bytes, so many microseconds into `day`; `number` makes it differ from the others.
pub(crate) fn launch(number: usize, day: &str, micros: usize) -> String {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!(
        r#"{{"timestamp": "{day}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z", "schema": "binderhub.jupyter.org/launch", "version": 5, "provider": "GitHub", "spec": "organisation-{}/repository-{}/HEAD", "ref": "{:040x}", "status": "success", "build_token": {}, "origin": "gke.mybinder.org"}}"#,
        number % 97,
        number % 3_889,
        number * 7_919,
        number.is_multiple_of(3),
    )
}

/// Whole requests of `events` lines each.
pub(crate) fn requests(events: usize) -> Vec<Vec<u8>> {
    (0..VARIANTS).map(|variant| request(events, variant * events)).collect()
}

fn request(events: usize, first: usize) -> Vec<u8> {
    let mut body = String::new();
    for number in first..first + events {
        // Writing to a String never fails. In order of time, as they come from a hub.
        let _ = writeln!(body, "{}", launch(number, "2026-03-05", number * MICROS_APART));
    }
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: bench\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}
