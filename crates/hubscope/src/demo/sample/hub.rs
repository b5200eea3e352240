//! A simulated `JupyterHub` of forty people, as `jupyter_events` writes its server actions.

use event::{Day, EventTime};

use super::random::{HOURS, Random, Weighted};

const SEED: u64 = 0x0068_7562;
/// When the hub began: early enough for the range with which the demo opens.
const BEGAN: &str = "2024-06-03";
/// So many people came in the first weeks, the others one by one.
const FIRST_PEOPLE: usize = 22;
/// Days between two of the first people, and between two of the others.
const JOIN_EVERY: [i32; 2] = [1, 36];
/// How busy each month is, in percent: a university has terms.
const MONTHS: [u32; 12] = [85, 100, 95, 90, 100, 75, 45, 35, 70, 100, 100, 65];
const MINUTE: i64 = 60_000_000;

const PEOPLE: [&str; 40] = [
    "ada",
    "alan",
    "barbara",
    "benoit",
    "carl",
    "caroline",
    "cecilia",
    "claude",
    "donald",
    "dorothy",
    "edsger",
    "emmy",
    "euclid",
    "evariste",
    "florence",
    "frances",
    "george",
    "gottfried",
    "grace",
    "hedy",
    "henri",
    "hypatia",
    "isaac",
    "johannes",
    "john",
    "joseph",
    "katherine",
    "kurt",
    "leonhard",
    "margaret",
    "maria",
    "maryam",
    "niels",
    "pierre",
    "rosalind",
    "sofia",
    "sophie",
    "srinivasa",
    "tycho",
    "vera",
];
/// Every so many-th person also has a named server.
const NAMED_SERVER_EVERY: usize = 8;
/// Servers of which no stop is ever seen, in a hundred: culled from outside, killed, or gone with the hub.
const LOST_PERCENT: u32 = 8;

/// The server starts and stops before `now`, one JSON object a line, in order of time. A person's day is the same
/// whenever the demo is started; what lies after `now` has not happened yet, so that servers are running.
pub(crate) fn hub_events(now: EventTime) -> Vec<u8> {
    let mut actions = Vec::new();
    let today = now.day();
    let began = BEGAN.parse().unwrap_or(today);
    for day in (began.number()..=today.number()).map(Day::from_number) {
        let here = PEOPLE.into_iter().enumerate().filter(|(place, _)| joined(*place, began) <= day);
        for (place, person) in here {
            person_day(place, person, day, &mut actions);
        }
    }
    actions.retain(|action| action.time <= now);
    actions.sort_unstable();
    let mut text = String::with_capacity(actions.len() * 250);
    for action in &actions {
        action.write(&mut text);
    }
    text.into_bytes()
}

/// One line; ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Action {
    time: EventTime,
    person: &'static str,
    server: &'static str,
    kind: &'static str,
}

impl Action {
    fn write(&self, out: &mut String) {
        // `jupyter_events` writes an offset and a `Z` after it.
        let time = self.time.to_string();
        let time = time.strip_suffix('Z').unwrap_or(&time);
        out.push_str("{\"__timestamp__\": \"");
        out.push_str(time);
        out.push_str(
            "+00:00Z\", \"__schema__\": \"https://schema.jupyter.org/jupyterhub/events/server-action\", \
             \"__schema_version__\": \"1\", \"__metadata_version__\": 1, \"action\": \"",
        );
        out.push_str(self.kind);
        out.push_str("\", \"username\": \"");
        out.push_str(self.person);
        out.push_str("\", \"servername\": \"");
        out.push_str(self.server);
        out.push_str("\"}\n");
    }
}

/// From when on a person is there.
fn joined(place: usize, began: Day) -> Day {
    let [first_step, later_step] = JOIN_EVERY;
    let steps = |places: usize, step: i32| i32::try_from(places).unwrap_or(0) * step;
    let later = place.saturating_sub(FIRST_PEOPLE);
    Day::from_number(began.number() + steps(place.min(FIRST_PEOPLE), first_step) + steps(later, later_step))
}

/// What one person does on one day.
fn person_day(place: usize, person: &'static str, day: Day, actions: &mut Vec<Action>) {
    let mut random = Random::new(SEED, (place as u64) << 32 | u64::from(day.number().unsigned_abs()));
    // Some come almost daily, some now and then; weekends are quiet.
    let habit = 25 + u32::try_from(place * 37 % 65).unwrap_or(0);
    let weekend = (day.number() + 3).rem_euclid(7) >= 5;
    let month =
        usize::try_from(day.date().month() - 1).ok().and_then(|month| MONTHS.get(month)).copied().unwrap_or(100);
    let habit = habit * month / 100;
    if !random.chance(if weekend { habit / 5 } else { habit }) {
        return;
    }
    session(person, "", day, &mut random, actions);
    if place.is_multiple_of(NAMED_SERVER_EVERY) && random.chance(30) {
        session(person, "gpu", day, &mut random, actions);
    }
}

/// A server from start to stop, if its stop is seen.
fn session(person: &'static str, server: &'static str, day: Day, random: &mut Random, actions: &mut Vec<Action>) {
    let hours = Weighted::new((0..24).map(|hour: i64| (hour, working_hour(hour))));
    let hour = hours.draw(random).copied().unwrap_or(12);
    let start = day.start().micros() + hour * 60 * MINUTE + i64::from(random.below(3_600_000_000));
    let minutes = 20 + i64::from(random.below(100)) + i64::from(random.below(280));
    let stop = start + minutes * MINUTE + i64::from(random.below(60_000_000));
    let mut act = |micros, kind| actions.push(Action { time: EventTime::from_micros(micros), person, server, kind });
    act(start, "start");
    if !random.chance(LOST_PERCENT) {
        act(stop, "stop");
    }
}

/// Most start in the morning or after lunch; nearly none at night.
fn working_hour(hour: i64) -> u32 {
    let weight = usize::try_from(hour).ok().and_then(|hour| HOURS.get(hour).copied()).unwrap_or(0);
    if (7..20).contains(&hour) { weight } else { weight / 12 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, hour: i64) -> EventTime {
        EventTime::from_micros(text.parse::<Day>().unwrap().start().micros() + hour * 60 * MINUTE)
    }

    #[test]
    fn history_ends_now_in_order_and_repeats() {
        let now = at("2024-11-20", 15);
        let text = String::from_utf8(hub_events(now)).unwrap();
        assert_eq!(text.as_bytes(), hub_events(now));
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!((800..4000).contains(&lines.len()), "{}", lines.len());
        let times: Vec<&str> = lines.iter().map(|line| line["__timestamp__"].as_str().unwrap()).collect();
        assert!(times.is_sorted());
        assert!(times.iter().all(|time| time.ends_with("+00:00Z") && *time <= "2024-11-20T15:00:00.000000+00:00Z"));
        assert!(times.first().unwrap().starts_with("2024-06-0"), "{times:?}");
        assert!(times.last().unwrap().starts_with("2024-11-20"));
        let starts = lines.iter().filter(|line| line["action"] == "start").count();
        assert!(starts > lines.len() - starts, "some stops are lost, some servers run");
        assert!(lines.iter().any(|line| line["servername"] == "gpu"));
    }

    /// A later demo tells the same of the days that both know.
    #[test]
    fn the_past_does_not_change() {
        let earlier = String::from_utf8(hub_events(at("2026-11-20", 15))).unwrap();
        let later = String::from_utf8(hub_events(at("2026-11-21", 9))).unwrap();
        let of_the_week = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.contains("\"2026-11-1")).map(str::to_owned).collect()
        };
        assert!(!of_the_week(&earlier).is_empty());
        assert_eq!(of_the_week(&earlier), of_the_week(&later));
    }
}
