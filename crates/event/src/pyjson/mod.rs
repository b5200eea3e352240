//! JSON as Python writes it: what `json.dumps(json.loads(text))` gives, byte for byte, without Python.
//!
//! The public archive and every emitter are Python, so an event that we must write anew (a Python repr that becomes
//! JSON, a field that a rule coarsens) has to look as if Python had written it: `", "` and `": "` between, everything
//! outside 0x20..0x7e escaped (DEL too), astral characters as surrogate pairs, floats as `repr` writes them, integers
//! of any length exact, bare `NaN` and `Infinity`, of a repeated key the last value at the first place.
//!
//! [`lex`] cuts text into tokens, [`scan`] finds where values end and what is odd about them, [`normalise`] rewrites,
//! [`Object`] shows the fields of one object without touching their text. Nothing here builds a tree.
//!
//! One deliberate difference: Python refuses integers of more than 4,300 digits, we copy them.

mod lex;
mod normalise;
mod number;
mod object;
mod scan;
mod string;

pub use lex::{SyntaxError, SyntaxFault};
pub use normalise::{normalise, normalise_into};
pub use number::{is_float, write_float, write_number};
pub use object::{Field, Object};
pub use scan::{Element, Elements, Oddities, inspect};
pub use string::{decode_str, write_characters, write_str, write_unit};

/// How deep arrays and objects may be nested. Python stops at about 1,000; an event is admitted to 128, so this is only
/// what keeps the recursion of [`normalise`] within a small stack.
pub const DEPTH_MAX: usize = 256;
