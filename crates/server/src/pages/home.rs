//! `/`: what happens now, and the questions that an audience asks first.

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use query::{Audience, Catalogue, Kpi};

use crate::access::Caller;
use crate::api::now::Now;
use crate::error::Problem;
use crate::pages::ask::{Asked, cards};
use crate::pages::card::{Card, Content};
use crate::pages::controls::Controls;
use crate::pages::frame::{Frame, Place};
use crate::pages::{connect, failed, hubs, now};
use crate::router;

/// Cards on the first page: as many as are looked at. The catalogue has the others.
const CARDS_MAX: usize = 10;

const TITLE: &str = "What happens on this hub";

/// `GET /`.
pub(crate) async fn page(
    State(state): State<router::State>,
    caller: Caller,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    match shown(&state, &caller, parameters, &headers).await {
        Ok(page) => page.into_response(),
        Err(problem) => failed(&state, "", problem),
    }
}

async fn shown(
    state: &router::State,
    caller: &Caller,
    parameters: Vec<(String, String)>,
    headers: &HeaderMap,
) -> Result<Markup, Problem> {
    let asked = Asked::understood(parameters, "", &state.app, caller.scope())?;
    let now = Now::of(state, &asked.scope).await?;
    let query = asked.query();
    let frame = Frame { app: &state.app, root: "", title: TITLE, place: Place::Home, controls: None, query };
    if now.events == 0 && now.quarantined == 0 {
        return Ok(frame.page(html! { h1.unseen { (TITLE) } (connect::first(headers)) (now::section(&now)) }));
    }
    let controls = Controls { asked: &asked, has_audience: true, hubs: hubs(state, &asked.scope).await };
    let frame = Frame { controls: Some(controls), ..frame };
    let cards = cards(state, &first(&state.app.catalogue, asked.audience), &asked).await;
    Ok(frame.page(body(&now, &cards, &asked, headers)))
}

/// The questions that `audience` asks first, in its order.
fn first(catalogue: &Catalogue, audience: Audience) -> Vec<&Kpi> {
    catalogue.asked_first(audience).into_iter().take(CARDS_MAX).collect()
}

fn body(now: &Now, cards: &[Card], asked: &Asked, headers: &HeaderMap) -> Markup {
    let (waiting, told): (Vec<&Card>, Vec<&Card>) =
        cards.iter().partition(|card| matches!(card.content, Content::NotConnected(_)));
    html! {
        h1.unseen { (TITLE) }
        (now::section(now))
        div.cards { @for card in told { (card.markup()) } }
        (connect::waiting(&waiting, headers))
        p.links { a href={ "kpi/" (asked.query()) } { "All questions" } }
    }
}
