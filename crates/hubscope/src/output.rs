//! Forms in which an answer is written.

use std::io::IsTerminal;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// For people, on a terminal
    Table,
    /// One JSON object with columns and rows
    Json,
    /// Comma-separated values, safe to open in a spreadsheet
    Csv,
    /// A Markdown table
    Markdown,
    /// A Parquet file
    Parquet,
}

impl Format {
    /// The form asked for; else a table for people and CSV for programs.
    pub(crate) fn or_fitting(asked: Option<Self>) -> Self {
        asked.unwrap_or(if std::io::stdout().is_terminal() { Self::Table } else { Self::Csv })
    }
}
