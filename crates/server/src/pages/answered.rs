//! An answer as a card shows it: figure, change, chart, table, remarks.

use event::Day;
use query::chart::{self, Size};
use query::{Change, Grain, Kpi, KpiAnswer, TimeRange, Zone};

use crate::address;
use crate::pages::ask::Asked;
use crate::pages::card::{self, Charts, Content, Drawn, Emitter, Exports, Figure, Table, TableColumn};
use crate::pages::{sentence, words};
use crate::range::{Kind, Preset};
use crate::rows;

/// Rows of the table behind a chart; all of them are in the CSV.
const TABLE_ROWS_SHOWN: usize = 400;

/// Periods that are named one by one.
const PERIODS_NAMED: usize = 8;

/// What stands in place of a number that would be of too few.
const TOO_FEW: &str = "too few for a figure";

/// What a card shows of `answer`.
pub(crate) fn content(kpi: &Kpi, answer: KpiAnswer, asked: &Asked) -> Content {
    let Some(figure) = figure(kpi, &answer).filter(|_| has_figures(&answer)) else {
        return match emitter(kpi) {
            Some(emitter) if answer.covered.is_none() => Content::NotConnected(emitter),
            _ => empty(&answer, asked),
        };
    };
    Content::Drawn(Box::new(Drawn {
        figure,
        charts: charts(kpi, &answer),
        read: answer.reading.clone(),
        remarks: answer.notes.clone(),
        table: table(kpi, &answer),
        exports: exports(kpi, &answer, asked),
        facts: facts(&answer),
        parameters: answer.parameters.clone(),
    }))
}

/// The number above the chart. Where rows say something without one, a dash: the weeks of a trend that is none, and
/// counts that are too few for a share.
fn figure(kpi: &Kpi, answer: &KpiAnswer) -> Option<Figure> {
    let span = span(answer.range);
    let dash = |exact: &str, of: &str| {
        Some(Figure {
            text: "–".to_owned(),
            exact: exact.to_owned(),
            of: of.to_owned(),
            span: span.clone(),
            change: None,
        })
    };
    match (&answer.headline, &answer.trend) {
        (Some(headline), _) => Some(Figure {
            text: words::figure(headline.value),
            exact: format!("{} {}", words::figure_in_full(headline.value), headline.unit),
            of: unit(headline),
            span,
            change: answer.change.as_ref().and_then(|change| compared(change, kpi.grain, &headline.unit)),
        }),
        (None, Some(_)) => dash(&answer.message, "no trend to go by"),
        (None, None) if kpi.grain == Grain::None => dash(TOO_FEW, TOO_FEW),
        (None, None) => None,
    }
}

/// What a headline counts, and between which bounds it lies.
fn unit(headline: &query::Headline) -> String {
    let unit = if headline.value == 1.0 { &headline.unit_one } else { &headline.unit };
    let figures = headline.bounds.map(|(low, high)| (words::figure(low), words::figure(high)));
    match figures.filter(|(low, high)| low != high) {
        Some((low, high)) => format!("{unit}, between {low} and {high}"),
        None => unit.clone(),
    }
}

/// Whether anything is known of the range; a 0 is.
pub(crate) fn has_figures(answer: &KpiAnswer) -> bool {
    rows::of(&answer.answer).iter().any(|row| row.number("value").is_some())
}

/// Who sends what `kpi` is made of, where only one does.
pub(crate) fn emitter(kpi: &Kpi) -> Option<Emitter> {
    match kpi.needs.first().map(String::as_str) {
        Some("server_actions" | "sessions") => Some(Emitter::Hub),
        Some("hub_polls" | "server_activity" | "server_choices" | "user_lists" | "accounts") => Some(Emitter::Polls),
        Some("launches") => Some(Emitter::Binder),
        _ => None,
    }
}

/// What the data cover, and what was left out.
fn facts(answer: &KpiAnswer) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Asked", span(answer.range)),
        ("Days are cut in", answer.zone.to_string()),
        ("Hub", answer.hub.clone().unwrap_or_else(|| "all".to_owned())),
    ];
    facts.extend(answer.covered.map(|covered| ("The data cover", span(covered))));
    let periods =
        |days: &[Day]| days.iter().map(ToString::to_string).take(PERIODS_NAMED).collect::<Vec<_>>().join(", ");
    for (name, days) in [("Not known", &answer.gaps), ("Known in part", &answer.partial)] {
        if !days.is_empty() {
            let more = days.len().saturating_sub(PERIODS_NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            facts.push((name, format!("{}{more}", periods(days))));
        }
    }
    let left_out = answer.excluded.iter().map(|excluded| {
        let rows = words::count(excluded.rows);
        ("Left out", format!("{} ({})", rows, excluded.name))
    });
    facts.extend(left_out);
    facts.push(("State of the data", answer.answer.data_version.clone()));
    facts
}

fn empty(answer: &KpiAnswer, asked: &Asked) -> Content {
    let text = match answer.covered {
        Some(covered) => format!("{} The data cover {}.", answer.message, span(covered)),
        None => answer.message.clone(),
    };
    let is_all = asked.range.kind == Kind::Preset(Preset::All);
    let all = || asked.query_with(&["range", "from", "to"], &[("range", Preset::All.code())]);
    Content::Empty { text, address: (answer.covered.is_some() && !is_all).then(all) }
}

fn charts(kpi: &Kpi, answer: &KpiAnswer) -> Charts {
    let of = |size| chart::svg(kpi, answer, size);
    Charts { narrow: of(Size::Narrow), wide: of(Size::Card), broad: of(Size::Page) }
}

/// `25 Oct 2026 to 21 Nov 2026`.
fn span(range: TimeRange) -> String {
    if range.days() == 1 {
        return words::day(range.from);
    }
    format!("{} to {}", words::day(range.from), words::day(range.last()))
}

/// How much more or less, against what. A percentage of a small number says less than the numbers, so it is left out;
/// of percentages the difference is in points.
fn compared(change: &Change, grain: Grain, unit: &str) -> Option<card::Change> {
    let difference = change.difference();
    let sign = if difference > 0.0 { "▲" } else { "▼" };
    let text = match change.percent() {
        _ if difference == 0.0 => "no change".to_owned(),
        _ if unit.starts_with('%') => {
            format!("{sign} {} points", words::figure((difference.abs() * 10.0).round() / 10.0))
        }
        Some(percent) if percent.abs() < 0.5 => "hardly a change".to_owned(),
        Some(percent) => format!("{sign} {}\u{a0}%", words::figure(percent.abs().round())),
        None => format!("{sign} {}", words::figure(difference.abs())),
    };
    let length = length(change.before_range, grain)?;
    let then = if change.before_range.to == change.range.from {
        format!("the {length} before")
    } else {
        format!("the same {length} a year before")
    };
    let (now, before) = (words::figure_in_full(change.value), words::figure_in_full(change.before));
    Some(card::Change { text, against: format!("against {then} ({now} after {before})") })
}

/// `28 days`, `5 months`, `day`.
fn length(range: TimeRange, grain: Grain) -> Option<String> {
    let (number, unit) = match grain {
        Grain::Month => (months(range.from, range.to), "month"),
        Grain::Week => (range.days() / 7, "week"),
        Grain::Day | Grain::None => (range.days(), "day"),
    };
    match number {
        ..=0 => None,
        1 => Some(unit.to_owned()),
        number => Some(format!("{number} {unit}s")),
    }
}

fn months(from: Day, to: Day) -> i32 {
    let number = |day: Day| i32::from(day.date().year()) * 12 + i32::from(day.date().month());
    number(to) - number(from)
}

fn table(kpi: &Kpi, answer: &KpiAnswer) -> Table {
    let columns = answer.answer.columns.iter().map(|column| TableColumn {
        name: heading(&column.name, column.unit.as_deref(), kpi.grain, &answer.zone),
        is_number: matches!(column.type_name, "integer" | "number"),
    });
    let rows = rows::of(&answer.answer);
    let left_out = rows.len().saturating_sub(TABLE_ROWS_SHOWN);
    let shown = rows.iter().take(TABLE_ROWS_SHOWN);
    let cells = shown.map(|row| answer.answer.columns.iter().map(|column| cell(row, &column.name)).collect());
    Table { columns: columns.collect(), rows: cells.collect(), left_out }
}

fn heading(column: &str, unit: Option<&str>, grain: Grain, zone: &Zone) -> String {
    match (column, unit, grain) {
        ("period", _, Grain::Day) => format!("Day ({zone})"),
        ("period", _, Grain::Week) => format!("Week from ({zone})"),
        ("period", _, Grain::Month) => format!("Month ({zone})"),
        ("value", Some(unit), _) => sentence(unit),
        ("value_low", ..) => "At least".to_owned(),
        ("value_high", ..) => "At most".to_owned(),
        _ => sentence(column),
    }
}

fn cell(row: &rows::Row, column: &str) -> String {
    match (row.number(column), row.text(column)) {
        (Some(number), _) => words::figure_in_full(number),
        (None, Some(text)) => text,
        (None, None) => "–".to_owned(),
    }
}

/// Where the same answer is in other forms, with the range written out so that an address means the same tomorrow.
fn exports(kpi: &Kpi, answer: &KpiAnswer, asked: &Asked) -> Exports {
    let own = answer.parameters.iter().filter(|(name, _)| name != "months" || kpi.grain != Grain::Month);
    let parts: Vec<(&str, &str)> = own.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let of = |format: &str| {
        let parts: Vec<(&str, &str)> = parts.iter().copied().chain([("format", format)]).collect();
        format!("{}api/v1/kpis/{}{}", asked.root, address::encoded(&kpi.id), address::query(&parts))
    };
    Exports { csv: of("csv"), json: of("json"), parquet: of("parquet"), svg: of("svg"), vega: of("vega") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: &str, to: &str) -> TimeRange {
        TimeRange { from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    #[test]
    fn a_change_says_how_much_and_against_what() {
        for (value, before, grain, text) in [
            (1_204.0, 1_105.0, Grain::Day, "▲ 9\u{a0}% against the 31 days before (1,204 after 1,105)"),
            (50.0, 100.0, Grain::Month, "▼ 50\u{a0}% against the month before (50 after 100)"),
            (15.0, 10.0, Grain::None, "▲ 5 against the 31 days before (15 after 10)"),
            (10.0, 10.0, Grain::Day, "no change against the 31 days before (10 after 10)"),
            (100_001.0, 100_000.0, Grain::Day, "hardly a change against the 31 days before (100,001 after 100,000)"),
        ] {
            let before_range = range("2026-10-01", "2026-11-01");
            let change = Change { range: range("2026-11-01", "2026-12-01"), value, before_range, before };
            let told = compared(&change, grain, "launches").unwrap();
            assert_eq!(format!("{} {}", told.text, told.against), text);
        }
    }

    #[test]
    fn spans_read_well() {
        assert_eq!(span(range("2026-11-01", "2026-11-02")), "1 Nov 2026");
        assert_eq!(span(range("2026-11-01", "2026-12-01")), "1 Nov 2026 to 30 Nov 2026");
    }
}
