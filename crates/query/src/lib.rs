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
mod coverage;
mod engine;
mod error;
mod functions;
mod guard;
mod hubs;
mod kpi;
mod limits;
mod nearest;
mod prune;
mod rollup;
mod scan;
mod scope;
mod session;
mod views;
mod zone;

pub use answer::{Answer, AnswerColumn, ParquetAnswerError};
pub use coverage::SourceCoverage;
pub use engine::{Engine, EngineError, SqlOptions};
pub use error::QueryError;
pub use hubs::Hubs;
pub use kpi::{
    Audience, Catalogue, CatalogueError, Change, ChartKind, Compare, Comparison, Excluded, Grain, Headline, Kpi,
    KpiAnswer, OwnFile, Parameter, ParameterKind, Params, Privacy, Ratio, Shape, TimeRange, Trend, own_files,
};
pub use limits::Limits;
pub use rollup::{Cutoff, RollupFigures, RollupFiles, RollupProgress, Until};
pub use scope::Scope;
pub use views::{ColumnInfo, TableInfo};
pub use zone::{UnknownZone, Zone};
