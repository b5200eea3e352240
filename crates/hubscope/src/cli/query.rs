//! `hubscope query`.

use anyhow::Result;
use clap::Args;

use super::Data;
use crate::access::{self, Start};
use crate::config::Config;
use crate::operations::Request;
use crate::output::Format;

#[derive(Args, Debug)]
pub(super) struct Query {
    /// One SELECT statement, for example "SELECT provider, count(*) FROM launches GROUP BY provider"
    sql: String,
    /// Rows at most [default: 10000, at most 1000000]
    #[arg(long)]
    limit: Option<usize>,
    /// Form of the answer [default: table on a terminal, else csv]
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    data: Data,
}

impl Query {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        let request = Request::Query { sql: self.sql, limit: self.limit, format: Format::or_fitting(self.format) };
        access::run(&self.data.data, config, Start::Existing, &request)
    }
}
