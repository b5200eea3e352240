//! Past launches, in the form of the archive's files.

use event::{Day, pyjson};

use super::random::{HOURS, Random, WEEKDAYS, Weighted};

const DAY_FIGURES: &str = include_str!("../../../assets/sample/day-2021-11-01.csv");
const WEEK_FIGURES: &str = include_str!("../../../assets/sample/weekly-launches.csv");
const REPOSITORIES: &str = include_str!("../../../assets/sample/repositories-2018.txt");
const TOP_REPOSITORIES: &str = include_str!("../../../assets/sample/top-repositories-2025.csv");

const SEED: u64 = 0x6875_6273_636f_7065;
/// One launch in so many is shown of the years.
const THINNED_BY: u64 = 100;
/// Launches of mybinder.org on 2021-11-01, and in 90 days of mid 2025: what the tables leave out of these is drawn from
/// the long tail.
const LAUNCHES_OF_THE_DAY: u32 = 32_394;
const LAUNCHES_OF_90_DAYS: u32 = 491_963;
/// The repository of rank r in the tail weighs 1 / (r + this): a long tail of which none stands out.
const TAIL_OFFSET: u32 = 20;

/// The days of the sample's archive in order, each with the bytes of its file: 2021-11-01 in full, the other days of
/// 2019-06-12 to 2025-08-13 thinned.
pub(crate) fn archive_days() -> impl Iterator<Item = (Day, Vec<u8>)> {
    let era = Era::figures();
    let minutes = Weighted::new((0..1440).map(|minute: u16| (minute, HOURS[usize::from(minute / 60)])));
    weeks().into_iter().enumerate().flat_map(move |(number, week)| {
        let mut random = Random::new(SEED, number as u64);
        let mut days = week.launches(&era, &minutes, &mut random);
        for (day, launches) in &mut days {
            if *day == full_day() {
                launches.extend(launches_of_full_day(&minutes, &mut random));
            }
            launches.sort_unstable();
        }
        days.into_iter().map(|(day, launches)| (day, file(day, &launches)))
    })
}

/// The day of which the true counts are known, and on which the thinned launches of its week are not shown.
fn full_day() -> Day {
    date(2021, 11, 1)
}

/// What is told of one launch; ordered as it stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Launch {
    minute: u16,
    repository: Repository,
    origin: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Repository {
    provider: &'static str,
    /// The spec, or its beginning.
    name: &'static str,
    /// What completes it.
    branch: &'static str,
}

/// The repositories that launches are drawn from, before and since 2023.
#[derive(Debug)]
struct Era {
    earlier: Weighted<Repository>,
    later: Weighted<Repository>,
}

impl Era {
    fn figures() -> Self {
        let day = rows(DAY_FIGURES).map(|[provider, _, name, launches]| (whole(provider, name), count(launches)));
        let top = rows(TOP_REPOSITORIES).map(|[provider, name, launches]| (whole(provider, name), count(launches)));
        Self { earlier: with_tail(day, LAUNCHES_OF_THE_DAY), later: with_tail(top, LAUNCHES_OF_90_DAYS) }
    }

    fn on(&self, day: Day) -> &Weighted<Repository> {
        if day < date(2023, 1, 1) { &self.earlier } else { &self.later }
    }
}

fn whole(provider: &'static str, name: &'static str) -> Repository {
    Repository { provider, name, branch: "" }
}

/// The repositories of a table, and the long tail with what they leave of `total` launches.
fn with_tail(table: impl Iterator<Item = (Repository, u32)>, total: u32) -> Weighted<Repository> {
    let mut weighted: Vec<_> = table.collect();
    let left = total.saturating_sub(weighted.iter().map(|(_, launches)| launches).sum());
    let mut names: Vec<&'static str> = REPOSITORIES.lines().collect();
    // By alphabet the tail's first would all begin with a digit.
    let mut random = Random::new(SEED, u64::MAX);
    names.sort_by_cached_key(|_| random.next());
    let share = |rank: usize| 1.0 / (rank as f64 + f64::from(TAIL_OFFSET));
    let all: f64 = (0..names.len()).map(share).sum();
    // Rounded up, so that each weighs something.
    let weight = |rank: usize| (f64::from(left) * share(rank) / all).ceil() as u32;
    let tail = |name| Repository { provider: "GitHub", name, branch: "/master" };
    weighted.extend(names.into_iter().enumerate().map(|(rank, name)| (tail(name), weight(rank))));
    Weighted::new(weighted)
}

/// A week of the figures.
#[derive(Debug)]
struct Week {
    /// The first day of it on which launches were counted, and how many days those are.
    first: Day,
    days: i32,
    /// Launches to be shown, per origin.
    shown: Vec<(&'static str, u64)>,
}

/// The weeks of the figures in order. Each is named by its Sunday; counting began on Wednesday 2019-06-12 and ended on
/// Wednesday 2025-08-13.
fn weeks() -> Vec<Week> {
    let (began, ended) = (date(2019, 6, 12), date(2025, 8, 13));
    let mut weeks: Vec<(Day, Week, u64)> = Vec::new();
    for [sunday, origin, launches] in rows(WEEK_FIGURES) {
        let Ok(sunday) = sunday.parse::<Day>() else { continue };
        if weeks.last().is_none_or(|(last, ..)| *last != sunday) {
            let first = Day::from_number(sunday.number() - 6).max(began);
            let days = sunday.min(ended).number() - first.number() + 1;
            weeks.push((sunday, Week { first, days, shown: Vec::new() }, 0));
        }
        let Some((_, week, sum)) = weeks.last_mut() else { continue };
        // The running sum is rounded, not each origin's count, so that the week's total is right.
        let before = thinned(*sum);
        *sum += u64::from(count(launches));
        week.shown.push((origin, thinned(*sum) - before));
    }
    weeks.into_iter().map(|(_, week, _)| week).collect()
}

fn thinned(launches: u64) -> u64 {
    (launches + THINNED_BY / 2) / THINNED_BY
}

impl Week {
    /// Its launches by day, every day once, not yet in order.
    fn launches(&self, era: &Era, minutes: &Weighted<u16>, random: &mut Random) -> Vec<(Day, Vec<Launch>)> {
        let mut days: Vec<(Day, Vec<Launch>)> =
            (0..self.days).map(|n| (Day::from_number(self.first.number() + n), Vec::new())).collect();
        let weights = days.iter().enumerate().map(|(index, (day, _))| (index, weight_of(*day)));
        let draw_day = Weighted::new(weights);
        for (origin, shown) in &self.shown {
            for _ in 0..*shown {
                let Some((day, launches)) = draw_day.draw(random).and_then(|index| days.get_mut(*index)) else {
                    continue;
                };
                let (Some(minute), Some(repository)) = (minutes.draw(random), era.on(*day).draw(random)) else {
                    continue;
                };
                launches.push(Launch { minute: *minute, repository: *repository, origin });
            }
        }
        days
    }
}

/// How many of its week's launches a day has.
fn weight_of(day: Day) -> u32 {
    if day == full_day() {
        return 0;
    }
    // 1970-01-01 was a Thursday.
    let weekday = (day.number() + 3).rem_euclid(7);
    usize::try_from(weekday).ok().and_then(|weekday| WEEKDAYS.get(weekday).copied()).unwrap_or(0)
}

/// The true counts of the full day, spread over its hours.
fn launches_of_full_day(minutes: &Weighted<u16>, random: &mut Random) -> Vec<Launch> {
    let mut launches = Vec::new();
    for [provider, origin, name, number] in rows(DAY_FIGURES) {
        for _ in 0..count(number) {
            let Some(minute) = minutes.draw(random) else { continue };
            launches.push(Launch { minute: *minute, repository: whole(provider, name), origin });
        }
    }
    launches
}

/// The bytes of a day's file.
fn file(day: Day, launches: &[Launch]) -> Vec<u8> {
    let form = Form::on(day);
    let date = day.to_string();
    let mut text = String::with_capacity(launches.len() * 230);
    for launch in launches {
        form.write(&mut text, &date, launch);
    }
    text.into_bytes()
}

/// How launches of a time are written: the version that the schema had then, and the order of keys, which the archive's
/// export changed to alphabetical at the end of October 2022.
#[derive(Clone, Copy, Debug)]
struct Form {
    version: u8,
    alphabetical: bool,
}

impl Form {
    fn on(day: Day) -> Self {
        let since = [
            (date(2019, 3, 22), 2),
            (date(2019, 6, 12), 3),
            (date(2020, 6, 18), 4),
            (date(2021, 6, 17), 5),
            (date(2026, 1, 14), 6),
        ];
        let version = since.into_iter().rev().find(|(first, _)| *first <= day).map_or(1, |(_, version)| version);
        Self { version, alphabetical: day >= date(2022, 10, 30) }
    }

    fn write(self, out: &mut String, date: &str, launch: &Launch) {
        let (hour, minute) = (launch.minute / 60, launch.minute % 60);
        let repository = &launch.repository;
        let timestamp = format!("{date}T{hour:02}:{minute:02}:00+00:00");
        let spec = [repository.name, repository.branch].concat();
        let version = self.version.to_string();
        let text = Value::Text;
        let schema = text("binderhub.jupyter.org/launch");
        let fields = [
            ("timestamp", text(&timestamp)),
            ("schema", schema),
            ("version", Value::Json(&version)),
            ("provider", text(repository.provider)),
            ("spec", text(&spec)),
            ("status", text("success")),
            ("origin", text(launch.origin)),
        ];
        // The same fields, by name.
        let order: [usize; 7] = if self.alphabetical { [6, 3, 1, 4, 5, 0, 2] } else { [0, 1, 2, 3, 4, 5, 6] };
        let mut separator = "{";
        for (key, value) in order.into_iter().filter_map(|place| fields.get(place)) {
            out.push_str(separator);
            separator = ", ";
            pyjson::write_str(out, key);
            out.push_str(": ");
            match value {
                Value::Text(value) => pyjson::write_str(out, value),
                Value::Json(value) => out.push_str(value),
            }
        }
        out.push_str("}\n");
    }
}

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Text(&'a str),
    Json(&'a str),
}

/// The rows of a table of `N` columns, without its headings. The tables are ours and hold neither quotes nor commas in
/// a value; a test reads every row.
fn rows<const N: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    table.lines().skip(1).filter_map(|line| line.split(',').collect::<Vec<_>>().try_into().ok())
}

fn count(text: &str) -> u32 {
    text.parse().unwrap_or(0)
}

fn date(year: i16, month: i8, day: i8) -> Day {
    Day::from_ymd(year, month, day).unwrap_or(Day::from_number(0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Nothing of the tables is passed over for its form.
    #[test]
    fn every_row_is_read() {
        assert_eq!(rows::<4>(DAY_FIGURES).count(), 1079);
        assert_eq!(rows::<3>(WEEK_FIGURES).count(), 1434);
        assert_eq!(rows::<3>(TOP_REPOSITORIES).count(), 49);
        assert!(rows::<4>(DAY_FIGURES).all(|row| count(row[3]) > 0 && !row[2].contains(['"', '\\'])));
        assert!(rows::<3>(WEEK_FIGURES).all(|row| row[0].parse::<Day>().is_ok() && row[2].parse::<u32>().is_ok()));
        assert!(rows::<3>(TOP_REPOSITORIES).all(|row| count(row[2]) > 0));
        assert_eq!(REPOSITORIES.lines().filter(|name| name.split('/').count() == 2).count(), 1373);
    }

    /// The full day has its true counts, per provider, origin and spec.
    #[test]
    fn the_full_day_is_true() {
        let (_, text) = archive_days().find(|(day, _)| *day == full_day()).unwrap();
        let mut counts: BTreeMap<[String; 3], u32> = BTreeMap::new();
        for line in String::from_utf8(text).unwrap().lines() {
            let launch: serde_json::Value = serde_json::from_str(line).unwrap();
            let key = ["provider", "origin", "spec"].map(|key| launch[key].as_str().unwrap().to_owned());
            *counts.entry(key).or_default() += 1;
        }
        let mut expected: BTreeMap<[String; 3], u32> = BTreeMap::new();
        for [provider, origin, spec, launches] in rows(DAY_FIGURES) {
            *expected.entry([provider, origin, spec].map(str::to_owned)).or_default() += count(launches);
        }
        assert_eq!(counts.values().sum::<u32>(), 13_334);
        assert_eq!(counts, expected);
    }

    /// Each week has a hundredth of its true count, on days that are its own, and every day is there once.
    #[test]
    fn the_weeks_are_a_hundredth() {
        let mut shown: BTreeMap<i32, u64> = BTreeMap::new();
        let mut next = date(2019, 6, 12);
        for (day, text) in archive_days() {
            assert_eq!(day, next, "days follow one another");
            next = day.next();
            // The Sunday that ends its week; 1970-01-04 was one.
            let sunday = day.number() + (3 - day.number()).rem_euclid(7);
            let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
            *shown.entry(sunday).or_default() += if day == full_day() { 0 } else { lines };
        }
        assert_eq!(next, date(2025, 8, 14));
        let mut counted: BTreeMap<i32, u64> = BTreeMap::new();
        for [sunday, _, launches] in rows(WEEK_FIGURES) {
            *counted.entry(sunday.parse::<Day>().unwrap().number()).or_default() += u64::from(count(launches));
        }
        assert_eq!(counted.values().sum::<u64>(), 32_450_948);
        assert_eq!(shown, counted.into_iter().map(|(sunday, launches)| (sunday, thinned(launches))).collect());
    }

    #[test]
    fn lines_look_like_the_archive_of_their_time() {
        let first_line = |wanted: Day| {
            let (_, text) = archive_days().find(|(day, _)| *day == wanted).unwrap();
            String::from_utf8(text).unwrap().lines().next().unwrap().to_owned()
        };
        let early = first_line(date(2019, 6, 12));
        assert!(early.starts_with("{\"timestamp\": \"2019-06-12T00:"), "{early}");
        assert!(
            early.contains(":00+00:00\", \"schema\": \"binderhub.jupyter.org/launch\", \"version\": 3, \"provider\": ")
        );
        let late = first_line(date(2025, 8, 13));
        assert!(late.starts_with("{\"origin\": "), "{late}");
        assert!(late.ends_with(", \"version\": 5}"), "{late}");
        for (day, version) in
            [((2020, 6, 17), 3), ((2020, 6, 18), 4), ((2021, 6, 17), 5), ((2026, 2, 1), 6), ((2018, 11, 3), 1)]
        {
            assert_eq!(Form::on(date(day.0, day.1, day.2)).version, version);
        }
    }
}
