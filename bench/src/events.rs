//! Events as BinderHubs send them, and requests of them, made before anything is timed.

use std::fmt::Write as _;

/// Requests of a kind that differ: enough that nothing repeats within a group, few enough to stay in the cache.
const VARIANTS: usize = 16;

/// One launch of about 280 bytes, so many seconds into the day `day`; `number` makes it differ from the others.
pub(crate) fn launch(number: usize, day: &str, second: f64) -> String {
    let (hour, minute, second) = ((second / 3600.0) as u32, (second / 60.0) as u32 % 60, second % 60.0);
    format!(
        r#"{{"timestamp": "{day}T{hour:02}:{minute:02}:{second:09.6}Z", "schema": "binderhub.jupyter.org/launch", "version": 5, "provider": "GitHub", "spec": "organisation-{}/repository-{}/HEAD", "ref": "{:040x}", "status": "success", "build_token": {}, "origin": "gke.mybinder.org"}}"#,
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
        let _ = writeln!(body, "{}", launch(number, "2026-03-05", number as f64 * 5.0));
    }
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: bench\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}
