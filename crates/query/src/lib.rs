//! Asked: SQL and KPIs over one consistent snapshot of the tables.
//!
//! ```text
//! SQL or KPI ─▶ guard ─▶ session over one snapshot ─▶ plan ─▶ run, bounded ─▶ answer ─▶ JSON, CSV, chart, …
//! ```
//!
//! The only crate that names DataFusion. It never writes, and reads no file but the parts of a snapshot. A snapshot
//! holds its parts on disk for as long as a query runs, so a query never sees half of a commit or of a compaction.

mod answer;
pub mod chart;
mod engine;
mod error;
mod functions;
mod guard;
mod kpi;
mod limits;
mod nearest;
mod prune;
mod scan;
mod session;
mod views;

pub use answer::{Answer, AnswerColumn, ParquetAnswerError};
pub use engine::{Engine, EngineError, SqlOptions};
pub use error::QueryError;
pub use kpi::{
    Audience, Catalogue, CatalogueError, Change, ChartKind, Excluded, Grain, Headline, Kpi, KpiAnswer, Parameter,
    ParameterKind, Params, Privacy, TimeRange,
};
pub use limits::Limits;
pub use views::{ColumnInfo, TableInfo};
