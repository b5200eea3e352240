//! What events must look like, who may see which part, and which parts are columns.
//!
//! A [`Registry`] holds every revision of every schema: those built in (the folder `schemas`, embedded) and those that
//! an operator adds. One id and version can have several texts, because emitters change texts without a new version;
//! each text is one [`Entry`], an event is valid if any text of its id and version accepts it, and the newest is asked
//! first.
//!
//! ```text
//! schema text ─ source ─▶ JSON ─ metaschema ─▶ rules kept? ─ compile ─▶ Entry ─▶ Registry ─ find(id, version) ─▶
//! validate
//! ```
//!
//! Events are validated as they were parsed ([`json`]), without a copy. Nothing is ever fetched: a `$ref` to another
//! document is refused. What registration allows bounds what one event can cost: patterns match in linear time, texts
//! and their depth are bounded. No I/O here.

mod builtin;
mod compile;
mod deep;
mod entry;
mod error;
mod json;
mod metaschema;
mod nearest;
mod policy;
mod registry;
mod source;
mod version;

pub use builtin::builtin_columns;
pub use deep::{LEVELS_IN_PLACE, LEVELS_MAX, on_deep_stack};
pub use entry::{Entry, Violation};
pub use error::RegisterError;
pub use json::{Event, Hidden};
pub use policy::{Coarsening, Policy, PolicyError, Visibility};
pub use registry::{Found, Registry};
pub use version::{VersionText, version_text};
