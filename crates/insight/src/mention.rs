//! Whether a text names a person, however the name was written down.
//!
//! A name reaches us raw, escaped as JSON or as Python's `repr` does it, in a path, percent-encoded, and in several of
//! these at once (a form that holds a `repr` that holds a path). So a text is taken apart into everything that could be
//! a name, after each of a few rounds of undoing escapes, and whoever asks compares whole names: `ann` is not named by
//! `ann.smith`, nor by `joanna`.

use std::borrow::Cow;

/// Escapes are undone so often: a form, in it a `repr`, in it JSON, in it a path.
const ROUNDS: usize = 4;

/// Whether `is` accepts something in `text` that could be a name. Bytes that are not UTF-8 are read as U+FFFD.
///
/// Could be a name: the longest runs of letters, digits and `. _ - @ +` (also without the full stop that ends a
/// sentence); the longest runs without space, double quote, slash or bracket; and what stands between two quotes of one
/// kind. Each as written, and after each round of undoing escapes.
pub fn mentions(text: &[u8], mut is: impl FnMut(&str) -> bool) -> bool {
    let mut text = String::from_utf8_lossy(text);
    for _ in 0..ROUNDS {
        if names(&text, &mut is) {
            return true;
        }
        match unescaped(&text) {
            Some(plain) => text = Cow::Owned(plain),
            None => return false,
        }
    }
    names(&text, &mut is)
}

fn names(text: &str, is: &mut impl FnMut(&str) -> bool) -> bool {
    let narrow = text.split(|letter| !is_of_name(letter)).any(|run| is_name(run, is));
    narrow
        || text.split(is_between_names).any(|run| is_name(run, is))
        || quoted(text, '"', is)
        || quoted(text, '\'', is)
}

fn is_name(run: &str, is: &mut impl FnMut(&str) -> bool) -> bool {
    let bare = run.trim_matches('\'').trim_end_matches('.');
    !bare.is_empty() && (is(run) || (bare.len() < run.len() && is(bare)))
}

/// What stands between two quotes that follow each other, spaces and all.
fn quoted(text: &str, quote: char, is: &mut impl FnMut(&str) -> bool) -> bool {
    let mut parts = text.split(quote);
    // Before the first quote and after the last one, nothing is quoted.
    parts.next_back();
    parts.skip(1).any(|part| part.chars().any(char::is_whitespace) && is(part))
}

fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '@' | '+')
}

fn is_between_names(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control() || "\"/\\?&=,;:(){}[]<>".contains(letter)
}

/// `text` with one round of percent and backslash escapes undone; `None` if it has none.
fn unescaped(text: &str) -> Option<String> {
    if !text.contains(['%', '\\']) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '%' => percent(rest),
            '\\' => backslash(rest),
            _ => None,
        };
        match taken {
            Some((escape, length)) => {
                escape.push_to(&mut bytes);
                rest = rest.get(length..).unwrap_or_default();
                changed = true;
            }
            None => {
                bytes.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    changed.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// What an escape stands for.
enum Escape {
    /// One byte, perhaps of several that make a letter.
    Byte(u8),
    Letter(char),
}

impl Escape {
    fn push_to(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Byte(byte) => bytes.push(*byte),
            Self::Letter(letter) => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

fn percent(text: &str) -> Option<(Escape, usize)> {
    Some((Escape::Byte(u8::try_from(number(text, 1, 2)?).ok()?), 3))
}

/// The escape that `text` begins with, and its length in bytes.
fn backslash(text: &str) -> Option<(Escape, usize)> {
    let letter = |letter: char| Some((Escape::Letter(letter), 2));
    match text.chars().nth(1)? {
        'u' => utf_16(text),
        'U' => Some((Escape::Letter(char::from_u32(number(text, 2, 8)?)?), 10)),
        // Python's repr of a text: \xe9 is a letter. (Of bytes it would be one byte; emitters send texts.)
        'x' => Some((Escape::Letter(char::from_u32(number(text, 2, 2)?)?), 4)),
        'n' | 'r' | 't' | 'f' | 'b' => letter(' '),
        quote @ ('"' | '\'' | '\\' | '/') => letter(quote),
        _ => None,
    }
}

/// `\uXXXX`, or the two of them that make one letter.
fn utf_16(text: &str) -> Option<(Escape, usize)> {
    let first = number(text, 2, 4)?;
    if let Some(letter) = char::from_u32(first) {
        return Some((Escape::Letter(letter), 6));
    }
    let second = text.get(6..8).filter(|begin| *begin == "\\u").and_then(|_| number(text, 8, 4));
    let pair = second
        .and_then(|second| char::decode_utf16([u16::try_from(first).ok()?, u16::try_from(second).ok()?]).next()?.ok());
    Some(match pair {
        Some(letter) => (Escape::Letter(letter), 12),
        None => (Escape::Letter(char::REPLACEMENT_CHARACTER), 6),
    })
}

fn number(text: &str, from: usize, digits: usize) -> Option<u32> {
    let digits = text.get(from..from + digits)?;
    // `from_str_radix` would take a sign.
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mention(text: &str, name: &str) -> bool {
        mentions(text.as_bytes(), |candidate| candidate == name)
    }

    #[test]
    fn a_name_is_found_in_every_form() {
        for (name, texts) in [
            (
                "ann",
                &[
                    "ann",
                    r#"{"username": "ann"}"#,
                    "{'username': 'ann', 'servername': ''}",
                    "/user/ann/lab",
                    "GET /user/ann?x=1",
                    "%2Fuser%2Fann%2Flab",
                    "msg=%7B%27username%27%3A+%27ann%27%7D",
                    r#"{"msg": "{\"username\": \"ann\"}"}"#,
                    r#"{"msg": "{\\\"username\\\": \\\"ann\\\"}"}"#,
                    "stopped the server of ann.",
                    "ann's server",
                    "user:ann",
                    "line one\\nann\\n",
                ][..],
            ),
            (
                "zoë",
                &[
                    r#"{"username": "zo\u00eb"}"#,
                    "{'username': 'zo\\xeb'}",
                    "/user/zo%C3%AB/lab",
                    "/user/zo%c3%ab/lab",
                    "zoë",
                    "/hub/user/zo%25C3%25AB",
                ],
            ),
            (
                "o'brien",
                &[r#"{"username": "o'brien"}"#, "{\"x\": 'o\\'brien'}", "/user/o'brien/", "/user/o%27brien/tree"],
            ),
            ("x@example.org", &[r#"{"u": "x@example.org"}"#, "/user/x%40example.org/", "mail x@example.org."]),
            ("ann smith", &[r#"{"u": "ann smith"}"#, "{'u': 'ann smith'}", r#"{"m": "{\"u\": \"ann smith\"}"}"#]),
            ("😀", &[r#"{"u": "\ud83d\ude00"}"#, "'\\U0001f600'", "%F0%9F%98%80"]),
            ("2021", &["user 2021"]),
        ] {
            for text in texts {
                assert!(mention(text, name), "{name} in {text}");
            }
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for text in [
            "joanna",
            "ann.smith",
            "ann-2",
            "/user/anna/",
            "ann@example.org",
            "%61nna",
            "an\\u006ea",
            "",
            "%",
            "\\u",
            "\\ud83d",
            "%zz",
            "%+1",
        ] {
            assert!(!mention(text, "ann"), "{text}");
        }
        assert!(!mentions(&[0xff, 0xfe, b'%', b'\\'], |_| false));
    }

    #[test]
    fn an_escaped_letter_is_the_letter() {
        assert!(mention("/user/%61nn/", "ann"));
        assert!(mention(r"an\u006e", "ann"));
    }
}
