//! Reads a question's file: TOML between two lines `+++`, help in Markdown, one block of SQL.

use std::num::NonZero;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use serde::Deserialize;

use super::params::{COMMON, Parameter, ParameterKind, check_default, common};
use super::trend::PARAMETERS;
use super::{
    Audience, Before, ChartKind, DefaultRange, Exclusion, FactsNeeded, Grain, HeadlineKind, Kpi, Privacy, Proven, Shape,
};
use crate::rollup::Rollup;

/// The line around the front matter.
const FENCE: &str = "+++";

/// A question's file is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct CatalogueError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl CatalogueError {
    pub(crate) fn new(file: &str, line: usize, problem: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, problem: problem.into() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    id: String,
    question: String,
    audience: Vec<Audience>,
    group: String,
    unit: String,
    unit_one: String,
    grain: Grain,
    chart: ChartKind,
    split: Option<String>,
    ratio: Option<RatioTable>,
    #[serde(default)]
    bounds: bool,
    proven: Option<ProvenTable>,
    #[serde(default)]
    marks_history: bool,
    #[serde(default)]
    trend: bool,
    pieces: Option<NonZero<usize>>,
    rollup: Option<RollupTable>,
    needs: Vec<String>,
    privacy: Privacy,
    definition: u32,
    reading: String,
    #[serde(default)]
    first: FirstTable,
    range: RangeTable,
    headline: Option<HeadlineTable>,
    #[serde(default)]
    exclusion: Vec<ExclusionTable>,
    #[serde(default)]
    note: Vec<NoteTable>,
    #[serde(default)]
    parameter: Vec<ParameterTable>,
}

/// Its place on the first page of each audience.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstTable {
    operator: Option<u16>,
    funder: Option<u16>,
    user: Option<u16>,
    public: Option<u16>,
}

impl FirstTable {
    fn places(&self) -> Vec<(Audience, u16)> {
        let places = [
            (Audience::Operator, self.operator),
            (Audience::Funder, self.funder),
            (Audience::User, self.user),
            (Audience::Public, self.public),
        ];
        places.into_iter().filter_map(|(audience, place)| Some((audience, place?))).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RatioTable {
    whole: String,
}

/// Which facts it reads, and how far before the range.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RollupTable {
    of: String,
    #[serde(default)]
    days_before: u16,
    #[serde(default)]
    ever_before: bool,
    #[serde(default)]
    days_after: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvenTable {
    unit: String,
    sql: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeTable {
    days: Option<u16>,
    weeks: Option<u16>,
    months: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadlineTable {
    unit: String,
    unit_one: String,
    sql: Option<String>,
    #[serde(default)]
    mean: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExclusionTable {
    name: String,
    one: String,
    many: String,
    sql: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteTable {
    sql: String,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a default is a number or a text")]
enum DefaultValue {
    Number(i64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParameterTable {
    name: String,
    #[serde(rename = "type")]
    kind: ParameterKind,
    default: Option<DefaultValue>,
    min: Option<i64>,
    max: Option<i64>,
    #[serde(default)]
    choices: Vec<String>,
    help: String,
}

/// Reads the file called `file`.
pub(crate) fn parse(file: &str, text: &str) -> Result<Kpi, CatalogueError> {
    let (front, body, body_line) = split(file, text)?;
    let matter: FrontMatter = toml::from_str(front).map_err(|error| front_error(file, front, &error))?;
    let (help, sql) = help_and_sql(file, body, body_line)?;
    check_id(file, front, &matter.id)?;
    check_needs(file, front, &matter.needs)?;
    check_first(file, front, &matter)?;
    let range = match (matter.range.days, matter.range.weeks, matter.range.months) {
        (Some(days), None, None) if days > 0 => DefaultRange::Days(days),
        (None, Some(weeks), None) if weeks > 0 => DefaultRange::Weeks(weeks),
        (None, None, Some(months)) if months > 0 => DefaultRange::Months(months),
        _ => return Err(at_key(file, front, "[range]", "a range has either days, weeks or months, and at least one")),
    };
    let shape = shape(file, front, &matter)?;
    if matter.chart.has_no_periods() && matter.grain != Grain::None {
        let problem = "such a chart has no time: its grain is none";
        return Err(at_key(file, front, "chart", problem));
    }
    if matter.pieces.is_some() && matter.grain == Grain::None {
        let problem = "pieces are of periods: the grain is day, week or month";
        return Err(at_key(file, front, "pieces", problem));
    }
    let rollup = matter.rollup.as_ref().map(|table| rollup(file, front, table)).transpose()?;
    let headline = headline(file, front, matter.headline)?;
    let mut parameters = matter
        .parameter
        .into_iter()
        .map(|table| parameter(file, front, table))
        .collect::<Result<Vec<_>, CatalogueError>>()?;
    check_trend(file, front, matter.trend, (&shape, matter.grain, &headline), &parameters)?;
    parameters.extend(common(range));
    let exclusion =
        |table: ExclusionTable| Exclusion { name: table.name, one: table.one, many: table.many, sql: table.sql };
    Ok(Kpi {
        id: matter.id,
        question: matter.question,
        audience: matter.audience,
        group: matter.group,
        unit: matter.unit,
        unit_one: matter.unit_one,
        grain: matter.grain,
        shape,
        whole: matter.ratio.map(|ratio| ratio.whole).unwrap_or_default(),
        marks_history: matter.marks_history,
        has_trend: matter.trend,
        pieces: matter.pieces,
        rollup,
        chart: matter.chart,
        needs: matter.needs,
        privacy: matter.privacy,
        definition: matter.definition,
        reading: matter.reading,
        parameters,
        help,
        sql,
        file: file.to_owned(),
        first: matter.first.places(),
        range,
        headline,
        proven: matter.proven.map(|table| Proven { unit: table.unit, sql: table.sql }),
        exclusions: matter.exclusion.into_iter().map(exclusion).collect(),
        notes: matter.note.into_iter().map(|table| table.sql).collect(),
    })
}

fn shape(file: &str, front: &str, matter: &FrontMatter) -> Result<Shape, CatalogueError> {
    if matter.bounds {
        return match (&matter.split, &matter.ratio, matter.grain) {
            (None, None, Grain::Day | Grain::Week | Grain::Month) => Ok(Shape::Bounds),
            _ => Err(at_key(file, front, "bounds", "what has bounds has periods, and neither a split nor a ratio")),
        };
    }
    match (&matter.split, &matter.ratio) {
        (Some(_), Some(_)) => Err(at_key(file, front, "ratio", "a ratio cannot be split")),
        (Some(_), _) | (_, Some(_)) if matter.grain == Grain::None => {
            Err(at_key(file, front, "grain", "a split or a ratio has periods: its grain is day, week or month"))
        }
        (Some(split), None) => Ok(Shape::Split(split.clone())),
        (None, Some(_)) => Ok(Shape::Ratio),
        (None, None) => Ok(Shape::Plain),
    }
}

fn rollup(file: &str, front: &str, table: &RollupTable) -> Result<FactsNeeded, CatalogueError> {
    let Some(of) = Rollup::named(&table.of) else {
        let known: Vec<&str> = Rollup::ALL.into_iter().map(Rollup::name).collect();
        let problem = format!("there is no rollup '{}'; there are {}", table.of, known.join(", "));
        return Err(at_key(file, front, "rollup", problem));
    };
    let before = if table.ever_before { Before::Ever } else { Before::Days(table.days_before) };
    Ok(FactsNeeded { of, before, days_after: table.days_after })
}

fn headline(file: &str, front: &str, table: Option<HeadlineTable>) -> Result<HeadlineKind, CatalogueError> {
    match table {
        None => Ok(HeadlineKind::Sum),
        Some(HeadlineTable { unit, unit_one, sql: None, mean: true }) => Ok(HeadlineKind::Mean { unit, unit_one }),
        Some(HeadlineTable { unit, unit_one, sql: Some(sql), mean: false }) => {
            Ok(HeadlineKind::Sql { unit, unit_one, sql })
        }
        Some(_) => Err(at_key(file, front, "[headline]", "a headline has either sql or mean = true")),
    }
}

/// Front matter, the rest, and the line where the rest begins.
fn split<'a>(file: &str, text: &'a str) -> Result<(&'a str, &'a str, usize), CatalogueError> {
    let begins = || CatalogueError::new(file, 1, "the file begins with a line +++ and TOML after it");
    let front = text.strip_prefix(FENCE).and_then(|rest| rest.strip_prefix('\n')).ok_or_else(begins)?;
    let Some((front, body)) = front.split_once("\n+++\n") else {
        let lines = text.lines().count();
        return Err(CatalogueError::new(file, lines, "the front matter ends with a line +++, which is missing"));
    };
    Ok((front, body, front.lines().count() + 3))
}

fn front_error(file: &str, front: &str, error: &toml::de::Error) -> CatalogueError {
    let before = error.span().map_or(0, |span| span.start);
    // The front matter begins on line 2.
    let line = 2 + front.get(..before).map_or(0, |text| text.matches('\n').count());
    CatalogueError::new(file, line, error.message())
}

/// An error at the first line that begins with `key`.
fn at_key(file: &str, front: &str, key: &str, problem: impl Into<String>) -> CatalogueError {
    let line = front.lines().position(|line| line.trim_start().starts_with(key)).unwrap_or(0);
    CatalogueError::new(file, line + 2, problem)
}

fn check_id(file: &str, front: &str, id: &str) -> Result<(), CatalogueError> {
    let named = std::path::Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if named != id {
        return Err(at_key(file, front, "id", format!("the id is '{id}', so the file must be called {id}.md")));
    }
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Err(at_key(file, front, "id", "an id has small letters, digits and '-' only"));
    }
    Ok(())
}

fn check_needs(file: &str, front: &str, needs: &[String]) -> Result<(), CatalogueError> {
    if needs.is_empty() {
        return Err(at_key(file, front, "needs", "a question needs at least one table"));
    }
    for need in needs {
        if crate::views::find(need).is_none() {
            let known: Vec<&str> = crate::views::names().collect();
            let problem = format!("there is no table '{need}'; there are {}", known.join(", "));
            return Err(at_key(file, front, "needs", problem));
        }
    }
    Ok(())
}

/// A trend goes through weeks of numbers with bounds, makes the headline, and asks three things.
fn check_trend(
    file: &str,
    front: &str,
    has_trend: bool,
    (shape, grain, headline): (&Shape, Grain, &HeadlineKind),
    parameters: &[Parameter],
) -> Result<(), CatalogueError> {
    if !has_trend {
        return Ok(());
    }
    let wrong = |problem: String| Err(at_key(file, front, "trend", problem));
    if (shape, grain, headline) != (&Shape::Bounds, Grain::Week, &HeadlineKind::Sum) {
        return wrong("what has a trend has weeks and bounds, and no headline of its own".to_owned());
    }
    let is_there = |name: &&str| {
        let found = parameters.iter().find(|parameter| parameter.name == **name);
        found.is_some_and(|found| found.kind == ParameterKind::Integer && found.default.is_some())
    };
    match PARAMETERS.iter().find(|name| !is_there(name)) {
        Some(name) => wrong(format!("what has a trend declares the parameter '{name}', an integer with a default")),
        None => Ok(()),
    }
}

/// Nobody asks first what is not a question of theirs.
fn check_first(file: &str, front: &str, matter: &FrontMatter) -> Result<(), CatalogueError> {
    match matter.first.places().into_iter().find(|(audience, _)| !matter.audience.contains(audience)) {
        Some((audience, _)) => {
            let problem = format!("'{audience}' has a place in [first] and is no audience of this question");
            Err(at_key(file, front, "[first]", problem))
        }
        None => Ok(()),
    }
}

fn parameter(file: &str, front: &str, table: ParameterTable) -> Result<Parameter, CatalogueError> {
    let default = table.default.map(|value| match value {
        DefaultValue::Number(number) => number.to_string(),
        DefaultValue::Text(text) => text,
    });
    let found = Parameter {
        name: table.name,
        kind: table.kind,
        default,
        min: table.min,
        max: table.max,
        choices: table.choices,
        help: table.help,
    };
    let key = format!("name = \"{}\"", found.name);
    if COMMON.contains(&found.name.as_str()) {
        let problem = format!("every question has the parameter '{}'; a file does not declare it", found.name);
        return Err(at_key(file, front, &key, problem));
    }
    check_default(&found).map_err(|problem| at_key(file, front, &key, problem))?;
    Ok(found)
}

/// The prose, and the one block of SQL.
fn help_and_sql(file: &str, body: &str, body_line: usize) -> Result<(String, String), CatalogueError> {
    let line_of = |offset: usize| body_line + body.get(..offset).map_or(0, |text| text.matches('\n').count());
    let mut found: Option<(String, std::ops::Range<usize>)> = None;
    let mut inside: Option<String> = None;
    for (event, span) in Parser::new_ext(body, Options::empty()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(kind))) if kind.as_ref() == "sql" => {
                if found.is_some() {
                    return Err(CatalogueError::new(
                        file,
                        line_of(span.start),
                        "there is a second sql block; one is enough",
                    ));
                }
                inside = Some(String::new());
            }
            Event::Text(text) => {
                if let Some(sql) = &mut inside {
                    sql.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some(sql) = inside.take() {
                    found = Some((sql, span));
                }
            }
            _ => {}
        }
    }
    let Some((sql, span)) = found else {
        return Err(CatalogueError::new(file, line_of(body.len()), "there is no block ```sql"));
    };
    let before = body.get(..span.start).unwrap_or_default();
    let after = body.get(span.end..).unwrap_or_default();
    let help = format!("{}\n{}", before.trim(), after.trim()).trim().to_owned();
    if help.is_empty() {
        return Err(CatalogueError::new(file, body_line, "there is no help; say how to read it and where it misleads"));
    }
    Ok((help, sql.trim().to_owned()))
}

/// Markdown as HTML. HTML inside the Markdown is shown as text.
pub(crate) fn html(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::empty()).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        other => other,
    });
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, events);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kpi::Catalogue;

    const GOOD: &str = include_str!("../../../../kpis/binder/launches.md");

    #[test]
    fn every_built_in_question_reads_and_has_prose_and_sql() {
        let catalogue = Catalogue::builtin();
        let ids: Vec<&str> = catalogue.iter().map(|kpi| kpi.id.as_str()).collect();
        for id in [
            "active-users-daily",
            "active-users-monthly",
            "active-users-weekly",
            "launches",
            "launches-by-origin",
            "launches-by-provider",
            "new-users",
            "repo-history",
            "repos-active",
            "starts",
            "stickiness",
            "top-repos",
        ] {
            assert!(ids.contains(&id), "{id}");
        }
        for kpi in catalogue.iter() {
            assert!(kpi.help.contains("**Where it misleads.**"), "{}", kpi.id);
            assert!(!kpi.help.contains("```") && kpi.sql.contains("SELECT"), "{}", kpi.id);
            assert!(kpi.help_html().contains("<strong>Where it misleads.</strong>"), "{}", kpi.id);
        }
        let error = catalogue.find("launch").unwrap_err().to_string();
        assert!(
            error.starts_with("there is no KPI 'launch'; did you mean ") && error.contains("'launches'"),
            "{error}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_line() {
        let change = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from}");
            GOOD.replacen(from, to, 1)
        };
        for (text, expected) in [
            (String::new(), "launches.md:1: the file begins with a line +++ and TOML after it"),
            ("+++\nid = 1\n".to_owned(), "launches.md:2: the front matter ends with a line +++, which is missing"),
            (
                change("grain = \"day\"", "grain = \"hour\""),
                "launches.md:8: unknown variant `hour`, expected one of `day`, `week`, `month`, `none`",
            ),
            (
                change("chart = \"bar\"", "chart = \"pie\""),
                "launches.md:9: unknown variant `pie`, expected one of `bar`, `line`, `stacked`, `ranking`, `heat`, \
                 `histogram`, `curve`, `lorenz`",
            ),
            (
                change("chart = \"bar\"", "chart = \"histogram\""),
                "launches.md:9: such a chart has no time: its grain is none",
            ),
            (change("unit = ", "units = "), "launches.md:6: unknown field `units`"),
            (
                change("id = \"launches\"", "id = \"launch\""),
                "launches.md:2: the id is 'launch', so the file must be called launch.md",
            ),
            (
                change("needs = [\"launches\"]", "needs = [\"lunches\"]"),
                "launches.md:10: there is no table 'lunches'; there are events, launches, server_actions, sessions, \
                 server_activity, server_choices, hub_polls, user_lists, accounts, quarantine",
            ),
            (
                change("days = 28", "days = 28\nmonths = 1"),
                "launches.md:21: a range has either days, weeks or months, and at least one",
            ),
            (
                change("public = 1", "public = 1\nuser = 1"),
                "launches.md:16: 'user' has a place in [first] and is no audience of this question",
            ),
            (change("```sql", "```"), "there is no block ```sql"),
            (format!("{GOOD}\n```sql\nSELECT 1\n```\n"), "there is a second sql block; one is enough"),
            (
                change(
                    "[range]",
                    "[[parameter]]\nname = \"x\"\ntype = \"date\"\ndefault = \"today\"\nhelp = \"\"\n[range]",
                ),
                "the default 'today' is not a date of the form YYYY-MM-DD",
            ),
            (
                change("[range]", "[[parameter]]\nname = \"from\"\ntype = \"date\"\nhelp = \"\"\n[range]"),
                "every question has the parameter 'from'; a file does not declare it",
            ),
            (
                change("of = \"launches\"", "of = \"lunches\""),
                "launches.md:11: there is no rollup 'lunches'; there are launches, starts",
            ),
            (
                change("chart = \"bar\"", "chart = \"bar\"\nsplit = \"a\"\nratio = { whole = \"x\" }"),
                "a ratio cannot be split",
            ),
            (
                change("[range]", "[headline]\nunit = \"\"\nunit_one = \"\"\n[range]"),
                "a headline has either sql or mean = true",
            ),
            (
                change("chart = \"bar\"", "chart = \"bar\"\ntrend = true"),
                "launches.md:10: what has a trend has weeks and bounds, and no headline of its own",
            ),
            (
                change("grain = \"day\"", "grain = \"week\"\nbounds = true\ntrend = true"),
                "launches.md:10: what has a trend declares the parameter 'through', an integer with a default",
            ),
            (change("[range]", "[[note]]\ntext = \"\"\n[range]"), "unknown field `text`, expected `sql`"),
            (change("grain = ", "pieces = 0\ngrain = "), "invalid value: integer `0`, expected a nonzero"),
            (change("\"day\"", "\"none\"\npieces = 2"), "launches.md:9: pieces are of periods"),
        ] {
            let error = parse("kpis/binder/launches.md", &text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}\n{expected}");
        }
    }

    #[test]
    fn two_questions_of_one_id_are_refused() {
        let error = Catalogue::read([("a/launches.md", GOOD), ("b/launches.md", GOOD)]).unwrap_err();
        assert_eq!(error.to_string(), "b/launches.md:1: the id 'launches' is taken by a/launches.md");
    }

    #[test]
    fn html_in_help_stays_text() {
        assert_eq!(
            html("a <script>x</script> **b**").trim(),
            "<p>a &lt;script&gt;x&lt;/script&gt; <strong>b</strong></p>"
        );
    }
}
