//! A JSON pointer (RFC 6901) followed through JSON text without building a tree.
//!
//! The text is an event as it was sent and admitted, so it is JSON but for bare `NaN` and `Infinity`, which `text`
//! keeps and no JSON library reads. Each byte is looked at once; what is not on the way is skipped.

use std::borrow::Cow;

/// A pointer, its steps unescaped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<String>);

impl Pointer {
    /// Reads `/a/0/b`; `~1` is a slash and `~0` a tilde. The empty pointer is the whole text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let Some(steps) = text.strip_prefix('/') else {
            return Err(format!("'{text}' is not a JSON pointer; it begins with '/', as in '/action'"));
        };
        Ok(Self(steps.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect()))
    }

    /// The value there: of a text its characters, else its JSON. `None` for `null` and where nothing is.
    pub(crate) fn find<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        let mut cursor = Cursor { bytes: text.as_bytes(), at: 0 };
        for step in &self.0 {
            cursor.space();
            match cursor.peek()? {
                b'{' => cursor.member(step)?,
                b'[' => cursor.element(step)?,
                _ => return None,
            }
        }
        cursor.space();
        let from = cursor.at;
        cursor.skip_value()?;
        let raw = text.get(from..cursor.at)?;
        match raw.as_bytes().first()? {
            b'"' => unescape(raw),
            b'n' => None,
            _ => Some(Cow::Borrowed(raw)),
        }
    }
}

/// The characters of a JSON string with its quotes.
fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    let inside = raw.get(1..raw.len().checked_sub(1)?)?;
    if inside.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inside)) }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        self.space();
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// From `{` to the value of the member `name`.
    fn member(&mut self, name: &str) -> Option<()> {
        self.eat(b'{')?;
        loop {
            self.space();
            let key = self.string()?;
            self.eat(b':')?;
            self.space();
            if key_is(key, name) {
                return Some(());
            }
            self.skip_value()?;
            self.eat(b',')?;
        }
    }

    /// From `[` to the element of that number.
    fn element(&mut self, number: &str) -> Option<()> {
        let canonical = number == "0" || !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: usize = number.parse().ok().filter(|_| canonical)?;
        self.eat(b'[')?;
        for _ in 0..number {
            self.space();
            self.skip_value()?;
            self.eat(b',')?;
        }
        self.space();
        (self.peek()? != b']').then_some(())
    }

    /// Over a string; the text between its quotes, still escaped.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.eat(b'"')?;
        let from = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        let inside = self.bytes.get(from..self.at)?;
        self.at += 1;
        Some(inside)
    }

    /// Over a value of any kind. Depth is a counter, so that deep nesting costs no stack.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                _ => self.bare(depth == 0)?,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Over a number, `true`, `false`, `null`, `NaN`, `Infinity`.
    fn bare(&mut self, alone: bool) -> Option<()> {
        let from = self.at;
        while self.peek().is_some_and(|byte| !matches!(byte, b',' | b'}' | b']' | b':') && !byte.is_ascii_whitespace())
        {
            self.at += 1;
        }
        (self.at > from || !alone).then_some(())
    }
}

fn key_is(key: &[u8], name: &str) -> bool {
    if !key.contains(&b'\\') {
        return key == name.as_bytes();
    }
    let quoted: Vec<u8> = [b"\"", key, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).is_ok_and(|key| key == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#" {"a": "x\"y", "n": 12345678901234567890, "z": null, "f": NaN, "t": true, "e": "",
        "o": {"k": [1, {"d/e": "deep"}, "é"], "s": "}]"}, "a\u0062": 7, "last": -1.5e3 } "#;

    #[test]
    fn values_are_found_as_the_pointer_says() {
        for (pointer, expected) in [
            ("/a", Some("x\"y")),
            ("/n", Some("12345678901234567890")),
            ("/z", None),
            ("/f", Some("NaN")),
            ("/t", Some("true")),
            ("/e", Some("")),
            ("/o/k/0", Some("1")),
            ("/o/k/1/d~1e", Some("deep")),
            ("/o/k/2", Some("é")),
            ("/o/k/3", None),
            ("/o/k/01", None),
            ("/o/k/+1", None),
            ("/o/s", Some("}]")),
            ("/ab", Some("7")),
            ("/last", Some("-1.5e3")),
            ("/missing", None),
            ("/a/b", None),
        ] {
            let found = Pointer::parse(pointer).unwrap().find(EVENT);
            assert_eq!(found.as_deref(), expected, "{pointer}");
        }
        assert_eq!(Pointer::parse("").unwrap().find(EVENT).as_deref(), Some(EVENT.trim()));
        assert_eq!(Pointer::parse("/o/k").unwrap().find(EVENT).as_deref(), Some(r#"[1, {"d/e": "deep"}, "é"]"#));
        assert!(Pointer::parse("a").is_err());
    }

    #[test]
    fn what_is_not_json_has_no_value_and_never_panics() {
        let deep = "[".repeat(100_000);
        for text in ["", "{", "{\"a\"", "{\"a\":", "{\"a\":}", "\"", "{\"a\":\"\\", "]", "{,}", &deep] {
            for pointer in ["", "/a", "/0", "/a/b"] {
                let _ = Pointer::parse(pointer).unwrap().find(text);
            }
        }
        assert_eq!(Pointer::parse("/a").unwrap().find("{\"a\":}"), None);
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_a_json_library(keys in proptest::collection::vec("[a-c\"\\\\/~é]{0,3}", 1..5), n in 0_u8..9) {
            let mut tree = serde_json::json!(n);
            for key in &keys {
                tree = serde_json::json!({"other": [1, "x"], key.as_str(): tree, "z": "\u{1F600}\n"});
            }
            let text = tree.to_string();
            let pointer: String =
                keys.iter().rev().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect();
            let expected = tree.pointer(&pointer).map(|value| match value {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            let found = Pointer::parse(&pointer).unwrap().find(&text).map(Cow::into_owned);
            proptest::prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_bytes_are_survived(text in ".{0,80}", pointer in "(/[a-z0-9]{0,2}){0,3}") {
            let _ = Pointer::parse(&pointer).unwrap().find(&text);
        }
    }
}
