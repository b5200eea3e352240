//! What one call of a function may make, carried in the session's configuration.
//!
//! DataFusion's memory pool counts what operators hold, not what functions return. So each call that can return more
//! than it was given has a share: the memory limit divided by the number of such calls in the statement. However a
//! statement nests them, what all calls return at one time stays within the limit (times the number of threads).

use std::any::Any;
use std::time::{Duration, Instant};

use datafusion::common::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::common::not_impl_err;
use datafusion::config::ConfigOptions;

use crate::error::Stopped;

/// The bounds of one query.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    /// Bytes that one call may return.
    pub(crate) call_bytes_max: usize,
    /// When the query is over.
    pub(crate) deadline: Instant,
    /// The limit that the deadline came from, for the message.
    pub(crate) time_max: Duration,
}

impl Budget {
    /// Of the query to which `options` belong. Outside a query (never in the engine) nothing is bounded.
    pub(crate) fn of(options: &ConfigOptions) -> Option<&Self> {
        options.extensions.get::<Self>()
    }

    /// Refuses `bytes` when they are more than a call's share.
    pub(crate) fn check_bytes(&self, function: &str, bytes: u128) -> Result<(), Stopped> {
        if bytes > self.call_bytes_max as u128 {
            return Err(Stopped::Memory(format!(
                "{function} would make up to {} MiB at once; its share is {} MiB",
                bytes >> 20,
                self.call_bytes_max >> 20
            )));
        }
        Ok(())
    }

    /// Refuses to go on after the deadline.
    pub(crate) fn check_time(&self) -> Result<(), Stopped> {
        if Instant::now() >= self.deadline {
            return Err(Stopped::Deadline(self.time_max));
        }
        Ok(())
    }
}

impl ConfigExtension for Budget {
    const PREFIX: &'static str = "hubscope_budget";
}

impl ExtensionOptions for Budget {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _value: &str) -> datafusion::error::Result<()> {
        not_impl_err!("'{key}' cannot be set")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}
