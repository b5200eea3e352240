//! `/kpi/{id}`: one question in full: number, chart, how to read it, figures, how it is counted, what else can be
//! asked.

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use maud::{Markup, PreEscaped, html};
use query::{Kpi, Parameter, ParameterKind, Privacy, Scope, SourceCoverage};

use crate::access::Caller;
use crate::address;
use crate::error::Problem;
use crate::pages::ask::{Asked, COMPARISONS, card};
use crate::pages::card::{Card, Content, Drawn};
use crate::pages::controls::Controls;
use crate::pages::frame::{Frame, Place};
use crate::pages::{answered, catalogue, connect, data, failed, hubs, sentence, words};
use crate::router;

/// The way from here to the first page.
const ROOT: &str = "../";

/// Sources named one by one.
const SOURCES_SHOWN: usize = 8;

/// `GET /kpi/{id}`.
pub(crate) async fn page(
    State(state): State<router::State>,
    caller: Caller,
    Path(id): Path<String>,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    match shown(&state, &caller, &id, parameters, &headers).await {
        Ok(page) => page.into_response(),
        Err(problem) => failed(&state, ROOT, problem),
    }
}

async fn shown(
    state: &router::State,
    caller: &Caller,
    id: &str,
    parameters: Vec<(String, String)>,
    headers: &HeaderMap,
) -> Result<Markup, Problem> {
    let kpi = state.app.catalogue.find(id)?;
    let asked = Asked::understood(parameters, ROOT, &state.app, caller.scope())?;
    let card = card(state, kpi, &asked, None).await;
    let hubs = hubs(state, &asked.scope).await;
    let sources = sources(state, kpi, &asked.scope).await?;
    let controls = Controls { asked: &asked, has_audience: false, hubs: hubs.clone() };
    let frame = Frame {
        app: &state.app,
        root: ROOT,
        title: &kpi.question,
        place: Place::Elsewhere,
        controls: Some(controls),
        query: asked.query(),
    };
    Ok(frame.page(html! {
        (way(state, kpi, &asked))
        article.question {
            h1 { (kpi.question) }
            (answer(&card, headers))
            h2 { "How to read it" }
            div.prose { (PreEscaped(kpi.help_html())) }
            @if let Content::Drawn(drawn) = &card.content {
                h2 { "The figures" }
                (drawn.table.markup(&kpi.question))
            }
            h2 { "How it is counted" }
            (counted(kpi, &card, &sources))
            h2 { "Ask it otherwise" }
            (form(kpi, &asked, &hubs, &card))
            @if let Content::Drawn(drawn) = &card.content { (exports(drawn)) }
        }
    }))
}

/// Back to the catalogue, and to the neighbours of the group.
fn way(state: &router::State, kpi: &Kpi, asked: &Asked) -> Markup {
    let query = asked.query();
    let members: Vec<&Kpi> = state.app.catalogue.iter().filter(|other| other.group == kpi.group).collect();
    let at = members.iter().position(|other| other.id == kpi.id).unwrap_or_default();
    let before = at.checked_sub(1).and_then(|at| members.get(at));
    let after = members.get(at + 1);
    html! {
        nav.crumb aria-label="Where this stands" {
            a href={ "./" (query) } { "All questions" }
            span.quiet aria-hidden="true" { " › " }
            a href={ "./" (query) "#" (catalogue::anchor(&kpi.group)) } { (kpi.group) }
            span.neighbours {
                @if let Some(kpi) = before {
                    a rel="prev" href={ (address::encoded(&kpi.id)) (query) } { "← " (kpi.question) }
                }
                @if let Some(kpi) = after {
                    a rel="next" href={ (address::encoded(&kpi.id)) (query) } { (kpi.question) " →" }
                }
            }
        }
    }
}

fn answer(card: &Card, headers: &HeaderMap) -> Markup {
    html! {
        @if let Some(ask) = &card.ask { (ask.markup()) }
        @match &card.content {
            Content::Drawn(drawn) => {
                (drawn.figure.markup())
                div.panel { (drawn.charts.interactive(&drawn.exports.vega)) }
                (drawn.reading())
            }
            Content::Empty { text, address } => {
                p { (text) }
                @if let Some(address) = address { p { a href=(address) { "Show all time" } } }
            }
            Content::NotConnected(_) => (connect::waiting(&[card], headers)),
            Content::Failed { detail } => {
                div role="alert" {
                    p { strong.bad { "This question could not be answered." } }
                    p { bdi { (sentence(detail)) } }
                    p.quiet { "No event is lost by this." }
                }
            }
        }
    }
}

/// What sent what `kpi` is made of, the newest first.
async fn sources(state: &router::State, kpi: &Kpi, scope: &Scope) -> Result<Vec<SourceCoverage>, Problem> {
    let mut sources = state.app.engine.sources(scope).await?;
    if answered::emitter(kpi).is_some() {
        sources.retain(|source| source.schema.as_deref().is_some_and(|schema| kpi.is_fed_by(schema)));
    }
    sources.sort_by_key(|source| std::cmp::Reverse(source.received));
    Ok(sources)
}

fn counted(kpi: &Kpi, card: &Card, sources: &[SourceCoverage]) -> Markup {
    let privacy = match kpi.privacy {
        Privacy::Public => "Everyone: it is computed from public fields alone.",
        Privacy::Operators => "Operators of the hub.",
    };
    html! {
        dl.facts {
            dt { "Definition" } dd { "Version " (kpi.definition) ", " code { (kpi.file) } }
            dt { "Made of" } dd { @for (at, table) in kpi.needs.iter().enumerate() { @if at > 0 { ", " } code { (table) } } }
            dt { "Sources" }
            dd {
                @for source in sources.iter().take(SOURCES_SHOWN) {
                    p {
                        bdi { (source.hub) } " by " (data::way(source)) ": "
                        (words::count(source.events)) " events, the newest of "
                        (source.last.map_or("no known time".to_owned(), |time| words::moment(&time.to_string())))
                    }
                }
                a href={ (ROOT) "data" } { @if sources.is_empty() { "None yet" } @else { "All sources" } }
            }
            dt { "Who may see it" } dd { (privacy) }
            @if let Content::Drawn(drawn) = &card.content {
                @for (name, text) in &drawn.facts { dt { (name) } dd { bdi { (text) } } }
            }
        }
        details.table open {
            summary { "SQL" }
            pre tabindex="0" role="region" aria-label="SQL" { code { (kpi.sql) } }
        }
    }
}

/// Every parameter of the question, with its help.
fn form(kpi: &Kpi, asked: &Asked, hubs: &[String], card: &Card) -> Markup {
    let given = asked.parts();
    let value = |name: &str| given.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let is_field = |name: &str| kpi.parameter(name).is_some();
    let used = |name: &str| match &card.content {
        Content::Drawn(drawn) => {
            drawn.parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
        }
        _ => None,
    };
    html! {
        form.parameters.panel method="get" {
            @for (name, value) in given.iter().filter(|(name, _)| !is_field(name) && name != "range") {
                input type="hidden" name=(name) value=(value);
            }
            @for parameter in &kpi.parameters {
                @let shown = value(&parameter.name).or_else(|| used(&parameter.name));
                @let id = format!("parameter-{}", parameter.name);
                div {
                    label for=(id) { (sentence(&parameter.name)) }
                    (field(parameter, &id, shown, hubs))
                    @if !parameter.help.is_empty() { p.quiet id={ (id) "-help" } { (with_code(&parameter.help)) } }
                }
            }
            button type="submit" { "Ask" }
        }
    }
}

/// A sentence in which what stands between backticks is code.
fn with_code(text: &str) -> Markup {
    html! {
        @for (at, piece) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

fn field(parameter: &Parameter, id: &str, value: Option<&str>, hubs: &[String]) -> Markup {
    let help = (!parameter.help.is_empty()).then(|| format!("{id}-help"));
    let name = &parameter.name;
    let value = value.or(parameter.default.as_deref());
    match parameter.kind {
        _ if name == "compare" => {
            let choices: Vec<(&str, &str)> = COMPARISONS.to_vec();
            select(id, name, value, &choices, help)
        }
        _ if name == "hub" && !hubs.is_empty() => {
            let named = hubs.iter().map(|hub| (hub.as_str(), hub.as_str()));
            let choices: Vec<(&str, &str)> = std::iter::once(("", "all hubs")).chain(named).collect();
            select(id, name, value, &choices, help)
        }
        ParameterKind::Date => html! {
            input id=(id) type="date" name=(name) value=[value] aria-describedby=[help];
        },
        ParameterKind::Integer => html! {
            input id=(id) type="number" name=(name) value=[value] min=[parameter.min] max=[parameter.max]
                aria-describedby=[help];
        },
        _ => html! {
            input id=(id) type="text" name=(name) value=[value] maxlength="500" autocomplete="off" spellcheck="false"
                dir="auto" aria-describedby=[help];
        },
    }
}

fn select(id: &str, name: &str, value: Option<&str>, choices: &[(&str, &str)], help: Option<String>) -> Markup {
    html! {
        select id=(id) name=(name) aria-describedby=[help] {
            @for (code, label) in choices {
                option value=(code) selected[value.unwrap_or_default() == *code] { (label) }
            }
        }
    }
}

fn exports(drawn: &Drawn) -> Markup {
    let exports = &drawn.exports;
    html! {
        h2 { "Take it with you" }
        p.links {
            a href=(exports.csv) { "CSV" } a href=(exports.json) { "JSON" } a href=(exports.parquet) { "Parquet" }
            a href=(exports.svg) { "SVG" } a href=(exports.vega) { "Vega-Lite" }
        }
        p.quiet {
            "The range is written out in these addresses, so they mean the same tomorrow. In CSV a text that a spreadsheet \
             would take for a formula has an apostrophe before it."
        }
    }
}
