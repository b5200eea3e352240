//! Shown: pages, REST and the HTTP door.
//!
//! ```text
//! socket ─▶ serve (connections, times) ─▶ guard (id, headers, panics) ─▶ access (who, what) ─▶ router ─▶ api/ · pages/
//!                                                                             └▶ ingest::Admission ─▶ Collect (the
//!   ack)
//! ```
//!
//! Invariants: an answer to events is sent after [`ingest::Collect::collect`] returned, never before. Every body, wait
//! and connection is bounded by [`Limits`]. Every error leaves through `error`, as a problem document. No page loads,
//! runs or styles anything that is not a file of `web/`.
//!
//! It decides nothing about events, holds no state beyond a second's worth of the newest launches, and writes nothing
//! to disk. The one thing that it reads from disk is the published archive. No other crate names axum.

mod access;
mod address;
mod api;
mod app;
mod archive;
mod assets;
mod body;
mod error;
mod format;
mod guard;
mod limits;
mod metrics;
mod pages;
mod range;
mod router;
mod rows;
mod serve;
mod stream;

pub use access::{Access, Grant, Verb};
pub use app::{
    App, Control, ControlLines, Erasure, ErasureError, Erasures, Note, PolledHub, Status, Unready, Vitals, Waiting,
};
pub use limits::Limits;
pub use metrics::Metrics;
pub use serve::serve;
