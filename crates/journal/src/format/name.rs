//! The name of a segment file repeats what its header says, so that a damaged header costs no position and no id.

use std::fmt;

const SUFFIX: &str = ".segment";

/// `<sequence>-<first position>-<journal id>.segment`, in decimal, decimal and 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentName {
    pub(crate) sequence: u64,
    pub(crate) first: u64,
    pub(crate) id: u128,
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}-{:020}-{:032x}{SUFFIX}", self.sequence, self.first, self.id)
    }
}

impl SegmentName {
    /// `None` for any name that this program would not have written.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(SUFFIX)?.split('-');
        let parsed = Self {
            sequence: parts.next()?.parse().ok()?,
            first: parts.next()?.parse().ok()?,
            id: u128::from_str_radix(parts.next()?, 16).ok()?,
        };
        (parsed.to_string() == name).then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_foreign_ones_do_not() {
        let name = SegmentName { sequence: 12, first: 34, id: 0xabc };
        let text = "0000000012-00000000000000000034-00000000000000000000000000000abc.segment";
        assert_eq!(name.to_string(), text);
        assert_eq!(SegmentName::parse(text), Some(name));
        for foreign in ["", "x.segment", "12-34-abc.segment", &text.replace("abc", "ABC"), &format!("{text}.tmp")] {
            assert_eq!(SegmentName::parse(foreign), None, "{foreign}");
        }
    }
}
