//! `hubscope inspect`: what lies on disk, without changing it.

mod journal;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};

use super::Data;

pub(crate) use journal::JournalReport;

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
        }
    }
}
