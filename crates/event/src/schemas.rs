//! The schemas of which events tell of servers: those that hubs emit, and our own, of what polls and logs told.
//!
//! A *poll* of a hub is one event [`HUB_POLL`] and, for each server that changed since the poll before, one
//! [`SERVER_SEEN`] or [`SERVER_GONE`], all of the same time: the instant, by the hub's clock, before which the first
//! page was not read. A server that is not mentioned by a complete poll was listed again as it was. A *full* poll
//! mentions every server that it lists, so that one that it does not mention was not there.
//!
//! A *list of users* is one event [`USERS_POLL`] and, for each user whose last activity changed, one [`USER_SEEN`],
//! in the same manner. Where the hub tells more of users than that, one [`ACCOUNTS_POLL`] comes with it, and
//! [`ACCOUNT_SEEN`]. [`SERVER_CHOSEN`] comes with a poll when a server is new. No session rests on these three.

/// JupyterHub 1.1 to 4.
pub const SERVER_ACTION_OF_OLD: &str = "hub.jupyter.org/server-action";
/// JupyterHub 5 and later.
pub const SERVER_ACTION: &str = "https://schema.jupyter.org/jupyterhub/events/server-action";
/// A poll of the active servers of a hub: `before`, `complete`, `full`, `begins`, `servers`.
pub const HUB_POLL: &str = "schema.hubscope/hub-poll";
/// A poll listed a server: `username`, `servername`, `started`, `ready`, `last_activity`.
pub const SERVER_SEEN: &str = "schema.hubscope/server-seen";
/// A complete poll listed a server no more: `username`, `servername`.
pub const SERVER_GONE: &str = "schema.hubscope/server-gone";
/// A list of all users of a hub: `before`, `complete`, `full`, `users`; of a complete one also how many were active
/// within windows before, by the list (`active_24h`, `active_7d`, `active_30d`) and by the hub's gauge (`gauge_24h`…).
pub const USERS_POLL: &str = "schema.hubscope/users-poll";
/// A list told of a user: `username`, `last_activity`.
pub const USER_SEEN: &str = "schema.hubscope/user-seen";
/// The same list, where it told more of users: `complete`, `users`.
pub const ACCOUNTS_POLL: &str = "schema.hubscope/accounts-poll";
/// Such a list told of a user: `username`, `created`, `groups`.
pub const ACCOUNT_SEEN: &str = "schema.hubscope/account-seen";
/// A poll told what was chosen for a server: `username`, `servername`, `started`, `profile`, `image`.
pub const SERVER_CHOSEN: &str = "schema.hubscope/server-chosen";
/// The hub's process began: its time is that of the process, `kept` says what became of the servers.
pub const HUB_RESTART: &str = "schema.hubscope/hub-restart";
/// We could not hear the hub, from its time on until `to`.
pub const HUB_UNHEARD: &str = "schema.hubscope/hub-unheard";

/// A hub's own log told of a server: `what` (started, stopped, died), `username`, `servername` where it is known.
pub const SERVER_LOGGED: &str = "schema.hubscope/server-logged";

/// What hubs emit.
pub const EMITTED: [&str; 2] = [SERVER_ACTION_OF_OLD, SERVER_ACTION];

/// What polls and logs told; their events are read from `text`.
pub const WATCHED: [&str; 8] =
    [HUB_POLL, SERVER_SEEN, SERVER_GONE, USERS_POLL, USER_SEEN, HUB_RESTART, HUB_UNHEARD, SERVER_LOGGED];

/// What lists of users and polls told beside that; no session rests on them.
pub const OF_ACCOUNTS: [&str; 3] = [ACCOUNTS_POLL, ACCOUNT_SEEN, SERVER_CHOSEN];

/// All that tell of servers: [`EMITTED`] and [`WATCHED`].
pub const ALL: [&str; 10] = [
    SERVER_ACTION_OF_OLD,
    SERVER_ACTION,
    HUB_POLL,
    SERVER_SEEN,
    SERVER_GONE,
    USERS_POLL,
    USER_SEEN,
    HUB_RESTART,
    HUB_UNHEARD,
    SERVER_LOGGED,
];
