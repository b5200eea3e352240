//! What changed since the poll before, as texts of events.
//!
//! A poll is kept whole or not at all, and only then is the next one compared with it: [`Watch::servers`] says what is
//! to be kept, [`Watch::kept`] that it was.

use std::collections::{BTreeMap, HashMap};

use event::{EventTime, schemas};
use insight::session::{Between, Micros};
use serde_json::{Map, Value, json};

use crate::client::Problem;
use crate::metrics::Process;
use crate::reading::{Account, Chosen, Reading, Seen, Users};

/// A server's activity is told again when it falls into another stretch of this length, counted from 1970 on: hubs
/// learn of it every five minutes.
const ACTIVITY_STEP: Micros = Micros::from_secs(300);

/// Users are counted who were active within so long before a list, as the hub's own gauge counts them: the name of each
/// as a property of the list begins with `active`, that of the gauge with `gauge`.
pub(crate) const WINDOWS: [(&str, Micros); 3] =
    [("24h", Micros::from_hours(24)), ("7d", Micros::from_hours(7 * 24)), ("30d", Micros::from_hours(30 * 24))];

/// Everything is told anew so often, so that what is kept rests on no poll that is older.
const FULL_INTERVAL: Micros = Micros::from_hours(1);

/// What was told of a hub so far.
#[derive(Debug, Default)]
pub struct Watch {
    servers: BTreeMap<(String, String), Seen>,
    full_last: Option<EventTime>,
    polled_last: Option<EventTime>,
    users: HashMap<String, Account>,
    users_full_last: Option<EventTime>,
    listed_last: Option<EventTime>,
    process: Option<Process>,
    gauge: [Option<u64>; 3],
    pending: Option<Pending>,
}

#[derive(Debug)]
enum Pending {
    Servers { told: BTreeMap<(String, String), Seen>, at: EventTime, is_complete: bool, is_full: bool },
    Users { told: HashMap<String, Account>, at: EventTime, is_complete: bool, is_full: bool },
    Process(Process),
}

impl Watch {
    /// The events of a poll of the active servers.
    pub fn servers(&mut self, reading: &Reading) -> Vec<String> {
        let at = later(reading.at, self.polled_last);
        let is_complete = reading.problem.is_none();
        let is_full = is_complete && self.full_last.is_none_or(|last| FULL_INTERVAL <= Micros::between(last, at.after));
        let mut poll = json!({
            "before": at.before.to_string(),
            "complete": is_complete,
            "full": is_full,
            "begins": self.polled_last.is_none(),
            "servers": reading.servers.len(),
        });
        if let (Some(problem), Some(fields)) = (&reading.problem, poll.as_object_mut()) {
            fields.insert("problem".to_owned(), problem.to_string().into());
        }
        let mut texts = vec![event(schemas::HUB_POLL, at.after, poll)];
        let mut told = self.servers.clone();
        for ((user, server), seen) in &reading.servers {
            let key = (user.clone(), server.clone());
            if is_full || told.get(&key).is_none_or(|known| differs(known, seen)) {
                let mut fields = json!({
                    "username": user, "servername": server, "started": seen.started.to_string(), "ready": seen.is_ready,
                });
                put(&mut fields, "last_activity", seen.last_activity.map(|time| time.to_string()));
                texts.push(event(schemas::SERVER_SEEN, at.after, fields));
                let is_told =
                    told.get(&key).is_some_and(|known| known.started == seen.started && known.chosen == seen.chosen);
                texts.extend(
                    chosen(&key, seen)
                        .filter(|_| !is_told)
                        .map(|fields| event(schemas::SERVER_CHOSEN, at.after, fields)),
                );
                told.insert(key, seen.clone());
            }
        }
        if is_complete {
            let gone: Vec<_> = told.keys().filter(|key| !reading.servers.contains_key(*key)).cloned().collect();
            for key in gone {
                let (user, server) = &key;
                let fields = json!({"username": user, "servername": server});
                texts.push(event(schemas::SERVER_GONE, at.after, fields));
                told.remove(&key);
            }
        }
        self.pending = Some(Pending::Servers { told, at: at.after, is_complete, is_full });
        texts
    }

    /// The events of a list of all users.
    pub fn users(&mut self, list: &Users) -> Vec<String> {
        let at = later(list.at, self.listed_last);
        let is_complete = list.problem.is_none();
        let is_full = is_complete && self.users_full_last.is_none();
        let mut poll = json!({
            "before": at.before.to_string(), "complete": is_complete, "full": is_full, "users": list.users.len(),
        });
        if let Some(fields) = poll.as_object_mut().filter(|_| is_complete) {
            for ((name, window), gauge) in WINDOWS.into_iter().zip(self.gauge) {
                let since = window.before(at.after);
                let is_active = |user: &&Account| user.last_activity.is_some_and(|activity| since <= activity);
                let active = list.users.values().filter(is_active).count();
                fields.insert(format!("active_{name}"), active.into());
                fields.extend(gauge.map(|gauge| (format!("gauge_{name}"), gauge.into())));
            }
        }
        let mut texts = vec![event(schemas::USERS_POLL, at.after, poll)];
        let tells_more = |account: &Account| account.created.is_some() || account.groups.is_some();
        if list.users.values().any(tells_more) {
            let poll = json!({"complete": is_complete, "users": list.users.len()});
            texts.push(event(schemas::ACCOUNTS_POLL, at.after, poll));
        }
        let mut told = self.users.clone();
        for (user, account) in &list.users {
            let known = told.get(user).filter(|_| !is_full);
            if known.is_none_or(|known| known.last_activity != account.last_activity) {
                let mut fields = json!({"username": user});
                put(&mut fields, "last_activity", account.last_activity.map(|time| time.to_string()));
                texts.push(event(schemas::USER_SEEN, at.after, fields));
            }
            let is_other =
                known.is_none_or(|known| (known.created, &known.groups) != (account.created, &account.groups));
            if is_other && tells_more(account) {
                let mut fields = json!({"username": user});
                put(&mut fields, "created", account.created.map(|time| time.to_string()));
                put(&mut fields, "groups", account.groups.clone());
                texts.push(event(schemas::ACCOUNT_SEEN, at.after, fields));
            }
            told.insert(user.clone(), account.clone());
        }
        self.pending = Some(Pending::Users { told, at: at.after, is_complete, is_full });
        texts
    }

    /// The event of a process of the hub that is another one than before, or of which more is known now.
    pub(crate) fn process(&mut self, process: Process) -> Option<String> {
        let is_known = self.process.is_some_and(|known| {
            // What was found out when it was up is not undone by the servers that start later.
            known.began == process.began && (known.has_none || !process.has_none || !self.is_fresh(process))
        });
        if is_known {
            return None;
        }
        // Of a process that has been up for long, no server may run now although some ran when it came.
        let kept = if process.has_none && self.is_fresh(process) { "none" } else { "unknown" };
        self.pending = Some(Pending::Process(process));
        Some(event(schemas::HUB_RESTART, process.began, json!({"kept": kept})))
    }

    /// What the hub's own gauge of active users says at present, of the last 24 hours, 7 days and 30 days.
    pub fn gauge(&mut self, gauge: [Option<u64>; 3]) {
        self.gauge = gauge;
    }

    /// Whether no poll since the process began showed a server: it has none of its predecessor's.
    fn is_fresh(&self, process: Process) -> bool {
        let has_polled_before = self.polled_last.is_some_and(|last| last < process.began);
        has_polled_before || (self.process.is_some_and(|known| known.began == process.began) && self.servers.is_empty())
    }

    /// What was last to be kept was kept.
    pub fn kept(&mut self) {
        match self.pending.take() {
            Some(Pending::Servers { told, at, is_complete, is_full }) => {
                self.servers = told;
                self.polled_last = Some(at);
                if is_complete && is_full {
                    self.full_last = Some(at);
                }
            }
            Some(Pending::Users { told, at, is_complete, is_full }) => {
                self.users = told;
                self.listed_last = Some(at);
                if is_complete && is_full {
                    self.users_full_last = Some(at);
                }
            }
            Some(Pending::Process(process)) => self.process = Some(process),
            None => {}
        }
    }
}

/// The events of what a database says. It is no part of the polls before and after it.
pub fn texts_of_database(servers: &Reading, users: &Users) -> Vec<String> {
    // A first poll would say that nobody had looked until then.
    let mut watch = Watch { polled_last: Some(EventTime::from_micros(i64::MIN)), ..Watch::default() };
    let mut texts = watch.servers(servers);
    texts.extend(watch.users(users));
    texts
}

/// The event of a poll that came to nothing, at `now`.
pub fn texts_of_failure(now: EventTime, problem: &Problem) -> Vec<String> {
    let fields = json!({
        "before": now.to_string(), "complete": false, "full": false, "begins": false, "servers": 0,
        "problem": problem.to_string(),
    });
    vec![event(schemas::HUB_POLL, now, fields)]
}

/// What was chosen for a server, if anything was.
fn chosen((user, server): &(String, String), seen: &Seen) -> Option<Value> {
    let Chosen { profile, image } = &seen.chosen;
    let mut fields = json!({"username": user, "servername": server, "started": seen.started.to_string()});
    put(&mut fields, "profile", profile.clone());
    put(&mut fields, "image", image.clone());
    (profile.is_some() || image.is_some()).then_some(fields)
}

/// Polls follow each other, so the next one lies after the last, however coarse the hub's clock is.
fn later(at: Between, last: Option<EventTime>) -> Between {
    let after = last.map_or(at.after, |last| at.after.max(Micros(1).after(last)));
    Between { after, before: at.before.max(after) }
}

fn differs(known: &Seen, seen: &Seen) -> bool {
    let stretch = |activity: EventTime| activity.micros().div_euclid(ACTIVITY_STEP.0);
    let has_moved = known.last_activity.map(stretch) < seen.last_activity.map(stretch);
    known.started != seen.started || known.is_ready != seen.is_ready || has_moved
}

fn put(fields: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(value), Some(fields)) = (value, fields.as_object_mut()) {
        fields.insert(name.to_owned(), value.into());
    }
}

fn event(schema: &str, at: EventTime, fields: Value) -> String {
    let mut text = Map::new();
    text.insert("__timestamp__".to_owned(), at.to_string().into());
    text.insert("__schema__".to_owned(), schema.into());
    text.insert("__schema_version__".to_owned(), "1".into());
    text.insert("__metadata_version__".to_owned(), 1.into());
    if let Value::Object(fields) = fields {
        text.extend(fields);
    }
    Value::Object(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> EventTime {
        EventTime::from_micros(seconds * 1_000_000)
    }

    fn reading(seconds: i64, servers: &[(&str, i64, i64)], problem: Option<Problem>) -> Reading {
        let seen = |(name, started, active): &(&str, i64, i64)| {
            let (started, last_activity) = (at(*started), Some(at(*active)));
            let seen = Seen { started, is_ready: true, last_activity, chosen: Chosen::default() };
            (((*name).to_owned(), String::new()), seen)
        };
        let between = Between { after: at(seconds), before: at(seconds + 1) };
        Reading { at: between, servers: servers.iter().map(seen).collect(), problem }
    }

    /// The events of a poll in short: schema's last word and user.
    fn told(watch: &mut Watch, reading: &Reading) -> Vec<String> {
        let short = |text: &String| {
            let event: Value = serde_json::from_str(text).unwrap();
            let schema = event["__schema__"].as_str().unwrap().rsplit('-').next().unwrap().to_owned();
            match event["username"].as_str() {
                Some(user) => format!("{schema} {user}"),
                None => format!("{schema} {} {} {}", event["complete"], event["full"], event["begins"]),
            }
        };
        watch.servers(reading).iter().map(short).collect()
    }

    #[test]
    fn only_changes_are_told_and_now_and_then_everything() {
        let mut watch = Watch::default();
        let mut polls = Vec::new();
        for reading in [
            reading(0, &[("a", -10, -5), ("b", -20, -5)], None),
            reading(60, &[("a", -10, 40), ("b", -20, -15)], None),
            reading(120, &[("a", -10, 110), ("b", 100, 100)], None),
            // A page is missing: nobody is gone.
            reading(180, &[("a", -10, 110)], Some(Problem::Shifted)),
            reading(240, &[("a", -10, 220), ("c", 200, 230)], None),
            reading(305, &[("a", -10, 301), ("c", 200, 299)], None),
            reading(3_600, &[("a", -10, 301), ("c", 200, 299)], None),
        ] {
            polls.push(told(&mut watch, &reading).join(", "));
            watch.kept();
        }
        assert_eq!(
            polls,
            [
                "poll true true true, seen a, seen b",
                "poll true false false, seen a",
                "poll true false false, seen b",
                "poll false false false",
                "poll true false false, seen c, gone b",
                "poll true false false, seen a",
                "poll true true false, seen a, seen c",
            ]
        );
    }

    #[test]
    fn what_was_not_kept_is_told_again() {
        let mut watch = Watch::default();
        let first = reading(0, &[("a", -10, -5)], None);
        assert_eq!(told(&mut watch, &first), told(&mut watch, &first));
        watch.kept();
        assert_eq!(told(&mut watch, &reading(60, &[], None)), ["poll true false false", "gone a"]);
        assert_eq!(told(&mut watch, &reading(120, &[], None)), ["poll true false false", "gone a"]);
    }

    #[test]
    fn a_list_counts_who_was_active_beside_the_hubs_own_gauge() {
        const DAY: i64 = 86_400;
        let list = |problem| {
            let users = [("a", Some(at(-DAY))), ("b", Some(at(-DAY - 1))), ("c", Some(at(-7 * DAY))), ("d", None)];
            let account = |last_activity| Account { last_activity, ..Account::default() };
            let users = users.map(|(name, activity)| (name.to_owned(), account(activity))).into();
            Users { at: Between { after: at(0), before: at(1) }, users, problem }
        };
        let counts = |watch: &mut Watch, problem| -> Vec<Option<u64>> {
            let told: Value = serde_json::from_str(&watch.users(&list(problem))[0]).unwrap();
            let names = ["active_24h", "active_7d", "active_30d", "gauge_24h", "gauge_7d", "gauge_30d"];
            names.map(|name| told[name].as_u64()).into()
        };
        let mut watch = Watch::default();
        assert_eq!(counts(&mut watch, None), [Some(1), Some(3), Some(3), None, None, None]);
        watch.gauge([Some(2), Some(5), None]);
        assert_eq!(counts(&mut watch, None), [Some(1), Some(3), Some(3), Some(2), Some(5), None]);
        assert_eq!(counts(&mut watch, Some(Problem::Shifted)), [None; 6]);
        watch.gauge([None; 3]);
        assert_eq!(counts(&mut watch, None), [Some(1), Some(3), Some(3), None, None, None]);
    }

    #[test]
    fn an_account_is_told_again_when_groups_change_and_its_user_is_not() {
        let mut watch = Watch::default();
        let mut told = |groups: Option<&[&str]>| {
            let groups = groups.map(|groups| groups.iter().map(|group| (*group).to_owned()).collect());
            let account = Account { last_activity: None, created: Some(at(7)), groups };
            let users = [("a".to_owned(), account)].into();
            let texts = watch.users(&Users { at: Between { after: at(10), before: at(11) }, users, problem: None });
            watch.kept();
            let schema =
                |text: &String| text.split("schema.hubscope/").nth(1).unwrap().split('"').next().unwrap().to_owned();
            let schemas = texts.iter().map(schema).collect::<Vec<_>>().join(", ");
            let account = texts.iter().find(|text| text.contains("account-seen")).map(|text| {
                let event: Value = serde_json::from_str(text).unwrap();
                assert_eq!(event["created"], at(7).to_string());
                event["groups"].to_string()
            });
            (schemas, account)
        };
        let first = "users-poll, accounts-poll, user-seen, account-seen";
        assert_eq!(told(None), (first.to_owned(), Some("null".to_owned())));
        let (quiet, other) = ("users-poll, accounts-poll", "users-poll, accounts-poll, account-seen");
        assert_eq!(told(None), (quiet.to_owned(), None));
        assert_eq!(told(Some(&[])), (other.to_owned(), Some("[]".to_owned())));
        assert_eq!(told(Some(&["bio", "chem"])), (other.to_owned(), Some("[\"bio\",\"chem\"]".to_owned())));
        assert_eq!(told(Some(&["bio", "chem"])), (quiet.to_owned(), None));
    }

    #[test]
    fn a_process_is_told_once_and_of_none_only_if_it_is_new() {
        let process = |began, has_none| Process { began: at(began), has_none };
        let kept = |text: Option<String>| text.map(|text| if text.contains("\"none\"") { "none" } else { "unknown" });
        let mut watch = Watch::default();
        // It was up before we were.
        assert_eq!(kept(watch.process(process(-1_000, true))), Some("unknown"));
        watch.kept();
        assert_eq!(kept(watch.process(process(-1_000, true))), None);
        watch.servers(&reading(0, &[("a", -10, -5)], None));
        watch.kept();
        assert_eq!(kept(watch.process(process(30, true))), Some("none"));
        watch.kept();
        assert_eq!(kept(watch.process(process(30, false))), None);
        assert_eq!(kept(watch.process(process(90, false))), Some("unknown"));
    }
}
