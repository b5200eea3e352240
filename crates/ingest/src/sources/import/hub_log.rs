//! A hub's own log, read for what it says of servers: the history from before events were kept.
//!
//! `JupyterHub` logs each start and stop since its first releases, in nearly the same words. A line begins
//! `[I 2026-11-21 00:36:47.295 JupyterHub base:1090]`, in colour on a terminal, behind a prefix where a container's
//! runtime adds one, or as a whole in the field of a JSON object where a cloud keeps logs. Its time is the hub's local
//! one, so an hour comes twice when clocks are set back; lines are in order, which tells the two apart.
//!
//! A log says less than events do in one point: the line of a stop does not name the server. It says more in another:
//! it tells of servers that the hub found dead. What it says of spawns that begin or fail is no matter of sessions.

use event::EventTime;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A longer line is none that we look for; this bounds what is parsed of JSON.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Fields of JSON objects that hold the line: Google's export, other exports of text, Docker's json-file, and the
/// usual name of structured logs.
const WRAPPERS: [&str; 4] = ["textPayload", "message", "log", "msg"];

/// Something that a hub logged about servers.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// When.
    pub at: EventTime,
    /// What.
    pub what: What,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A server is up.
    Started {
        /// `user`, or `user:server` for a named server: see [`user_and_server`].
        server: String,
        /// How long its spawn took, in milliseconds.
        spawn_ms: u64,
    },
    /// One of the user's servers stopped; the log does not say which.
    Stopped {
        /// Whose.
        user: String,
    },
    /// The hub found one of the user's servers dead; no event tells of that.
    Died {
        /// Whose.
        user: String,
    },
    /// The hub is up.
    HubStarted,
    /// The hub goes down and stops every server.
    HubStopsServers,
}

/// Reads the lines of one log, in order.
#[derive(Debug)]
pub struct HubLog {
    zone: TimeZone,
    last: Option<EventTime>,
}

impl HubLog {
    /// A log of a hub whose clock shows `zone`.
    pub fn new(zone: TimeZone) -> Self {
        Self { zone, last: None }
    }

    /// What a line says of servers, if it does.
    pub fn read(&mut self, line: &[u8]) -> Option<Logged> {
        if line.len() > LINE_BYTES_MAX {
            return None;
        }
        let text = std::str::from_utf8(line).ok()?;
        let unwrapped;
        let text = match text.trim_start().starts_with('{') {
            true => {
                unwrapped = unwrap(text)?;
                unwrapped.as_str()
            }
            false => text,
        };
        let (clock, message) = split(text)?;
        let at = self.instant(clock)?;
        self.last = self.last.max(Some(at));
        Some(Logged { at, what: what(message.trim_end())? })
    }

    /// The instant at which the clock showed that: of two, the first that does not lie before the last line.
    fn instant(&self, clock: DateTime) -> Option<EventTime> {
        let ambiguous = self.zone.to_ambiguous_zoned(clock);
        let micros = |zoned: jiff::Zoned| EventTime::from_micros(zoned.timestamp().as_microsecond());
        let earlier = micros(ambiguous.clone().earlier().ok()?);
        let later = micros(ambiguous.later().ok()?);
        let is_past = self.last.is_some_and(|last| earlier < last && last <= later);
        Some(if is_past { later } else { earlier })
    }
}

/// The user and the server (empty: the default one) of a [`What::Started`].
///
/// Names of servers hold no colon; a user's may, and then the default server of `a:b` reads like the server `b` of `a`.
/// `is_user` tells who is a user.
pub fn user_and_server(server: &str, is_user: impl Fn(&str) -> bool) -> (&str, &str) {
    if is_user(server) {
        return (server, "");
    }
    server.rsplit_once(':').unwrap_or((server, ""))
}

/// The line within a JSON object.
fn unwrap(text: &str) -> Option<String> {
    use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _};

    let value: sonic_rs::Value = sonic_rs::from_str(text).ok()?;
    let object = value.as_object()?;
    WRAPPERS.iter().find_map(|name| object.get(name)?.as_str().map(str::to_owned))
}

/// The clock and the message of a hub's line.
fn split(text: &str) -> Option<(DateTime, &str)> {
    const CLOCK: &str = "2026-11-21 00:36:47.295";
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        rest = &rest[open + 1..];
        // Level, blank, clock, blank, the logger's name and place.
        let level = rest.as_bytes().first().is_some_and(u8::is_ascii_uppercase);
        let Some(head) = rest.get(1..).filter(|_| level) else { continue };
        let Some(clock) = head.strip_prefix(' ').and_then(|head| head.get(..CLOCK.len())) else { continue };
        let Ok(clock_) = DateTime::strptime("%Y-%m-%d %H:%M:%S%.f", clock) else { continue };
        let name = &head[1 + CLOCK.len()..];
        let (name, message) = name.strip_prefix(' ')?.split_once(']')?;
        // What ends the colour stands before the blank.
        let (_, message) = message.split_once(' ')?;
        return name.starts_with("JupyterHub").then_some((clock_, message));
    }
    None
}

fn what(message: &str) -> Option<What> {
    if message.starts_with("JupyterHub is now running") {
        return Some(What::HubStarted);
    }
    if message.starts_with("Cleaning up single-user servers") {
        return Some(What::HubStopsServers);
    }
    // A name may hold any words, so what follows it is looked for from the end.
    let about = message.strip_prefix("User ")?;
    if let Some(took) = about.strip_suffix(" seconds to start") {
        let (name, seconds) = took.rsplit_once(" took ")?;
        // Releases before named servers said so of the server.
        let server = name.strip_suffix(" server").unwrap_or(name).to_owned();
        return Some(What::Started { server, spawn_ms: milliseconds(seconds)? });
    }
    if let Some(took) = about.strip_suffix(" seconds to stop") {
        let (name, seconds) = took.rsplit_once(" server took ")?;
        milliseconds(seconds)?;
        return Some(What::Stopped { user: name.to_owned() });
    }
    let (user, _) = about.split_once(" server stopped, with exit code: ")?;
    Some(What::Died { user: user.to_owned() })
}

/// Of seconds with three decimals.
fn milliseconds(seconds: &str) -> Option<u64> {
    let (whole, thousandths) = seconds.split_once('.')?;
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if thousandths.len() != 3 || !is_number(whole) || !is_number(thousandths) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(1_000)?.checked_add(thousandths.parse().ok()?)
}
