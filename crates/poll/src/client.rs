//! One request to a hub, within limits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use event::EventTime;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::address::Address;

/// How much a hub may answer, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one answer. A page has 200 users at most; with what spawners keep of each (`user_options`) they stay
    /// far below this.
    pub body_bytes_max: usize,
    /// From the first try to connect to the last byte of one answer.
    pub time_max: Duration,
    /// Pages of one list: 200,000 users.
    pub pages_max: usize,
    /// How often a list is read anew within one poll because it moved between its pages.
    pub attempts_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes_max: 16 << 20, time_max: Duration::from_secs(20), pages_max: 1_000, attempts_max: 3 }
    }
}

/// The hub's token for us. It prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(HeaderValue);

impl Token {
    /// From the text that the hub's configuration has; `None` if no token looks like it.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut value = HeaderValue::from_str(&format!("token {text}")).ok().filter(|_| !text.is_empty())?;
        value.set_sensitive(true);
        Some(Self(value))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a hub did not tell what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Nobody answered.
    #[error("the hub cannot be reached: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("the hub did not answer within {} seconds", .0.as_secs_f64())]
    TooSlow(Duration),
    /// The answer is too long.
    #[error("the hub's answer has more than {0} bytes")]
    TooLarge(usize),
    /// It sends us elsewhere, which we do not follow.
    #[error(
        "the hub's answer leads elsewhere, which is not followed; the url may lack the hub's base path, or its https"
    )]
    Redirected,
    /// It does not know the token.
    #[error("the hub does not know this token")]
    UnknownToken,
    /// The token may not.
    #[error("the token lacks the scope {0}")]
    NoScope(&'static str),
    /// It answered with an error.
    #[error("the hub answered {0}")]
    Status(u16),
    /// The answer cannot be understood.
    #[error("the hub's answer is not what its API promises: {0}")]
    Malformed(String),
    /// The list moved while it was read, each time.
    #[error("the list of the hub moved while it was read")]
    Shifted,
    /// The list has too many pages.
    #[error("the list of the hub has more than {0} pages")]
    TooManyPages(usize),
    /// It was read from the hub's database.
    #[error("a database says who was there, and not who was not")]
    Copy,
    /// Certificates of this machine cannot be read.
    #[error("there are no certificates by which a hub could be known: {0}")]
    NoCertificates(String),
}

/// An answer of status 200.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) body: Bytes,
    /// The second that the header `Date` names.
    pub(crate) date: Option<EventTime>,
    /// How long the whole took.
    pub(crate) took: Duration,
}

/// Asks one hub.
#[derive(Clone)]
pub struct Client {
    address: Address,
    token: Token,
    limits: Limits,
    tls: Option<Arc<ClientConfig>>,
}

impl Client {
    /// A client of the hub at `address`.
    ///
    /// # Errors
    /// When the connection is to be encrypted and this machine has no certificates.
    pub fn new(address: Address, token: Token, limits: Limits) -> Result<Self, Problem> {
        let tls = if address.is_encrypted() { Some(Arc::new(tls()?)) } else { None };
        Ok(Self { address, token, limits, tls })
    }

    /// Its limits.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The answer to `GET` of `path`, which begins with `/hub/`, if it is one of status 200. `scope` is what the token
    /// needs for it.
    pub(crate) async fn get(&self, path: &str, accept: &'static str, scope: &'static str) -> Result<Fetched, Problem> {
        let began = Instant::now();
        let time_max = self.limits.time_max;
        let answered = timeout(time_max, self.exchange(path, accept, scope)).await;
        let (body, date) = answered.map_err(|_| Problem::TooSlow(time_max))??;
        Ok(Fetched { body, date, took: began.elapsed() })
    }

    async fn exchange(
        &self,
        path: &str,
        accept: &'static str,
        scope: &'static str,
    ) -> Result<(Bytes, Option<EventTime>), Problem> {
        let unreachable = |error: &dyn fmt::Display| Problem::Unreachable(error.to_string());
        let stream = TcpStream::connect((self.address.host(), self.address.port()));
        let stream = stream.await.map_err(|error| unreachable(&error))?;
        let request = Request::get(self.address.path(path))
            .header(HOST, self.address.authority())
            .header(USER_AGENT, concat!("hubscope/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, accept)
            // Only a JSON request to the API is answered with its errors as JSON, and never with a form.
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, self.token.0.clone())
            .body(Empty::new())
            .map_err(|error| unreachable(&error))?;
        match &self.tls {
            None => self.send(stream, request, scope).await,
            Some(config) => {
                let name = ServerName::try_from(self.address.host().to_owned()).map_err(|error| unreachable(&error))?;
                let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
                self.send(stream.map_err(|error| unreachable(&error))?, request, scope).await
            }
        }
    }

    async fn send<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        request: Request<Empty<Bytes>>,
        scope: &'static str,
    ) -> Result<(Bytes, Option<EventTime>), Problem> {
        let unreachable = |error: hyper::Error| Problem::Unreachable(error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
        let connection = EndOnDrop(tokio::spawn(async move {
            // What goes wrong here is told to whoever waits for the answer.
            let _ = connection.await;
        }));
        let answer = sender.send_request(request).await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => return Err(Problem::Redirected),
            StatusCode::UNAUTHORIZED => return Err(Problem::UnknownToken),
            StatusCode::FORBIDDEN => return Err(self.forbidden(answer.into_body(), scope).await),
            status => return Err(Problem::Status(status.as_u16())),
        }
        let date = answer.headers().get(DATE).and_then(|date| http_date(date.to_str().ok()?));
        let body = self.whole(answer.into_body()).await?;
        drop(connection);
        Ok((body, date))
    }

    /// A hub answers 403 to a token that it does not know, too; then it names no scope.
    async fn forbidden(&self, body: hyper::body::Incoming, scope: &'static str) -> Problem {
        let said = self.whole(body).await.unwrap_or_default();
        let names_scopes = String::from_utf8_lossy(&said).contains("scope");
        if names_scopes { Problem::NoScope(scope) } else { Problem::UnknownToken }
    }

    async fn whole(&self, body: hyper::body::Incoming) -> Result<Bytes, Problem> {
        let bytes_max = self.limits.body_bytes_max;
        match Limited::new(body, bytes_max).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Problem::TooLarge(bytes_max)),
            Err(error) => Err(Problem::Unreachable(error.to_string())),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.address).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Ends the task of a connection with the request that it is for.
struct EndOnDrop(tokio::task::JoinHandle<()>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The certificates that this machine trusts.
fn tls() -> Result<ClientConfig, Problem> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(loaded.certs);
    if added == 0 {
        let errors: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
        return Err(Problem::NoCertificates(errors.join("; ")));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Problem::NoCertificates(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// `Sat, 21 Nov 2026 00:36:47 GMT`, the only form in which a date may be sent today.
fn http_date(text: &str) -> Option<EventTime> {
    let civil = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    let timestamp = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(EventTime::from_micros(timestamp.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(
            http_date("Sat, 21 Nov 2026 00:36:47 GMT").map(|time| time.to_string()).as_deref(),
            Some("2026-11-21T00:36:47.000000Z")
        );
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn a_token_shows_nothing() {
        assert_eq!(format!("{:?}", Token::new("secret").unwrap()), "***");
        assert_eq!(Token::new("  "), None);
        assert_eq!(Token::new("a\nb"), None);
    }
}
