//! What a hub's `/metrics` say of its process, and of its users.

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

/// What is read of a hub's metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metrics {
    pub(crate) process: Process,
    /// The hub's own gauge of active users, for each of [`WINDOWS`](crate::watch::WINDOWS); hubs before 4.0 have none.
    pub(crate) active: [Option<u64>; 3],
}

impl Client {
    /// The hub's metrics.
    pub(crate) async fn metrics(&self) -> Result<Metrics, Problem> {
        let fetched = self.get("/hub/metrics", "text/plain", "read:metrics").await?;
        let text = std::str::from_utf8(&fetched.body);
        let told = text.ok().and_then(metrics);
        told.ok_or_else(|| Problem::Malformed("its metrics do not tell when its process began".to_owned()))
    }
}

fn metrics(text: &str) -> Option<Metrics> {
    let mut began = None;
    let (mut running, mut looked) = (None, None);
    let mut active = [None; 3];
    for line in text.lines() {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        match name {
            "process_start_time_seconds" => began = micros(value),
            "jupyterhub_running_servers" => running = value.parse::<f64>().ok(),
            "jupyterhub_init_spawners_duration_seconds_count" => looked = value.parse::<f64>().ok(),
            "jupyterhub_active_users{period=\"24h\"}" => active[0] = count(value),
            "jupyterhub_active_users{period=\"7d\"}" => active[1] = count(value),
            "jupyterhub_active_users{period=\"30d\"}" => active[2] = count(value),
            _ => {}
        }
    }
    let has_none = running == Some(0.0) && looked.is_some_and(|times| times >= 1.0);
    Some(Metrics { process: Process { began: EventTime::from_micros(began?), has_none }, active })
}

/// A whole number as Prometheus writes it, `12.0` or `1.2e+07`.
fn count(value: &str) -> Option<u64> {
    let value: f64 = value.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and in range")]
    (value.fract() == 0.0 && (0.0..1e15).contains(&value)).then_some(value as u64)
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
            metrics(&format!(
                "# HELP process_start_time_seconds Start time\nprocess_start_time_seconds 1.76367820729e+09\n\
                 jupyterhub_running_servers {running}\njupyterhub_init_spawners_duration_seconds_count {looked}\n\
                 jupyterhub_request_duration_seconds_count{{method=\"GET a b\"}} 3.0\n"
            ))
            .map(|metrics| metrics.process)
        };
        let began = EventTime::from_micros(1_763_678_207_290_000);
        assert_eq!(told("0.0", "1.0"), Some(Process { began, has_none: true }));
        assert_eq!(told("2.0", "1.0"), Some(Process { began, has_none: false }));
        assert_eq!(told("0.0", "0.0"), Some(Process { began, has_none: false }));
        assert_eq!(metrics("jupyterhub_running_servers 0.0\n"), None);
        assert_eq!(metrics("process_start_time_seconds NaN\n"), None);
    }

    #[test]
    fn the_gauge_of_active_users_is_read_where_there_is_one() {
        let told = |lines: &str| metrics(&format!("process_start_time_seconds 1.0\n{lines}")).unwrap().active;
        let gauge = |period: &str, value: &str| format!("jupyterhub_active_users{{period=\"{period}\"}} {value}\n");
        assert_eq!(told(""), [None; 3]);
        let all = [gauge("7d", "1.2e+02"), gauge("24h", "3.0"), gauge("30d", "0.0"), gauge("365d", "9.0")].concat();
        assert_eq!(told(&all), [Some(3), Some(120), Some(0)]);
        for wrong in ["-1.0", "NaN", "2.5", "1e300", "many"] {
            assert_eq!(told(&gauge("24h", wrong)), [None; 3], "{wrong}");
        }
    }
}
