//! The lists of a hub, read page by page.

use std::collections::BTreeMap;
use std::time::Duration;

use event::EventTime;
use insight::session::{Between, Listing};
use serde::Deserialize;

use crate::client::{Client, Fetched, Problem};

/// The media type with which a hub says whether more pages follow.
const PAGINATED: &str = "application/jupyterhub-pagination+json";

/// Users on a page: what a hub gives at most unless it is configured otherwise.
const PAGE_LIMIT: usize = 200;

/// A longer name of a profile or an image is not kept.
const CHOSEN_BYTES_MAX: usize = 500;

/// What a hub's clock may be off where it does not tell its time.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

/// A server that a hub listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Since when it runs.
    pub started: EventTime,
    /// Whether its spawn is done.
    pub is_ready: bool,
    /// Its last activity.
    pub last_activity: Option<EventTime>,
    /// What its user chose for it.
    pub chosen: Chosen,
}

/// What a user chose when a server was started, as far as spawners that let users choose call it the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The profile, `user_options.profile`.
    pub profile: Option<String>,
    /// The image, `user_options.image`.
    pub image: Option<String>,
}

/// What a hub listed of its active servers, by user and server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When, by the hub's clock.
    pub at: Between,
    /// Every server that was listed.
    pub servers: BTreeMap<(String, String), Seen>,
    /// Why the list was not read whole, if it was not: then it says who is there, and not who is not.
    pub problem: Option<Problem>,
}

/// What a hub listed of its users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    /// When, by the hub's clock.
    pub at: Between,
    /// By name.
    pub users: BTreeMap<String, Account>,
    /// As of [`Reading`].
    pub problem: Option<Problem>,
}

/// What a hub tells of a user. All but the last activity it tells to whoever may read users (`read:users`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// None: the user was never active.
    pub last_activity: Option<EventTime>,
    /// When the user was added to the hub.
    pub created: Option<EventTime>,
    /// The groups that the user is in, sorted; none where the hub does not tell.
    pub groups: Option<Vec<String>>,
}

/// A page in either form: a hub before 2.0 answers with the plain list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Page {
    Paginated {
        items: Vec<User>,
        #[serde(rename = "_pagination")]
        pagination: Pagination,
    },
    Plain(Vec<User>),
}

#[derive(Debug, Deserialize)]
struct Pagination {
    next: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    name: String,
    servers: Option<BTreeMap<String, Server>>,
    last_activity: Option<jiff::Timestamp>,
    created: Option<jiff::Timestamp>,
    groups: Option<Vec<String>>,
}

/// Of the list, a user is who bears the name: names are one a hub.
impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Server {
    started: Option<jiff::Timestamp>,
    #[serde(default)]
    ready: bool,
    #[serde(default)]
    stopped: bool,
    last_activity: Option<jiff::Timestamp>,
    #[serde(default)]
    user_options: serde_json::Value,
}

impl Chosen {
    /// Options are what the spawner makes of a form: anything. Names that are no names are let be.
    fn of(options: &serde_json::Value) -> Self {
        let name = |key: &str| {
            let name = options.get(key)?.as_str().filter(|name| !name.is_empty() && name.len() <= CHOSEN_BYTES_MAX)?;
            Some(name.to_owned())
        };
        Self { profile: name("profile"), image: name("image") }
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        let groups = user.groups.map(|mut groups| {
            groups.sort();
            groups.dedup();
            groups
        });
        Self { last_activity: user.last_activity.map(instant), created: user.created.map(instant), groups }
    }
}

/// A list as far as it was read.
struct Listed {
    at: Between,
    users: Vec<User>,
    problem: Option<Problem>,
}

impl Client {
    /// The active servers. `now` is our own time, for a hub that does not tell its own.
    ///
    /// # Errors
    /// When nothing could be read.
    pub async fn servers(&self, now: &(dyn Fn() -> EventTime + Send + Sync)) -> Result<Reading, Problem> {
        let listed = self.list("/hub/api/users?state=active&sort=id", now).await?;
        let mut problem = listed.problem;
        let mut servers = BTreeMap::new();
        for user in listed.users {
            let Some(of_user) = user.servers else {
                problem = problem.or(Some(Problem::NoScope("read:servers")));
                continue;
            };
            for (name, server) in of_user {
                let Some(started) = server.started.filter(|_| !server.stopped) else { continue };
                let seen = Seen {
                    started: instant(started),
                    is_ready: server.ready,
                    last_activity: server.last_activity.map(instant),
                    chosen: Chosen::of(&server.user_options),
                };
                servers.insert((user.name.clone(), name), seen);
            }
        }
        Ok(Reading { at: listed.at, servers, problem })
    }

    /// All users.
    ///
    /// # Errors
    /// As [`Client::servers`].
    pub async fn users(&self, now: &(dyn Fn() -> EventTime + Send + Sync)) -> Result<Users, Problem> {
        let listed = self.list("/hub/api/users?sort=id", now).await?;
        let users = listed.users.into_iter().map(|user| (user.name.clone(), user.into())).collect();
        Ok(Users { at: listed.at, users, problem: listed.problem })
    }

    /// Reads a list whole, anew if it moved meanwhile. What was read last is given when it never held still.
    async fn list(&self, path: &str, now: &(dyn Fn() -> EventTime + Send + Sync)) -> Result<Listed, Problem> {
        let mut last = None;
        for _ in 0..self.limits().attempts_max {
            let listed = self.pages(path, now).await?;
            if listed.problem != Some(Problem::Shifted) {
                return Ok(listed);
            }
            last = Some(listed);
        }
        last.ok_or(Problem::Shifted)
    }

    async fn pages(&self, path: &str, now: &(dyn Fn() -> EventTime + Send + Sync)) -> Result<Listed, Problem> {
        let mut listing = Listing::default();
        let mut between: Option<Between> = None;
        let problem = loop {
            let page = format!("{path}&offset={}&limit={PAGE_LIMIT}", listing.offset());
            let fetched = match (self.get(&page, PAGINATED, "list:users").await, between) {
                (Ok(fetched), _) => fetched,
                (Err(problem), None) => return Err(problem),
                // What was read before is true all the same.
                (Err(problem), Some(_)) => break Some(problem),
            };
            let of_page = bounds(&fetched, now());
            between = Some(
                between.map_or(of_page, |all| Between { after: all.after, before: of_page.before.max(all.after) }),
            );
            let (items, is_last) = match serde_json::from_slice(&fetched.body) {
                Ok(Page::Paginated { items, pagination }) => (items, pagination.next.is_none()),
                // It does not say whether more follow.
                Ok(Page::Plain(items)) => {
                    let _ = listing.add(items, false);
                    break Some(Problem::Malformed("it does not say whether more pages follow".to_owned()));
                }
                Err(error) if listing.offset() == 0 => return Err(Problem::Malformed(error.to_string())),
                Err(error) => break Some(Problem::Malformed(error.to_string())),
            };
            if listing.add(items, is_last).is_err() {
                break Some(Problem::Shifted);
            }
            if is_last {
                break None;
            }
            if listing.offset() >= self.limits().pages_max * PAGE_LIMIT {
                break Some(Problem::TooManyPages(self.limits().pages_max));
            }
        };
        let at = between.ok_or(Problem::Shifted)?;
        Ok(Listed { at, users: listing.into_items(), problem })
    }
}

fn instant(timestamp: jiff::Timestamp) -> EventTime {
    EventTime::from_micros(timestamp.as_microsecond())
}

/// Between which instants of the hub's clock an answer was made. It names the second in which it began to answer, which
/// lies after our request and before our end of reading.
fn bounds(fetched: &Fetched, now: EventTime) -> Between {
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    let took = micros(fetched.took);
    match fetched.date {
        Some(date) => Between {
            after: EventTime::from_micros(date.micros().saturating_sub(took)),
            before: EventTime::from_micros(date.micros().saturating_add(1_000_000).saturating_add(took)),
        },
        None => Between {
            after: EventTime::from_micros(now.micros().saturating_sub(took).saturating_sub(micros(CLOCK_SLACK))),
            before: EventTime::from_micros(now.micros().saturating_add(micros(CLOCK_SLACK))),
        },
    }
}
