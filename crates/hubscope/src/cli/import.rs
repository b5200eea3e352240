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
    /// A hub's own logs, also rotated, compressed or wrapped by a cloud's logging: what they say of servers
    HubLog(HubLog),
    /// A hub's own database (SQLite), also while the hub runs: its users, and the servers that run
    HubDb(HubDb),
}

#[derive(Args, Debug)]
pub(super) struct HubDb {
    /// The database, mostly jupyterhub.sqlite
    file: PathBuf,
    /// The hub whose database it is
    #[arg(long, value_name = "NAME", default_value = "default")]
    hub: String,
    #[command(flatten)]
    data: Data,
}

#[derive(Args, Debug)]
pub(super) struct HubLog {
    /// Files of the log, all that there are: a day is replaced as a whole
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The hub whose log it is
    #[arg(long, value_name = "NAME", default_value = "default")]
    hub: String,
    /// Zone of the clock that the log's times show
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
    #[command(flatten)]
    data: Data,
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
        let (data, request) = match self {
            Self::CloudLog(source) => {
                let directory = absolute(&source.directory)?;
                (source.data, Request::ImportCloudLog { directory })
            }
            Self::Archive(source) => {
                let directory = absolute(&source.directory)?;
                (source.data, Request::ImportArchive { directory })
            }
            Self::HubLog(HubLog { files, hub, zone, data }) => {
                let files = files.iter().map(|file| absolute(file)).collect::<Result<_>>()?;
                (data, Request::ImportHubLog { files, hub, zone })
            }
            Self::HubDb(HubDb { file, hub, data }) => {
                let file = absolute(&file)?;
                (data, Request::ImportHubDb { file, hub })
            }
        };
        access::run(&data.data, config, Start::Create, &request)
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("cannot open {}", path.display()))
}
