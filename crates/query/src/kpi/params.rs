//! What the caller of a question may say, and how it is checked. Values are bound to the statement, never pasted.

use std::collections::BTreeMap;

use datafusion::scalar::ScalarValue;
use event::{Day, EventTime};

use super::repository::repository_key;
use super::{DefaultRange, Kpi};
use crate::error::QueryError;
use crate::nearest::{hint, nearest};
use crate::zone::Zone;

/// A parameter of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name: that of the query parameter, and `$name` in the statement.
    pub name: String,
    /// What its values are.
    pub kind: ParameterKind,
    /// Its value when the caller says nothing, as text. Parameters of the time range have none: the data decide.
    pub default: Option<String>,
    /// Least value of an integer.
    pub min: Option<i64>,
    /// Greatest value of an integer.
    pub max: Option<i64>,
    /// The values of a choice.
    pub choices: Vec<String>,
    /// What it means.
    pub help: String,
}

/// Type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterKind {
    /// `YYYY-MM-DD`.
    Date,
    /// A whole number.
    Integer,
    /// URL of a repository, or `owner/name`; bound as its key.
    Repository,
    /// Any text.
    Text,
    /// Name of a hub.
    Hub,
    /// Name of a time zone.
    Zone,
    /// One of `choices`.
    Choice,
}

impl Parameter {
    /// Whether the caller must give it.
    pub fn is_required(&self) -> bool {
        self.default.is_none() && !COMMON.contains(&self.name.as_str()) && self.name != "months"
    }
}

/// The parameters that every question has; no file declares them.
pub(crate) const COMMON: [&str; 5] = ["from", "to", "hub", "zone", "compare"];

/// The parameters that every question has, of one whose range is `range` unless the caller says.
pub(crate) fn common(range: DefaultRange) -> Vec<Parameter> {
    let usual = match range {
        DefaultRange::Days(days) => format!("By default {days} days before `to`."),
        DefaultRange::Weeks(weeks) => format!("Its week (Monday to Sunday) is the first. By default {weeks} weeks."),
        DefaultRange::Months(months) => format!("Its month is the first. By default {months} months."),
    };
    let parameter = |name: &str, kind: ParameterKind, help: String| Parameter {
        name: name.to_owned(),
        kind,
        default: None,
        min: None,
        max: None,
        choices: Vec::new(),
        help,
    };
    vec![
        parameter("from", ParameterKind::Date, format!("First day. {usual}")),
        parameter("to", ParameterKind::Date, "Day after the last. By default the day after that of the newest event.".into()),
        parameter("hub", ParameterKind::Hub, "Only events of this hub. By default those of all hubs.".into()),
        parameter(
            "zone",
            ParameterKind::Zone,
            "Where days begin and end, as in Europe/Berlin. By default the zone of the hub, or of all hubs if they share \
             one; else UTC."
                .into(),
        ),
        Parameter {
            default: Some(Compare::Previous.name().to_owned()),
            choices: Compare::ALL.iter().map(|compare| compare.name().to_owned()).collect(),
            ..parameter(
                "compare",
                ParameterKind::Choice,
                "With what the range is compared: `previous` is as long a time before it, `year` the same days a year \
                 before, `none` nothing."
                    .into(),
            )
        },
    ]
}

/// With what a range is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    /// As long a time before it.
    Previous,
    /// The same days a year before; of weeks the same ISO weeks.
    Year,
    /// Nothing.
    None,
}

impl Compare {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Previous, Self::Year, Self::None];

    /// As it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Previous => "previous",
            Self::Year => "year",
            Self::None => "none",
        }
    }
}

/// Values as the caller wrote them, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// No values: every parameter has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with `name` = `value`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Params {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// A checked value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    Date(Day),
    Integer(i64),
    Text(String),
    Zone(Zone),
}

impl Checked {
    /// As it is bound to the statement.
    pub(crate) fn bound(&self) -> ScalarValue {
        match self {
            Self::Date(day) => ScalarValue::Date32(Some(day.number())),
            Self::Integer(number) => ScalarValue::Int64(Some(*number)),
            Self::Text(text) => ScalarValue::Utf8(Some(text.clone())),
            Self::Zone(zone) => ScalarValue::Utf8(Some(zone.name().to_owned())),
        }
    }

    /// As it is shown.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Date(day) => day.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Zone(zone) => zone.to_string(),
        }
    }
}

/// An instant as the columns `time` and `received` have it.
pub(crate) fn timestamp(time: EventTime) -> ScalarValue {
    ScalarValue::TimestampMicrosecond(Some(time.micros()), Some("UTC".into()))
}

/// The values of all parameters of `kpi` that have one, checked.
///
/// # Errors
/// An unknown name, a missing value, a value of the wrong form or out of bounds.
pub(crate) fn check(kpi: &Kpi, params: &Params) -> Result<BTreeMap<String, Checked>, QueryError> {
    check_names(kpi, params)?;
    let mut checked = BTreeMap::new();
    for parameter in &kpi.parameters {
        let wrong = |problem: String| QueryError::Parameter { name: parameter.name.clone(), problem };
        let given = params.get(&parameter.name).map(str::trim).filter(|value| !value.is_empty());
        match given.or(parameter.default.as_deref()) {
            Some(text) => {
                checked.insert(parameter.name.clone(), value(parameter, text).map_err(wrong)?);
            }
            None if parameter.is_required() => return Err(wrong(missing(parameter))),
            None => {}
        }
    }
    Ok(checked)
}

fn check_names(kpi: &Kpi, params: &Params) -> Result<(), QueryError> {
    let Some(name) = params.0.keys().find(|name| kpi.parameter(name).is_none()) else { return Ok(()) };
    let known: Vec<&str> = kpi.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let near = nearest(name, known.iter().copied());
    let problem =
        format!("the question '{}' has no such parameter{}; it has {}", kpi.id, hint(&near), known.join(", "));
    Err(QueryError::Parameter { name: name.clone(), problem })
}

fn missing(parameter: &Parameter) -> String {
    match parameter.kind {
        ParameterKind::Repository => "is missing; name a repository by its URL or as owner/name".to_owned(),
        ParameterKind::Date => "is missing; give a date of the form YYYY-MM-DD".to_owned(),
        ParameterKind::Integer => "is missing; give a whole number".to_owned(),
        ParameterKind::Text | ParameterKind::Hub | ParameterKind::Zone | ParameterKind::Choice => {
            "is missing".to_owned()
        }
    }
}

fn value(parameter: &Parameter, text: &str) -> Result<Checked, String> {
    match parameter.kind {
        ParameterKind::Date => text.parse::<Day>().map(Checked::Date).map_err(|error| error.to_string()),
        ParameterKind::Integer => integer(parameter, text).map(Checked::Integer),
        ParameterKind::Repository => repository_key(text).map(Checked::Text),
        // Which hubs there are only the data know.
        ParameterKind::Text | ParameterKind::Hub => Ok(Checked::Text(text.to_owned())),
        ParameterKind::Zone => Zone::named(text).map(Checked::Zone).map_err(|error| error.to_string()),
        ParameterKind::Choice => choice(parameter, text).map(Checked::Text),
    }
}

fn choice(parameter: &Parameter, text: &str) -> Result<String, String> {
    if parameter.choices.iter().any(|choice| choice == text) {
        return Ok(text.to_owned());
    }
    let near = nearest(text, parameter.choices.iter().map(String::as_str));
    Err(format!("'{text}' cannot be chosen{}; it may be {}", hint(&near), parameter.choices.join(", ")))
}

fn integer(parameter: &Parameter, text: &str) -> Result<i64, String> {
    let number: i64 = text.parse().map_err(|_| format!("'{text}' is not a whole number"))?;
    let (min, max) = (parameter.min.unwrap_or(i64::MIN), parameter.max.unwrap_or(i64::MAX));
    if number < min || number > max {
        return Err(format!("{number} is out of bounds; it may be {min} to {max}"));
    }
    Ok(number)
}

/// Checks the default of `parameter` as a caller's value is checked.
pub(crate) fn check_default(parameter: &Parameter) -> Result<(), String> {
    match &parameter.default {
        Some(text) => value(parameter, text).map(|_| ()).map_err(|problem| format!("the default {problem}")),
        None => Ok(()),
    }
}
