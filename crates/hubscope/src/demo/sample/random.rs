//! Numbers that look random and are the same every time.

/// The SplitMix64 sequence: small, fast, and good enough to draw a sample from.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The sequence of `seed`. Sequences of different `stream`s have nothing to do with each other.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut mixed = Self(seed ^ stream.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Self(mixed.next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        let high = ((self.next() >> 32) * u64::from(end)) >> 32;
        u32::try_from(high).unwrap_or(0)
    }

    /// True in `percent` of 100 cases.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

/// Things that are drawn as often as their weights say.
#[derive(Debug)]
pub(super) struct Weighted<T> {
    things: Vec<T>,
    /// Sum of the weights up to and with each thing.
    sums: Vec<u32>,
}

impl<T> Weighted<T> {
    pub(super) fn new(weighted: impl IntoIterator<Item = (T, u32)>) -> Self {
        let mut sum = 0;
        let (things, sums) = weighted
            .into_iter()
            .map(|(thing, weight)| {
                sum += weight;
                (thing, sum)
            })
            .unzip();
        Self { things, sums }
    }

    /// One of them; `None` when there are none, or all weigh nothing.
    pub(super) fn draw(&self, random: &mut Random) -> Option<&T> {
        let all = self.sums.last().copied().filter(|sum| *sum > 0)?;
        let drawn = random.below(all);
        self.things.get(self.sums.partition_point(|sum| *sum <= drawn))
    }
}

/// Launches per hour of the day, UTC: mybinder.org is used around the world, most from European noon to American noon.
pub(super) const HOURS: [u32; 24] =
    [52, 46, 42, 40, 41, 46, 57, 76, 95, 106, 109, 107, 112, 122, 131, 133, 128, 118, 105, 94, 86, 78, 69, 60];

/// Days of a week from Monday, after the index of August 2021: a Sunday has a little more than half of a working day.
pub(super) const WEEKDAYS: [u32; 7] = [100, 103, 104, 102, 95, 58, 57];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_weights_and_repeat() {
        let things = Weighted::new([("never", 0), ("often", 90), ("seldom", 10)]);
        let draw = || {
            let mut random = Random::new(1, 2);
            (0..10_000).map(|_| *things.draw(&mut random).unwrap()).collect::<Vec<_>>()
        };
        let drawn = draw();
        assert_eq!(drawn, draw());
        let seldom = drawn.iter().filter(|thing| **thing == "seldom").count();
        assert!((900..1100).contains(&seldom), "{seldom}");
        assert!(!drawn.contains(&"never"));
        assert_eq!(Weighted::<u8>::new([]).draw(&mut Random::new(1, 2)), None);
    }
}
