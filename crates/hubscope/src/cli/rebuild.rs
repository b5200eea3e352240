//! `hubscope rebuild`.

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::Data;
use crate::access::{self, Start};
use crate::config::Config;
use crate::operations::Request;

/// What is derived from events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DerivedPart {
    /// What is kept ready for questions
    Rollups,
    /// The sessions of servers
    Sessions,
}

#[derive(Args, Debug)]
pub(super) struct Rebuild {
    /// Only this; without it, everything that is derived
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<DerivedPart>,
    #[command(flatten)]
    data: Data,
}

impl Rebuild {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        access::run(&self.data.data, config, Start::Existing, &Request::Rebuild { only: self.only })
    }
}
