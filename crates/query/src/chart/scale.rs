//! A scale from zero with few round steps.

/// From 0 to a round number at or above the largest value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    /// Distance of two ticks.
    pub(super) step: f64,
    /// Where it ends.
    pub(super) end: f64,
}

impl Scale {
    /// For values up to `largest`, with about `ticks` steps of 1, 2 or 5 times a power of ten; whole steps when all
    /// values are whole.
    pub(super) fn up_to(largest: f64, ticks: f64, is_whole: bool) -> Self {
        let largest = if largest.is_finite() && largest > 0.0 { largest } else { 1.0 };
        let raw = largest / ticks;
        let power = 10_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| *step >= raw)
            .unwrap_or(10.0 * power)
            .max(if is_whole { 1.0 } else { f64::MIN_POSITIVE });
        Self { step, end: (largest / step).ceil() * step }
    }

    /// Where the ticks are, 0 included.
    pub(super) fn ticks(self) -> impl Iterator<Item = f64> {
        let mut at = 0_u32;
        std::iter::from_fn(move || {
            let tick = f64::from(at) * self.step;
            at += 1;
            // Sums of fractions miss the end by a hair.
            (tick <= self.end + self.step / 2.0).then_some(tick)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_few_and_reach_the_largest_value() {
        for (largest, expected) in [
            (0.0, vec![0.0, 1.0]),
            (0.4, vec![0.0, 1.0]),
            (1.0, vec![0.0, 1.0]),
            (3.0, vec![0.0, 1.0, 2.0, 3.0]),
            (61.0, vec![0.0, 20.0, 40.0, 60.0, 80.0]),
            (1_000.0, vec![0.0, 500.0, 1_000.0]),
            (12_345.0, vec![0.0, 5_000.0, 10_000.0, 15_000.0]),
            (f64::NAN, vec![0.0, 1.0]),
        ] {
            let ticks: Vec<f64> = Scale::up_to(largest, 4.0, true).ticks().collect();
            assert_eq!(ticks, expected, "{largest}");
        }
        for (largest, expected) in [(0.14, vec![0.0, 0.05, 0.1, 0.15]), (2.5, vec![0.0, 1.0, 2.0, 3.0])] {
            let ticks: Vec<f64> = Scale::up_to(largest, 4.0, false).ticks().collect();
            assert_eq!(ticks.len(), expected.len(), "{ticks:?}");
            assert!(ticks.iter().zip(&expected).all(|(one, other)| (one - other).abs() < 1e-9), "{ticks:?}");
        }
    }
}
