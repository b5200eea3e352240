//! What the server is given: everything that it shows or passes on, and nothing that it opens itself.

use std::fmt::Debug;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use event::{Clock, Day, EventTime};
use ingest::{Admission, Collect};
use prometheus_client::registry::Registry;
use query::{Catalogue, Engine};

use crate::access::Access;
use crate::limits::Limits;
use crate::metrics::Metrics;

/// All that the routes work with.
#[derive(Debug)]
pub struct App {
    /// The door: bytes to verdicts.
    pub admission: Arc<Admission>,
    /// Keeps a batch; returns when it is on disk.
    pub collect: Arc<dyn Collect>,
    /// Answers SQL and KPIs.
    pub engine: Arc<Engine>,
    /// The questions.
    pub catalogue: Arc<Catalogue>,
    /// Folder of the published archive, if one is published.
    pub archive: Option<PathBuf>,
    /// How the program does.
    pub status: Arc<dyn Status>,
    /// Tokens.
    pub access: Arc<dyn Access>,
    /// Forgets people.
    pub erasures: Arc<dyn Erasures>,
    /// What the server counts.
    pub metrics: Metrics,
    /// All that `/metrics` shows.
    pub shown_metrics: Registry,
    /// Name of the hub whose events come without a token.
    pub hub: Arc<str>,
    /// Where the shown data comes from, when a reader must know; shown as labelled notes on every page.
    pub notes: Vec<Note>,
    /// The days, half-open, that pages show when their address names none; without it the last 28.
    pub opening_range: Option<(Day, Day)>,
    /// The time by which ages and ranges are told.
    pub clock: Arc<dyn Clock>,
    /// Bounds.
    pub limits: Limits,
}

/// A note about the data: `label` is a word or two ("simulated"), `text` a sentence.
#[derive(Clone, Debug)]
pub struct Note {
    /// A word or two.
    pub label: String,
    /// A sentence.
    pub text: String,
}

/// How the program does, told by whoever runs it. Both calls are quick: no disk, no waiting.
pub trait Status: Debug + Send + Sync {
    /// Why the program is not ready; empty when it is.
    fn unready(&self) -> Vec<Unready>;

    /// The figures of the moment.
    fn vitals(&self) -> Vitals;

    /// How polls go, hub by hub; none where no hub is polled.
    fn polls(&self) -> Vec<PolledHub> {
        Vec::new()
    }
}

/// How polls of a hub go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolledHub {
    /// The hub.
    pub hub: String,
    /// When its list of servers was last read whole.
    pub succeeded: Option<EventTime>,
    /// How many servers ran then.
    pub servers: usize,
    /// What is wrong at present, in words.
    pub problem: Option<String>,
}

/// One reason for not being ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unready {
    /// Stable name, `journal_poisoned`.
    pub code: &'static str,
    /// What is wrong and what helps, in a sentence without personal data.
    pub detail: String,
}

/// The figures of the moment, over table and tail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Events admitted and kept.
    pub events: u64,
    /// Events kept aside.
    pub quarantined: u64,
    /// Received time of the newest event.
    pub newest: Option<EventTime>,
    /// Events acknowledged and not yet in the table.
    pub waiting: u64,
    /// When the archive was last published.
    pub published: Option<EventTime>,
}

/// Forgets people. A request is kept before it is answered, and carried out whether or not anybody waits for it.
pub trait Erasures: Debug + Send + Sync {
    /// Keeps the request to forget `user` on `hub` (on every hub without); returns its id, by which it is known from
    /// then on.
    ///
    /// # Errors
    /// See [`ErasureError`]; nothing was kept.
    fn ask(&self, user: String, hub: Option<Arc<str>>) -> Waiting<'_, Result<String, ErasureError>>;

    /// Waits until the request `id` was carried out; returns its certificate.
    fn done<'a>(&'a self, id: &'a str) -> Waiting<'a, Result<serde_json::Value, ErasureError>>;

    /// Every request, the newest first.
    ///
    /// # Errors
    /// They cannot be read.
    fn list(&self) -> Waiting<'_, Result<Vec<Erasure>, ErasureError>>;
}

/// What comes later.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A request to forget somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub id: String,
    /// The one hub that it is about; every hub without.
    pub hub: Option<String>,
    /// When it was asked for, RFC 3339.
    pub asked: String,
    /// Whether every step was taken, so that there is a certificate.
    pub is_finished: bool,
}

/// Why a request to forget somebody was not kept, or cannot be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErasureError {
    /// Nobody can have such a name, on a hub of such a name; with the reason, which does not repeat the user's.
    Impossible(String),
    /// As many were kept as can be.
    Full(String),
    /// Ours, for the log.
    Internal(String),
}

/// What commands of the same program ask of a running server: `POST /control/<verb>` with a JSON body, on the control
/// socket alone.
pub trait Control: Debug + Send + Sync {
    /// Does `verb`. The lines are sent on as they come (NDJSON), so that a long task shows progress; the last one is
    /// its result. `None` when there is no such verb.
    fn call(&self, verb: &str, argument: serde_json::Value) -> Option<ControlLines>;
}

/// The lines of an answer on the control socket.
pub type ControlLines = Pin<Box<dyn futures::Stream<Item = serde_json::Value> + Send>>;
