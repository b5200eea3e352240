//! `/`: what happens now, and a card for every question.

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use crate::api::now::Now;
use crate::error::Problem;
use crate::pages::ask::{Asked, cards};
use crate::pages::card::Card;
use crate::pages::frame::{Frame, Ranges};
use crate::pages::{connect, failed, now};
use crate::router;

/// `GET /`.
pub(crate) async fn page(
    State(state): State<router::State>,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    match shown(&state, parameters, &headers).await {
        Ok(page) => page.into_response(),
        Err(problem) => failed(&state, "", problem),
    }
}

async fn shown(
    state: &router::State,
    parameters: Vec<(String, String)>,
    headers: &HeaderMap,
) -> Result<Markup, Problem> {
    let asked = Asked::understood(parameters, "", &state.app)?;
    let now = Now::of(state).await;
    let frame = Frame { app: &state.app, root: "", title: "What happens on this hub", ranges: None };
    if now.events == 0 && now.quarantined == 0 {
        return Ok(frame.page(html! { h1.unseen { (frame.title) } (connect::connect(headers)) (now::section(&now)) }));
    }
    let ranges = Ranges { chosen: asked.range, others: asked.others.clone() };
    let frame = Frame { ranges: Some(ranges), ..frame };
    Ok(frame.page(body(&now, &cards(state, &asked).await)))
}

fn body(now: &Now, cards: &[Card]) -> Markup {
    html! {
        h1.unseen { "What happens on this hub" }
        (now::section(now))
        div.cards {
            @for card in cards { (card.markup()) }
        }
    }
}
