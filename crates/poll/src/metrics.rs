//! What a hub's `/metrics` say of its process.

use event::EventTime;

use crate::client::{Client, Problem};

/// The hub's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// When it began, by the clock of its machine.
    pub(crate) began: EventTime,
    /// Whether it has looked for the servers of its predecessor and found none that runs.
    pub(crate) has_none: bool,
}

impl Client {
    /// The hub's process.
    pub(crate) async fn process(&self) -> Result<Process, Problem> {
        let fetched = self.get("/hub/metrics", "text/plain", "read:metrics").await?;
        let text = std::str::from_utf8(&fetched.body);
        let told = text.ok().and_then(process);
        told.ok_or_else(|| Problem::Malformed("its metrics do not tell when its process began".to_owned()))
    }
}

fn process(text: &str) -> Option<Process> {
    let mut began = None;
    let (mut running, mut looked) = (None, None);
    for line in text.lines() {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        match name {
            "process_start_time_seconds" => began = micros(value),
            "jupyterhub_running_servers" => running = value.parse::<f64>().ok(),
            "jupyterhub_init_spawners_duration_seconds_count" => looked = value.parse::<f64>().ok(),
            _ => {}
        }
    }
    let has_none = running == Some(0.0) && looked.is_some_and(|times| times >= 1.0);
    Some(Process { began: EventTime::from_micros(began?), has_none })
}

/// Seconds as Prometheus writes them, `1.76367e+09` too.
fn micros(seconds: &str) -> Option<i64> {
    let seconds: f64 = seconds.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "checked to lie within the years that a process can begin in")]
    (0.0..1e11).contains(&seconds).then(|| (seconds * 1e6).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_when_it_began() {
        let told = |running: &str, looked: &str| {
            process(&format!(
                "# HELP process_start_time_seconds Start time\nprocess_start_time_seconds 1.76367820729e+09\n\
                 jupyterhub_running_servers {running}\njupyterhub_init_spawners_duration_seconds_count {looked}\n\
                 jupyterhub_request_duration_seconds_count{{method=\"GET a b\"}} 3.0\n"
            ))
        };
        let began = EventTime::from_micros(1_763_678_207_290_000);
        assert_eq!(told("0.0", "1.0"), Some(Process { began, has_none: true }));
        assert_eq!(told("2.0", "1.0"), Some(Process { began, has_none: false }));
        assert_eq!(told("0.0", "0.0"), Some(Process { began, has_none: false }));
        assert_eq!(process("jupyterhub_running_servers 0.0\n"), None);
        assert_eq!(process("process_start_time_seconds NaN\n"), None);
    }
}
