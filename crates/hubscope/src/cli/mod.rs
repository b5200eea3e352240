//! The command line: what can be asked, and which file answers.

mod archive;
mod backup;
mod config;
mod forget;
mod import;
mod inspect;
mod kpi;
mod query;
mod rebuild;
mod schema;
mod token;
mod verify;

pub(crate) use rebuild::DerivedPart;

pub(crate) use inspect::{TableName, told as table_told};

pub(crate) use inspect::{JournalReport, damage_told, torn_told};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::config::Layers;
use crate::{demo, serve, telemetry};

/// Answers questions about a JupyterHub or BinderHub from the events they emit.
#[derive(Debug, Parser)]
#[command(name = "hubscope", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "HUBSCOPE_CONFIG", hide_env_values = true, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// Where the data lie.
#[derive(Args, Clone, Debug)]
pub(crate) struct Data {
    /// Folder of data
    #[arg(long, value_name = "DIR", env = "HUBSCOPE_DATA", default_value = "hubscope-data", hide_env_values = true)]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receives events, keeps them, answers questions, publishes the archive
    Serve {
        #[command(flatten)]
        data: Data,
        /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
    },
    /// Shows hubscope on sample data, in a temporary folder
    Demo {
        /// Port to listen on; the next free one is taken if it is in use
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Without events trickling in
        #[arg(long)]
        quiet: bool,
    },
    /// Brings in events from files
    #[command(subcommand)]
    Import(import::Import),
    /// Publishes the public archive
    #[command(subcommand)]
    Archive(archive::Archive),
    /// Answers one SELECT over events, launches, server_actions, quarantine
    Query(query::Query),
    /// Lists, shows and answers the catalogue's questions
    #[command(subcommand)]
    Kpi(kpi::Kpi),
    /// Lists and adds the schemas that events are checked against
    #[command(subcommand)]
    Schema(schema::Schema),
    /// Makes, lists and revokes tokens, with which others than this machine may send and read
    #[command(subcommand)]
    Token(token::Token),
    /// Removes everything of one person, for ever, and tells what was done
    Forget(forget::Forget),
    /// Reads everything kept and compares it with what was written; ends with 3 if something differs
    Verify(verify::Verify),
    /// Makes anew what is derived from events
    Rebuild(rebuild::Rebuild),
    /// Copies the folder of data as it is at one moment, also while serve runs
    Backup(backup::Backup),
    /// Looks at what lies on disk, without changing it
    #[command(subcommand)]
    Inspect(inspect::Inspect),
    /// Shows the settings in force
    #[command(subcommand)]
    Config(config::Config),
}

/// The command was understood, but what it asks for does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// A verification found something wrong; its report has been printed.
#[derive(Debug, thiserror::Error)]
#[error("not everything is as it was written")]
pub(crate) struct Unsound;

/// Diagnostics of a command that is not `serve`, unless `HUBSCOPE_LOG` says otherwise: only what goes wrong.
const LOG_OF_COMMANDS: &str = "warn";

/// Does what was asked.
pub(crate) fn run(arguments: Arguments) -> Result<()> {
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let mut layers = Layers::default();
    if let Some(file) = &arguments.config {
        layers.file(file)?;
    }
    layers.environment(&environment)?;
    if let Command::Serve { listen: Some(listen), .. } = &arguments.command {
        layers.flag("listen", &listen.to_string(), "--listen")?;
    }
    let config = layers.config()?;
    let serves = matches!(arguments.command, Command::Serve { .. });
    telemetry::start(if serves || environment.contains_key("HUBSCOPE_LOG") { &config.log } else { LOG_OF_COMMANDS });
    match arguments.command {
        Command::Serve { data, .. } => serve::run(&data.data, &config),
        Command::Demo { port, quiet } => demo::run(port, quiet, config),
        Command::Import(import) => import.run(&config),
        Command::Archive(archive) => archive.run(&config),
        Command::Query(query) => query.run(&config),
        Command::Kpi(kpi) => kpi.run(&config),
        Command::Schema(schema) => schema.run(&config),
        Command::Token(token) => token.run(&config),
        Command::Forget(forget) => forget.run(&config),
        Command::Verify(verify) => verify.run(&config),
        Command::Rebuild(rebuild) => rebuild.run(&config),
        Command::Backup(backup) => backup.run(&config),
        Command::Inspect(inspect) => inspect.run(),
        Command::Config(config) => config.run(&layers),
    }
}
