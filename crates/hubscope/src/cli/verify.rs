//! `hubscope verify`.

use anyhow::Result;
use clap::Args;

use super::Data;
use crate::access;
use crate::config::Config;
use crate::output::Format;

#[derive(Args, Debug)]
pub(super) struct Verify {
    /// Form of the report: table is for people, json for programs
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    data: Data,
}

impl Verify {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        access::verify(&self.data.data, config, self.format)
    }
}
