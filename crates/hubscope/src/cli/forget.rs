//! `hubscope forget`.

use anyhow::Result;
use clap::Args;

use super::Data;
use crate::access::{self, Start};
use crate::config::Config;
use crate::operations::Request;
use crate::output::Format;

#[derive(Args, Debug)]
pub(super) struct Forget {
    /// The user's name on the hub, exactly as it stands in events
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The one hub whose user is meant; without it, that name on every hub
    #[arg(long, value_name = "HUB")]
    hub: Option<String>,
    /// Form of the certificate: table is for people, json for programs
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    data: Data,
}

impl Forget {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let Self { user, hub, format, data } = self;
        access::run(&data.data, config, Start::Existing, &Request::Forget { user, hub, format })
    }
}
