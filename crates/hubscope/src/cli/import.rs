//! `hubscope import`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use super::Data;
use crate::access::{self, Start};
use crate::config::Config;
use crate::operations::Request;

#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// Hourly files of an exported Cloud Logging log: DIR/…/YYYY/MM/DD/*.json
    CloudLog(Source),
    /// Daily files of a public archive: DIR/events-YYYY-MM-DD.jsonl
    Archive(Source),
}

#[derive(Args, Debug)]
pub(super) struct Source {
    /// Folder that holds the files
    directory: PathBuf,
    #[command(flatten)]
    data: Data,
}

impl Import {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let (source, request) = match self {
            Self::CloudLog(source) => {
                let directory = absolute(&source.directory)?;
                (source, Request::ImportCloudLog { directory })
            }
            Self::Archive(source) => {
                let directory = absolute(&source.directory)?;
                (source, Request::ImportArchive { directory })
            }
        };
        access::run(&source.data.data, config, Start::Create, &request)
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("cannot open {}", path.display()))
}
