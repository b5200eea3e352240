//! The questions of the catalogue answer what a loop over the launches says.

use std::collections::{BTreeMap, BTreeSet};

use event::{Day, EventTime};
use proptest::prelude::*;
use query::{Grain, KpiAnswer};
use serde_json::json;

use crate::sandbox::{Sandbox, at, launch, launch_of, lines, on};

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn excluded(answer: &KpiAnswer) -> Vec<u64> {
    answer.excluded.iter().map(|left_out| left_out.rows).collect()
}

#[tokio::test]
async fn an_empty_store_has_no_rows_no_number_and_says_so() {
    let sandbox = Sandbox::new().await;
    for (id, params) in [("launches", vec![]), ("top-repos", vec![]), ("repo-history", vec![("repo", "a/b")])] {
        let answer = sandbox.kpi(id, &params).await.unwrap();
        assert_eq!(answer.answer.rows(), 0, "{id}");
        assert_eq!((&answer.headline, &answer.change, answer.covered), (&None, &None, None), "{id}");
        assert!(answer.message.starts_with("There are no data from "), "{id}: {}", answer.message);
    }
    let answer = sandbox.kpi("launches", &[]).await.unwrap();
    assert_eq!((answer.range.from, answer.range.to), (day("2029-12-05"), day("2030-01-02")));
}

#[tokio::test]
async fn one_launch_is_one_day_and_the_range_ends_with_it() {
    let mut sandbox = Sandbox::new().await;
    sandbox.acknowledge(vec![launch(at("2024-02-29T23:59:59.999999Z"), "a/b/c")]);
    let answer = sandbox.kpi("launches", &[]).await.unwrap();
    assert_eq!(lines(&answer.answer), "2024-02-29,1");
    assert_eq!((answer.range.from, answer.range.to), (day("2024-02-02"), day("2024-03-01")));
    assert_eq!(answer.message, "1 launch from 2024-02-02 to 2024-02-29 (UTC); most on 2024-02-29 (1).");
    assert_eq!(
        answer.notes,
        ["No comparison: the data cover 2024-02-29 to 2024-02-29, not all of 2024-01-05 to 2024-02-29."]
    );
    let history = sandbox.kpi("repo-history", &[("repo", "A/B.git")]).await.unwrap();
    assert_eq!(lines(&history.answer), "2024-02-01,1");
    assert_eq!((history.range.from, history.range.to), (day("2023-09-01"), day("2024-03-01")));
    assert_eq!(history.unfinished, None, "29 February is covered to its end");
}

#[tokio::test]
async fn days_between_are_zeros_and_days_outside_are_nothing() {
    let mut sandbox = Sandbox::new().await;
    sandbox.acknowledge(vec![launch(at("2023-12-30T01:00:00Z"), "a/b/c")]);
    sandbox.flush().await;
    sandbox.acknowledge(vec![launch(at("2024-01-02T01:00:00Z"), "a/b/c"), launch(at("2024-01-02T01:00:00Z"), "c/d/e")]);
    let params = [("from", "2023-12-28"), ("to", "2024-01-05")];
    let answer = sandbox.kpi("launches", &params).await.unwrap();
    assert_eq!(lines(&answer.answer), "2023-12-30,1;2023-12-31,0;2024-01-01,0;2024-01-02,2");
    let answer = sandbox.kpi("repo-history", &[("repo", "c/d"), ("months", "3")]).await.unwrap();
    assert_eq!(lines(&answer.answer), "2023-12-01,0;2024-01-01,1");
    assert_eq!(answer.unfinished, Some(day("2024-01-01")));
    assert!(answer.notes.iter().any(|note| note.contains("2024-01-01 is not finished")), "{:?}", answer.notes);
}

#[tokio::test]
async fn today_is_unfinished_and_left_out_of_the_comparison() {
    let mut sandbox = Sandbox::new().await;
    let mut rows: Vec<_> = (0..60).map(|n| launch(on("2024-03-01", n * 86_400_000_000 + n), "a/b/c")).collect();
    rows.push(launch(at("2024-04-29T00:00:00.5Z"), "a/b/c"));
    sandbox.acknowledge(rows);
    sandbox.clock.set(at("2024-04-29T06:00:00Z"));
    let answer = sandbox.kpi("launches", &[("from", "2024-04-10"), ("to", "2024-04-30")]).await.unwrap();
    assert_eq!(answer.unfinished, Some(day("2024-04-29")));
    let change = answer.change.unwrap();
    assert_eq!((change.range.from, change.range.to), (day("2024-04-10"), day("2024-04-29")));
    assert_eq!((change.before_range.from, change.before_range.to), (day("2024-03-22"), day("2024-04-10")));
    assert_eq!((change.value, change.before, change.percent()), (19.0, 19.0, None));
    assert_eq!(answer.headline.unwrap().value, 21.0);
}

#[tokio::test]
async fn exact_repeats_count_once_unless_the_time_is_cut_to_the_minute() {
    let mut sandbox = Sandbox::new().await;
    let fine = launch(at("2021-11-01T10:00:00.000001Z"), "a/b/c");
    let minute = launch(at("2021-11-01T10:00:00Z"), "a/b/c");
    sandbox.acknowledge(vec![fine.clone(), minute.clone(), fine.clone()]);
    sandbox.flush().await;
    sandbox.acknowledge(vec![fine, minute, launch(at("2021-11-01T10:00:00.000001Z"), "a/b/other")]);
    assert_eq!(lines(&sandbox.kpi("launches", &[]).await.unwrap().answer), "2021-11-01,4");
    assert_eq!(lines(&sandbox.kpi("top-repos", &[]).await.unwrap().answer), "1,https://github.com/a/b,4");
    assert_eq!(
        lines(&sandbox.kpi("repo-history", &[("repo", "a/b"), ("months", "1")]).await.unwrap().answer),
        "2021-11-01,4"
    );
}

#[tokio::test]
async fn suspect_times_are_left_out() {
    let mut sandbox = Sandbox::new().await;
    let rows = vec![
        launch(at("1970-01-01T00:00:00Z"), "a/b/c"),
        launch(at("2021-11-01T00:00:00Z"), "a/b/c"),
        launch(at("2038-01-01T00:00:00Z"), "a/b/c"),
    ];
    sandbox.acknowledge_at(at("2021-11-01T00:01:00Z"), rows);
    let answer = sandbox.kpi("launches", &[]).await.unwrap();
    assert_eq!(lines(&answer.answer), "2021-11-01,1");
    assert_eq!(answer.range.to, day("2021-11-02"));
}

#[tokio::test]
async fn repositories_are_ranked_under_their_most_frequent_spelling() {
    let mut sandbox = Sandbox::new().await;
    let minute = at("2021-11-01T10:00:00Z");
    let specs = ["A/B/x", "A/B/y", "a/b.git/x", "c/d/x", "c/d/x", "c/d/x", "e/f/x", "broken", "also-broken"];
    let mut rows: Vec<_> = specs.iter().map(|spec| launch(minute, spec)).collect();
    rows.push(launch_of(minute, "Zenodo", "10.5281/zenodo.1"));
    sandbox.acknowledge(rows);
    let answer = sandbox.kpi("top-repos", &[("limit", "3")]).await.unwrap();
    assert_eq!(lines(&answer.answer), "1,https://github.com/A/B,3;1,https://github.com/c/d,3;3,10.5281/zenodo.1,1");
    assert_eq!(excluded(&answer), [2]);
    assert_eq!(
        answer.notes[0],
        "2 launches are not ranked, because their specs do not name a repository by their provider's rules."
    );
    let headline = answer.headline.unwrap();
    assert_eq!((headline.value, headline.unit.as_str()), (4.0, "repositories"));
}

#[tokio::test]
async fn wrong_parameters_are_told_with_what_would_be_right() {
    let sandbox = Sandbox::new().await;
    for (id, params, expected) in [
        ("lunches", vec![], "there is no KPI 'lunches'; did you mean 'launches'?"),
        (
            "launches",
            vec![("form", "2021-01-01")],
            "parameter 'form': the question 'launches' has no such parameter; did you mean 'from'?; it has from, to",
        ),
        ("launches", vec![("from", "yesterday")], "parameter 'from': 'yesterday' is not a date of the form YYYY-MM-DD"),
        (
            "launches",
            vec![("from", "2021-02-29")],
            "parameter 'from': '2021-02-29' is not a date of the form YYYY-MM-DD",
        ),
        (
            "launches",
            vec![("from", "2021-01-02"), ("to", "2021-01-02")],
            "parameter 'from': the range from 2021-01-02 to 2021-01-02 is empty; `to` is the day after the last",
        ),
        (
            "launches",
            vec![("zone", "Europe/Berlin")],
            "parameter 'zone': days are cut in UTC; no other zone can be asked for yet",
        ),
        ("top-repos", vec![("limit", "0")], "parameter 'limit': 0 is out of bounds; it may be 1 to 1000"),
        (
            "top-repos",
            vec![("limit", "1; DROP TABLE events")],
            "parameter 'limit': '1; DROP TABLE events' is not a whole number",
        ),
        ("repo-history", vec![], "parameter 'repo': is missing; name a repository by its URL or as owner/name"),
        (
            "repo-history",
            vec![("repo", "x")],
            "parameter 'repo': 'x' does not name a repository; give its URL or owner/name",
        ),
    ] {
        assert_eq!(sandbox.kpi(id, &params).await.expect_err(id).to_string(), expected);
    }
    let quoted = "https://x.example/'; DROP TABLE events; --".replace(' ', "");
    assert_eq!(sandbox.kpi("repo-history", &[("repo", &quoted)]).await.unwrap().answer.rows(), 0);
}

#[tokio::test]
async fn json_of_an_answer_has_all_that_a_card_shows() {
    let mut sandbox = Sandbox::new().await;
    let rows =
        (0..40).map(|n| launch(on("2021-10-01", n * 86_400_000_000 + 1), if n == 30 { "broken" } else { "a/b/c" }));
    sandbox.acknowledge(rows.collect());
    let catalogue = query::Catalogue::builtin();
    let kpi = catalogue.get("repo-history").unwrap();
    let params = query::Params::new().with("repo", "A/b").with("months", "1").with("to", "2021-11-01");
    let document = sandbox.engine.kpi(kpi, &params).await.unwrap().json(kpi);
    assert_eq!(document["rows"], json!([{"period": "2021-10-01", "value": 30}]));
    assert_eq!(
        document["columns"],
        json!([{"name": "period", "type": "date"}, {"name": "value", "type": "integer", "unit": "launches"}])
    );
    assert_eq!(document["range"], json!({"from": "2021-10-01", "to": "2021-11-01", "zone": "UTC"}));
    assert_eq!(document["headline"], json!({"value": 30, "unit": "launches"}));
    assert_eq!(document["excluded"], json!({"unparsed": 1}));
    assert_eq!(document["parameters"]["repo"], json!("https://github.com/a/b"));
    assert_eq!(document["change"], json!(null));
    for member in [
        "id",
        "question",
        "unit",
        "grain",
        "covered",
        "unfinished",
        "message",
        "reading",
        "notes",
        "truncated",
        "data_version",
    ] {
        assert!(document.get(member).is_some(), "{member}");
    }
}

/// A launch of the random history: minutes after 2023-12-20, whether with a fraction of a second, and of what.
type Launch = (i64, bool, usize);

const SPECS: [(&str, &str); 5] = [
    ("a/b/HEAD", "https://github.com/a/b"),
    ("A/B.git/main", "https://github.com/a/b"),
    ("c/d/x/y", "https://github.com/c/d"),
    ("e/f/HEAD", "https://github.com/e/f"),
    ("broken", ""),
];

fn time((minutes, fine, _): &Launch) -> EventTime {
    on("2023-12-20", minutes * 60_000_000 + i64::from(*fine))
}

/// What each launch counts for, exact repeats once: day and key.
fn counted(history: &[Launch]) -> Vec<(Day, &'static str)> {
    let mut seen = BTreeSet::new();
    history
        .iter()
        .filter(|launch| !launch.1 || seen.insert(**launch))
        .map(|launch| (time(launch).day(), SPECS[launch.2].1))
        .collect()
}

fn periods(grain: Grain, from: Day, to: Day) -> BTreeSet<Day> {
    (from.number()..to.number())
        .map(|number| {
            let date = Day::from_number(number).date();
            if grain == Grain::Month {
                Day::from_ymd(date.year(), date.month(), 1).unwrap()
            } else {
                Day::from_number(number)
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn answers_equal_brute_force(
        history in proptest::collection::vec((0_i64..130_000, any::<bool>(), 0_usize..5), 1..60),
        repeats in proptest::collection::vec(any::<prop::sample::Index>(), 0..10),
        flush_after in 0_usize..60,
        (first, length) in (-20_i32..80, 1_i32..60),
    ) {
        let mut history: Vec<Launch> = history;
        let again: Vec<Launch> = repeats.iter().map(|index| *index.get(&history)).collect();
        history.extend(again);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut sandbox = Sandbox::new().await;
            for (at, one) in history.iter().enumerate() {
                sandbox.acknowledge(vec![launch(time(one), SPECS[one.2].0)]);
                if at == flush_after {
                    sandbox.flush().await;
                }
            }
            let counted = counted(&history);
            let covered_from = counted.iter().map(|(day, _)| *day).min().unwrap();
            let covered_to = counted.iter().map(|(day, _)| day.next()).max().unwrap();
            let from = Day::from_number(day("2023-12-20").number() + first);
            let to = Day::from_number(from.number() + length);
            let inside = |day: &Day| from <= *day && *day < to;
            let range = [("from", from.to_string()), ("to", to.to_string())];
            let range: Vec<(&str, &str)> = range.iter().map(|(name, value)| (*name, value.as_str())).collect();

            let covered = periods(Grain::Day, from.max(covered_from), to.min(covered_to));
            let mut days: BTreeMap<Day, usize> = covered.into_iter().map(|day| (day, 0)).collect();
            for (day, _) in counted.iter().filter(|(day, _)| inside(day)) {
                *days.get_mut(day).unwrap() += 1;
            }
            let answer = sandbox.kpi("launches", &range).await.unwrap();
            let expected: Vec<String> = days.iter().map(|(day, count)| format!("{day},{count}")).collect();
            assert_eq!(lines(&answer.answer), expected.join(";"));
            let total = answer.headline.unwrap().value;
            assert_eq!(total as usize, days.values().sum::<usize>());
            if let Some(change) = &answer.change {
                let before = counted.iter().filter(|(day, _)| change.before_range.from <= *day && *day < from).count();
                assert_eq!((change.value, change.before as usize), (total, before));
                assert_eq!(change.before_range.days(), length);
            }

            let mut repos: BTreeMap<&str, usize> = BTreeMap::new();
            for (_, key) in counted.iter().filter(|(day, _)| inside(day)) {
                *repos.entry(key).or_default() += 1;
            }
            let unparsed = repos.remove("").unwrap_or(0);
            let answer = sandbox.kpi("top-repos", &range).await.unwrap();
            assert_eq!(excluded(&answer), [unparsed as u64]);
            let mut ranked: Vec<(&str, usize)> = repos.into_iter().collect();
            ranked.sort_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
            let expected: Vec<String> = ranked
                .iter()
                .map(|(key, count)| {
                    let rank = 1 + ranked.iter().filter(|(_, other)| other > count).count();
                    format!("{rank},{key},{count}")
                })
                .collect();
            assert_eq!(lines(&answer.answer).to_lowercase(), expected.join(";"));

            let first_month = Day::from_ymd(from.date().year(), from.date().month(), 1).unwrap();
            let end = Day::from_number(to.number() - 1).date().last_of_month();
            let end = Day::from_ymd(end.year(), end.month(), end.day()).unwrap().next();
            let covered_months = periods(Grain::Month, covered_from, covered_to);
            let mut months: BTreeMap<Day, usize> = periods(Grain::Month, first_month, end)
                .intersection(&covered_months).map(|month| (*month, 0)).collect();
            for (day, key) in counted.iter().filter(|(day, _)| first_month <= *day && *day < end) {
                if *key == "https://github.com/a/b" {
                    *months.get_mut(periods(Grain::Month, *day, day.next()).first().unwrap()).unwrap() += 1;
                }
            }
            let params: Vec<(&str, &str)> = range.iter().copied().chain([("repo", "https://github.com/A/b")]).collect();
            let answer = sandbox.kpi("repo-history", &params).await.unwrap();
            let expected: Vec<String> = months.iter().map(|(month, count)| format!("{month},{count}")).collect();
            assert_eq!(lines(&answer.answer), expected.join(";"));
        });
    }
}
