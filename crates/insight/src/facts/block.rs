//! The counts of one day: numbers of keys in order, each as its distance from the one before, and how often it came,
//! seven bits to a byte. Most keys are near their neighbours and came once, which makes two bytes.

/// What was counted on one day. Immutable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    keys: u32,
    bytes: Box<[u8]>,
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
        let mut before = 0;
        for (id, n) in &counts {
            put(&mut bytes, u64::from(id - before));
            put(&mut bytes, *n);
            before = *id;
        }
        Self { keys: u32::try_from(counts.len()).unwrap_or(u32::MAX), bytes: bytes.into() }
    }

    /// How many keys.
    pub fn keys(&self) -> u32 {
        self.keys
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Keys and counts, in order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let mut rest = &*self.bytes;
        let mut id = 0_u32;
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
        }
        let dense = Block::of((0..10_000).map(|id| (id * 100, 1)).collect());
        assert_eq!(dense.bytes(), 20_000, "two bytes for a key that came once");
    }
}
