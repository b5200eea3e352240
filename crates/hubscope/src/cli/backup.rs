//! `hubscope backup`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use super::Data;
use crate::access::{self, Start};
use crate::config::Config;
use crate::operations::Request;

#[derive(Args, Debug)]
pub(super) struct Backup {
    /// Folder to make; it must not exist
    #[arg(value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    data: Data,
}

impl Backup {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let to = std::path::absolute(self.to).context("the folder of the backup")?;
        access::run(&self.data.data, config, Start::Existing, &Request::Backup { to })
    }
}
