//! What people look at. The server renders everything, and every page works without a script; the scripts of `web/`
//! keep the line "Now" up to date, let a pointer and keys read a chart, and sort tables.

pub(crate) mod answered;
pub(crate) mod ask;
pub(crate) mod card;
pub(crate) mod catalogue;
pub(crate) mod connect;
pub(crate) mod controls;
pub(crate) mod data;
pub(crate) mod frame;
pub(crate) mod home;
pub(crate) mod now;
pub(crate) mod quarantine;
pub(crate) mod question;
pub(crate) mod words;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use maud::html;
use query::Scope;

use crate::error::Problem;
use crate::pages::frame::{Frame, Place};
use crate::router;

/// Everything that has no route: a page for people, a problem document for programs.
pub(crate) async fn nowhere(State(state): State<router::State>, uri: Uri, headers: HeaderMap) -> Response {
    let problem = Problem::not_found("nothing is served at this address");
    if !wants_html(&headers) {
        return problem.into_response();
    }
    let steps = uri.path().matches('/').count();
    failed(&state, &"../".repeat(steps.saturating_sub(1)), problem)
}

/// The page that tells `problem`.
pub(crate) fn failed(state: &router::State, root: &str, problem: Problem) -> Response {
    problem.log();
    let frame = Frame {
        app: &state.app,
        root,
        title: problem.title,
        place: Place::Elsewhere,
        controls: None,
        query: String::new(),
    };
    let body = html! {
        div.question {
            h1 { (sentence(problem.title)) }
            div.prose {
                p { bdi { (sentence(&problem.detail)) } "." }
                p { "Nothing that was kept is lost. " a href={ (root) "./" } { "Back to the first page" } "." }
            }
        }
    };
    (problem.status, frame.page(body)).into_response()
}

/// Hubs to choose from: more do not fit into a menu.
const HUBS_MAX: usize = 100;

/// The hubs that a reader can choose from; none while that cannot be told, which the questions then tell as well.
pub(crate) async fn hubs(state: &router::State, scope: &Scope) -> Vec<String> {
    match state.app.engine.hub_names(scope).await {
        Ok(names) => names.into_iter().take(HUBS_MAX).collect(),
        Err(error) => {
            tracing::debug!(%error, "the hubs could not be listed");
            Vec::new()
        }
    }
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers.get("accept").and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

/// With its first letter large.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
