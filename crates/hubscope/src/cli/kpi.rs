//! `hubscope kpi`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;
use query::Catalogue;

use super::{Data, Usage};
use crate::access::{self, Start};
use crate::config::Config;
use crate::operations::Request;
use crate::output::Format;
use crate::{questions, runtime};

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
    /// Checks files of questions: their form, and that their statements can be asked
    Check {
        /// Folder of files, or one file [default: query.questions of the configuration]
        path: Option<PathBuf>,
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
            Self::List => list(&questions::catalogue(config)?),
            Self::Show { id } => show(&questions::catalogue(config)?, &id),
            Self::Run { id, parameters, format, data } => {
                let parameters: BTreeMap<_, _> = parameters.into_iter().collect();
                let request = Request::Kpi { id, parameters, format: Format::or_fitting(format) };
                access::run(&data.data, config, Start::Existing, &request)
            }
            Self::Check { path } => check(path.or_else(|| config.query.questions.clone())),
        }
    }
}

fn list(catalogue: &Catalogue) -> Result<()> {
    let width = catalogue.iter().map(|kpi| kpi.id.len()).max().unwrap_or(0);
    for kpi in catalogue.iter() {
        println!("{:width$}  {}", kpi.id, kpi.question);
    }
    Ok(())
}

fn show(catalogue: &Catalogue, id: &str) -> Result<()> {
    let kpi = catalogue.find(id).map_err(|error| Usage(error.to_string()))?;
    println!("{}\n\n{}\n\n{}\n", kpi.question, kpi.reading, kpi.help.trim());
    for parameter in &kpi.parameters {
        let default = parameter.default.as_ref().map(|value| format!(" (default {value})")).unwrap_or_default();
        println!("--param {}=…{default}: {}", parameter.name, parameter.help);
    }
    println!("\n{}", kpi.sql.trim());
    Ok(())
}

fn check(path: Option<PathBuf>) -> Result<()> {
    let nothing = || Usage("name a folder of questions, or set query.questions".to_owned());
    let path = path.ok_or_else(nothing)?;
    let checked = runtime::start()?.block_on(questions::check(&path))?;
    for error in &checked.wrong {
        println!("{error}");
    }
    match (checked.right.len(), checked.wrong.len()) {
        (0, 0) => Err(Usage(format!("{} holds no file that ends in .md", path.display())).into()),
        (right, 0) => {
            println!("{right} right: {}", checked.right.join(", "));
            Ok(())
        }
        (right, wrong) => bail!("{wrong} wrong, {right} right"),
    }
}
