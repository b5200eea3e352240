//! Addresses within the site, always relative, so that pages work under any prefix.

use std::fmt::Write;

/// `text` as a value in a query string or a segment of a path.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            // Writing to a String never fails.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

/// A query string of its parts, `?` included; nothing when there are none.
pub(crate) fn query(parts: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in parts {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(&encoded(name));
        text.push('=');
        text.push_str(&encoded(value));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_value_holds_it_stays_one_value() {
        assert_eq!(encoded("https://x.org/a b?c=d&e#f\"<é"), "https%3A%2F%2Fx.org%2Fa%20b%3Fc%3Dd%26e%23f%22%3C%C3%A9");
        assert_eq!(query(&[]), "");
        assert_eq!(query(&[("a", "1"), ("b", "2&c=3")]), "?a=1&b=2%26c%3D3");
    }
}
