//! `hubscope config`.

use std::fmt::Write as _;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};

use crate::config::{Layers, Shown};

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Shows every setting with its value and where that comes from
    Show {
        /// Form of the list
        #[arg(long, value_enum, default_value_t = Form::Table)]
        format: Form,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Form {
    /// For people
    Table,
    /// One JSON object: {"settings": [{"key", "value", "origin", "means"}]}
    Json,
}

impl Config {
    pub(super) fn run(self, layers: &Layers) -> Result<()> {
        let Self::Show { format } = self;
        let shown = layers.shown()?;
        match format {
            Form::Table => print!("{}", table(&shown)),
            Form::Json => println!("{}", serde_json::json!({ "settings": shown })),
        }
        Ok(())
    }
}

fn table(shown: &[Shown]) -> String {
    let width = |of: fn(&Shown) -> &str| shown.iter().map(|setting| of(setting).chars().count()).max().unwrap_or(0);
    let (keys, values) = (width(|setting| &setting.key), width(|setting| &setting.value));
    let mut text = String::new();
    for Shown { key, value, origin, .. } in shown {
        // Writing to a String never fails.
        let _ = writeln!(text, "{key:keys$}  {value:values$}  {origin}");
    }
    text
}
