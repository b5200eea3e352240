//! Our own books: how fresh, how complete, how often a hub answered, and what another culler would have saved, against
//! loops over plain values.

use std::collections::BTreeMap;

use event::{EventTime, Reason, Row};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::content::{ratios, rows};
use crate::oracle::Chance;
use crate::sandbox::{Sandbox, at, hub_poll, kernel_action, launch, refused_for, server_action, server_seen};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

fn date(micros: i64, zone: &str) -> String {
    Timestamp::from_microsecond(micros).unwrap().to_zoned(TimeZone::get(zone).unwrap()).date().to_string()
}

#[tokio::test]
async fn the_newest_event_of_each_source_has_an_age() {
    let mut sandbox = Sandbox::new().await;
    let now = at("2024-03-10T12:00:30Z");
    sandbox.clock.set(now);
    let mut newest: BTreeMap<String, i64> = BTreeMap::new();
    let mut chance = Chance::new(1);
    for _ in 0..120 {
        let hub = chance.pick(&["north", "south", "west"]);
        let received = EventTime::from_micros(now.micros() - 1 - chance.below(15 * 24 * HOUR));
        // When it happened is of no account.
        let happened = at("2024-02-01T00:00:00Z");
        let (row, schema): (Row, &str) = if chance.below(3) == 0 {
            (launch(happened, "a/b/c"), "binderhub.jupyter.org/launch")
        } else {
            (server_action(happened, "start", "ada"), "hub.jupyter.org/server-action")
        };
        sandbox.acknowledge_of(hub, received, vec![row]);
        if received >= at("2024-03-01T00:00:00Z") {
            let known = newest.entry(format!("{hub} {schema}")).or_insert(received.micros());
            *known = (*known).max(received.micros());
        }
    }
    let answer = sandbox.kpi("freshness", &[("from", "2024-03-01"), ("to", "2024-03-11")]).await.unwrap();
    let mut expected: Vec<(String, i64)> =
        newest.iter().map(|(source, received)| (source.clone(), (now.micros() - received) / MINUTE)).collect();
    expected.sort_by_key(|(source, minutes)| (std::cmp::Reverse(*minutes), source.clone()));
    let found: Vec<(String, i64)> = rows(&answer)
        .iter()
        .map(|row| (row["source"].as_str().unwrap().to_owned(), row["value"].as_i64().unwrap()))
        .collect();
    assert_eq!(found, expected);
    let least = expected.iter().map(|(_, minutes)| *minutes).min().unwrap();
    assert_eq!(answer.headline.unwrap().value, least as f64);
}

#[tokio::test]
async fn what_was_kept_aside_counts_on_the_day_that_it_came() {
    let mut sandbox = Sandbox::new().await;
    let mut chance = Chance::new(2);
    let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
    let zone = "America/St_Johns";
    for _ in 0..300 {
        let received = at("2024-02-25T00:00:00Z").micros() + chance.below(20 * 24 * HOUR);
        // Few enough for a colour of their own each.
        let reason = chance.pick(&Reason::ALL[4..10]);
        sandbox.acknowledge_at(EventTime::from_micros(received), vec![refused_for(reason, b"x")]);
        let day = date(received, zone);
        if ("2024-02-28".."2024-03-12").contains(&day.as_str()) {
            *expected.entry((day, reason.code().to_owned())).or_default() += 1;
        }
    }
    let params = [("from", "2024-02-28"), ("to", "2024-03-12"), ("zone", zone)];
    let answer = sandbox.kpi("rejects", &params).await.unwrap();
    let found: BTreeMap<(String, String), u64> = rows(&answer)
        .iter()
        .filter_map(|row| {
            let value = row["value"].as_u64().filter(|value| *value > 0)?;
            Some(((row["period"].as_str()?.to_owned(), row["reason"].as_str()?.to_owned()), value))
        })
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_hour_is_missing_where_it_is_usually_busy() {
    let mut sandbox = Sandbox::new().await;
    // A Monday; eleven weeks, the last three of which are asked about.
    let begin = at("2024-01-01T00:00:00Z").micros();
    let now = begin + 11 * 168 * HOUR - 30 * MINUTE;
    sandbox.clock.set(EventTime::from_micros(now));
    let mut chance = Chance::new(7);
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for hour in 0..11 * 168 {
        let is_busy = (8..14).contains(&(hour % 24)) && hour / 24 % 7 < 5;
        let is_lost = chance.below(5) == 0;
        let events = if is_busy && !is_lost { 8 + chance.below(8) } else { 0 };
        let times = (0..events).map(|_| begin + hour * HOUR + chance.below(HOUR)).filter(|time| *time <= now);
        let batch: Vec<Row> = times.map(|time| launch(EventTime::from_micros(time), "a/b/c")).collect();
        if !batch.is_empty() {
            counts.insert(begin / HOUR + hour, batch.len() as u64);
            sandbox.acknowledge(batch);
        }
    }
    let zone = "Asia/Kathmandu";
    let params = [("from", "2024-02-26"), ("to", "2024-03-18"), ("zone", zone)];
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for hour in begin / HOUR..now / HOUR {
        let day = date(hour * HOUR, zone);
        let is_asked = ("2024-02-26".."2024-03-18").contains(&day.as_str());
        if !is_asked || counts.contains_key(&hour) {
            continue;
        }
        let mut before: Vec<u64> = (1..=8).map(|week| counts.get(&(hour - 168 * week)).copied().unwrap_or(0)).collect();
        before.sort_unstable();
        if (before[3] + before[4]) as f64 / 2.0 > 10.0 {
            *expected.entry(day).or_default() += 1;
        }
    }
    assert!(expected.len() > 5, "{expected:?}");
    let answer = sandbox.kpi("gaps", &params).await.unwrap();
    let found: BTreeMap<String, u64> = rows(&answer)
        .iter()
        .filter_map(|row| Some((row["period"].as_str()?.to_owned(), row["value"].as_u64().filter(|n| *n > 0)?)))
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_hub_was_up_as_often_as_it_answered() {
    let mut sandbox = Sandbox::new().await;
    let mut chance = Chance::new(8);
    let zone = "Europe/Berlin";
    let mut expected: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut time = at("2024-03-29T20:00:00Z").micros();
    while time < at("2024-04-02T03:00:00Z").micros() {
        let is_complete = chance.below(10) > 0;
        sandbox.acknowledge(vec![hub_poll(EventTime::from_micros(time), is_complete)]);
        let day = date(time, zone);
        if ("2024-03-30".."2024-04-02").contains(&day.as_str()) {
            let of_day = expected.entry(day).or_default();
            of_day.0 += u64::from(is_complete);
            of_day.1 += 1;
        }
        time += chance.pick(&[20, 60, 130]) * MINUTE;
    }
    // What notebook servers tell says nothing of the hub.
    sandbox.acknowledge(vec![kernel_action(at("2024-03-31T12:00:00Z"), "start", None, None)]);
    let params = [("from", "2024-03-30"), ("to", "2024-04-02"), ("zone", zone)];
    assert_eq!(ratios(&sandbox.kpi("hub-uptime", &params).await.unwrap()), expected);
}

/// A session and the instants at which somebody did something in it.
struct Visit {
    start: i64,
    end: i64,
    activity: Vec<i64>,
}

#[tokio::test]
async fn another_culler_would_have_saved_what_a_replay_says() {
    let mut sandbox = Sandbox::new().await;
    let mut chance = Chance::new(9);
    let mut visits = Vec::new();
    let mut told: Vec<(i64, Row)> = Vec::new();
    let instant = EventTime::from_micros;
    for user in 0..30 {
        let name = format!("user-{user}");
        let mut time = at("2024-03-01T00:00:00Z").micros() + chance.below(48 * HOUR);
        for _ in 0..4 {
            let start = time;
            let mut activity = Vec::new();
            told.push((start, server_action(instant(start), "start", &name)));
            for _ in 0..chance.below(6) {
                time += 5 * MINUTE + chance.below(90 * MINUTE);
                activity.push(time);
                let seen = time + chance.below(MINUTE);
                told.push((seen, server_seen(instant(seen), &name, instant(start), instant(time))));
            }
            let end = time + 2 * MINUTE + chance.below(3 * HOUR);
            told.push((end, server_action(instant(end), "stop", &name)));
            visits.push(Visit { start, end, activity });
            time = end + HOUR + chance.below(20 * HOUR);
        }
    }
    told.sort_by_key(|(time, _)| *time);
    sandbox.clock.set(at("2024-03-20T00:00:00Z"));
    for (time, row) in told {
        sandbox.acknowledge_at(instant(time), vec![row]);
    }
    let (from, to) = (at("2024-03-02T00:00:00Z").micros(), at("2024-03-05T00:00:00Z").micros());
    visits.retain(|visit| (from..to).contains(&visit.start) && !visit.activity.is_empty());
    let ran: i64 = visits.iter().map(|visit| visit.end - visit.start).sum();
    for (timeout, every) in [(30, 10), (5, 1), (60, 60)] {
        // So much later than the last activity it is gone: at once, halfway to the next look, at the next look.
        let replay = |after: i64| {
            let (mut saved, mut cut_off) = (0, 0);
            for visit in &visits {
                let mut last = visit.start;
                for at in visit.activity.iter().chain([&visit.end]) {
                    saved += (at - last - after).max(0);
                    cut_off += i64::from(at - last > after && *at != visit.end);
                    last = *at;
                }
            }
            (saved as f64 / HOUR as f64, cut_off as f64)
        };
        let bounds = [(timeout + every) * MINUTE, timeout * MINUTE + every * MINUTE / 2, timeout * MINUTE].map(replay);
        let hours = ran as f64 / HOUR as f64;
        let expected = [
            ("hours that servers ran", [hours; 3]),
            ("hours saved", bounds.map(|(saved, _)| saved)),
            ("times that somebody was cut off", bounds.map(|(_, cut_off)| cut_off)),
        ];
        let (timeout, every) = (timeout.to_string(), every.to_string());
        let params = [("from", "2024-03-02"), ("to", "2024-03-05"), ("timeout", &*timeout), ("every", &*every)];
        let answer = sandbox.kpi("cull-what-if", &params).await.unwrap();
        let found = rows(&answer);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (row, (measure, values)) in found.iter().zip(expected) {
            assert_eq!(row["measure"], measure);
            for (name, value) in ["value_low", "value", "value_high"].iter().zip(values) {
                let ours = row[*name].as_f64().unwrap();
                assert!((ours - value).abs() < 1e-6, "{measure} {name}, {timeout} and {every}: {ours}, not {value}");
            }
        }
    }
}
