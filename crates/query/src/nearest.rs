//! What was probably meant: the known names that resemble an unknown one.

/// Names offered in an error message.
const OFFERED_MAX: usize = 3;

/// The known names that resemble `name`, best first, without doubles.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let mut scored: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|candidate| {
            let distance = distance(&wanted, &candidate.to_lowercase());
            (distance <= distance_max(&wanted)).then_some((distance, candidate))
        })
        .collect();
    scored.sort_unstable();
    scored.dedup();
    scored.into_iter().take(OFFERED_MAX).map(|(_, candidate)| candidate.to_owned()).collect()
}

/// `: did you mean 'a' or 'b'?`, or nothing.
pub(crate) fn hint(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => {
            let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
            format!("; did you mean {}?", quoted.join(" or "))
        }
    }
}

/// Half of the letters may be wrong, and at least one: a swap of two counts as two.
fn distance_max(name: &str) -> usize {
    (name.chars().count() / 2).max(1)
}

/// Number of letters to insert, delete or replace (Levenshtein); a name inside the other counts as one step.
fn distance(a: &str, b: &str) -> usize {
    let is_inside = a.len() >= 3 && b.len() >= 3 && (a.contains(b) || b.contains(a));
    if a != b && is_inside { 1 } else { strsim::levenshtein(a, b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered_best_first_and_far_ones_are_not() {
        for (name, expected) in [
            ("evnts", vec!["events"]),
            ("EVENTS", vec!["events"]),
            ("launch", vec!["launches"]),
            ("serveractions", vec!["server_actions"]),
            ("x", vec![]),
            ("zebra", vec![]),
        ] {
            assert_eq!(nearest(name, ["events", "launches", "quarantine", "server_actions"]), expected, "{name}");
        }
    }
}
