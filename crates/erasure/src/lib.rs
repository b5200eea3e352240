//! Forgetting a person: which rows are theirs, and what becomes of rows of theirs that come later.
//!
//! ```text
//! a name ─▶ Subject (keyed hash) ─▶ Erasure, kept as a file ─┬▶ Removal: their rows leave the tables
//!                                                            └▶ strike: what the door, a replay or an import brings
//!                                                               of them from before is blanked
//! ```
//!
//! What is kept for ever is a keyed hash of the name, never the name: it can tell whether a name that comes is the one
//! that was forgotten, and nobody without the key can tell whose hash it is by trying names.
//!
//! Whose an event is, its schema's policy says (`person`: the property that names somebody). An event of another schema
//! is somebody's when anything in it names them that its policy does not declare public; a quarantined text when
//! anything in it does ([`insight::mention`]). Names are compared whole, as they are written.
//!
//! Every word of a text could be a name, and each is hashed to find out. What a sender makes us hash has a limit
//! ([`Effort`]); a text for which nothing is left of it is blanked like one that names somebody who was forgotten.
//!
//! An erasure is about what was before it: events whose time is later than the request stay. Who comes back is somebody
//! new to us.

mod erasures;
mod names;
mod persons;
mod removal;
mod strike;
mod subject;

pub use erasures::{Erasure, Erasures, NAME_LETTERS_MAX};
pub use names::Effort;
pub use persons::Persons;
pub use removal::Removal;
pub use strike::{Struck, strike};
pub use subject::{Key, Subject};
