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
use crate::reading::{Reading, Seen, Users};

/// A server's activity is told again when it is so much later: hubs learn of it every five minutes.
const ACTIVITY_STEP: Micros = Micros::from_secs(300);

/// Everything is told anew so often, so that what is kept rests on no poll that is older.
const FULL_INTERVAL: Micros = Micros::from_hours(1);

/// What was told of a hub so far.
#[derive(Debug, Default)]
pub struct Watch {
    servers: BTreeMap<(String, String), Seen>,
    full_last: Option<EventTime>,
    polled_last: Option<EventTime>,
    users: HashMap<String, Option<EventTime>>,
    users_full_last: Option<EventTime>,
    listed_last: Option<EventTime>,
    process: Option<Process>,
    pending: Option<Pending>,
}

#[derive(Debug)]
enum Pending {
    Servers { told: BTreeMap<(String, String), Seen>, at: EventTime, is_complete: bool, is_full: bool },
    Users { told: HashMap<String, Option<EventTime>>, at: EventTime, is_complete: bool, is_full: bool },
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
                put(&mut fields, "last_activity", seen.last_activity);
                texts.push(event(schemas::SERVER_SEEN, at.after, fields));
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
        let poll = json!({
            "before": at.before.to_string(), "complete": is_complete, "full": is_full, "users": list.users.len(),
        });
        let mut texts = vec![event(schemas::USERS_POLL, at.after, poll)];
        let mut told = self.users.clone();
        for (user, activity) in &list.users {
            if is_full || told.get(user).is_none_or(|known| known != activity) {
                let mut fields = json!({"username": user});
                put(&mut fields, "last_activity", *activity);
                texts.push(event(schemas::USER_SEEN, at.after, fields));
                told.insert(user.clone(), *activity);
            }
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

/// Polls follow each other, so the next one lies after the last, however coarse the hub's clock is.
fn later(at: Between, last: Option<EventTime>) -> Between {
    let after = last.map_or(at.after, |last| at.after.max(Micros(1).after(last)));
    Between { after, before: at.before.max(after) }
}

fn differs(known: &Seen, seen: &Seen) -> bool {
    let has_moved = match (known.last_activity, seen.last_activity) {
        (Some(known), Some(seen)) => ACTIVITY_STEP <= Micros::between(known, seen),
        (known, seen) => known.is_none() && seen.is_some(),
    };
    known.started != seen.started || known.is_ready != seen.is_ready || has_moved
}

fn put(fields: &mut Value, name: &str, time: Option<EventTime>) {
    if let (Some(time), Some(fields)) = (time, fields.as_object_mut()) {
        fields.insert(name.to_owned(), time.to_string().into());
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
            let seen = Seen { started: at(*started), is_ready: true, last_activity: Some(at(*active)) };
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
            reading(60, &[("a", -10, 40), ("b", -20, -5)], None),
            reading(120, &[("a", -10, 295), ("b", 100, 100)], None),
            // A page is missing: nobody is gone.
            reading(180, &[("a", -10, 295)], Some(Problem::Shifted)),
            reading(240, &[("a", -10, 295), ("c", 200, 230)], None),
            reading(3_600, &[("a", -10, 295), ("c", 200, 230)], None),
        ] {
            polls.push(told(&mut watch, &reading).join(", "));
            watch.kept();
        }
        assert_eq!(
            polls,
            [
                "poll true true true, seen a, seen b",
                "poll true false false",
                "poll true false false, seen a, seen b",
                "poll false false false",
                "poll true false false, seen c, gone b",
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
