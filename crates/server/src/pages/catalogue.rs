//! `/kpi/`: every question, by group.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use query::Kpi;

use crate::access::Caller;
use crate::address;
use crate::error::Problem;
use crate::pages::ask::Asked;
use crate::pages::failed;
use crate::pages::frame::{Frame, Place};
use crate::router;

/// The way from here to the first page.
const ROOT: &str = "../";

/// `GET /kpi/`.
pub(crate) async fn page(
    State(state): State<router::State>,
    caller: Caller,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    match shown(&state, &caller, parameters) {
        Ok(page) => page.into_response(),
        Err(problem) => failed(&state, ROOT, problem),
    }
}

fn shown(state: &router::State, caller: &Caller, parameters: Vec<(String, String)>) -> Result<Markup, Problem> {
    let asked = Asked::understood(parameters, ROOT, &state.app, caller.scope())?;
    let query = asked.query();
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

/// The name of `group` within the page.
pub(crate) fn anchor(group: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    format!("group-{}", group.chars().map(letter).collect::<String>())
}
