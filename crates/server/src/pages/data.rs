//! `/data`: what is connected, what it sent, which days are known, and what was kept aside.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use event::Day;
use maud::{Markup, PreEscaped, html};
use query::{Scope, SourceCoverage};

use crate::access::Caller;
use crate::app::PolledHub;
use crate::error::Problem;
use crate::pages::frame::{Frame, Place};
use crate::pages::{failed, quarantine, sentence, words};
use crate::router;
use crate::rows::{self, Row};

/// Reasons shown: there are fewer codes than this.
const REASONS_MAX: usize = 50;

/// Letters of an event's text that are fetched; a whole one can have megabytes.
const TEXT_LETTERS_MAX: usize = 2_000;

/// Sources shown. Emitters name schemas, so there may be any number; the rest is said in words.
const SOURCES_SHOWN: usize = 200;

/// Days of a calendar: the weeks of a year.
const STRIP_DAYS: i32 = 53 * 7;

/// `GET /data`.
pub(crate) async fn page(State(state): State<router::State>, caller: Caller) -> Response {
    match shown(&state, &caller.scope()).await {
        Ok(page) => page.into_response(),
        Err(problem) => failed(&state, "", problem),
    }
}

async fn shown(state: &router::State, scope: &Scope) -> Result<Markup, Problem> {
    let sources = state.app.engine.sources(scope).await?;
    let reasons = reasons(state, scope).await?;
    let today = state.app.clock.now().day();
    let frame = Frame {
        app: &state.app,
        root: "",
        title: "The data",
        place: Place::Data,
        controls: None,
        query: String::new(),
    };
    Ok(frame.page(html! {
        div.question {
            h1 { "What is connected, and what is known?" }
            section aria-labelledby="sources" {
                h2 id="sources" { "Sources" }
                (table(&sources, state))
            }
            @let polls = state.app.status.polls();
            @if polls.iter().any(|poll| scope.allows(&poll.hub)) {
                section aria-labelledby="polls" {
                    h2 id="polls" { "Hubs that are asked" }
                    (polled(&polls, state, scope))
                }
            }
            section aria-labelledby="days" {
                h2 id="days" { "Days that are known" }
                p.read {
                    "A day is known of a source that was connected on it, or of which an event of that day was kept. A day that \
                     nothing is known of is a gap in every chart, never a zero."
                }
                (strips(&sources, today))
            }
            section aria-labelledby="imports" {
                h2 id="imports" { "Imports" }
                (imports(&sources))
            }
            section aria-labelledby="aside" {
                h2 id="aside" { "Quarantine" }
                (aside(&reasons))
            }
        }
    }))
}

/// Each reason for which events are in quarantine: how many, and the newest of them.
async fn reasons(state: &router::State, scope: &Scope) -> Result<Vec<Row>, Problem> {
    let sql = format!(
        "SELECT reason, n, received, hub, schema, version, detail, substr(text, 1, {TEXT_LETTERS_MAX}) AS text FROM (\
         SELECT *, count(*) OVER (PARTITION BY reason) AS n, \
         row_number() OVER (PARTITION BY reason ORDER BY received DESC, position DESC) AS place FROM quarantine\
         ) WHERE place = 1 ORDER BY n DESC, reason LIMIT {REASONS_MAX}"
    );
    rows::ask(&state.app.engine, &sql, REASONS_MAX, scope).await
}

fn table(sources: &[SourceCoverage], state: &router::State) -> Markup {
    let now = state.app.clock.now();
    let left_out = sources.len().saturating_sub(SOURCES_SHOWN);
    html! {
        @if sources.is_empty() {
            p { "Nothing has sent an event yet. " a href="./" { "The first page" } " has the lines that connect a hub." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Table: sources" {
                table data-sortable {
                    thead {
                        tr {
                            th scope="col" { "Hub" }
                            th scope="col" { "Came by" }
                            th scope="col" { "Schema" }
                            th scope="col" { "Newest event (UTC)" }
                            th scope="col" { "Newest received (UTC)" }
                            th.number scope="col" { "Events" }
                            th.number scope="col" { "In quarantine" }
                            th.number scope="col" { "Days known" }
                        }
                    }
                    tbody {
                        @for source in sources.iter().take(SOURCES_SHOWN) {
                            tr {
                                th scope="row" { bdi { (source.hub) } }
                                td { bdi { (way(source)) } }
                                td.name { bdi { (source.schema.as_deref().unwrap_or("could not be read")) } }
                                td.time { (source.last.map_or("–".to_owned(), |time| words::moment(&time.to_string()))) }
                                td.time {
                                    (words::moment(&source.received.to_string()))
                                    " " span.quiet { "(" (words::seconds(words::age_seconds(now, source.received))) " ago)" }
                                }
                                td.number { (words::count(source.events)) }
                                td.number { (words::count(source.quarantined)) }
                                td.number { (words::count(source.days.len() as u64)) }
                            }
                        }
                    }
                }
            }
            @if left_out > 0 { p.quiet { (words::count(left_out as u64)) " more sources are not shown." } }
        }
    }
}

/// The hubs whose REST API is polled, and how that goes.
fn polled(polls: &[PolledHub], state: &router::State, scope: &Scope) -> Markup {
    let now = state.app.clock.now();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Table: polls" {
            table {
                thead {
                    tr {
                        th scope="col" { "Hub" }
                        th scope="col" { "Servers were last listed" }
                        th.number scope="col" { "Servers" }
                        th scope="col" { "At present" }
                    }
                }
                tbody {
                    @for poll in polls.iter().filter(|poll| scope.allows(&poll.hub)) {
                        tr {
                            th scope="row" { bdi { (poll.hub) } }
                            td.time {
                                @match poll.succeeded {
                                    Some(at) => { (words::seconds(words::age_seconds(now, at))) " ago" }
                                    None => { "not yet" }
                                }
                            }
                            td.number { (words::count(poll.servers as u64)) }
                            td {
                                @match &poll.problem {
                                    Some(problem) => { strong.bad { bdi { (sentence(problem)) } } " It is tried again." }
                                    None if poll.succeeded.is_some() => { "Answers." }
                                    None => { "Is being asked." }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `http`, or the import that brought it.
pub(crate) fn way(source: &SourceCoverage) -> String {
    source.import.as_ref().map_or_else(|| source.door.clone(), |import| format!("import {import}"))
}

/// A strip of squares for each hub: the last days, filled where any of its sources is known.
fn strips(sources: &[SourceCoverage], today: Day) -> Markup {
    let hubs: BTreeSet<&str> = sources.iter().map(|source| source.hub.as_str()).collect();
    html! {
        @for hub in hubs.into_iter().take(SOURCES_SHOWN) {
            @let own = sources.iter().filter(|source| source.hub == hub);
            (strip(hub, &own.flat_map(|source| source.days.iter().copied()).collect(), today))
        }
    }
}

fn strip(hub: &str, days: &BTreeSet<Day>, today: Day) -> Markup {
    let Some((first, last)) = days.first().zip(days.last()) else {
        return html! { p { bdi { (hub) } ": no day is known." } };
    };
    let end = (*last).max(today.min(Day::from_number(last.number().saturating_add(STRIP_DAYS - 1))));
    let from = Day::from_number(end.number() - STRIP_DAYS + 1);
    let shown: Vec<Day> = (from.number()..=end.number()).map(Day::from_number).collect();
    let known = shown.iter().filter(|day| days.contains(day)).count();
    html! {
        figure.strip {
            figcaption {
                bdi { strong { (hub) } }
                " " span.quiet {
                    (words::count(days.len() as u64)) " days known, " (words::day(*first)) " to " (words::day(*last))
                    "; of the " (STRIP_DAYS) " days to " (words::day(end)) ": " (known)
                }
            }
            div.calendar tabindex="0" role="region" aria-label={ "Calendar of " (hub) } { (PreEscaped(squares(&shown, days))) }
            (gaps(days))
        }
    }
}

/// Weeks as columns, Monday at the top.
fn squares(shown: &[Day], days: &BTreeSet<Day>) -> String {
    const SIDE: i32 = 12;
    const STEP: i32 = 16;
    let weekday = |day: Day| (day.number().saturating_add(3)).rem_euclid(7);
    let Some(first) = shown.first() else { return String::new() };
    let monday = first.number() - weekday(*first);
    let weeks = shown.last().map_or(1, |last| (last.number() - monday) / 7 + 1);
    let mut out = String::new();
    // Numbers and dates alone: nothing that anyone sent.
    let _ = write!(
        out,
        "<svg class=\"days\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"Known days as filled squares\">",
        width = 40 + (weeks + 1) * STEP,
        height = 7 * STEP + 18
    );
    for (row, name) in [(0, "Mon"), (3, "Thu"), (6, "Sun")] {
        let _ = write!(out, "<text x=\"0\" y=\"{}\">{name}</text>", row * STEP + 10);
    }
    for day in shown {
        let (column, row) = ((day.number() - monday) / 7, weekday(*day));
        let (class, word) = if days.contains(day) { ("covered", "known") } else { ("uncovered", "nothing known") };
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{SIDE}\" height=\"{SIDE}\" rx=\"2\"><title>{day}: {word}</title></rect>",
            40 + column * STEP,
            row * STEP,
        );
        if day.date().day() == 1 {
            let _ =
                write!(out, "<text x=\"{}\" y=\"{}\">{}</text>", 40 + column * STEP, 7 * STEP + 12, words::month(*day));
        }
    }
    out.push_str("</svg>");
    out
}

/// The stretches between the first and the last known day of which nothing is known, in words.
fn gaps(days: &BTreeSet<Day>) -> Markup {
    /// The newest ones; a source that sends once a week has very many.
    const GAPS_SHOWN: usize = 12;
    let mut gaps: Vec<(Day, Day)> = Vec::new();
    let mut last: Option<Day> = None;
    for day in days {
        if let Some(before) = last
            && before.next() != *day
        {
            gaps.push((before.next(), Day::from_number(day.number() - 1)));
        }
        last = Some(*day);
    }
    html! {
        @if gaps.is_empty() {
            p.quiet { "No gap between them." }
        } @else {
            details.table {
                summary { (words::count(gaps.len() as u64)) @if gaps.len() == 1 { " gap" } @else { " gaps" } }
                ul {
                    @for (from, to) in gaps.iter().rev().take(GAPS_SHOWN) {
                        li {
                            (words::day(*from))
                            @if from != to { " to " (words::day(*to)) }
                        }
                    }
                    @if gaps.len() > GAPS_SHOWN { li { "and " (words::count((gaps.len() - GAPS_SHOWN) as u64)) " earlier" } }
                }
            }
        }
    }
}

/// What was imported, and which days each import covers.
fn imports(sources: &[SourceCoverage]) -> Markup {
    let names: BTreeSet<&str> = sources.iter().filter_map(|source| source.import.as_deref()).collect();
    html! {
        @if names.is_empty() {
            p { "Nothing was imported." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Table: imports" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Import" } th scope="col" { "First day" } th scope="col" { "Last day" }
                            th.number scope="col" { "Days" } th.number scope="col" { "Events" }
                        }
                    }
                    tbody {
                        @for name in names {
                            @let own: Vec<&SourceCoverage> =
                                sources.iter().filter(|source| source.import.as_deref() == Some(name)).collect();
                            @let days: BTreeSet<Day> =
                                own.iter().flat_map(|source| source.days.iter().copied()).collect();
                            @let events: u64 = own.iter().map(|source| source.events).sum();
                            tr {
                                th scope="row" { bdi { (name) } }
                                td { (days.first().map_or("–".to_owned(), |day| words::day(*day))) }
                                td { (days.last().map_or("–".to_owned(), |day| words::day(*day))) }
                                td.number { (words::count(days.len() as u64)) }
                                td.number { (words::count(events)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn aside(reasons: &[Row]) -> Markup {
    let text = |row: &Row, column: &str| row.text(column).unwrap_or_default();
    html! {
        @if reasons.is_empty() {
            p { "Nothing is in quarantine." }
        } @else {
            p.read { "Kept word for word and in no figure. The newest event of each reason:" }
            ol.aside-list {
                @for row in reasons {
                    li.panel {
                        p {
                            strong { (text(row, "reason")) } " · " (text(row, "n"))
                            " " span.quiet { "newest received " (words::moment(&text(row, "received"))) }
                        }
                        p { bdi { (text(row, "schema")) } " " bdi { (text(row, "version")) } }
                        p { bdi { (sentence(&text(row, "detail"))) } }
                        (quarantine::sample(&text(row, "text")))
                    }
                }
            }
            p.links { a href="quarantine" { "All of the newest" } }
        }
    }
}
