//! Python literals as `repr` writes them, to the JSON that `json.dumps` would have made of the same value.
//!
//! `str`, `int`, `float` (also `nan`, `inf`), `bool`, `None`, `list`, `dict`, `tuple`; all escapes of strings but
//! `\N{…}`. Anything else (bytes, sets, objects such as `datetime(…)`) has no JSON and is refused.

use std::fmt;

use event::pyjson::{write_characters, write_float, write_unit};

/// Why a text is not a Python literal that JSON can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReprError {
    /// Byte where it went wrong.
    pub offset: usize,
    fault: ReprFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReprFault {
    Ends,
    NoValue,
    NoKey,
    NoColon,
    NoComma,
    BadEscape,
    NamedEscape,
    BareNewline,
    Trailing,
    TooDeep,
}

impl ReprError {
    /// Whether it is only nested too deep.
    pub fn is_too_deep(&self) -> bool {
        self.fault == ReprFault::TooDeep
    }
}

impl std::error::Error for ReprError {}

impl fmt::Display for ReprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            ReprFault::Ends => "the literal ends early",
            ReprFault::NoValue => "a text, number, list, dict, tuple, True, False or None is expected",
            ReprFault::NoKey => "a key must be a text, a number, True, False or None",
            ReprFault::NoColon => "':' is expected after a key",
            ReprFault::NoComma => "',' or a closing bracket is expected",
            ReprFault::BadEscape => "no such escape in a string",
            ReprFault::NamedEscape => "\\N{…} in a string is not understood",
            ReprFault::BareNewline => "a string ends at the end of its line",
            ReprFault::Trailing => "nothing may follow the literal",
            ReprFault::TooDeep => "nested too deep",
        };
        write!(f, "{fault}, at byte {}", self.offset)
    }
}

/// The JSON of the Python literal `text`.
///
/// # Errors
/// It is not such a literal, or nested deeper than `depth_max`.
pub fn to_json(text: &str, depth_max: usize) -> Result<String, ReprError> {
    let mut reader = Reader { text, at: 0, out: String::with_capacity(text.len() + text.len() / 8), depth_max };
    reader.skip_space();
    reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return reader.fail(ReprFault::Trailing);
    }
    Ok(reader.out)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    out: String,
    depth_max: usize,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, fault: ReprFault) -> Result<T, ReprError> {
        let ended = self.at >= self.text.len() && fault != ReprFault::TooDeep;
        Err(ReprError { offset: self.at, fault: if ended { ReprFault::Ends } else { fault } })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    fn value(&mut self, depth: usize) -> Result<(), ReprError> {
        match self.peek() {
            Some(b'{' | b'[' | b'(') if depth >= self.depth_max => self.fail(ReprFault::TooDeep),
            Some(b'{') => self.dict(depth + 1),
            Some(b'[') => self.sequence(b']', depth + 1),
            Some(b'(') => self.sequence(b')', depth + 1),
            Some(b'\'' | b'"') => self.string(),
            _ => self.word_or_number(false),
        }
    }

    fn word_or_number(&mut self, is_key: bool) -> Result<(), ReprError> {
        let words = [
            ("True", "true"),
            ("False", "false"),
            ("None", "null"),
            ("nan", "NaN"),
            ("inf", "Infinity"),
            ("-inf", "-Infinity"),
        ];
        for (python, json) in words {
            if self.rest().starts_with(python) {
                self.at += python.len();
                if self.is_in_a_word() {
                    return self.fail(ReprFault::NoValue);
                }
                self.out.push_str(json);
                return Ok(());
            }
        }
        self.number().map_err(|error| match error.fault {
            ReprFault::NoValue if is_key => ReprError { fault: ReprFault::NoKey, ..error },
            _ => error,
        })
    }

    /// Whether a name or number goes on here, so that what was read was only its beginning.
    fn is_in_a_word(&self) -> bool {
        self.rest().starts_with(|next: char| next.is_alphanumeric() || matches!(next, '_' | '.' | '(' | '\'' | '"'))
    }

    fn number(&mut self) -> Result<(), ReprError> {
        let start = self.at;
        self.take(b'-');
        let whole = self.digits();
        let has_leading_zero = whole > 1 && self.text.as_bytes().get(self.at - whole) == Some(&b'0');
        let mut is_float = false;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits();
            is_float = true;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if !self.take(b'-') {
                self.take(b'+');
            }
            is_float = true;
            if self.digits() == 0 {
                self.at = start;
                return self.fail(ReprFault::NoValue);
            }
        }
        if whole == 0 || (has_leading_zero && !is_float) || self.is_in_a_word() {
            self.at = start;
            return self.fail(ReprFault::NoValue);
        }
        let raw = &self.text[start..self.at];
        match raw.parse::<f64>() {
            Ok(value) if is_float => write_float(&mut self.out, value),
            _ => self.out.push_str(if raw == "-0" { "0" } else { raw }),
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn sequence(&mut self, close: u8, depth: usize) -> Result<(), ReprError> {
        self.at += 1;
        self.out.push('[');
        let mut count = 0;
        loop {
            self.skip_space();
            if self.take(close) {
                break;
            }
            if count > 0 {
                self.out.push_str(", ");
            }
            self.value(depth)?;
            count += 1;
            self.skip_space();
            if self.take(b',') {
                continue;
            }
            // `(1)` is no tuple, but a number in brackets.
            let is_grouping = close == b')' && count == 1;
            if is_grouping || !self.take(close) {
                return self.fail(ReprFault::NoComma);
            }
            break;
        }
        self.out.push(']');
        Ok(())
    }

    fn dict(&mut self, depth: usize) -> Result<(), ReprError> {
        self.at += 1;
        self.out.push('{');
        let mut is_first = true;
        loop {
            self.skip_space();
            if self.take(b'}') {
                self.out.push('}');
                return Ok(());
            }
            if !is_first {
                self.out.push_str(", ");
            }
            is_first = false;
            self.key()?;
            self.skip_space();
            if !self.take(b':') {
                return self.fail(ReprFault::NoColon);
            }
            self.out.push_str(": ");
            self.skip_space();
            self.value(depth)?;
            self.skip_space();
            if !self.take(b',') && self.peek() != Some(b'}') {
                return self.fail(ReprFault::NoComma);
            }
        }
    }

    /// A key: JSON has only texts, so Python's encoder quotes the others.
    fn key(&mut self) -> Result<(), ReprError> {
        if let Some(b'\'' | b'"') = self.peek() {
            return self.string();
        }
        self.out.push('"');
        self.word_or_number(true)?;
        self.out.push('"');
        Ok(())
    }

    fn string(&mut self) -> Result<(), ReprError> {
        let quote = self.peek();
        self.at += 1;
        self.out.push('"');
        let mut plain_from = self.at;
        loop {
            match self.peek() {
                next if next == quote => break,
                None => return self.fail(ReprFault::Ends),
                Some(b'\n' | b'\r') => return self.fail(ReprFault::BareNewline),
                Some(b'\\') => {
                    self.plain(plain_from);
                    self.escape()?;
                    plain_from = self.at;
                }
                Some(_) => self.at += 1,
            }
        }
        self.plain(plain_from);
        self.at += 1;
        self.out.push('"');
        Ok(())
    }

    /// Writes the characters from `from` to here, which stand for themselves.
    fn plain(&mut self, from: usize) {
        write_characters(&mut self.out, &self.text[from..self.at]);
    }

    fn escape(&mut self) -> Result<(), ReprError> {
        let escaped = self.text.as_bytes().get(self.at + 1).copied();
        let unit = match escaped {
            None => {
                self.at = self.text.len();
                return self.fail(ReprFault::Ends);
            }
            // A line that goes on.
            Some(b'\n') => {
                self.at += 2;
                return Ok(());
            }
            Some(b'\\') => 0x5c,
            Some(b'\'') => 0x27,
            Some(b'"') => 0x22,
            Some(b'a') => 0x07,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => 0x0a,
            Some(b'r') => 0x0d,
            Some(b't') => 0x09,
            Some(b'v') => 0x0b,
            Some(b'x') => return self.hexadecimal(2),
            Some(b'u') => return self.hexadecimal(4),
            Some(b'U') => return self.hexadecimal(8),
            Some(b'N') => return self.fail(ReprFault::NamedEscape),
            Some(b'0'..=b'7') => return self.octal(),
            // Python leaves the backslash of an escape that it does not know.
            Some(_) => {
                write_unit(&mut self.out, 0x5c);
                self.at += 1;
                return Ok(());
            }
        };
        write_unit(&mut self.out, unit);
        self.at += 2;
        Ok(())
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<(), ReprError> {
        let from = self.at + 2;
        let text = self.text.get(from..from + digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = text.and_then(|text| u32::from_str_radix(text, 16).ok()) else {
            return self.fail(ReprFault::BadEscape);
        };
        if code > 0x10_ffff {
            return self.fail(ReprFault::BadEscape);
        }
        self.at = from + digits;
        self.code_point(code);
        Ok(())
    }

    fn octal(&mut self) -> Result<(), ReprError> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..3 {
            let Some(digit @ b'0'..=b'7') = self.peek() else { break };
            code = code * 8 + u32::from(digit - b'0');
            self.at += 1;
        }
        self.code_point(code);
        Ok(())
    }

    /// Writes a code point; half a surrogate pair stays half of one.
    fn code_point(&mut self, code: u32) {
        match char::from_u32(code) {
            Some(character) => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    write_unit(&mut self.out, *unit);
                }
            }
            None => write_unit(&mut self.out, code as u16),
        }
    }
}
