//! Finds where values end and what is odd about them, without a tree and without recursion.

use super::lex::{Lexer, SyntaxError, SyntaxFault, Token};
use super::string::{Piece, pieces};

/// What makes a text unfit for strict JSON parsers although Python reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    /// It holds a bare `NaN`, `Infinity` or `-Infinity`.
    pub bare_nan: bool,
    /// It holds half a surrogate pair, as an escape.
    pub lone_surrogate: bool,
    /// It holds a number beyond the range of a 64-bit float.
    pub number_out_of_range: bool,
    /// Levels of arrays and objects.
    pub depth: usize,
}

/// Reads one JSON text as Python would and tells what is odd about it. Bytes that are not UTF-8 pass unseen in strings.
/// `on_bare` is called with the range of every bare `NaN`, `Infinity` and `-Infinity`.
///
/// # Errors
/// It is not JSON as Python reads it, or nested deeper than `depth_max`.
pub fn inspect(
    text: &[u8],
    depth_max: usize,
    mut on_bare: impl FnMut(std::ops::Range<usize>),
) -> Result<Oddities, SyntaxError> {
    let mut lexer = Lexer::new(text);
    lexer.skip_space();
    let mut oddities = Oddities::default();
    walk(&mut lexer, depth_max, &mut oddities, &mut on_bare)?;
    lexer.end()?;
    Ok(oddities)
}

/// Moves over the value that is next.
pub(super) fn skip(lexer: &mut Lexer<'_>, depth_max: usize) -> Result<(), SyntaxError> {
    walk(lexer, depth_max, &mut Oddities::default(), &mut |_| {})
}

/// Reads one value with all it holds. The stack is one byte a level, so depth costs no recursion.
fn walk(
    lexer: &mut Lexer<'_>,
    depth_max: usize,
    oddities: &mut Oddities,
    on_bare: &mut dyn FnMut(std::ops::Range<usize>),
) -> Result<(), SyntaxError> {
    // Closing brackets of the containers that are open.
    let mut open: Vec<u8> = Vec::new();
    loop {
        let start = lexer.at;
        let token = lexer.value()?;
        let raw = &lexer.bytes[start..lexer.at];
        match token {
            Token::ObjectStart | Token::ArrayStart => {
                if open.len() >= depth_max {
                    return lexer.error(SyntaxFault::TooDeep);
                }
                let close = if token == Token::ObjectStart { b'}' } else { b']' };
                open.push(close);
                oddities.depth = oddities.depth.max(open.len());
                lexer.skip_space();
                if !lexer.take(close) {
                    if close == b'}' {
                        key(lexer, oddities)?;
                    }
                    continue;
                }
                open.pop();
            }
            Token::String { escapes: true } => oddities.lone_surrogate |= has_lone_surrogate(raw),
            Token::Number => oddities.number_out_of_range |= is_out_of_range(raw),
            Token::BareFloat => {
                oddities.bare_nan = true;
                on_bare(start..lexer.at);
            }
            Token::String { escapes: false } | Token::Word => {}
        }
        // A value has ended: close what ends with it, or go on to the next.
        loop {
            let Some(close) = open.last().copied() else { return Ok(()) };
            if lexer.more(close)? {
                if close == b'}' {
                    key(lexer, oddities)?;
                }
                break;
            }
            open.pop();
        }
    }
}

fn key(lexer: &mut Lexer<'_>, oddities: &mut Oddities) -> Result<(), SyntaxError> {
    let (start, end, escapes) = lexer.key()?;
    if escapes {
        oddities.lone_surrogate |= has_lone_surrogate(&lexer.bytes[start..end]);
    }
    Ok(())
}

fn has_lone_surrogate(raw: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&raw[1..raw.len() - 1]);
    let mut high = false;
    for piece in pieces(&text) {
        match piece {
            Piece::Unit(0xd800..=0xdbff) if !high => high = true,
            Piece::Unit(0xdc00..=0xdfff) if high => high = false,
            Piece::Unit(0xd800..=0xdfff) => return true,
            Piece::Unit(_) | Piece::Plain(_) if high => return true,
            Piece::Unit(_) | Piece::Plain(_) => {}
        }
    }
    high
}

fn is_out_of_range(raw: &[u8]) -> bool {
    // Short integers and decimals are always in range.
    if raw.len() < 300 && !raw.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        return false;
    }
    let value = std::str::from_utf8(raw).ok().and_then(|raw| raw.parse::<f64>().ok());
    !value.is_some_and(f64::is_finite)
}

/// One element of an array, as a range of the text.
pub type Element = std::ops::Range<usize>;

/// The elements of the array that `text` is, in order, each as its exact range; see [`Elements::new`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    lexer: Lexer<'a>,
    depth_max: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    First,
    Later,
    Done,
}

impl<'a> Elements<'a> {
    /// Begins to read the array `text`; elements may be nested `depth_max` deep and hold bytes that are not UTF-8.
    pub fn new(text: &'a [u8], depth_max: usize) -> Self {
        Self { lexer: Lexer::new(text), depth_max, state: State::First }
    }

    fn step(&mut self) -> Result<Option<Element>, SyntaxError> {
        let more = match self.state {
            State::Done => return Ok(None),
            State::First => {
                self.lexer.skip_space();
                if !self.lexer.take(b'[') {
                    return self.lexer.error(SyntaxFault::NoValue);
                }
                self.lexer.skip_space();
                !self.lexer.take(b']')
            }
            State::Later => self.lexer.more(b']')?,
        };
        if !more {
            self.state = State::Done;
            self.lexer.end()?;
            return Ok(None);
        }
        self.state = State::Later;
        let start = self.lexer.at;
        skip(&mut self.lexer, self.depth_max)?;
        Ok(Some(start..self.lexer.at))
    }
}

impl Iterator for Elements<'_> {
    type Item = Result<Element, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.state = State::Done;
        }
        step.transpose()
    }
}
