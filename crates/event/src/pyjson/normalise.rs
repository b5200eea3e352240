//! Rewrites any JSON text as Python would.

use std::ops::Range;

use super::lex::{Lexer, SyntaxError, SyntaxFault, Token};
use super::{DEPTH_MAX, number, string};

/// What `json.dumps(json.loads(text))` gives in Python.
///
/// # Errors
/// `text` is not JSON as Python reads it, or nested deeper than [`DEPTH_MAX`].
pub fn normalise(text: &str) -> Result<String, SyntaxError> {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    normalise_into(&mut out, text)?;
    Ok(out)
}

/// [`normalise`], appended to `out`. After an error `out` is as it was.
///
/// # Errors
/// As [`normalise`].
pub fn normalise_into(out: &mut String, text: &str) -> Result<(), SyntaxError> {
    let length = out.len();
    let mut rewriter = Rewriter { text, lexer: Lexer::new(text.as_bytes()), out, fields: Vec::new() };
    rewriter.lexer.skip_space();
    let result = rewriter.value(0).and_then(|()| rewriter.lexer.end());
    if result.is_err() {
        out.truncate(length);
    }
    result
}

/// Where a field of an object that is being written lies in the output.
struct Written {
    key: Range<usize>,
    value: Range<usize>,
}

struct Rewriter<'a, 'o> {
    text: &'a str,
    lexer: Lexer<'a>,
    out: &'o mut String,
    /// The fields of every object that is open, innermost last.
    fields: Vec<Written>,
}

impl Rewriter<'_, '_> {
    fn value(&mut self, depth: usize) -> Result<(), SyntaxError> {
        let start = self.lexer.at;
        let token = self.lexer.value()?;
        let raw = &self.text[start..self.lexer.at];
        match token {
            Token::String { escapes: false } => string::write_str(self.out, &raw[1..raw.len() - 1]),
            Token::String { escapes: true } => string::rewrite(self.out, raw),
            Token::Number => number::write_number(self.out, raw),
            Token::Word | Token::BareFloat => self.out.push_str(raw),
            Token::ObjectStart | Token::ArrayStart if depth >= DEPTH_MAX => {
                return self.lexer.error(SyntaxFault::TooDeep);
            }
            Token::ObjectStart => self.object(depth + 1)?,
            Token::ArrayStart => self.array(depth + 1)?,
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), SyntaxError> {
        self.out.push('[');
        self.lexer.skip_space();
        let mut more = !self.lexer.take(b']');
        while more {
            self.value(depth)?;
            more = self.lexer.more(b']')?;
            if more {
                self.out.push_str(", ");
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), SyntaxError> {
        self.out.push('{');
        let first = self.fields.len();
        self.lexer.skip_space();
        let mut more = !self.lexer.take(b'}');
        while more {
            let before = self.out.len();
            if self.fields.len() > first {
                self.out.push_str(", ");
            }
            let written = self.field(depth)?;
            match self.fields[first..]
                .iter()
                .position(|field| self.out[field.key.clone()] == self.out[written.key.clone()])
            {
                None => self.fields.push(written),
                Some(place) => self.replace(first + place, written.value, before),
            }
            more = self.lexer.more(b'}')?;
        }
        self.fields.truncate(first);
        self.out.push('}');
        Ok(())
    }

    fn field(&mut self, depth: usize) -> Result<Written, SyntaxError> {
        let (start, end, escapes) = self.lexer.key()?;
        let key_from = self.out.len();
        let raw = &self.text[start..end];
        if escapes {
            string::rewrite(self.out, raw);
        } else {
            string::write_str(self.out, &raw[1..raw.len() - 1]);
        }
        let key = key_from..self.out.len();
        self.out.push_str(": ");
        let value_from = self.out.len();
        self.value(depth)?;
        Ok(Written { key, value: value_from..self.out.len() })
    }

    /// Puts a repeated key's value in the place of the earlier one, and takes the repetition from the end.
    fn replace(&mut self, place: usize, value: Range<usize>, end: usize) {
        let value = self.out[value].to_owned();
        self.out.truncate(end);
        let old = self.fields[place].value.clone();
        self.out.replace_range(old.clone(), &value);
        let moved = |at: usize| at - old.len() + value.len();
        self.fields[place].value.end = moved(old.end);
        for field in &mut self.fields[place + 1..] {
            field.key = moved(field.key.start)..moved(field.key.end);
            field.value = moved(field.value.start)..moved(field.value.end);
        }
    }
}
