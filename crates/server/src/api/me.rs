//! `GET /api/v1/me`: who the server takes the caller for, and what it may; for finding out why something is refused.
//!
//! ```json
//! {"caller": "token", "token": "1f2e3d4c", "hub": "north", "may": ["ingest"]}
//! ```

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::access::{Caller, Verb};
use crate::error::Problem;
use crate::{api, router};

/// `GET /api/v1/me`.
pub(crate) async fn who(State(state): State<router::State>, caller: Caller) -> Result<Response, Problem> {
    let access = &state.app.access;
    let verbs = |may: &dyn Fn(Verb) -> bool| -> Vec<&str> {
        Verb::ALL.into_iter().filter(|verb| may(*verb)).map(Verb::name).collect()
    };
    let (kind, may) = match &caller {
        Caller::Operator => ("operator", verbs(&|_| true)),
        Caller::Bearer(grant) => ("token", verbs(&|verb| grant.may.allows(verb))),
        Caller::Unknown { .. } => ("unknown token", Vec::new()),
        Caller::Anonymous { is_local: false } => ("anonymous", Vec::new()),
        Caller::Anonymous { is_local: true } => {
            let is_open = |verb| match verb {
                Verb::Ingest => !access.has_tokens(),
                Verb::Query => !access.has_reading_tokens(),
                Verb::Admin => false,
            };
            ("this machine", verbs(&is_open))
        }
    };
    let token = if let Caller::Bearer(grant) = &caller { Some(&*grant.token) } else { None };
    api::json(&json!({"caller": kind, "token": token, "hub": caller.hub().map(|hub| &**hub), "may": may}))
}
