//! The publisher: what it is given, what it tells.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event::{Clock, SystemClock};
use schema::Registry;
use store::Store;

use crate::PublishError;
use crate::memory::Memory;
use crate::rows::Policies;
use crate::run::Run;

/// What can be set.
#[derive(Clone, Debug)]
pub struct Options {
    /// Heading of the page. Default `Event archive`.
    pub title: String,
    /// Tells the time that stands on the page.
    pub clock: Arc<dyn Clock>,
    /// Bytes of one day's events that are held in memory, about; those of a longer day are sorted on disk, in files
    /// without a name beside the published ones. Default 256 MiB: half a million launches.
    pub day_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { title: "Event archive".to_owned(), clock: Arc::new(SystemClock), day_bytes_max: 256 << 20 }
    }
}

/// What a publication did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Days whose file was missing or differed.
    pub days_written: u64,
    /// Days whose file was right.
    pub days_unchanged: u64,
    /// Events in all files, this run's and earlier ones'.
    pub events: u64,
    /// Bytes of all files of days.
    pub bytes: u64,
    /// Fields of all published events that were not declared public and stayed inside.
    pub fields_withheld: u64,
    /// Events of published days that could not be shown at all; the log names each.
    pub events_withheld: u64,
    /// New names of files that stood in the folder as days that nothing covers.
    pub set_aside: Vec<String>,
    /// The snapshot that was published.
    pub data_version: String,
}

/// Publishes a store's events.
#[derive(Debug)]
pub struct Publisher {
    store: Arc<Store>,
    policies: Arc<Policies>,
    options: Options,
    /// The last run, and a place for one run at a time: two would write the same files.
    last: Arc<tokio::sync::Mutex<Option<Memory>>>,
}

impl Publisher {
    /// A publisher of `store` by the policies of `registry`.
    pub fn new(store: Arc<Store>, registry: Registry, options: Options) -> Self {
        Self { store, policies: Arc::new(Policies::of(&registry)), options, last: Arc::default() }
    }

    /// Brings the folder `to` up to date with what the store holds now: files of days that are missing or differ are
    /// written, then the index. The folder is made if need be. The current day is published as far as it has come. The
    /// first run to a folder reads the whole table, later ones what came in since, and again the whole when parts were
    /// rewritten.
    ///
    /// Cancel safety: dropping the future ends the run soon, and a later call waits for that. Files that have their
    /// names stay; the rest is done by the next run.
    ///
    /// # Errors
    ///
    /// See [`PublishError`]; to call again is always safe.
    pub async fn publish(&self, to: &Path) -> Result<Published, PublishError> {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        let mut run = Run {
            snapshot: self.store.snapshot(),
            store: Arc::clone(&self.store),
            policies: Arc::clone(&self.policies),
            options: self.options.clone(),
            to: to.to_owned(),
            before: None,
            given_up: Arc::default(),
        };
        let _ends = EndsWithUs(Arc::clone(&run.given_up));
        let work = tokio::task::spawn_blocking(move || {
            // Taken out, so that after an error nothing is remembered and the next run looks at everything.
            run.before = last.take().filter(|memory| memory.is_of(&run.to));
            let (published, memory) = run.publish()?;
            *last = Some(memory);
            Ok(published)
        });
        work.await.map_err(|_| PublishError::CutShort)?
    }
}

/// Tells the run that nobody waits any more, when the wait is given up.
struct EndsWithUs(Arc<AtomicBool>);

impl Drop for EndsWithUs {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
