//! The catalogue: one Markdown file per question, and how a question is answered.
//!
//! ```text
//! file ─▶ Kpi ─▶ parameters, time range ─▶ its SQL, and that of its headline and exclusions ─▶ KpiAnswer
//! ```

mod answer;
mod check;
mod file;
mod folder;
mod notes;
mod params;
mod range;
mod repository;
mod run;
mod series;
mod trend;

use std::fmt;
use std::num::NonZero;

pub use answer::{Change, Comparison, Excluded, Headline, KpiAnswer, Ratio};
pub(crate) use answer::{counted, grouped};
pub use file::CatalogueError;
pub use folder::{OwnFile, own_files};
pub(crate) use params::timestamp;
pub use params::{Compare, Parameter, ParameterKind, Params};
pub use range::TimeRange;
pub(crate) use range::{period_end, period_of, periods};
pub use trend::Trend;

use crate::error::QueryError;
use crate::nearest::nearest;
use crate::rollup::Rollup;
use crate::views;

/// One question of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kpi {
    /// Its name, for ever.
    pub id: String,
    /// The question, as a title.
    pub question: String,
    /// Who asks it.
    pub audience: Vec<Audience>,
    /// Which questions stand beside it.
    pub group: String,
    /// What its measure counts, as a word for several.
    pub unit: String,
    /// The same for one.
    pub unit_one: String,
    /// Time step of its rows.
    pub grain: Grain,
    /// What its rows say of a period.
    pub shape: Shape,
    /// How it is drawn.
    pub chart: ChartKind,
    /// The tables and views that it needs.
    pub needs: Vec<String>,
    /// Who may see it.
    pub privacy: Privacy,
    /// Version of the definition.
    pub definition: u32,
    /// One sentence on how to read it.
    pub reading: String,
    /// What the caller may say.
    pub parameters: Vec<Parameter>,
    /// How it is counted and where it misleads (Markdown).
    pub help: String,
    /// The statement that answers it.
    pub sql: String,
    /// Where it stands, for messages.
    pub file: String,
    /// Of a ratio, what its denominator counts.
    pub(crate) whole: String,
    /// The facts that its statements read, if they read any.
    pub(crate) rollup: Option<FactsNeeded>,
    /// Whether the beginning of the data changes what is counted, so that it is told.
    pub(crate) marks_history: bool,
    /// Whether a line through its weeks foretells further ones.
    pub(crate) has_trend: bool,
    /// Of how many periods a longer range is answered at a time, so that memory is bounded.
    pub(crate) pieces: Option<NonZero<usize>>,
    /// Its place on the first page of an audience, the least first.
    pub(crate) first: Vec<(Audience, u16)>,
    pub(crate) range: DefaultRange,
    pub(crate) headline: HeadlineKind,
    pub(crate) exclusions: Vec<Exclusion>,
    /// Statements whose texts a reader must know beside the figures.
    pub(crate) notes: Vec<String>,
    /// What says how much of the figures was seen and how much inferred: a statement with a `numerator` and a
    /// `denominator`, and what both count.
    pub(crate) proven: Option<Proven>,
}

/// How much of an answer rests on what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(crate) unit: String,
    pub(crate) sql: String,
}

/// Who asks a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Runs a hub.
    Operator,
    /// Pays for it.
    Funder,
    /// Uses it.
    User,
    /// Everyone.
    Public,
}

/// Time step of a KPI's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grain {
    /// One row a day.
    Day,
    /// One row an ISO week, Monday to Sunday.
    Week,
    /// One row a calendar month.
    Month,
    /// Rows are not periods.
    None,
}

/// How a KPI is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChartKind {
    /// A bar for each period, from zero.
    Bar,
    /// A line over the periods.
    Line,
    /// A bar for each period, made of the parts of a split.
    Stacked,
    /// A horizontal bar for each row, longest first.
    Ranking,
    /// A field of squares, lines by places.
    Heat,
    /// An upright bar for each row, in their order: that of classes.
    Histogram,
    /// A level for each number of the first column, in steps.
    Curve,
    /// What the rows have together against how many have it, those with most first.
    Lorenz,
}

/// What the rows of a time series say of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One number: columns `period`, `value`.
    Plain,
    /// A number for each value of a dimension, whose column has this name: `period`, the column, `value`.
    Split(String),
    /// A percentage of two numbers: `period`, `value`, `numerator`, `denominator`.
    Ratio,
    /// A number between two others: `period`, `value_low`, `value`, `value_high`.
    Bounds,
}

/// Who may see a KPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Privacy {
    /// Everyone: it is computed from public fields alone.
    Public,
    /// Operators of the hub.
    Operators,
}

/// The time range when the caller names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DefaultRange {
    /// So many days.
    Days(u16),
    /// So many ISO weeks.
    Weeks(u16),
    /// So many calendar months, or as many as the parameter `months` says.
    Months(u16),
}

/// Which facts a question reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FactsNeeded {
    pub(crate) of: Rollup,
    /// How much of what was before the range it looks at.
    pub(crate) before: Before,
    /// How many days after the range.
    pub(crate) days_after: u16,
}

/// How much of what was before its range a question looks at. Facts that are kept know all of it; those made of events
/// for one question know as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// So many days.
    Days(u16),
    /// Everything.
    Ever,
}

/// The number above the chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeadlineKind {
    /// The sum of the rows.
    Sum,
    /// The mean of the rows whose periods are over and covered.
    Mean { unit: String, unit_one: String },
    /// What a statement of its own says.
    Sql { unit: String, unit_one: String, sql: String },
}

/// Rows that are left out, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exclusion {
    pub(crate) name: String,
    pub(crate) one: String,
    pub(crate) many: String,
    pub(crate) sql: String,
}

impl ChartKind {
    /// Whether it draws rows that are not periods, and nothing else.
    pub(crate) fn has_no_periods(self) -> bool {
        matches!(self, Self::Histogram | Self::Curve | Self::Lorenz)
    }
}

impl Kpi {
    /// The help as HTML; mark-up in the text itself stays text.
    pub fn help_html(&self) -> String {
        file::html(&self.help)
    }

    /// Whether its statements read facts that are kept, or could be.
    pub fn reads_rollup(&self) -> bool {
        self.rollup.is_some()
    }

    /// Whether events of `schema` are among what it counts: those of its tables, or those that its statement names.
    pub fn is_fed_by(&self, schema: &str) -> bool {
        self.needs.iter().filter_map(|need| views::find(need)).any(|relation| {
            relation.schemas.contains(&schema)
                || (relation.schemas.is_empty() && self.sql.contains(&format!("'{schema}'")))
        })
    }

    /// Its place among what `audience` asks first.
    fn rank(&self, audience: Audience) -> u16 {
        self.first.iter().find(|(of, _)| *of == audience).map_or(u16::MAX, |(_, rank)| *rank)
    }

    /// The parameter called `name`.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}

/// All questions, in order of their files.
#[derive(Clone, Debug)]
pub struct Catalogue {
    kpis: Vec<Kpi>,
}

impl Catalogue {
    /// The questions that are built in.
    ///
    /// # Panics
    /// If a file of `kpis/` is wrong, which the tests of this crate find.
    pub fn builtin() -> Self {
        match Self::read(FILES.iter().copied()) {
            Ok(catalogue) => catalogue,
            Err(error) => panic!("a built-in question is wrong: {error}"),
        }
    }

    /// Reads questions from files, each as name and text.
    ///
    /// # Errors
    /// The first file that is wrong, with its line; also two questions of one id.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, CatalogueError> {
        let mut catalogue = Self { kpis: Vec::new() };
        for (name, text) in files {
            let kpi = catalogue.understood(name, text)?;
            catalogue.kpis.push(kpi);
        }
        Ok(catalogue)
    }

    /// The question `id`, if there is one.
    pub fn get(&self, id: &str) -> Option<&Kpi> {
        self.kpis.iter().find(|kpi| kpi.id == id)
    }

    /// The question `id`.
    ///
    /// # Errors
    /// [`QueryError::UnknownKpi`] with the nearest ids.
    pub fn find(&self, id: &str) -> Result<&Kpi, QueryError> {
        self.get(id).ok_or_else(|| QueryError::UnknownKpi {
            id: id.to_owned(),
            nearest: nearest(id, self.kpis.iter().map(|kpi| kpi.id.as_str())),
        })
    }

    /// The questions of `audience`, those first that it asks first; the others as they stand.
    pub fn asked_first(&self, audience: Audience) -> Vec<&Kpi> {
        let mut kpis: Vec<&Kpi> = self.kpis.iter().filter(|kpi| kpi.audience.contains(&audience)).collect();
        kpis.sort_by_key(|kpi| kpi.rank(audience));
        kpis
    }

    /// Every question.
    pub fn iter(&self) -> impl Iterator<Item = &Kpi> {
        self.kpis.iter()
    }
}

/// Every file of `kpis/`: name and text, written by `build.rs`.
static FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/kpis.rs"));

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "operator",
            Self::Funder => "funder",
            Self::User => "user",
            Self::Public => "public",
        })
    }
}
