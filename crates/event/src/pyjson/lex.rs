//! Tokens of the JSON that Python reads: JSON, and bare `NaN`, `Infinity`, `-Infinity`.

use std::fmt;

/// Why text is not JSON, not even as Python reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Byte where it went wrong.
    pub offset: usize,
    /// What was wrong there.
    pub fault: SyntaxFault,
}

/// Kinds of [`SyntaxError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyntaxFault {
    /// The text ends within a value.
    Ends,
    /// A value was expected.
    NoValue,
    /// A key in double quotes was expected.
    NoKey,
    /// `:` was expected.
    NoColon,
    /// `,` or the closing bracket was expected.
    NoComma,
    /// A backslash before a character that cannot be escaped, or `\u` without four hexadecimal digits.
    BadEscape,
    /// A control character stands in a string as itself.
    ControlCharacter,
    /// Something follows the value.
    Trailing,
    /// Nested deeper than the limit.
    TooDeep,
    /// The value is JSON, but no object.
    NotAnObject,
    /// A key holds half a surrogate pair.
    LoneSurrogate,
}

impl std::error::Error for SyntaxError {}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            SyntaxFault::Ends => "the text ends within a value",
            SyntaxFault::NoValue => "a JSON value is expected",
            SyntaxFault::NoKey => "a key in double quotes is expected",
            SyntaxFault::NoColon => "':' is expected after a key",
            SyntaxFault::NoComma => "',' or a closing bracket is expected",
            SyntaxFault::BadEscape => "no such escape in a string",
            SyntaxFault::ControlCharacter => "a control character in a string must be escaped",
            SyntaxFault::Trailing => "nothing may follow the value",
            SyntaxFault::TooDeep => "nested too deep",
            SyntaxFault::NotAnObject => "a JSON object is expected",
            SyntaxFault::LoneSurrogate => "a key holds half a surrogate pair",
        };
        write!(f, "{fault}, at byte {}", self.offset)
    }
}

/// What stands at a place where a value may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    ObjectStart,
    ArrayStart,
    /// With its quotes.
    String {
        escapes: bool,
    },
    Number,
    /// `true`, `false`, `null`.
    Word,
    /// `NaN`, `Infinity`, `-Infinity`.
    BareFloat,
}

/// Reads tokens of `bytes` from `at` on. Bytes above 0x7f are taken as parts of strings unseen.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn error<T>(&self, fault: SyntaxFault) -> Result<T, SyntaxError> {
        let fault =
            if self.at >= self.bytes.len() && fault != SyntaxFault::TooDeep { SyntaxFault::Ends } else { fault };
        Err(SyntaxError { offset: self.at, fault })
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes `byte` if it is next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    /// Reads a whole scalar, or the first byte of a container.
    pub(super) fn value(&mut self) -> Result<Token, SyntaxError> {
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                Ok(Token::ObjectStart)
            }
            Some(b'[') => {
                self.at += 1;
                Ok(Token::ArrayStart)
            }
            Some(b'"') => self.string(),
            Some(b'-') if self.bytes[self.at..].starts_with(b"-Infinity") => self.word(b"-Infinity", Token::BareFloat),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true", Token::Word),
            Some(b'f') => self.word(b"false", Token::Word),
            Some(b'n') => self.word(b"null", Token::Word),
            Some(b'N') => self.word(b"NaN", Token::BareFloat),
            Some(b'I') => self.word(b"Infinity", Token::BareFloat),
            _ => self.error(SyntaxFault::NoValue),
        }
    }

    fn word(&mut self, word: &[u8], token: Token) -> Result<Token, SyntaxError> {
        if !self.bytes[self.at..].starts_with(word) {
            return self.error(SyntaxFault::NoValue);
        }
        self.at += word.len();
        Ok(token)
    }

    fn number(&mut self) -> Result<Token, SyntaxError> {
        self.take(b'-');
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.error(SyntaxFault::NoValue),
        }
        if self.peek() == Some(b'.') && self.digit_at(self.at + 1) {
            self.at += 1;
            self.digits();
        }
        if let Some(b'e' | b'E') = self.peek() {
            let sign = usize::from(matches!(self.bytes.get(self.at + 1), Some(b'+' | b'-')));
            if self.digit_at(self.at + 1 + sign) {
                self.at += 1 + sign;
                self.digits();
            }
        }
        Ok(Token::Number)
    }

    fn digit_at(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(u8::is_ascii_digit)
    }

    fn digits(&mut self) {
        while self.digit_at(self.at) {
            self.at += 1;
        }
    }

    /// Reads a string with its quotes; the opening one is next.
    pub(super) fn string(&mut self) -> Result<Token, SyntaxError> {
        self.at += 1;
        let mut escapes = false;
        loop {
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            self.at =
                self.bytes[self.at..].iter().position(is_special).map_or(self.bytes.len(), |plain| self.at + plain);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Token::String { escapes });
                }
                Some(b'\\') => {
                    escapes = true;
                    self.escape()?;
                }
                _ => return self.error(SyntaxFault::ControlCharacter),
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return self.error(SyntaxFault::BadEscape);
                }
                self.at += 6;
            }
            _ => return self.error(SyntaxFault::BadEscape),
        }
        Ok(())
    }

    /// Reads a key and its colon, and the space around; gives where the key with its quotes lies.
    pub(super) fn key(&mut self) -> Result<(usize, usize, bool), SyntaxError> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return self.error(SyntaxFault::NoKey);
        }
        let start = self.at;
        let token = self.string()?;
        let end = self.at;
        self.skip_space();
        if !self.take(b':') {
            return self.error(SyntaxFault::NoColon);
        }
        self.skip_space();
        Ok((start, end, matches!(token, Token::String { escapes: true })))
    }

    /// After an element: true for a comma, false for `close`.
    pub(super) fn more(&mut self, close: u8) -> Result<bool, SyntaxError> {
        self.skip_space();
        if self.take(b',') {
            self.skip_space();
            Ok(true)
        } else if self.take(close) {
            Ok(false)
        } else {
            self.error(SyntaxFault::NoComma)
        }
    }

    /// Nothing but space may be left.
    pub(super) fn end(&mut self) -> Result<(), SyntaxError> {
        self.skip_space();
        if self.at < self.bytes.len() { self.error(SyntaxFault::Trailing) } else { Ok(()) }
    }
}
