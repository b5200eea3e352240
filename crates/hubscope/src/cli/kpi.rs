//! `hubscope kpi`.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Subcommand;
use query::Catalogue;

use super::{Data, Usage};
use crate::access::{self, Start};
use crate::config::Config;
use crate::operations::Request;
use crate::output::Format;

#[derive(Debug, Subcommand)]
pub(super) enum Kpi {
    /// Lists the questions
    List,
    /// Shows one: the question, how to read its answer, its parameters, its SQL
    Show {
        /// Id of the question, for example launches
        id: String,
    },
    /// Answers one
    Run {
        /// Id of the question, for example launches
        id: String,
        /// A parameter of the question, for example from=2021-11-01
        #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
        parameters: Vec<(String, String)>,
        /// Form of the answer [default: table on a terminal, else csv]
        #[arg(long, value_enum)]
        format: Option<Format>,
        #[command(flatten)]
        data: Data,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("'{text}' is not of the form NAME=VALUE")),
    }
}

impl Kpi {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        match self {
            Self::List => list(),
            Self::Show { id } => show(&id),
            Self::Run { id, parameters, format, data } => {
                let parameters: BTreeMap<_, _> = parameters.into_iter().collect();
                let request = Request::Kpi { id, parameters, format: Format::or_fitting(format) };
                access::run(&data.data, config, Start::Existing, &request)
            }
        }
    }
}

fn list() -> Result<()> {
    let catalogue = Catalogue::builtin();
    let width = catalogue.iter().map(|kpi| kpi.id.len()).max().unwrap_or(0);
    for kpi in catalogue.iter() {
        println!("{:width$}  {}", kpi.id, kpi.question);
    }
    Ok(())
}

fn show(id: &str) -> Result<()> {
    let catalogue = Catalogue::builtin();
    let kpi = catalogue.find(id).map_err(|error| Usage(error.to_string()))?;
    println!("{}\n\n{}\n\n{}\n", kpi.question, kpi.reading, kpi.help.trim());
    for parameter in &kpi.parameters {
        let default = parameter.default.as_ref().map(|value| format!(" (default {value})")).unwrap_or_default();
        println!("--param {}=…{default}: {}", parameter.name, parameter.help);
    }
    println!("\n{}", kpi.sql.trim());
    Ok(())
}
