//! `hubscope inspect`: what lies on disk, without changing it.

mod journal;
mod table;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};

use super::Data;

pub(crate) use journal::{JournalReport, damage_told, torn_told};
pub(crate) use table::{TableName, told};

#[derive(Debug, Subcommand)]
pub(super) enum Inspect {
    /// Reads the journal through: segments, positions, and every place that is damaged
    Journal {
        /// Form of the report
        #[arg(long, value_enum, default_value_t = Form::Table)]
        format: Form,
        #[command(flatten)]
        data: Data,
    },
    /// Tells what a table consists of: its version, its parts, what they hold
    Table {
        /// Which table
        #[arg(value_enum, default_value_t = TableName::Events)]
        table: TableName,
        /// Only the files of its parts, one path a line, for programs that read Parquet and not Delta
        #[arg(long)]
        files: bool,
        /// Form of the report
        #[arg(long, value_enum, default_value_t = Form::Table, conflicts_with = "files")]
        format: Form,
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Form {
    /// For people
    Table,
    /// For programs
    Json,
}

impl Inspect {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Journal { format, data } => journal::run(&data.data, format),
            Self::Table { table, files, format, data } => table::run(&data.data, table, files, format),
        }
    }
}
