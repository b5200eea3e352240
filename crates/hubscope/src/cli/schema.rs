//! `hubscope schema`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;

use super::Data;
use crate::access::{self, Start};
use crate::config::Config;
use crate::operations::Request;
use crate::registry;

#[derive(Debug, Subcommand)]
pub(super) enum Schema {
    /// Lists every schema, version and revision that events are checked against
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Adds a schema (JSON or YAML); from the next event on it is used
    Add {
        /// File with the schema
        file: PathBuf,
        #[command(flatten)]
        data: Data,
    },
}

impl Schema {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        match self {
            // Without data there are those built in, and asking makes no folder.
            Self::List { data } if !data.data.exists() => {
                print!("{}", registry::listed(&schema::Registry::builtin()));
                Ok(())
            }
            Self::List { data } => access::run(&data.data, config, Start::Existing, &Request::Schemas),
            Self::Add { file, data } => {
                let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
                let request = Request::AddSchema { text, origin: file.display().to_string() };
                access::run(&data.data, config, Start::Create, &request)
            }
        }
    }
}
