//! Asks the statements of a question, so that what is wrong with them is known before somebody wants the answer.

use event::Day;

use super::params::{Parameter, ParameterKind, Params};
use super::range::TimeRange;
use super::{CatalogueError, ChartKind, Grain, HeadlineKind, Kpi, OwnFile, Shape};
use crate::answer::Answer;
use crate::engine::Engine;
use crate::error::QueryError;
use crate::scope::Scope;

/// The days for which statements are asked, as numbers: four weeks from 2024-02-05, with a leap day.
const DAYS: std::ops::Range<i32> = 19_758..19_786;

impl Engine {
    /// Checks the statements of `kpi`, which was read from `own`: that they can be asked, and answer with the columns
    /// that the question promises. What they would answer is not looked at; an empty store is enough.
    ///
    /// # Errors
    /// The first statement that cannot be asked, with its line.
    pub async fn check(&self, kpi: &Kpi, own: &OwnFile) -> Result<(), CatalogueError> {
        let name = own.path.display().to_string();
        let place = Place { file: &name, text: own.text.as_deref().unwrap_or_default() };
        let range = TimeRange { from: Day::from_number(DAYS.start), to: Day::from_number(DAYS.end) };
        let asking = self.asking(kpi, &examples(kpi), &Scope::All).await;
        let asking = asking.map_err(|error| place.at("[[parameter]]", 0, error.to_string()))?;
        let statement = |at: &'static str| {
            move |error: QueryError| {
                let problem = error.to_string();
                place.at(at, line_told(&problem).unwrap_or(0), problem)
            }
        };
        let answer = asking.ask(&kpi.sql, range).await.map_err(statement("```sql"))?;
        columns(kpi, &answer).map_err(|problem| place.at("```sql", 0, problem))?;
        if let HeadlineKind::Sql { sql, .. } = &kpi.headline {
            asking.ask_beside(sql, range, answer).await.map_err(statement("[headline]"))?;
        }
        if let Some(proven) = &kpi.proven {
            asking.ask(&proven.sql, range).await.map_err(statement("[proven]"))?;
        }
        for note in &kpi.notes {
            asking.ask(note, range).await.map_err(statement("[[note]]"))?;
        }
        for exclusion in &kpi.exclusions {
            asking.ask(&exclusion.sql, range).await.map_err(statement("[[exclusion]]"))?;
        }
        Ok(())
    }
}

/// Where something stands in a file.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    text: &'a str,
}

impl Place<'_> {
    /// So many lines after the first that begins with `key`.
    fn at(self, key: &str, after: usize, problem: String) -> CatalogueError {
        let line = self.text.lines().position(|line| line.trim_start().starts_with(key)).unwrap_or(0);
        CatalogueError::new(self.file, line + 1 + after, problem)
    }
}

/// The line of a statement that the words of an error name.
fn line_told(problem: &str) -> Option<usize> {
    let (_, rest) = problem.split_once("Line: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// A value for each parameter that must be given.
fn examples(kpi: &Kpi) -> Params {
    let example = |parameter: &Parameter| match parameter.kind {
        ParameterKind::Date => "2024-02-29".to_owned(),
        ParameterKind::Integer => parameter.min.unwrap_or(1).to_string(),
        ParameterKind::Repository => "binder-examples/requirements".to_owned(),
        ParameterKind::Zone => "UTC".to_owned(),
        ParameterKind::Choice => parameter.choices.first().cloned().unwrap_or_default(),
        ParameterKind::Text | ParameterKind::Hub => "example".to_owned(),
    };
    let required = kpi.parameters.iter().filter(|parameter| parameter.is_required());
    required.map(|parameter| (parameter.name.clone(), example(parameter))).collect()
}

/// What a statement has to answer with, by what the file says of it.
fn columns(kpi: &Kpi, answer: &Answer) -> Result<(), String> {
    let has: Vec<&str> = answer.columns.iter().map(|column| column.name.as_str()).collect();
    if kpi.chart == ChartKind::Heat && has.len() < 4 {
        let has = has.join(", ");
        return Err(format!("the statement answers with {has}; a field needs a line, a place, a name and a number"));
    }
    let begins_with_number =
        answer.columns.first().is_some_and(|column| matches!(column.type_name, "integer" | "number"));
    if matches!(kpi.chart, ChartKind::Curve | ChartKind::Lorenz) && (has.len() < 3 || !begins_with_number) {
        let has = has.join(", ");
        return Err(format!(
            "the statement answers with {has}; this chart needs a number first, a name and a number last"
        ));
    }
    if kpi.grain == Grain::None {
        return match has.len() {
            0 | 1 => Err(format!("the statement answers with {}; a name and a number are needed", has.join(", "))),
            _ => Ok(()),
        };
    }
    let wanted: Vec<&str> = match &kpi.shape {
        Shape::Plain => vec!["period", "value"],
        Shape::Split(split) => vec!["period", split, "value"],
        Shape::Ratio => vec!["period", "numerator", "denominator"],
        Shape::Bounds => vec!["period", "value_low", "value", "value_high"],
    };
    if has == wanted {
        return Ok(());
    }
    Err(format!("the statement answers with {}; wanted are {}", has.join(", "), wanted.join(", ")))
}
