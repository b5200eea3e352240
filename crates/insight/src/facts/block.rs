//! The counts of one day: numbers of keys in order, each as its distance from the one before, and how often it came,
//! seven bits to a byte. Most keys are near their neighbours and came once, which makes two bytes.

/// So many keys on from one place to the next at which reading can begin: eight bytes for each.
const STEP: usize = 128;

/// What was counted on one day. Immutable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    keys: u32,
    n: u64,
    bytes: Box<[u8]>,
    /// After every [`STEP`] keys: the last one, and where the next one begins.
    steps: Box<[(u32, u32)]>,
}

impl Block {
    /// Of keys and their counts, in any order; those of a key that comes twice are added up, and a count of 0 is none.
    pub fn of(mut counts: Vec<(u32, u64)>) -> Self {
        counts.retain(|(_, n)| *n > 0);
        counts.sort_unstable();
        counts.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            is_same
        });
        let mut bytes = Vec::with_capacity(2 * counts.len());
        let mut steps = Vec::new();
        let mut before = 0;
        for (place, (id, n)) in counts.iter().enumerate() {
            if place > 0 && place % STEP == 0 {
                // A day of four gigabytes has no more places; it is read from the last one on.
                steps.extend(u32::try_from(bytes.len()).ok().map(|at| (before, at)));
            }
            put(&mut bytes, u64::from(id - before));
            put(&mut bytes, *n);
            before = *id;
        }
        Self {
            keys: u32::try_from(counts.len()).unwrap_or(u32::MAX),
            n: counts.iter().fold(0, |sum, (_, n)| u64::saturating_add(sum, *n)),
            bytes: bytes.into(),
            steps: steps.into(),
        }
    }

    /// How many keys.
    pub fn keys(&self) -> u32 {
        self.keys
    }

    /// How often all of them came together.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.steps)
    }

    /// Keys and counts, in order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.after(0, 0)
    }

    /// How often `key` came; `None` when it did not. Looks at [`STEP`] keys at most.
    pub fn get(&self, key: u32) -> Option<u64> {
        let steps = self.steps.partition_point(|(last, _)| *last < key);
        let (last, at) = steps.checked_sub(1).and_then(|step| self.steps.get(step)).copied().unwrap_or_default();
        self.after(last, at).find(|(id, _)| *id >= key).filter(|(id, _)| *id == key).map(|(_, n)| n)
    }

    /// Keys and counts from the byte `at` on, before which `id` was the last key.
    fn after(&self, mut id: u32, at: u32) -> impl Iterator<Item = (u32, u64)> + '_ {
        let mut rest = usize::try_from(at).ok().and_then(|at| self.bytes.get(at..)).unwrap_or_default();
        std::iter::from_fn(move || {
            let gap = take(&mut rest)?;
            let n = take(&mut rest)?;
            id = id.wrapping_add(u32::try_from(gap).ok()?);
            Some((id, n))
        })
    }
}

fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    let mut shift = 0;
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order() {
        for (counts, expected) in [
            (vec![], vec![]),
            (vec![(0, 1)], vec![(0, 1)]),
            (vec![(7, 1), (3, 2), (7, 4), (9, 0)], vec![(3, 2), (7, 5)]),
            (vec![(u32::MAX, u64::MAX), (0, 128), (127, 127)], vec![(0, 128), (127, 127), (u32::MAX, u64::MAX)]),
        ] {
            let block = Block::of(counts);
            assert_eq!(block.iter().collect::<Vec<_>>(), expected);
            assert_eq!(usize::try_from(block.keys()).unwrap(), expected.len());
            assert_eq!(block.n(), expected.iter().fold(0, |sum, (_, n)| u64::saturating_add(sum, *n)));
        }
        let dense = Block::of((0..10_000).map(|id| (id * 100, 1)).collect());
        assert_eq!(dense.bytes(), 20_000 + 8 * 78, "two bytes for a key that came once, and places to begin at");
    }

    #[test]
    fn one_key_is_found_among_many() {
        for keys in [0, 1, 127, 128, 129, 256, 257, 1_000] {
            let block = Block::of((0..keys).map(|id| (3 * id + 1, u64::from(id) + 1)).collect());
            for id in 0..3 * keys + 5 {
                let expected = (id % 3 == 1 && id / 3 < keys).then(|| u64::from(id / 3) + 1);
                assert_eq!(block.get(id), expected, "{id} of {keys}");
            }
        }
    }
}
