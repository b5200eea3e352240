//! The door: whatever an emitter sends becomes events, each with a verdict.
//!
//! ```text
//! Request ─ decode::body ─▶ bytes ─ decode::{form, jsonl} ─▶ one text per event ─ decode::capsule ─▶ id, version, time
//!         └─ Refusal: nothing of it was kept                                     └─ admit: schema ─▶ Row ─▶ Batch
//! ```
//!
//! Forgiving here, strict behind: each known fault of an emitter is one named [`event::Repair`]; past this crate there
//! is one form only. A text is never changed by a repair (a Python repr alone is rewritten, as the JSON that Python
//! would have written). What cannot be admitted is quarantined with a [`event::Reason`]; only a request of which
//! nothing could be kept is refused.
//!
//! [`record`] turns a batch into the payload of a journal record and back; the verdict in it is obeyed, never decided
//! anew. Nothing here does I/O but [`sources`].

mod admit;
mod collect;
pub mod decode;
mod key;
mod limits;
mod outcomes;
pub mod record;
mod request;
pub mod sources;

pub use admit::Admission;
pub use collect::{Collect, CollectError, Receipt};
pub use key::request_key;
pub use limits::Limits;
pub use outcomes::{Outcome, Outcomes};
pub use request::{Method, Refusal, RefusalKind, Request};
