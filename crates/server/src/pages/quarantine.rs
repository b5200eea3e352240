//! The page of what was kept aside: which events, why, and what to do.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use query::Scope;

use crate::access::Caller;
use crate::api::quarantine::{ask, count};
use crate::error::Problem;
use crate::pages::frame::{Frame, Place};
use crate::pages::{failed, sentence, words};
use crate::router;
use crate::rows::Row;

/// Events shown: what a person looks through.
const ROWS_SHOWN: usize = 50;
/// Letters of a text shown.
const TEXT_LETTERS_SHOWN: usize = 400;

/// `GET /quarantine`.
pub(crate) async fn page(State(state): State<router::State>, caller: Caller) -> Response {
    match told(&state, &caller.scope()).await {
        Ok((total, rows)) => shown(&state, total, &rows).into_response(),
        Err(problem) => failed(&state, "", problem),
    }
}

/// How many there are, and the newest of them.
async fn told(state: &router::State, scope: &Scope) -> Result<(u64, Vec<Row>), Problem> {
    Ok((count(state, scope).await?, ask(state, ROWS_SHOWN, scope).await?))
}

fn shown(state: &router::State, total: u64, rows: &[Row]) -> Markup {
    let frame = Frame {
        app: &state.app,
        root: "",
        title: "Quarantine",
        place: Place::Elsewhere,
        controls: None,
        query: String::new(),
    };
    frame.page(html! {
        p.crumb { a href="data" { "Data" } }
        div.question {
            h1 { "Which events were kept aside, and why?" }
            p.figure { span { strong { (words::count(total)) } " in quarantine" } }
            p.read {
                "Each was kept word for word and acknowledged, but is in no figure: nobody knows its schema, or it does not \
                 satisfy it. Register the schema or mend the emitter; nothing needs to be sent again."
            }
            @if rows.is_empty() {
                p { "Nothing is in quarantine." }
            } @else {
                h2 { "The newest" }
                (list(rows))
                p.links { a href="api/v1/quarantine?limit=1000" { "The newest 1,000 as JSON" } }
            }
        }
    })
}

fn list(rows: &[Row]) -> Markup {
    let value = |row: &Row, column: &str| row.text(column).unwrap_or_default();
    html! {
        ol.aside-list {
            @for row in rows {
                li.panel {
                    p {
                        strong { (value(row, "reason")) }
                        " " bdi { (value(row, "schema")) } " " bdi { (value(row, "version")) }
                        " " span.quiet { "received " (words::moment(&value(row, "received"))) }
                    }
                    p { bdi { (sentence(&value(row, "detail"))) } }
                    (sample(&value(row, "text")))
                }
            }
        }
    }
}

/// The beginning of an event's text, as it came.
pub(crate) fn sample(text: &str) -> Markup {
    html! {
        pre tabindex="0" role="region" aria-label="Text of the event" dir="auto" {
            code { (words::cut(text, TEXT_LETTERS_SHOWN)) }
        }
    }
}
