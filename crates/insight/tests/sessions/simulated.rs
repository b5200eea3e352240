//! Hubs that another program simulated (`tests/fixtures/hub`), which computed their truth from its sessions and never
//! from the events: where no stop is lost, every figure is met exactly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use event::{Day, EventTime};
use insight::active::{Active, Days, distinct, rolling};
use insight::measure::{By, Period, Span, by_user, lengths, peak, proven, quantiles, total};
use insight::session::{EndKnownBy, Session, Settings};
use serde_json::Value;

use crate::emitted::{fixtures, sessions, time};

struct Simulated {
    truth: Value,
    rows: Vec<(String, String, Session)>,
    begin: Day,
    days: i32,
}

impl Simulated {
    fn read(folder: &Path) -> Self {
        let truth: Value = serde_json::from_slice(&std::fs::read(folder.join("truth.json")).unwrap()).unwrap();
        let begin: Day = truth["start"].as_str().unwrap().parse().unwrap();
        let days = i32::try_from(truth["days"].as_i64().unwrap()).unwrap();
        // Sessions may run on for a while after the last day.
        let as_of = Day::from_number(begin.number() + days + 3).start();
        let rows = sessions(&folder.join("events.jsonl"), Settings::default(), as_of);
        Self { truth, rows, begin, days }
    }

    fn number(&self, name: &str) -> u64 {
        self.truth[name].as_u64().unwrap()
    }

    fn decimal(&self, name: &str) -> f64 {
        self.truth[name].as_f64().unwrap()
    }

    fn sessions(&self) -> impl Iterator<Item = &Session> + Clone {
        self.rows.iter().map(|(_, _, session)| session)
    }

    fn as_of(&self) -> EventTime {
        Day::from_number(self.begin.number() + self.days + 3).start()
    }

    /// The days on which each user started a server.
    fn active(&self) -> Vec<Active<String>> {
        let mut users: BTreeMap<String, Days> = BTreeMap::new();
        for (user, _, session) in &self.rows {
            let _ = users.entry(user.clone()).or_default().add(session.start.day(), 1);
        }
        users.iter().flat_map(|(user, days)| days.rows(user.clone())).collect()
    }
}

/// The fixtures, and the folders that `HUBSCOPE_SIMULATED` names (colons between).
fn folders() -> Vec<PathBuf> {
    let hub = fixtures().join("hub");
    let mut folders = vec![hub.clone(), hub.join("small-1"), hub.join("small-2"), hub.join("small-3")];
    folders.extend(std::env::var_os("HUBSCOPE_SIMULATED").iter().flat_map(std::env::split_paths));
    folders
}

/// The truth's floats are sums in another order, of values with six decimals.
fn agree(ours: f64, truth: f64) -> bool {
    (ours - truth).abs() <= 1e-9 * truth.abs().max(1.0)
}

#[test]
fn with_no_stop_lost_every_figure_is_exact() {
    for folder in folders() {
        let hub = Simulated::read(&folder);
        let told = folder.display();
        assert_eq!(hub.rows.len() as u64, hub.number("sessions"), "{told}");
        assert!(hub.sessions().all(|session| session.end_known_by == EndKnownBy::Stop), "{told}");
        assert!(hub.sessions().all(|session| session.flags.bits() == 0), "{told}");

        let hours = total(hub.sessions(), Period::ALWAYS, hub.as_of());
        assert!(hours.low == hours.high && hours.low == hours.point, "{told}");
        assert!(agree(hours.point as f64 / 3.6e9, hub.decimal("hours")), "{told}: {hours:?}");
        assert!(agree(hours.point as f64 / 1e6 / hub.rows.len() as f64, hub.decimal("mean_s")), "{told}");
        let share = proven(hub.sessions(), Period::ALWAYS, hub.as_of());
        assert_eq!(share.part, share.whole, "{told}");
        let median = quantiles(lengths(hub.sessions(), hub.as_of()), &[1], 2)[0].unwrap();
        assert!(agree(median.seconds(), hub.decimal("median_s")), "{told}: {median:?}");

        for by in [By::Low, By::Point, By::High] {
            let most = peak(hub.sessions().map(|row| Span::of(row, by, hub.as_of())), Period::ALWAYS).unwrap();
            assert_eq!(most.count, hub.number("peak_concurrent"), "{told}");
            assert_eq!(most.at, time(hub.truth["peak_at"].as_str().unwrap()), "{told}");
        }

        let active = hub.active();
        let end = Day::from_number(hub.begin.number() + hub.days);
        assert_eq!(distinct(&active, hub.begin..end), hub.number("users_seen"), "{told}");
        for (name, width) in [("dau", 1), ("wau", 7), ("mau", 30)] {
            let counts = rolling(&active, width, hub.begin..end);
            for (count, number) in counts.into_iter().zip(hub.begin.number()..) {
                let day = Day::from_number(number);
                assert_eq!(count, hub.truth[name][day.to_string()].as_u64().unwrap(), "{told}: {name} {day}");
            }
        }

        check_people(&hub);
    }
}

fn check_people(hub: &Simulated) {
    const WEEKS: i32 = 4;
    const HOURS_A_WEEK: i128 = 8;
    let end = Day::from_number(hub.begin.number() + hub.days / 7 * 7);
    let begin = Day::from_number(end.number() - WEEKS * 7);
    let period = Period { begin: begin.start(), end: end.start() };
    let people = || hub.rows.iter().map(|(user, _, session)| (user.as_str(), session));
    let regular = by_user(people(), period, hub.as_of());
    let enough = HOURS_A_WEEK * i128::from(WEEKS) * 3_600_000_000;
    let regular = regular.values().filter(|hours| hours.low >= enough).count() as u64;
    assert_eq!(regular, hub.number("regular_users_8h_week_last4"));

    let Some(each) = hub.truth["per_user"].as_object() else { return };
    let hours = by_user(people(), Period::ALWAYS, hub.as_of());
    assert_eq!(hours.len(), each.len());
    for (user, truth) in each {
        let count = people().filter(|(name, _)| name == user).count() as u64;
        assert_eq!(count, truth["sessions"].as_u64().unwrap(), "{user}");
        assert!(agree(hours[user.as_str()].point as f64 / 1e6, truth["seconds"].as_f64().unwrap()), "{user}");
    }
}

#[test]
fn with_stops_lost_the_truth_lies_within_the_bounds() {
    let folders = [fixtures().join("hub/lossy")].into_iter();
    let more = std::env::var_os("HUBSCOPE_SIMULATED_LOSSY");
    for folder in folders.chain(more.iter().flat_map(std::env::split_paths)) {
        let hub = Simulated::read(&folder);
        // Every start was heard.
        assert_eq!(hub.rows.len() as u64, hub.number("sessions"));
        let hours = total(hub.sessions(), Period::ALWAYS, hub.as_of());
        let truth = hub.decimal("hours") * 3.6e9;
        assert!(hours.low as f64 <= truth && truth <= hours.high as f64, "{hours:?} {truth}");
        assert!(hours.low < hours.high);
        let count = |by| peak(hub.sessions().map(|row| Span::of(row, by, hub.as_of())), Period::ALWAYS).unwrap().count;
        let most = hub.number("peak_concurrent");
        assert!(count(By::Low) <= most && most <= count(By::High));
        // Stops are lost by chance, so those that were not tell the median.
        let median = quantiles(lengths(hub.sessions(), hub.as_of()), &[1], 2)[0].unwrap().seconds();
        let truth = hub.decimal("median_s");
        assert!((median / truth - 1.0).abs() < 0.15, "{median} {truth}");
        let share = proven(hub.sessions(), Period::ALWAYS, hub.as_of());
        assert!(share.part < share.whole);
    }
}
