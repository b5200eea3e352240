//! Sessions, kept up to date: what the table `events` holds about servers, told as rows of `sessions`.
//!
//! ```text
//! snapshot ─▶ rows of the schemas that tell of servers ─▶ evidence ─▶ a ledger for each hub (insight) ─▶ rows (Arrow)
//! ```
//!
//! Everything that is known of servers stands in `events`: what hubs emit, and what polls of them saw ([`schemas`]).
//! So sessions are a function of `events`, of what was told before events left ([`Sessions::keep`]), of the settings of
//! the hubs and of the time, and of nothing else: they are kept in memory, made anew at each start, and
//! [`Sessions::rebuild`] makes them anew at any time. **R2**: what is followed step by step equals what is made anew,
//! row for row and bit for bit.
//!
//! [`Sessions::at`] follows a snapshot when it is asked, so that what was acknowledged shows in the next answer. It
//! reads the parts and the tail that came since the snapshot before. It begins anew when rows have left (retention,
//! erasure, a day of an import that changed), when an import brought something, and when evidence came for a time of
//! which the sessions were settled.
//!
//! It writes nothing but what it keeps of events that leave, and knows neither SQL nor how a question is asked.

mod evidence;
mod history;
mod hub;
mod rows;
pub use event::schemas;
mod sessions;
mod watch;

pub use hub::HubSettings;
pub use rows::{Rows, schema};
pub use sessions::{DeriveError, Sessions, Status};
