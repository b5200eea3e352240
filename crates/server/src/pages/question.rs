//! `/kpi/{id}`: one question in full: number, chart, how to read it, table and CSV, how it is counted.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use maud::{Markup, PreEscaped, html};

use crate::error::Problem;
use crate::pages::ask::{Asked, card};
use crate::pages::card::{Card, Content, Drawn};
use crate::pages::frame::{Frame, Ranges};
use crate::pages::{failed, sentence};
use crate::router;

/// The way from here to the first page.
const ROOT: &str = "../";

/// `GET /kpi/{id}`.
pub(crate) async fn page(
    State(state): State<router::State>,
    Path(id): Path<String>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    match shown(&state, &id, parameters).await {
        Ok(page) => page.into_response(),
        Err(problem) => failed(&state, ROOT, problem),
    }
}

async fn shown(state: &router::State, id: &str, parameters: Vec<(String, String)>) -> Result<Markup, Problem> {
    let kpi = state.app.catalogue.find(id)?;
    let asked = Asked::understood(parameters, ROOT, &state.app)?;
    let card = card(state, kpi, &asked, None).await;
    let ranges = Ranges { chosen: asked.range, others: asked.others.clone() };
    let frame = Frame { app: &state.app, root: ROOT, title: &kpi.question, ranges: Some(ranges) };
    Ok(frame.page(html! {
        p.crumb { a href={ (ROOT) "./" (asked.query()) } { "All questions" } }
        article.question {
            h1 { (kpi.question) }
            (answer(&card))
            h2 { "How to read it" }
            div.prose { (PreEscaped(kpi.help_html())) }
            @if let Content::Drawn(drawn) = &card.content { (figures(drawn)) }
            h2 { "How it is counted" }
            pre tabindex="0" { code { (kpi.sql) } }
        }
    }))
}

fn answer(card: &Card) -> Markup {
    html! {
        @if let Some(ask) = &card.ask { (ask.markup()) }
        @match &card.content {
            Content::Drawn(drawn) => {
                (drawn.figure.markup())
                div.panel { (drawn.charts.markup()) }
                (drawn.reading())
            }
            Content::Empty { text, address } => {
                p { (text) }
                @if let Some(address) = address { p { a href=(address) { "Show all time" } } }
            }
            Content::Failed { detail } => {
                div role="alert" {
                    p { strong.bad { "This question could not be answered." } }
                    p { (sentence(detail)) }
                }
            }
        }
    }
}

fn figures(drawn: &Drawn) -> Markup {
    html! {
        h2 { "The figures" }
        (drawn.table.markup())
        p.links { a href=(drawn.csv) { "CSV" } }
    }
}
