//! `hubscope archive`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;

use super::Data;
use crate::access::{self, Start};
use crate::config::Config;
use crate::operations::Request;

#[derive(Debug, Subcommand)]
pub(super) enum Archive {
    /// Writes events-YYYY-MM-DD.jsonl, index.jsonl and index.html; only files that changed are touched
    Publish {
        /// Folder of the archive [default: DATA/archive]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        #[command(flatten)]
        data: Data,
    },
}

impl Archive {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let Self::Publish { to, data } = self;
        let to = to.map(std::path::absolute).transpose().context("the folder of the archive")?;
        access::run(&data.data, config, Start::Existing, &Request::Publish { to })
    }
}
