//! Who may do what: the caller of a request, by its token or by where it comes from.
//!
//! | caller | may |
//! |---|---|
//! | the control socket | everything: only the user who runs the program can open it |
//! | a token | what it was made for, on its hub |
//! | a wrong token | as without one where none is needed, else nothing |
//! | no token, from this machine | send, as long as there is no token at all; read, as long as none that may read |
//! | no token, from elsewhere | nothing but what is public: the archive, the files of pages, whether it is alive |
//!
//! Standard handlers can present a token in few ways, so four are taken: `Authorization: Bearer`, `Authorization:
//! token` (as the hub's own API has it), `Authorization: Basic` with the token as the password, and the query parameter
//! `token`. The parameter is taken out of the address before anything else sees it.

mod credential;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::Response;
use query::Scope;

use crate::error::Problem;
use crate::{body, router};

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Send events.
    Ingest,
    /// Read everything of its hub, or of all hubs.
    Query,
    /// Both, and have people forgotten.
    Admin,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Query, Self::Admin];

    /// Its name, as the command line and the API have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Query => "query",
            Self::Admin => "admin",
        }
    }

    /// Whether a token of this verb may also do `wanted`.
    pub fn allows(self, wanted: Self) -> bool {
        self == wanted || self == Self::Admin
    }
}

/// What a valid token says of its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Public name of the token, for lists and logs.
    pub token: Arc<str>,
    /// The hub whose events it sends and reads; all hubs without.
    pub hub: Option<Arc<str>>,
    /// What it may.
    pub may: Verb,
}

/// Knows tokens. Calls are quick: no disk, no waiting.
pub trait Access: Debug + Send + Sync {
    /// What `secret` allows; `None` if it is no token.
    fn grant(&self, secret: &str) -> Option<Grant>;

    /// Whether there is any token.
    fn has_tokens(&self) -> bool;

    /// Whether there is a token that may read.
    fn has_reading_tokens(&self) -> bool;
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The control socket.
    Operator,
    /// The network.
    Network {
        /// The connection begins on this machine.
        is_local: bool,
    },
}

impl Peer {
    pub(crate) fn at(address: &SocketAddr) -> Self {
        Self::Network { is_local: address.ip().to_canonical().is_loopback() }
    }
}

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Who runs the program.
    Operator,
    /// The bearer of a token.
    Bearer(Grant),
    /// Somebody with a token that there is not.
    Unknown { is_local: bool },
    /// Somebody without a token.
    Anonymous { is_local: bool },
}

impl Caller {
    /// The hub to which this caller is bound.
    pub(crate) fn hub(&self) -> Option<&Arc<str>> {
        match self {
            Self::Bearer(grant) => grant.hub.as_ref(),
            _ => None,
        }
    }

    /// Who it is, for the log: the public name of a token.
    pub(crate) fn told(&self) -> &str {
        match self {
            Self::Operator => "operator",
            Self::Bearer(grant) => &grant.token,
            Self::Unknown { .. } | Self::Anonymous { .. } => "nobody known",
        }
    }

    /// Whose rows this caller may read, once it may read at all.
    pub(crate) fn scope(&self) -> Scope {
        self.hub().map_or(Scope::All, |hub| Scope::Hub(Arc::clone(hub)))
    }
}

/// Proxies say with these that the request began elsewhere.
const FORWARDED: [HeaderName; 3] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

/// Middleware: finds out who calls and leaves the [`Caller`] with the request, for [`permit`] and for handlers.
pub(crate) async fn identify(State(state): State<router::State>, mut request: Request, next: Next) -> Response {
    let parameter = credential::take_parameter(request.uri_mut());
    let secret = credential::of_header(request.headers()).or(parameter);
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::Network { is_local: false });
    let caller = match (peer, secret) {
        (Peer::Operator, _) => Caller::Operator,
        (Peer::Network { is_local }, secret) => {
            let is_local = is_local && !is_forwarded(request.headers());
            match secret {
                None => Caller::Anonymous { is_local },
                Some(secret) => state.app.access.grant(&secret).map_or(Caller::Unknown { is_local }, Caller::Bearer),
            }
        }
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(name))
}

/// Middleware of the routes that take events.
pub(crate) async fn permit_ingest(
    State(state): State<router::State>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    permit(&state, request, next, Verb::Ingest, state.app.access.has_tokens()).await
}

/// Middleware of the routes that answer.
pub(crate) async fn permit_query(
    State(state): State<router::State>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    permit(&state, request, next, Verb::Query, state.app.access.has_reading_tokens()).await
}

/// Middleware of the routes that change what is kept: these always need a token, also on this machine.
pub(crate) async fn permit_admin(
    State(state): State<router::State>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    permit(&state, request, next, Verb::Admin, true).await
}

async fn permit(
    state: &router::State,
    request: Request,
    next: Next,
    wanted: Verb,
    needs_token: bool,
) -> Result<Response, Problem> {
    let refusal = match request.extensions().get::<Caller>() {
        Some(Caller::Operator) => None,
        Some(Caller::Anonymous { is_local: true } | Caller::Unknown { is_local: true }) if !needs_token => None,
        Some(Caller::Bearer(grant)) if grant.may.allows(wanted) => None,
        Some(Caller::Bearer(grant)) => Some(Problem::forbidden(grant.may, wanted)),
        Some(Caller::Unknown { .. }) => Some(Problem::unknown_token()),
        Some(Caller::Anonymous { .. }) | None => Some(Problem::no_token(wanted, needs_token)),
    };
    match refusal {
        None => Ok(next.run(request).await),
        Some(problem) => {
            body::linger(request.into_body(), &state.app.limits);
            Err(problem)
        }
    }
}

/// Who calls, for a handler. Every route lies behind [`identify`].
impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::internal("a route does not lie behind access::identify"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_this_machine() {
        for (address, is_local) in [
            ("127.0.0.1:1", true),
            ("127.8.9.1:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("[::ffff:192.0.2.1]:1", false),
            ("192.0.2.1:1", false),
            ("0.0.0.0:1", false),
            ("[fe80::1]:1", false),
        ] {
            assert_eq!(Peer::at(&address.parse().unwrap()), Peer::Network { is_local }, "{address}");
        }
    }
}
