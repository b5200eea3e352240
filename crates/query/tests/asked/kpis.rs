//! The questions of the catalogue answer what a loop over the launches says.

use std::collections::{BTreeMap, BTreeSet};

use event::{Day, EventTime};
use proptest::prelude::*;
use query::{Grain, KpiAnswer};
use serde_json::json;

use crate::sandbox::{Sandbox, at, launch, launch_of, lines, on, refused, server_action, watched};

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
        assert_eq!(watched(&answer.answer), "", "{id}");
        assert_eq!((&answer.headline, &answer.change, answer.covered), (&None, &None, None), "{id}");
        assert!(answer.message.starts_with("There are no data from "), "{id}: {}", answer.message);
    }
    let answer = sandbox.kpi("launches", &[]).await.unwrap();
    assert_eq!((answer.range.from, answer.range.to), (day("2029-12-05"), day("2030-01-02")));
    assert_eq!((answer.answer.rows(), answer.gaps.len()), (28, 28));
}

#[tokio::test]
async fn one_launch_is_one_day_and_the_range_ends_with_it() {
    let mut sandbox = Sandbox::new().await;
    sandbox.acknowledge(vec![launch(at("2024-02-29T23:59:59.999999Z"), "a/b/c")]);
    let answer = sandbox.kpi("launches", &[]).await.unwrap();
    assert_eq!(watched(&answer.answer), "2024-02-29,1");
    assert_eq!(answer.gaps.len(), 27);
    assert_eq!((answer.range.from, answer.range.to), (day("2024-02-02"), day("2024-03-01")));
    assert_eq!(answer.message, "1 launch from 2024-02-02 to 2024-02-29 (UTC); most on 2024-02-29 (1).");
    assert_eq!(
        answer.notes,
        [
            "27 of 28 days have no data: nothing came in, which is not the same as 0.",
            "No comparison: the data cover 2024-02-29 to 2024-02-29, not all of 2024-01-05 to 2024-02-29.",
        ]
    );
    let history = sandbox.kpi("repo-history", &[("repo", "A/B.git")]).await.unwrap();
    assert_eq!(watched(&history.answer), "2024-02-01,1");
    assert_eq!(history.partial, [day("2024-02-01")], "28 of its 29 days are gaps");
    assert_eq!((history.range.from, history.range.to), (day("2023-09-01"), day("2024-03-01")));
    assert_eq!(history.unfinished, None, "29 February is covered to its end");
}

#[tokio::test]
async fn days_that_somebody_watched_are_zeros_and_others_are_gaps() {
    let mut sandbox = Sandbox::new().await;
    sandbox.acknowledge(vec![launch(at("2023-12-30T01:00:00Z"), "a/b/c")]);
    sandbox.flush().await;
    sandbox.acknowledge(vec![launch(at("2024-01-02T01:00:00Z"), "a/b/c"), launch(at("2024-01-02T01:00:00Z"), "c/d/e")]);
    // Something that could not be read, and a launch of the day before: somebody was connected.
    sandbox.acknowledge_at(at("2024-01-03T10:00:00Z"), vec![refused(b"not json")]);
    sandbox.acknowledge_at(at("2024-01-05T00:01:00Z"), vec![launch(at("2024-01-04T23:59:00Z"), "a/b/c")]);
    // A hub's servers say nothing of launches.
    sandbox.acknowledge(vec![server_action(at("2024-01-06T10:00:00Z"), "start", "ada")]);
    let params = [("from", "2023-12-28"), ("to", "2024-01-07")];
    let answer = sandbox.kpi("launches", &params).await.unwrap();
    assert_eq!(
        lines(&answer.answer),
        "2023-12-28,;2023-12-29,;2023-12-30,1;2023-12-31,;2024-01-01,;2024-01-02,2;2024-01-03,0;2024-01-04,1;\
         2024-01-05,0;2024-01-06,"
    );
    let gaps: Vec<String> = answer.gaps.iter().map(ToString::to_string).collect();
    assert_eq!(gaps, ["2023-12-28", "2023-12-29", "2023-12-31", "2024-01-01", "2024-01-06"]);
    let answer = sandbox.kpi("repo-history", &[("repo", "c/d"), ("months", "3")]).await.unwrap();
    assert_eq!(lines(&answer.answer), "2023-11-01,;2023-12-01,0;2024-01-01,1");
    assert_eq!(answer.partial, [day("2023-12-01")]);
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

/// Its headline reads the rows: all of the range, and for the comparison those of the finished days.
const MOST: &str = r#"+++
id = "most"
question = "How many launches were there on a day at most?"
audience = ["operator"]
group = "Binder"
unit = "launches"
unit_one = "launch"
grain = "day"
chart = "line"
needs = ["launches"]
privacy = "operators"
definition = 1
reading = "Each point is a day."
[range]
days = 28
[headline]
unit = "launches a day at most"
unit_one = "launch a day at most"
sql = "SELECT max(value) AS value FROM answered"
+++
Most.

```sql
SELECT local_date(time, $zone) AS period, count(*) AS value FROM launches WHERE time >= $from AND time < $to GROUP BY 1
```
"#;

#[tokio::test]
async fn a_headline_reads_the_rows_and_nothing_else_does() {
    let mut sandbox = Sandbox::new().await;
    let mut rows: Vec<_> = (0..60).map(|n| launch(on("2024-03-01", n * 86_400_000_000 + n), "a/b/c")).collect();
    rows.extend(
        ["2024-04-12T01:00:00Z", "2024-04-29T00:00:00Z", "2024-04-29T01:00:00Z"].map(|time| launch(at(time), "a/b/c")),
    );
    sandbox.acknowledge(rows);
    sandbox.clock.set(at("2024-04-29T06:00:00Z"));
    let catalogue = query::Catalogue::read([("most.md", MOST)]).unwrap();
    let params = [("from", "2024-04-10"), ("to", "2024-04-30")].into_iter().collect();
    let answer = sandbox.engine.kpi(catalogue.get("most").unwrap(), &params, &query::Scope::All).await.unwrap();
    assert_eq!(answer.headline.unwrap().value, 3.0, "today");
    let change = answer.change.unwrap();
    assert_eq!((change.value, change.before), (2.0, 1.0), "of the days that are over, and of those before them");

    let rows = MOST.replace("FROM launches", "FROM answered");
    let catalogue = query::Catalogue::read([("most.md", rows.as_str())]).unwrap();
    let error = sandbox.engine.kpi(catalogue.get("most").unwrap(), &params, &query::Scope::All).await.unwrap_err();
    assert!(error.to_string().contains("there is no table 'answered'"), "{error}");
    let error = sandbox.engine.sql("SELECT * FROM answered", query::SqlOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("there is no table 'answered'"), "{error}");
}

#[tokio::test]
async fn exact_repeats_count_once_unless_the_time_is_cut_to_the_minute() {
    let mut sandbox = Sandbox::new().await;
    let fine = launch(at("2021-11-01T10:00:00.000001Z"), "a/b/c");
    let minute = launch(at("2021-11-01T10:00:00Z"), "a/b/c");
    sandbox.acknowledge(vec![fine.clone(), minute.clone(), fine.clone()]);
    sandbox.flush().await;
    sandbox.acknowledge(vec![fine, minute, launch(at("2021-11-01T10:00:00.000001Z"), "a/b/other")]);
    assert_eq!(watched(&sandbox.kpi("launches", &[]).await.unwrap().answer), "2021-11-01,4");
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
    assert_eq!(watched(&answer.answer), "2021-11-01,1");
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
            "parameter 'form': the question 'launches' has no such parameter; did you mean 'from'?; it has from, to, \
             hub, zone, compare",
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
            vec![("zone", "Europe/Berlim")],
            "parameter 'zone': there is no time zone 'Europe/Berlim'; did you mean 'Europe/Berlin'?; zones are named as in \
             Europe/Berlin or UTC",
        ),
        (
            "launches",
            vec![("compare", "last")],
            "parameter 'compare': 'last' cannot be chosen; it may be previous, year, none",
        ),
        ("launches", vec![("hub", "north")], "parameter 'hub': there is no hub 'north'; none is known yet"),
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
    assert_eq!(watched(&sandbox.kpi("repo-history", &[("repo", &quoted)]).await.unwrap().answer), "");
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
    let document = sandbox.engine.kpi(kpi, &params, &query::Scope::All).await.unwrap().json(kpi);
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

fn rows(periods: &BTreeMap<Day, Option<usize>>) -> String {
    let row = |(period, count): (&Day, &Option<usize>)| {
        format!("{period},{}", count.map_or(String::new(), |count| count.to_string()))
    };
    periods.iter().map(row).collect::<Vec<_>>().join(";")
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
            let watched: BTreeSet<Day> = history.iter().map(|launch| time(launch).day()).collect();
            let from = Day::from_number(day("2023-12-20").number() + first);
            let to = Day::from_number(from.number() + length);
            let inside = |day: &Day| from <= *day && *day < to;
            let range = [("from", from.to_string()), ("to", to.to_string())];
            let range: Vec<(&str, &str)> = range.iter().map(|(name, value)| (*name, value.as_str())).collect();

            let mut days: BTreeMap<Day, Option<usize>> = periods(Grain::Day, from, to)
                .into_iter().map(|day| (day, watched.contains(&day).then_some(0))).collect();
            for (day, _) in counted.iter().filter(|(day, _)| inside(day)) {
                *days.get_mut(day).unwrap().as_mut().unwrap() += 1;
            }
            let answer = sandbox.kpi("launches", &range).await.unwrap();
            assert_eq!(lines(&answer.answer), rows(&days));
            let total = answer.headline.map_or(0.0, |headline| headline.value);
            assert_eq!(total as usize, days.values().flatten().sum::<usize>());
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
            let watched: BTreeSet<Day> =
                watched.iter().flat_map(|day| periods(Grain::Month, *day, day.next())).collect();
            let mut months: BTreeMap<Day, Option<usize>> = periods(Grain::Month, first_month, end)
                .into_iter().map(|month| (month, watched.contains(&month).then_some(0))).collect();
            for (day, key) in counted.iter().filter(|(day, _)| first_month <= *day && *day < end) {
                if *key == "https://github.com/a/b" {
                    let month = *periods(Grain::Month, *day, day.next()).first().unwrap();
                    *months.get_mut(&month).unwrap().as_mut().unwrap() += 1;
                }
            }
            let params: Vec<(&str, &str)> = range.iter().copied().chain([("repo", "https://github.com/A/b")]).collect();
            let answer = sandbox.kpi("repo-history", &params).await.unwrap();
            assert_eq!(lines(&answer.answer), rows(&months));
        });
    }
}
