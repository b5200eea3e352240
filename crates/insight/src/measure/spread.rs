//! How evenly use is spread over people.

use super::Share;

/// A Lorenz curve, and what the busiest tenth takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// What the n least busy people have together, for n from 0 to all.
    pub curve: Vec<u128>,
    /// What the busiest tenth of the people has (rounded up to whole people), of all.
    pub top_tenth: Share,
}

/// The spread of one figure for each person, such as microseconds.
pub fn spread(each: impl IntoIterator<Item = u128>) -> Spread {
    let mut each: Vec<u128> = each.into_iter().collect();
    each.sort_unstable();
    let mut curve = Vec::with_capacity(each.len() + 1);
    let mut sum = 0;
    curve.push(sum);
    for figure in &each {
        sum += figure;
        curve.push(sum);
    }
    let others = each.len() - each.len().div_ceil(10);
    Spread { top_tenth: Share { part: sum - curve[others], whole: sum }, curve }
}
