//! Versions as text: `1`, `1.0` and `"1"` are the same.

use sonic_rs::{JsonValueTrait, Value};

/// Longest version that is kept on the stack: `-9223372036854775808`.
const DIGITS_MAX: usize = 20;

/// A version as text, and how it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionText<'a> {
    text: Text<'a>,
    is_number: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text<'a> {
    Given(&'a str),
    Digits([u8; DIGITS_MAX], usize),
}

impl VersionText<'_> {
    /// The text by which versions are compared.
    pub fn as_str(&self) -> &str {
        match &self.text {
            Text::Given(text) => text,
            Text::Digits(digits, start) => {
                digits.get(*start..).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
            }
        }
    }

    /// Whether it was written as an integer.
    pub fn is_integer(&self) -> bool {
        self.is_number
    }
}

/// The version that `value` stands for: a text as it is, a whole number by its digits (`5.0` is `5`, written as a
/// float); `None` for anything else. The second value tells whether it was a float.
pub fn version_text(value: &Value) -> Option<(VersionText<'_>, bool)> {
    if let Some(text) = value.as_str() {
        return Some((VersionText { text: Text::Given(text), is_number: false }, false));
    }
    if let Some(number) = value.as_i64() {
        return Some((digits(number), false));
    }
    let float = value.as_f64()?;
    // Every whole number below 2^53 is exact, and no version is larger.
    (float.fract() == 0.0 && float.abs() < 9e15).then(|| (digits(float as i64), true))
}

fn digits(number: i64) -> VersionText<'static> {
    let mut digits = [0; DIGITS_MAX];
    let mut start = DIGITS_MAX;
    let mut rest = number.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        start -= 1;
        digits[start] = b'-';
    }
    VersionText { text: Text::Digits(digits, start), is_number: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_meet() {
        for (json, expected) in [
            ("1", Some(("1", true, false))),
            ("\"1\"", Some(("1", false, false))),
            ("5.0", Some(("5", true, true))),
            ("5.5", None),
            ("-9223372036854775808", Some(("-9223372036854775808", true, false))),
            ("0", Some(("0", true, false))),
            ("\"2.0.1\"", Some(("2.0.1", false, false))),
            ("1e300", None),
            ("null", None),
            ("[1]", None),
        ] {
            let value: Value = sonic_rs::from_str(json).unwrap();
            let found = version_text(&value);
            let found = found.as_ref().map(|(text, is_float)| (text.as_str(), text.is_integer(), *is_float));
            assert_eq!(found, expected, "{json}");
        }
    }
}
