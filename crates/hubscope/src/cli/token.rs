//! `hubscope token`.

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use server::Verb;

use super::Data;
use crate::access::{self, Start};
use crate::config::Config;
use crate::operations::Request;

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Makes a token and prints it, alone and this once
    Create {
        /// Hub to which the token belongs; without, one that reads reads all hubs
        #[arg(long, value_name = "NAME")]
        hub: Option<String>,
        /// What it may do
        #[arg(long, value_enum)]
        may: May,
        #[command(flatten)]
        data: Data,
    },
    /// Lists the tokens, without their secrets
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Makes a token worth nothing, at once
    Revoke {
        /// Its id, as the list has it
        id: String,
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum May {
    /// Send events
    Ingest,
    /// Read everything of its hub
    Query,
    /// Both
    Admin,
}

impl May {
    fn verb(self) -> Verb {
        match self {
            Self::Ingest => Verb::Ingest,
            Self::Query => Verb::Query,
            Self::Admin => Verb::Admin,
        }
    }
}

impl Token {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let (data, start, request) = match self {
            Self::Create { hub, may, data } => {
                (data, Start::Create, Request::CreateToken { hub, may: may.verb().name().to_owned() })
            }
            Self::List { data } => (data, Start::Existing, Request::Tokens),
            Self::Revoke { id, data } => (data, Start::Existing, Request::RevokeToken { id }),
        };
        access::run(&data.data, config, start, &request)
    }
}
