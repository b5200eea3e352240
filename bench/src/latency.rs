//! Times of many equal things.

use std::fmt;
use std::time::Duration;

/// Each time in microseconds, all of them: a minute of 20,000 a second is 5 MB.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latency(Vec<u32>);

impl Latency {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The time that the share `p` of all did not exceed (nearest rank); zero without any.
    pub(crate) fn percentile(&self, p: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rank"
        )]
        let rank = (p * sorted.len() as f64).ceil() as usize;
        Duration::from_micros(sorted.get(rank.max(1) - 1).copied().unwrap_or(0).into())
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {} ms, p99 {} ms", millis(self.percentile(0.5)), millis(self.percentile(0.99)))
    }
}

/// `0.25`, `5.4`, `120`.
pub(crate) fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match millis {
        millis if millis < 1.0 => format!("{millis:.2}"),
        millis if millis < 100.0 => format!("{millis:.1}"),
        millis => format!("{millis:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile(0.99), Duration::ZERO);
        for micros in (1..=100).rev() {
            latency.add(Duration::from_micros(micros));
        }
        let micros = [0.0, 0.01, 0.5, 0.99, 1.0].map(|p| latency.percentile(p).as_micros());
        assert_eq!(micros, [1, 1, 50, 99, 100]);
    }
}
