//! One event's text to a tree, once.

use std::ops::Range;

use event::pyjson::{self, Oddities, SyntaxError};
use event::{Reason, Repair, Repairs};
use schema::LEVELS_IN_PLACE;
use sonic_rs::{JsonValueTrait as _, Value};

use super::Fault;

/// An event's text, parsed.
#[derive(Debug)]
pub struct Parsed {
    /// An object.
    pub value: Value,
    /// What had to be overlooked to parse it.
    pub repairs: Repairs,
}

impl Parsed {
    /// Parses `text`.
    ///
    /// # Errors
    /// It is not UTF-8, not JSON, no object, nested deeper than `depth_max`, or holds what UTF-8 or numbers cannot.
    pub fn of(text: &[u8], depth_max: usize) -> Result<Self, Fault> {
        let Ok(utf8) = std::str::from_utf8(text) else { return Err(not_utf8(text)) };
        let parsed = if memchr::memchr2_iter(b'{', b'[', text).nth(LEVELS_IN_PLACE).is_none() {
            strict_or_odd(utf8)?
        } else {
            deep(utf8, depth_max)?
        };
        if !parsed.value.is_object() {
            return Err(Fault::new(Reason::NotAnObject, "an event is a JSON object; this is JSON, but no object"));
        }
        Ok(parsed)
    }
}

#[cold]
fn not_utf8(text: &[u8]) -> Fault {
    match pyjson::inspect(text, usize::MAX, |_| {}) {
        Ok(_) => Fault::new(Reason::BadUtf8, "the event holds bytes that are not UTF-8"),
        Err(error) => not_json(error),
    }
}

fn not_json(error: SyntaxError) -> Fault {
    Fault::new(Reason::NotJson, format!("not JSON: {error}"))
}

fn strict_or_odd(text: &str) -> Result<Parsed, Fault> {
    match sonic_rs::from_str(text) {
        Ok(value) => Ok(Parsed { value, repairs: Repairs::NONE }),
        Err(error) => odd(text, &error),
    }
}

/// A text with so many opening brackets that it may be deep. The parser knows no limit and recurses.
fn deep(text: &str, depth_max: usize) -> Result<Parsed, Fault> {
    let depth = pyjson::inspect(text.as_bytes(), usize::MAX, |_| {}).map_err(not_json)?.depth;
    if depth > depth_max {
        return Err(Fault::new(Reason::TooDeep, format!("nested {depth} levels deep; at most {depth_max} are taken")));
    }
    if depth <= LEVELS_IN_PLACE {
        return strict_or_odd(text);
    }
    let no_thread = |error: std::io::Error| {
        Fault::new(
            Reason::TooDeep,
            format!("nested {depth} levels deep, and no thread could be started to read it: {error}"),
        )
    };
    schema::on_deep_stack(|| strict_or_odd(text)).map_err(no_thread)?
}

/// The parser refused it: because it is not JSON, or because of what Python writes beyond JSON.
#[cold]
fn odd(text: &str, error: &sonic_rs::Error) -> Result<Parsed, Fault> {
    let mut bare: Vec<Range<usize>> = Vec::new();
    let oddities = pyjson::inspect(text.as_bytes(), usize::MAX, |range| bare.push(range)).map_err(not_json)?;
    match oddities {
        Oddities { lone_surrogate: true, .. } => {
            let detail = "a string holds half a surrogate pair (\\ud800 to \\udfff alone), which no text can hold";
            Err(Fault::new(Reason::LoneSurrogate, detail))
        }
        Oddities { number_out_of_range: true, .. } => {
            Err(Fault::new(Reason::NumberOutOfRange, "a number is beyond the range of a 64-bit float (about 1.8e308)"))
        }
        Oddities { bare_nan: true, .. } => {
            let mut repairs = Repairs::NONE;
            repairs.insert(Repair::BareNan);
            let value = sonic_rs::from_str(&with_stand_ins(text, &bare)).map_err(|error| refused(&error))?;
            Ok(Parsed { value, repairs })
        }
        _ => Err(refused(error)),
    }
}

fn refused(error: &sonic_rs::Error) -> Fault {
    let message = error.to_string();
    Fault::new(Reason::NotJson, format!("not JSON: {}", message.lines().next().unwrap_or_default()))
}

/// `text` with a number for every bare `NaN` and `Infinity`: one that is no integer, and large where infinity was, so
/// that a schema's `integer`, `minimum` and `maximum` decide as they would about the real one.
fn with_stand_ins(text: &str, bare: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len() + bare.len() * 20);
    let mut from = 0;
    for range in bare {
        out.push_str(&text[from..range.start]);
        out.push_str(match &text[range.clone()] {
            "Infinity" => "4503599627370495.5",
            "-Infinity" => "-4503599627370495.5",
            _ => "0.5",
        });
        from = range.end;
    }
    out.push_str(&text[from..]);
    out
}
