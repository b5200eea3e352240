//! Sessions, kept up to date: what the table `events` holds about servers, told as rows of `sessions`.
//!
//! ```text
//! snapshot ─▶ rows of the schemas that tell of servers ─▶ evidence ─▶ a ledger for each hub (insight) ─▶ rows (Arrow)
//!                                                                          └──────────── files ───────────┘
//! ```
//!
//! Everything that is known of servers stands in `events`: what hubs emit, and what polls of them saw ([`schemas`]).
//! So sessions are a function of `events`, of what was told before events left ([`Sessions::keep`]), of the settings of
//! the hubs and of the time, and of nothing else: [`Sessions::rebuild`] makes them anew at any time. **R2**: what is
//! followed step by step, over any starts, equals what is made anew, row for row and bit for bit.
//!
//! What nothing but late evidence changes stands in files, a month in each, and is read from there by whoever asks
//! ([`Rows::files`]); only what is open, or ended of late, is in memory. [`Sessions::save`] puts the ledgers beside
//! them, and the next start goes on from there.
//!
//! [`Sessions::at`] follows a snapshot when it is asked, so that what was acknowledged shows in the next answer. It
//! reads the parts and the tail that came since the snapshot before. It begins anew when rows have left (retention,
//! erasure, a day of an import that changed), when an import brought something, and when evidence came for a time of
//! which the sessions were settled.
//!
//! It knows neither SQL nor how a question is asked.

mod checkpoint;
mod columns;
mod evidence;
mod file;
mod history;
mod hub;
mod months;
mod rows;
pub use event::schemas;
mod sessions;
mod slices;
mod state;
mod watch;

pub use file::SessionFile;
pub use hub::HubSettings;
pub use rows::{Rows, schema};
pub use sessions::{DeriveError, Forgotten, Newest, Sessions, Status};
