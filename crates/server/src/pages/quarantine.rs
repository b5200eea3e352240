//! The page of what was kept aside: which events, why, and what to do.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use crate::api::quarantine::ask;
use crate::pages::frame::Frame;
use crate::pages::{failed, sentence, words};
use crate::router;
use crate::rows::Row;

/// Events shown: what a person looks through.
const ROWS_SHOWN: usize = 50;
/// Letters of a text shown.
const TEXT_LETTERS_SHOWN: usize = 400;

/// `GET /quarantine`.
pub(crate) async fn page(State(state): State<router::State>) -> Response {
    match ask(&state, ROWS_SHOWN).await {
        Ok(rows) => shown(&state, &rows).into_response(),
        Err(problem) => failed(&state, "", problem),
    }
}

fn shown(state: &router::State, rows: &[Row]) -> Markup {
    let total = state.app.status.vitals().quarantined;
    let frame = Frame { app: &state.app, root: "", title: "Quarantine", ranges: None };
    frame.page(html! {
        p.crumb { a href="./" { "All questions" } }
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
                        " " (value(row, "schema")) " " (value(row, "version"))
                        " " span.quiet { "received " (moment(&value(row, "received"))) }
                    }
                    p { (sentence(&value(row, "detail"))) }
                    pre tabindex="0" { code { (words::cut(&value(row, "text"), TEXT_LETTERS_SHOWN)) } }
                }
            }
        }
    }
}

/// `2026-11-21T07:33:10.123456Z` to the second, in two words.
fn moment(time: &str) -> String {
    words::cut_at(time, 19).replace('T', " ")
}
