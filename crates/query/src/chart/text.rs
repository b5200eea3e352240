//! Words in a chart. Names come from events, so they are anyone's: they may hold mark-up, turn the direction of
//! writing, or never end.

/// `text` safe inside an element or an attribute of SVG and HTML: mark-up escaped, what XML forbids left out.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            // Put around names by ourselves, always in pairs: `plain` takes them out of what others wrote.
            '\u{2068}' | '\u{2069}' => out.push(letter),
            letter if letter.is_control() || is_direction(letter) || is_forbidden(letter) => {}
            letter => out.push(letter),
        }
    }
    out
}

/// `text` as it is, without what turns the direction of writing, controls and line ends.
pub(super) fn plain(text: &str) -> String {
    let is_kept = |letter: &char| !(letter.is_control() || is_direction(*letter) || is_forbidden(*letter));
    text.chars().map(|letter| if matches!(letter, '\n' | '\t') { ' ' } else { letter }).filter(is_kept).collect()
}

/// A name of at most `width_max` units, cut with a sign, and isolated so that its direction is its own affair.
pub(super) fn name(text: &str, width_max: f64) -> String {
    format!("\u{2068}{}\u{2069}", escaped(&cut(&plain(text), width_max)))
}

/// Cuts to `width_max` units.
pub(super) fn cut(text: &str, width_max: f64) -> String {
    if width(text) <= width_max {
        return text.to_owned();
    }
    let mut room = width_max - letter_width('…');
    let kept = text.chars().take_while(|letter| {
        room -= letter_width(*letter);
        room >= 0.0
    });
    kept.chain(['…']).collect()
}

/// About how wide `text` is drawn at 12 units.
pub(super) fn width(text: &str) -> f64 {
    text.chars().map(letter_width).sum()
}

/// Letters of most systems' fonts are narrower than this; ideographs and emoji are as wide as they are high.
fn letter_width(letter: char) -> f64 {
    if letter.is_ascii() { 6.7 } else { 12.5 }
}

/// Marks that turn the direction of what follows them.
fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{061C}')
}

fn is_forbidden(letter: char) -> bool {
    matches!(letter, '\u{FFFE}' | '\u{FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_text() {
        for (text, expected) in [
            ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
            ("\"'&", "&quot;&#39;&amp;"),
            ("a\u{202E}b\u{0}c\u{7}", "abc"),
            ("שלום 🎉", "שלום 🎉"),
            ("]]>", "]]&gt;"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn long_names_are_cut_and_isolated() {
        let shown = name(&"x".repeat(200), 100.0);
        assert!(shown.starts_with('\u{2068}') && shown.ends_with("…\u{2069}"), "{shown}");
        assert!(width(&shown) < 140.0);
        assert_eq!(name("short", 100.0), "\u{2068}short\u{2069}");
    }
}
