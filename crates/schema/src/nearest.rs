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
    let (distance, best) = known.map(|candidate| (strsim::levenshtein(name, candidate), candidate)).min()?;
    (distance <= length.max(best.chars().count()) / DISTANCE_SHARE).then_some(best)
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
    }
}
