//! `docs/operate/why-two-numbers.md`: the hub's gauge of active users beside the question, on the same weeks. The hub's
//! side is its database kept by hand, by the rule of its metric: users who exist, last active within seven days.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use acceptance::Sandbox;

/// Times are hours since Monday 2026-03-02, 00:00 UTC.
const DAY: i64 = 24;
const WEEK: i64 = 7 * DAY;
const WEEKS: i64 = 8;
/// The week that the page shows begins on 2026-03-30.
const SHOWN: i64 = 4;

/// What became of one class of people: the hub's database and the events that it emitted.
#[derive(Default)]
struct Hub {
    /// Of each user: when active, and when deleted.
    users: BTreeMap<String, (Vec<i64>, Option<i64>)>,
    events: String,
}

impl Hub {
    fn active(&mut self, user: &str, hour: i64) {
        self.users.entry(user.to_owned()).or_default().0.push(hour);
    }

    fn server(&mut self, user: &str, action: &str, hour: i64) {
        self.active(user, hour);
        let (day, hour) = (hour.div_euclid(DAY), hour.rem_euclid(DAY));
        // March has 31 days, and eight weeks end in April.
        let (month, day) = if day < 30 { (3, day + 2) } else { (4, day - 29) };
        let time = format!("2026-{month:02}-{day:02}T{hour:02}:00:00.000000Z");
        let _ = writeln!(
            self.events,
            r#"{{"__timestamp__":"{time}","__schema__":"https://schema.jupyter.org/jupyterhub/events/server-action","__schema_version__":"1","__metadata_version__":1,"action":"{action}","username":"{user}","servername":""}}"#
        );
    }

    fn session(&mut self, user: &str, from: i64, to: i64) {
        self.server(user, "start", from);
        self.server(user, "stop", to);
    }

    /// `jupyterhub_active_users{period="7d"}` at `now`.
    fn gauge(&self, now: i64) -> usize {
        let is_active = |(active, deleted): &&(Vec<i64>, Option<i64>)| {
            let is_there = deleted.is_none_or(|deleted| now < deleted);
            let last = active.iter().filter(|hour| **hour <= now).max();
            is_there && last.is_some_and(|last| now - WEEK <= *last)
        };
        self.users.values().filter(is_active).count()
    }
}

fn classes() -> Vec<(usize, Hub)> {
    let names = |class: &str, count: usize| (0..count).map(|n| format!("{class}-{n}")).collect::<Vec<_>>();
    let mut all = Vec::new();

    let mut hub = Hub::default();
    for user in names("works", 40) {
        for day in (0..WEEKS * 7).filter(|day| day % 7 < 5) {
            hub.session(&user, day * DAY + 9, day * DAY + 17);
        }
    }
    all.push((40, hub));

    let mut hub = Hub::default();
    for user in names("keeps", 25) {
        hub.server(&user, "start", 9);
        (10..WEEKS * WEEK).for_each(|hour| hub.active(&user, hour));
    }
    all.push((25, hub));

    let mut hub = Hub::default();
    for user in names("looks", 15) {
        (0..WEEKS).for_each(|week| hub.active(&user, week * WEEK + 34));
    }
    all.push((15, hub));

    let mut hub = Hub::default();
    for user in names("token", 5) {
        (0..WEEKS * WEEK).for_each(|hour| hub.active(&user, hour));
    }
    all.push((5, hub));

    let mut hub = Hub::default();
    for week in 0..WEEKS {
        for (number, user) in names(&format!("guest-{week}"), 200).into_iter().enumerate() {
            let from = week * WEEK + 1 + number as i64 % 160;
            hub.session(&user, from, from + 2);
            hub.users.get_mut(&user).expect("a guest").1 = Some(from + 2);
        }
    }
    all.push((200, hub));

    let mut hub = Hub::default();
    for user in names("renamed", 10) {
        let later = format!("{user}-later");
        hub.session(&user, SHOWN * WEEK + 9, SHOWN * WEEK + 17);
        hub.session(&later, SHOWN * WEEK + 57, SHOWN * WEEK + 65);
        // The row stays, with another name.
        let active = hub.users.remove(&user).expect("a user").0;
        hub.users.get_mut(&later).expect("a user").0.extend(active);
    }
    all.push((10, hub));
    all
}

/// The rows of the page's table: people, gauge, question.
fn of_the_page() -> Vec<[usize; 3]> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operate/why-two-numbers.md");
    let page = fs::read_to_string(page).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim_matches(['*', ' '])).collect();
        [2, 3, 4].map(|column| cells[column].parse().expect("a number"))
    })
    .collect()
}

#[test]
fn the_page_tells_what_both_count() {
    let mut told = Vec::new();
    let mut everybody = Hub::default();
    for (people, hub) in classes() {
        told.push([people, hub.gauge((SHOWN + 1) * WEEK), asked(&hub.events)]);
        everybody.events += &hub.events;
        everybody.users.extend(hub.users);
    }
    let people = told.iter().map(|row| row[0]).sum();
    told.push([people, everybody.gauge((SHOWN + 1) * WEEK), asked(&everybody.events)]);
    assert_eq!(told, of_the_page());
}

/// What `active-users-weekly` answers for the shown week when these events were sent.
fn asked(events: &str) -> usize {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let lines: Vec<&str> = events.lines().collect();
    for lines in lines.chunks(1_000) {
        let sent = server.client().post("/api/v1/events", "application/x-ndjson", lines.join("\n").as_bytes());
        assert_eq!(sent.expect("an answer").status, 200);
    }
    let answer = server.get("/api/v1/kpis/active-users-weekly?from=2026-03-30&to=2026-04-06").json();
    let rows = answer["rows"].as_array().expect("rows");
    // Nobody watched a hub that sends nothing: then there is no number.
    rows.first().and_then(|row| row["value"].as_u64()).map_or(0, |value| usize::try_from(value).expect("a count"))
}
