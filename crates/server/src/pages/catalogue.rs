//! `/kpi/`: every question, by group.

use std::collections::BTreeSet;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use query::{Kpi, Scope};

use crate::access::Caller;
use crate::address;
use crate::error::Problem;
use crate::pages::ask::Asked;
use crate::pages::frame::{Frame, Place};
use crate::pages::{failed, words};
use crate::router;

/// The way from here to the first page.
const ROOT: &str = "../";

/// Schemas shown. Senders may name any number; the rest is said in words.
const SCHEMAS_SHOWN: usize = 200;

/// `GET /kpi/`.
pub(crate) async fn page(
    State(state): State<router::State>,
    caller: Caller,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    match shown(&state, &caller, parameters).await {
        Ok(page) => page.into_response(),
        Err(problem) => failed(&state, ROOT, problem),
    }
}

async fn shown(state: &router::State, caller: &Caller, parameters: Vec<(String, String)>) -> Result<Markup, Problem> {
    let asked = Asked::understood(parameters, ROOT, &state.app, caller.scope())?;
    let query = asked.query();
    let schemas = schemas(state, &caller.scope()).await?;
    let frame = Frame {
        app: &state.app,
        root: ROOT,
        title: "All questions",
        place: Place::Catalogue,
        controls: None,
        query: query.clone(),
    };
    Ok(frame.page(html! {
        div.question {
            h1 { "Which questions can be answered?" }
            p.read {
                "Each is one readable file: the question, how to read its answer, where it misleads, and the SQL that answers \
                 it. All can be asked here, over HTTP and on the command line."
            }
            @for (group, kpis) in groups(&state.app.catalogue.iter().collect::<Vec<_>>()) {
                section aria-labelledby=(anchor(group)) {
                    h2 id=(anchor(group)) { (group) }
                    ul.catalogue { @for kpi in kpis { (entry(kpi, &query)) } }
                }
            }
            section aria-labelledby="feeds" {
                h2 id="feeds" { "Which events feed which questions" }
                (feeds(state, &schemas, &query))
            }
        }
    }))
}

/// Groups in the order in which their first question stands.
pub(crate) fn groups<'a>(kpis: &[&'a Kpi]) -> Vec<(&'a str, Vec<&'a Kpi>)> {
    let mut groups: Vec<(&str, Vec<&Kpi>)> = Vec::new();
    for kpi in kpis {
        match groups.iter_mut().find(|(group, _)| *group == kpi.group) {
            Some((_, members)) => members.push(kpi),
            None => groups.push((&kpi.group, vec![kpi])),
        }
    }
    groups
}

fn entry(kpi: &Kpi, query: &str) -> Markup {
    let audience: Vec<String> = kpi.audience.iter().map(ToString::to_string).collect();
    html! {
        li {
            a href={ (address::encoded(&kpi.id)) (query) } { (kpi.question) }
            p { (kpi.reading) }
            p.quiet { code { (kpi.id) } " · for " (audience.join(", ")) }
        }
    }
}

/// Every schema that an event may be of, or was: those that are registered and those that were admitted.
async fn schemas(state: &router::State, scope: &Scope) -> Result<BTreeSet<String>, Problem> {
    let sent = state.app.engine.sources(scope).await?.into_iter().filter(|source| source.events > 0);
    let mut schemas: BTreeSet<String> = sent.filter_map(|source| source.schema).collect();
    schemas.extend(state.app.admission.registry().iter().map(|entry| entry.revision.schema.to_string()));
    Ok(schemas)
}

fn feeds(state: &router::State, schemas: &BTreeSet<String>, query: &str) -> Markup {
    let left_out = schemas.len().saturating_sub(SCHEMAS_SHOWN);
    html! {
        div.scroll tabindex="0" role="region" aria-label="Table: events and questions" {
            table {
                thead { tr { th scope="col" { "Schema" } th scope="col" { "Questions" } } }
                tbody {
                    @for schema in schemas.iter().take(SCHEMAS_SHOWN) {
                        @let fed: Vec<&Kpi> = state.app.catalogue.iter().filter(|kpi| kpi.is_fed_by(schema)).collect();
                        tr {
                            th scope="row" { bdi { (schema) } }
                            td {
                                @if fed.is_empty() { "None: its events are kept, and can be asked for with SQL." }
                                @for (at, kpi) in fed.iter().enumerate() {
                                    @if at > 0 { ", " }
                                    a href={ (address::encoded(&kpi.id)) (query) } { (kpi.id) }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if left_out > 0 { p.quiet { (words::count(left_out as u64)) " more schemas are not shown." } }
    }
}

/// The name of `group` within the page.
pub(crate) fn anchor(group: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    format!("group-{}", group.chars().map(letter).collect::<String>())
}
