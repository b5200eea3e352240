//! What launches and notebook servers tell beside their number: answers against loops over plain values, cut into days
//! by `jiff`'s calendar.

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, Row};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use query::KpiAnswer;
use serde_json::Value;

use crate::oracle::Chance;
use crate::sandbox::{Sandbox, at, file_action, kernel_action, launch_asked_for};

const DAY: i64 = 86_400_000_000;
/// A zone whose days change at half past, and not by whole hours.
const ZONE: &str = "Australia/Lord_Howe";
/// Days around the end of summer time there, of which the first and last lie outside the range.
const RANGE: [(&str, &str); 3] = [("from", "2024-03-20"), ("to", "2024-04-20"), ("zone", ZONE)];

/// An instant shortly before, within or after the range, and the day that it is there, if it is in the range.
fn instant(chance: &mut Chance) -> (EventTime, Option<Date>) {
    let begin: Timestamp = "2024-03-18T00:00:00Z".parse().unwrap();
    let micros = begin.as_microsecond() + chance.below(35 * DAY);
    let date = Timestamp::from_microsecond(micros).unwrap().to_zoned(TimeZone::get(ZONE).unwrap()).date();
    let is_asked: bool = ("2024-03-20".parse::<Date>().unwrap().."2024-04-20".parse().unwrap()).contains(&date);
    (EventTime::from_micros(micros), is_asked.then_some(date))
}

/// What is told in batches, part of it in files.
async fn told(rows: Vec<Row>) -> Sandbox {
    let mut sandbox = Sandbox::new().await;
    for (number, rows) in rows.chunks(100).enumerate() {
        sandbox.acknowledge_at(at("2024-05-01T00:00:00Z"), rows.to_vec());
        if number == 2 {
            sandbox.flush().await;
        }
    }
    sandbox
}

pub(crate) fn rows(answer: &KpiAnswer) -> Vec<Value> {
    answer.answer.json()["rows"].as_array().unwrap().clone()
}

/// The numbers of `value` that are not 0, by day and what splits them.
fn split(answer: &KpiAnswer, name: &str) -> BTreeMap<(String, String), u64> {
    let rows = rows(answer);
    let counted = rows.iter().filter_map(|row| {
        let value = row["value"].as_u64().filter(|value| *value > 0)?;
        Some(((row["period"].as_str()?.to_owned(), row[name].as_str()?.to_owned()), value))
    });
    counted.collect()
}

/// Numerator and denominator by day, where there is something to divide; the value is checked.
pub(crate) fn ratios(answer: &KpiAnswer) -> BTreeMap<String, (u64, u64)> {
    let rows = rows(answer);
    let told = rows.iter().filter_map(|row| {
        let both = (row["numerator"].as_u64()?, row["denominator"].as_u64().filter(|whole| *whole > 0)?);
        let percent = (both.1 >= 20).then(|| 100.0 * both.0 as f64 / both.1 as f64);
        match (row["value"].as_f64(), percent) {
            (Some(value), Some(percent)) => assert!((value - percent).abs() < 1e-9, "{row}"),
            (value, percent) => assert_eq!(value, percent, "{row}"),
        }
        Some((row["period"].as_str()?.to_owned(), both))
    });
    told.collect()
}

#[tokio::test]
async fn kernels_are_counted_by_name_and_their_failures_of_all_actions() {
    let mut chance = Chance::new(3);
    let mut told_rows = Vec::new();
    let mut starts: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut failures: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for _ in 0..700 {
        let (time, day) = instant(&mut chance);
        let action = chance.pick(&["start", "start", "interrupt", "restart", "shutdown"]);
        let kernel = chance.pick(&[Some("python3"), Some("ir"), Some(""), None, Some("<b>")]);
        let status = chance.pick(&[Some("success"), None, Some("error")]);
        told_rows.push(kernel_action(time, action, kernel, status));
        let Some(day) = day else { continue };
        let of_day = failures.entry(day.to_string()).or_default();
        of_day.0 += u64::from(status == Some("error"));
        of_day.1 += 1;
        if action == "start" && status != Some("error") {
            let name = kernel.filter(|name| !name.is_empty()).unwrap_or("unknown");
            *starts.entry((day.to_string(), name.to_owned())).or_default() += 1;
        }
    }
    // Times that cannot be true are in neither.
    told_rows.push(kernel_action(at("2039-01-01T00:00:00Z"), "start", Some("python3"), None));
    let sandbox = told(told_rows).await;
    assert_eq!(split(&sandbox.kpi("kernels", &RANGE).await.unwrap(), "kernel"), starts);
    let answer = sandbox.kpi("kernel-failures", &RANGE).await.unwrap();
    assert_eq!(ratios(&answer), failures);
    assert!(failures.values().any(|(_, whole)| *whole < 20) && failures.values().any(|(_, whole)| *whole >= 20));
}

#[tokio::test]
async fn actions_on_files_are_counted_by_kind() {
    let mut chance = Chance::new(4);
    let mut told_rows = Vec::new();
    let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
    for _ in 0..800 {
        let (time, day) = instant(&mut chance);
        let action = chance.pick(&[Some("get"), Some("save"), Some("delete"), None]);
        told_rows.push(file_action(time, action));
        if let Some(day) = day {
            *expected.entry((day.to_string(), action.unwrap_or("unknown").to_owned())).or_default() += 1;
        }
    }
    let sandbox = told(told_rows).await;
    assert_eq!(split(&sandbox.kpi("file-actions", &RANGE).await.unwrap(), "action"), expected);
}

#[tokio::test]
async fn launches_tell_whether_a_program_asked_and_which_page() {
    let mut chance = Chance::new(5);
    let mut told_rows = Vec::new();
    let mut by_program: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut pages: BTreeMap<&str, u64> = BTreeMap::new();
    for number in 0..1_500 {
        let (time, day) = instant(&mut chance);
        let time = EventTime::from_micros(time.micros() / 60_000_000 * 60_000_000 + 1 + chance.below(59_000_000));
        let build_token = chance.pick(&[Some(true), Some(false), Some(false), None]);
        let (asker, host) = chance.pick(&[
            (None, None),
            (Some(""), Some("unknown")),
            (Some("https://Docs.Example.org:8443"), Some("docs.example.org")),
            (Some("http://docs.example.org/a/page"), Some("docs.example.org")),
            (Some("mybinder.org"), Some("mybinder.org")),
        ]);
        let status = chance.pick(&["success", "success", "failure"]);
        let row = launch_asked_for(time, &format!("a/b-{number}/HEAD"), build_token, asker, status);
        // An exact repeat is no launch.
        told_rows.extend(std::iter::repeat_n(row, 1 + usize::from(chance.below(9) == 0)));
        let Some(day) = day.filter(|_| status == "success") else { continue };
        if let Some(build_token) = build_token {
            let of_day = by_program.entry(day.to_string()).or_default();
            of_day.0 += u64::from(build_token);
            of_day.1 += 1;
        }
        if let Some(host) = host {
            *pages.entry(host).or_default() += 1;
        }
    }
    let sandbox = told(told_rows).await;
    for is_kept in [false, true] {
        if is_kept {
            sandbox.engine.refresh_rollups(&|_| {}).await.unwrap();
        }
        assert_eq!(ratios(&sandbox.kpi("api-builds", &RANGE).await.unwrap()), by_program, "facts kept: {is_kept}");
        let answer = sandbox.kpi("embedders", &RANGE).await.unwrap();
        let mut expected: Vec<(&str, u64)> = pages.clone().into_iter().collect();
        expected.sort_by_key(|(host, n)| (std::cmp::Reverse(*n), *host));
        let found = rows(&answer);
        let found: Vec<(&str, u64)> =
            found.iter().map(|row| (row["host"].as_str().unwrap(), row["value"].as_u64().unwrap())).collect();
        assert_eq!(found, expected, "facts kept: {is_kept}");
        assert_eq!(answer.headline.unwrap().value, 2.0, "without those that name no page");
    }
}

#[tokio::test]
async fn repositories_survive_where_they_are_launched_in_later_months() {
    let mut chance = Chance::new(6);
    let mut told_rows = Vec::new();
    let mut months: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    let begin: Date = "2023-09-01".parse().unwrap();
    for _ in 0..900 {
        let day = begin.checked_add(chance.below(300).days()).unwrap();
        let micros = day.to_zoned(TimeZone::UTC).unwrap().timestamp().as_microsecond() + 1 + chance.below(DAY - 2);
        let repo = format!("a/b-{}", chance.below(200));
        let is_success = chance.below(4) > 0;
        let status = if is_success { "success" } else { "failure" };
        let row = launch_asked_for(EventTime::from_micros(micros), &format!("{repo}/HEAD"), None, None, status);
        told_rows.push(row);
        if is_success {
            let month = i64::from(day.year()) * 12 + i64::from(day.month()) - 1;
            months.entry(repo).or_default().insert(month);
        }
    }
    // Cohorts of October to March, whatever was first launched in September.
    let (from, to) = (2023 * 12 + 9, 2024 * 12 + 3);
    let mut sizes: BTreeMap<i64, u64> = BTreeMap::new();
    let mut again: BTreeMap<(i64, i64), u64> = BTreeMap::new();
    for months in months.values() {
        let first = *months.first().unwrap();
        if (from..to).contains(&first) {
            *sizes.entry(first).or_default() += 1;
            months.range(first + 1..to).for_each(|month| *again.entry((first, month - first)).or_default() += 1);
        }
    }
    let named = |month: i64| format!("{:04}-{:02}", month / 12, month % 12 + 1);
    let expected: Vec<(String, i64, u64, u64, Option<f64>)> = again
        .into_iter()
        .map(|((first, later), n)| {
            let size = sizes[&first];
            (format!("{}-01", named(first)), later, n, size, (size >= 20).then(|| 100.0 * n as f64 / size as f64))
        })
        .collect();
    assert!(expected.iter().any(|row| row.4.is_some()) && expected.iter().any(|row| row.4.is_none()));
    let sandbox = told(told_rows).await;
    sandbox.engine.refresh_rollups(&|_| {}).await.unwrap();
    let answer = sandbox.kpi("repo-survival", &[("from", "2023-10-01"), ("to", "2024-04-01")]).await.unwrap();
    let found: Vec<_> = rows(&answer)
        .iter()
        .map(|row| {
            let number = |name: &str| row[name].as_u64().unwrap();
            let cohort = row["cohort"].as_str().unwrap().to_owned();
            let later = row["months_later"].as_i64().unwrap();
            (cohort, later, number("numerator"), number("denominator"), row["value"].as_f64())
        })
        .collect();
    assert_eq!(found, expected);
    assert_eq!(answer.headline.unwrap().value, sizes.values().sum::<u64>() as f64);
}
