//! An answer as a card shows it: figure, change, chart, table, remarks.

use event::Day;
use query::chart::{self, Size};
use query::{Change, Grain, Kpi, KpiAnswer, TimeRange, Zone};

use crate::address;
use crate::pages::ask::Asked;
use crate::pages::card::{self, Charts, Content, Drawn, Figure, Table, TableColumn};
use crate::pages::{sentence, words};
use crate::range::{Kind, Preset};
use crate::rows;

/// Rows of the table behind a chart; all of them are in the CSV.
const TABLE_ROWS_SHOWN: usize = 400;

/// What a card shows of `answer`.
pub(crate) fn content(kpi: &Kpi, answer: KpiAnswer, asked: &Asked) -> Content {
    let Some(headline) = answer.headline.as_ref().filter(|headline| headline.value > 0.0) else {
        return empty(&answer, asked);
    };
    let figure = Figure {
        text: words::figure(headline.value),
        exact: format!("{} {}", words::figure_in_full(headline.value), headline.unit),
        of: counted(&headline.unit, headline.value),
        span: span(answer.range),
        change: answer.change.as_ref().and_then(|change| compared(change, kpi.grain)),
    };
    Content::Drawn(Box::new(Drawn {
        figure,
        charts: charts(kpi, &answer),
        read: answer.reading.clone(),
        remarks: answer.notes.clone(),
        table: table(kpi, &answer),
        csv: csv(kpi, &answer, asked),
    }))
}

fn empty(answer: &KpiAnswer, asked: &Asked) -> Content {
    let text = match answer.covered {
        Some(covered) => format!("{} The data cover {}.", answer.message, span(covered)),
        None => answer.message.clone(),
    };
    let is_all = asked.range.kind == Kind::Preset(Preset::All);
    let all = || {
        let mut parts = vec![("range", Preset::All.code())];
        parts.extend(asked.others.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        address::query(&parts)
    };
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

/// `launches`, or `launch` of one.
fn counted(unit: &str, value: f64) -> String {
    if value != 1.0 {
        return unit.to_owned();
    }
    let one = unit.strip_suffix("ies").map(|stem| format!("{stem}y"));
    let one = one.or_else(|| unit.strip_suffix("ches").map(|stem| format!("{stem}ch")));
    one.or_else(|| unit.strip_suffix('s').map(str::to_owned)).unwrap_or_else(|| unit.to_owned())
}

/// How much more or less, against what. A percentage of a small number says less than the numbers, so it is left out.
fn compared(change: &Change, grain: Grain) -> Option<card::Change> {
    let difference = change.difference();
    let sign = if difference > 0.0 { "▲" } else { "▼" };
    let text = match change.percent() {
        _ if difference == 0.0 => "no change".to_owned(),
        Some(percent) if percent.abs() < 0.5 => "hardly a change".to_owned(),
        Some(percent) => format!("{sign} {}\u{a0}%", words::figure(percent.abs().round())),
        None => format!("{sign} {}", words::figure(difference.abs())),
    };
    let against = format!(
        "against the {} before ({} after {})",
        length(change.before_range, grain)?,
        words::figure_in_full(change.value),
        words::figure_in_full(change.before)
    );
    Some(card::Change { text, against })
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

/// Where the same rows are as CSV, with the range written out so that the address means the same tomorrow.
fn csv(kpi: &Kpi, answer: &KpiAnswer, asked: &Asked) -> String {
    let own = answer.parameters.iter().filter(|(name, _)| name != "months" || kpi.grain != Grain::Month);
    let mut parts: Vec<(&str, &str)> = own.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    parts.push(("format", "csv"));
    format!("{}api/v1/kpis/{}{}", asked.root, address::encoded(&kpi.id), address::query(&parts))
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
            let told = compared(&change, grain).unwrap();
            assert_eq!(format!("{} {}", told.text, told.against), text);
        }
    }

    #[test]
    fn spans_and_units_read_well() {
        assert_eq!(span(range("2026-11-01", "2026-11-02")), "1 Nov 2026");
        assert_eq!(span(range("2026-11-01", "2026-12-01")), "1 Nov 2026 to 30 Nov 2026");
        for (unit, value, text) in [
            ("launches", 1.0, "launch"),
            ("repositories", 1.0, "repository"),
            ("users", 1.0, "user"),
            ("launches", 2.0, "launches"),
        ] {
            assert_eq!(counted(unit, value), text);
        }
    }
}
