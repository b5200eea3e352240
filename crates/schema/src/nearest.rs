//! The known name that a wrong one was probably meant to be.

/// Names further away than this share of their length are not suggested.
const DISTANCE_SHARE: usize = 3;

/// Longest name that is compared: the work is quadratic, and ids are shorter.
const NAME_CHARS_MAX: usize = 256;

/// The name of `known` that takes the fewest edits to reach from `name`; `None` when all are far away.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    if length > NAME_CHARS_MAX {
        return None;
    }
    let (distance, best) = known.map(|candidate| (distance(name, candidate), candidate)).min()?;
    (distance <= length.max(best.chars().count()) / DISTANCE_SHARE).then_some(best)
}

/// Levenshtein distance in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, character) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(&right) {
            let replaced = diagonal + usize::from(character != *other);
            diagonal = *cell;
            *cell = replaced.min(diagonal + 1).min(before + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_a_stranger_is_not() {
        let known = ["binderhub.jupyter.org/launch", "hub.jupyter.org/server-action"];
        for (name, expected) in [
            ("binderhub.jupyter.io/launch", Some(known[0])),
            ("https://hub.jupyter.org/server-action", Some(known[1])),
            ("something/else", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known.into_iter()), expected, "{name}");
        }
        assert_eq!(nearest("x", std::iter::empty()), None);
        assert_eq!(nearest(&"x".repeat(10_000), known.into_iter()), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
