//! The fields of one object, in order, with their text untouched.

use std::borrow::Cow;

use super::lex::{Lexer, SyntaxError, SyntaxFault};
use super::scan::skip;
use super::{DEPTH_MAX, normalise, string};

/// One field of an [`Object`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The key, decoded.
    pub key: Cow<'a, str>,
    /// The key as it stood, with its quotes.
    pub key_text: Cow<'a, str>,
    /// The value as it stood, without space around.
    pub value: Cow<'a, str>,
}

/// A JSON object as an ordered list of fields; each key once, with its last value at its first place, as in a Python
/// dict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object<'a> {
    fields: Vec<Field<'a>>,
}

impl<'a> Object<'a> {
    /// Reads the fields of `text`.
    ///
    /// # Errors
    /// `text` is not JSON as Python reads it, is no object, or has a key with half a surrogate pair.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let mut lexer = Lexer::new(text.as_bytes());
        lexer.skip_space();
        if lexer.peek() != Some(b'{') {
            return lexer.error(SyntaxFault::NotAnObject);
        }
        lexer.at += 1;
        lexer.skip_space();
        let mut object = Self::default();
        let mut more = !lexer.take(b'}');
        while more {
            object.read_field(text, &mut lexer)?;
            more = lexer.more(b'}')?;
        }
        lexer.end()?;
        Ok(object)
    }

    fn read_field(&mut self, text: &'a str, lexer: &mut Lexer<'a>) -> Result<(), SyntaxError> {
        let (start, end, escapes) = lexer.key()?;
        let key_text = &text[start..end];
        let inside = &key_text[1..key_text.len() - 1];
        let key = if escapes {
            let lone = SyntaxError { offset: start, fault: SyntaxFault::LoneSurrogate };
            Cow::Owned(string::decode_inside(inside).ok_or(lone)?)
        } else {
            Cow::Borrowed(inside)
        };
        let value_from = lexer.at;
        skip(lexer, DEPTH_MAX - 1)?;
        let value = Cow::Borrowed(&text[value_from..lexer.at]);
        match self.fields.iter_mut().find(|field| field.key == key) {
            Some(field) => field.value = value,
            None => self.fields.push(Field { key, key_text: Cow::Borrowed(key_text), value }),
        }
        Ok(())
    }

    /// The fields in order.
    pub fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// The text of the value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.key == key).map(|field| &*field.value)
    }

    /// Keeps the fields for which `keep` is true.
    pub fn retain(&mut self, keep: impl FnMut(&Field<'a>) -> bool) {
        self.fields.retain(keep);
    }

    /// Takes the field `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Field<'a>> {
        let place = self.fields.iter().position(|field| field.key == key)?;
        Some(self.fields.remove(place))
    }

    /// Sets `key` to the JSON text `value`: in its place if there is one, else at the end.
    pub fn set(&mut self, key: &str, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        match self.fields.iter_mut().find(|field| field.key == key) {
            Some(field) => field.value = value,
            None => {
                let mut key_text = String::new();
                string::write_str(&mut key_text, key);
                self.fields.push(Field { key: Cow::Owned(key.to_owned()), key_text: Cow::Owned(key_text), value });
            }
        }
    }

    /// Python's `self.update(other)`: values of keys that exist are replaced in place, others come after.
    pub fn update(&mut self, other: Object<'a>) {
        for new in other.fields {
            match self.fields.iter_mut().find(|field| field.key == new.key) {
                Some(field) => field.value = new.value,
                None => self.fields.push(new),
            }
        }
    }

    /// The object with every key and value as it stood, `", "` and `": "` between.
    pub fn splice(&self) -> String {
        let mut out = String::with_capacity(self.fields.iter().map(|field| field.value.len() + 32).sum());
        out.push('{');
        for (index, field) in self.fields.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            out.push_str(&field.key_text);
            out.push_str(": ");
            out.push_str(&field.value);
        }
        out.push('}');
        out
    }

    /// Appends the object as Python writes it.
    ///
    /// # Errors
    /// A value given to [`Object::set`] is not JSON.
    pub fn write_python(&self, out: &mut String) -> Result<(), SyntaxError> {
        out.push('{');
        for (index, field) in self.fields.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            string::write_str(out, &field.key);
            out.push_str(": ");
            normalise::normalise_into(out, &field.value)?;
        }
        out.push('}');
        Ok(())
    }
}
