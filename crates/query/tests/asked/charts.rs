//! Charts: small ones pinned whole, hostile names harmless, every size readable.

use query::chart::{Size, svg, svg_document, vega_lite};
use query::{Catalogue, Params, Scope};
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, at, launch, launch_of, on, server_action};

async fn drawn(sandbox: &Sandbox, id: &str, params: &[(&str, &str)], size: Size) -> String {
    let catalogue = Catalogue::builtin();
    let kpi = catalogue.get(id).unwrap();
    let answer = sandbox.engine.kpi(kpi, &params.iter().copied().collect::<Params>(), &Scope::All).await.unwrap();
    svg(kpi, &answer, size)
}

/// One element a line.
fn pretty(svg: &str) -> String {
    svg.replace("><", ">\n<")
}

#[tokio::test]
async fn bars_gaps_and_the_unfinished_period_are_drawn() {
    let mut sandbox = Sandbox::new().await;
    sandbox.acknowledge((0..7).map(|n| launch(on("2024-02-28", (n % 3) * 86_400_000_000 + n), "a/b/c")).collect());
    sandbox.clock.set(at("2024-03-01T06:00:00Z"));
    let params = [("from", "2024-02-26"), ("to", "2024-03-02")];
    insta::assert_snapshot!("bars", pretty(&drawn(&sandbox, "launches", &params, Size::Narrow).await));
}

#[tokio::test]
async fn a_ranking_shows_hostile_names_as_text() {
    let mut sandbox = Sandbox::new().await;
    let minute = at("2021-11-01T10:00:00Z");
    let long = format!("long/{}/HEAD", "x".repeat(200));
    let names =
        ["<b>bold</b>/x/HEAD", "a/\"quoted\"&'/HEAD", "emoji/🎉🎉/HEAD", "rtl/\u{202E}שלום/HEAD", long.as_str()];
    let rows = names.iter().zip(1..).flat_map(|(spec, n)| (0..6 - n).map(|_| launch_of(minute, "GitHub", spec)));
    sandbox.acknowledge(rows.collect());
    let svg = drawn(&sandbox, "top-repos", &[], Size::Narrow).await;
    for forbidden in ["<b>", "\u{202E}", "style=", "<style", "<script", "\"quoted\""] {
        assert!(!svg.contains(forbidden), "{forbidden}");
    }
    insta::assert_snapshot!("ranking", pretty(&svg));
}

/// A Saturday on which one server ran from 9 to 12, and another from 11 to 12.
#[tokio::test]
async fn a_field_has_a_square_for_each_hour_of_a_weekday() {
    let mut sandbox = Sandbox::new().await;
    for (user, start) in [("ada", "2024-03-30T09:00:00Z"), ("bob", "2024-03-30T11:00:00Z")] {
        let stop = at("2024-03-30T12:00:00Z");
        sandbox.acknowledge(vec![server_action(at(start), "start", user), server_action(stop, "stop", user)]);
    }
    let params = [("from", "2024-03-30"), ("to", "2024-03-31")];
    let svg = drawn(&sandbox, "usage-heatmap", &params, Size::Narrow).await;
    well_formed(&svg);
    let opacities: Vec<&str> = svg.split("opacity=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let expected: Vec<&str> = (0..24)
        .map(|hour| {
            ["0.04", "0.57", "1.00"]
                [[(9, 12), (11, 12)].iter().filter(|(from, to)| (*from..*to).contains(&hour)).count()]
        })
        .collect();
    assert_eq!(opacities, expected);
    insta::assert_snapshot!("heat", pretty(&svg));
}

/// Newcomers of three months; of those of January, with 20 of them, half came again in February and a quarter in March.
#[tokio::test]
async fn a_field_of_months_has_a_line_for_each() {
    let mut sandbox = Sandbox::new().await;
    let start = |month: u32, user: i64| {
        server_action(at(&format!("2024-{month:02}-10T12:00:{user:02}Z")), "start", &format!("user-{user}"))
    };
    let january = (0..20)
        .map(|user| start(1, user))
        .chain((0..10).map(|user| start(2, user)))
        .chain((0..5).map(|user| start(3, user)));
    // Of February's two newcomers nothing can be said.
    let february = (40..42).flat_map(|user| [start(2, user), start(3, user)]);
    sandbox.acknowledge(january.chain(february).collect());
    let params = [("from", "2024-01-01"), ("to", "2024-04-01")];
    let svg = drawn(&sandbox, "retention-cohort", &params, Size::Page).await;
    well_formed(&svg);
    let squares: Vec<&str> =
        svg.split("<rect").skip(1).filter_map(|rest| rest.split("<title>").nth(1)?.split("</title>").next()).collect();
    assert_eq!(squares, ["\u{2068}2024-01 in 2024-02\u{2069}: 50 %", "\u{2068}2024-01 in 2024-03\u{2069}: 25 %"]);
    assert!(svg.contains(">1</text>") && svg.contains(">2</text>") && svg.contains("2024-01\u{2069}</text>"), "{svg}");
}

/// Of five people two came on one day, two on two days and one on four: the class of three days is there, and empty.
#[tokio::test]
async fn a_histogram_has_a_bar_for_each_class_in_order() {
    let mut sandbox = Sandbox::new().await;
    let days = [("ada", 1), ("bob", 1), ("eve", 2), ("joe", 2), ("zoe", 4)];
    let starts = days.iter().flat_map(|(user, days)| (0..*days).map(move |day| (*user, day)));
    let start = |(user, day): (&str, i64)| server_action(on("2024-03-25", day * 86_400_000_000), "start", user);
    sandbox.acknowledge(starts.map(start).collect());
    let params = [("from", "2024-03-25"), ("to", "2024-04-01")];
    let svg = drawn(&sandbox, "active-days", &params, Size::Narrow).await;
    well_formed(&svg);
    let bars: Vec<(f64, f64, f64)> = svg
        .split("<rect class=\"mark")
        .skip(1)
        .map(|bar| (attribute(bar, "x"), attribute(bar, "y"), attribute(bar, "height")))
        .collect();
    let [one, two, three, four] = bars.as_slice() else { panic!("{bars:?}") };
    assert!(one.0 < two.0 && two.0 < three.0 && three.0 < four.0, "{bars:?}");
    assert_eq!((one.2, three.2, four.2 * 2.0), (two.2, 0.0, one.2), "{bars:?}");
    assert!(bars.iter().all(|bar| (bar.1 + bar.2 - three.1).abs() < 0.2), "one ground for all: {bars:?}");
    insta::assert_snapshot!("histogram", pretty(&svg));
}

/// Nothing is written over anything else, and nothing beyond the edge, however many classes there are.
#[tokio::test]
async fn the_names_of_classes_never_overlap() {
    let mut sandbox = Sandbox::new().await;
    let starts = |users: std::ops::RangeInclusive<i64>, of: fn(i64) -> std::ops::Range<i64>| {
        users.flat_map(move |user| {
            of(user)
                .map(move |day| server_action(on("2023-01-01", day * 86_400_000_000), "start", &format!("user-{user}")))
        })
    };
    // Somebody came on each number of days up to 90, and last so many days ago.
    sandbox.acknowledge(starts(1..=90, |user| 400 - user..400).collect());
    sandbox.acknowledge(starts(100..=140, |user| (user - 100) * 10..(user - 100) * 10 + 1).collect());
    sandbox.clock.set(at("2024-02-04T12:00:00Z"));
    for size in Size::ALL {
        for (id, classes) in [("active-days", 30), ("days-since-start", 6), ("starts-by-hour", 24)] {
            let params = [("from", "2023-01-01"), ("to", "2024-02-05")];
            let svg = drawn(&sandbox, id, &params, size).await;
            well_formed(&svg);
            assert_eq!(svg.matches("<rect class=\"mark").count(), classes, "{id} {size:?}");
            let (view, _) = svg.split_once("viewBox=\"0 0 ").unwrap().1.split_once('"').unwrap();
            let (wide, high) = view.split_once(' ').unwrap();
            let (wide, high): (f64, f64) = (wide.parse().unwrap(), high.parse().unwrap());
            let mut placed: Vec<(f64, f64, f64)> = Vec::new();
            let texts = svg.split("<text class=\"axis\"").filter_map(|rest| rest.split_once("</text>"));
            for (text, _) in texts.filter(|(text, _)| text.contains('\u{2068}')) {
                let words = text.split('\u{2068}').nth(1).unwrap().split('\u{2069}').next().unwrap();
                let (x, y, half) = (attribute(text, "x"), attribute(text, "y"), 3.35 * words.len() as f64);
                assert!(x >= half - 0.1 && x + half <= wide + 0.1 && y <= high, "{id} {size:?}: {words} at {x} {y}");
                let is_apart = |(from, to, line): &(f64, f64, f64)| *line != y || *to < x - half || x + half < *from;
                assert!(placed.iter().all(is_apart), "{id} {size:?}: {words} overlaps: {placed:?}");
                placed.push((x - half, x + half, y));
            }
            assert!(placed.len() >= 3, "{id} {size:?}: {placed:?}");
        }
    }
}

/// Of 24 hours one server ran in three, and two in three more.
#[tokio::test]
async fn a_curve_rises_in_steps_from_the_least_to_the_most() {
    let mut sandbox = Sandbox::new().await;
    for (user, start, stop) in [("ada", 6, 12), ("bob", 9, 12)] {
        let hour = |hour: i64| on("2024-03-30", hour * 3_600_000_000);
        sandbox.acknowledge(vec![server_action(hour(start), "start", user), server_action(hour(stop), "stop", user)]);
    }
    let params = [("from", "2024-03-30"), ("to", "2024-03-31")];
    let svg = drawn(&sandbox, "concurrency-percentile", &params, Size::Page).await;
    well_formed(&svg);
    let titles: Vec<&str> =
        svg.split("class=\"read\"").skip(1).map(|rest| rest.split(['<', '>']).nth(3).unwrap()).collect();
    assert_eq!(titles.len(), 100);
    for (percent, servers) in
        [(75, "0 servers"), (76, "1 server"), (87, "1 server"), (88, "2 servers"), (100, "2 servers")]
    {
        assert_eq!(titles[percent - 1], format!("\u{2068}{percent} % of the time\u{2069}: {servers}"));
    }
    let way = svg.split("class=\"mark series-1\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    let heights: Vec<&str> = way.split(['M', 'V']).filter_map(|step| step.split(['H', ' ']).next()).collect();
    assert_eq!(heights.len(), 101, "{way}");
    assert!(svg.contains("(UTC); 99 % of the time: 2.</title>"), "{svg}");
    assert!(svg.contains(">percent of time</text>") && !svg.contains("class=\"band"), "{svg}");
}

/// Twenty people, of whom the busiest two have as much as the other eighteen together.
#[tokio::test]
async fn a_lorenz_curve_says_what_the_busiest_tenth_has() {
    let mut sandbox = Sandbox::new().await;
    let begin = on("2024-03-30", 0);
    let session = |user: i64, minutes: i64| {
        let name = format!("user-{user:02}");
        let stop = on("2024-03-30", minutes * 60_000_000);
        vec![server_action(begin, "start", &name), server_action(stop, "stop", &name)]
    };
    for user in 0..20 {
        sandbox.acknowledge(session(user, if user < 2 { 540 } else { 60 }));
    }
    let params = [("from", "2024-03-30"), ("to", "2024-03-31")];
    let answer = sandbox.kpi("hours-per-user", &params).await.unwrap();
    assert!(answer.message.starts_with("50 % of the hours are those of the busiest tenth"), "{}", answer.message);
    let svg = drawn(&sandbox, "hours-per-user", &params, Size::Narrow).await;
    well_formed(&svg);
    let first = "\u{2068}busiest tenth\u{2069}: 18 hours; up to here 10 % of the users have 50 % of the hours";
    assert!(svg.contains(&format!("<title>{first}</title>")), "{svg}");
    assert!(svg.contains("class=\"before\"") && svg.contains("users in %, those with most hours first"), "{svg}");
    assert_eq!(svg.matches("<circle").count(), 10);
    insta::assert_snapshot!("lorenz", pretty(&svg));

    let mut few = Sandbox::new().await;
    for user in 0..19 {
        few.acknowledge(session(user, if user < 2 { 510 } else { 60 }));
    }
    let answer = few.kpi("hours-per-user", &params).await.unwrap();
    assert_eq!((answer.headline, answer.answer.rows()), (None, 10));
    let svg = drawn(&few, "hours-per-user", &params, Size::Narrow).await;
    well_formed(&svg);
    assert!(!svg.contains('%'), "no percentage of few: {svg}");
    assert!(svg.contains("up to here 2 of 19 users have 17 of 34 hours"), "{svg}");
}

/// The number in an attribute of the element whose text begins with `element`.
fn attribute(element: &str, name: &str) -> f64 {
    let rest = element.split(&format!(" {name}=\"")).nth(1).unwrap_or_else(|| panic!("no {name}: {element}"));
    rest.split('"').next().unwrap().parse().unwrap()
}

/// The interactive chart shows what the static one shows: classes, steps with their band, shares.
#[tokio::test]
async fn the_specification_has_classes_steps_and_shares() {
    let mut sandbox = Sandbox::new().await;
    let (start, now) = (at("2024-03-30T09:00:00Z"), at("2024-03-30T12:00:00Z"));
    sandbox.acknowledge_at(now, vec![server_action(start, "start", "ada")]);
    sandbox.clock.set(now);
    let catalogue = Catalogue::builtin();
    let specified = async |id: &str| {
        let params: Params = [("from", "2024-03-30"), ("to", "2024-03-31")].into_iter().collect();
        let kpi = catalogue.get(id).unwrap();
        vega_lite(kpi, &sandbox.engine.kpi(kpi, &params, &Scope::All).await.unwrap())
    };
    let hours = specified("starts-by-hour").await;
    assert_eq!(hours["usermeta"]["classes"], 24, "{hours}");
    assert_eq!(
        hours["datasets"]["figures"][9],
        json!({
            "at": 9, "name": "09:00", "value": 1, "low": null, "high": null, "read": "\u{2068}09:00\u{2069}: 1 start",
        })
    );
    let curve = specified("concurrency-percentile").await;
    let stops = curve["usermeta"]["stops"].as_array().unwrap();
    assert_eq!(stops.len(), 100);
    let read = "\u{2068}100 % of the time\u{2069}: 1 server (between 0 and 1)";
    assert_eq!(stops[99], json!({"at": 100, "from": 99, "to": 100, "read": read}));
    let figures = curve["datasets"]["figures"].as_array().unwrap();
    assert_eq!((&figures[0]["at"], &figures[0]["low"], &figures[100]["high"]), (&0.into(), &0.into(), &1.into()));
    let spread = specified("hours-per-user").await;
    assert_eq!(
        spread["datasets"]["way"],
        json!([
            {"x": 0, "y": 0},
            {"x": 1, "y": 3, "read": "\u{2068}busiest tenth\u{2069}: 3 hours (between 0 and 3); \
                                      up to here 1 of 1 users have 3 of 3 hours"},
        ])
    );
    assert_eq!(spread["datasets"]["even"][1], json!({"x": 1, "y": 3}));
}

/// The interactive chart shows what the static one shows: the bounds of what is not known exactly, squares in order.
#[tokio::test]
async fn the_specification_has_bounds_and_squares() {
    let mut sandbox = Sandbox::new().await;
    let (start, now) = (at("2024-03-30T09:00:00Z"), at("2024-03-30T12:00:00Z"));
    sandbox.acknowledge_at(now, vec![server_action(start, "start", "ada")]);
    sandbox.clock.set(now);
    let catalogue = Catalogue::builtin();
    let specified = async |id: &str| {
        let params: Params = [("from", "2024-03-30"), ("to", "2024-03-31")].into_iter().collect();
        let kpi = catalogue.get(id).unwrap();
        vega_lite(kpi, &sandbox.engine.kpi(kpi, &params, &Scope::All).await.unwrap())
    };
    let hours = specified("session-hours").await;
    let bounds = &hours["datasets"]["bounds"];
    assert_eq!((&bounds[0]["low"], &bounds[0]["high"], &bounds[1]), (&0.into(), &3.into(), &Value::Null), "{hours}");
    let field = specified("usage-heatmap").await;
    assert_eq!(field["usermeta"]["field"], json!({"lines": 1, "places": 12}), "{field}");
    let stops = field["usermeta"]["stops"].as_array().unwrap();
    let places: Vec<i64> = stops.iter().filter_map(|stop| stop["place"].as_i64()).collect();
    assert_eq!(places, (0..12).collect::<Vec<_>>());
    assert_eq!(field["datasets"]["figures"][9]["read"], "\u{2068}Saturday 09:00\u{2069}: 1 server on average");
}

#[tokio::test]
async fn every_chart_of_every_size_is_well_formed_and_named() {
    let mut sandbox = Sandbox::new().await;
    let empty = drawn(&sandbox, "launches", &[], Size::Card).await;
    assert!(empty.contains("No data from 2029-12-05 to 2030-01-01 (UTC)"), "{empty}");
    let rows = (0..900).map(|n| launch(on("2021-01-01", n * 86_400_000_000), &format!("o{}/n/HEAD", n % 40)));
    sandbox.acknowledge(rows.collect());
    for size in Size::ALL {
        for (id, params) in [
            ("launches", vec![]),
            ("launches", vec![("from", "2021-01-01"), ("to", "2023-06-01")]),
            ("top-repos", vec![("from", "2021-01-01")]),
            ("repo-history", vec![("repo", "o1/n"), ("months", "24")]),
            ("repo-survival", vec![("from", "2021-01-01"), ("to", "2023-06-01")]),
        ] {
            let svg = drawn(&sandbox, id, &params, size).await;
            well_formed(&svg);
            assert!(svg.contains("UTC") && svg.contains("launch") && svg.contains("role=\"img\""), "{id} {size:?}");
            assert!(svg.len() < 60_000, "{id} {size:?}: {} bytes", svg.len());
            assert_eq!(svg.matches("<desc").count(), 1);
        }
    }
    let wide = drawn(&sandbox, "launches", &[("from", "2021-01-01"), ("to", "2023-06-01")], Size::Narrow).await;
    assert!(wide.contains("<path class=\"mark series-1\""), "too many bars become a line");
}

#[tokio::test]
async fn a_document_brings_its_colours() {
    let sandbox = Sandbox::new().await;
    let catalogue = Catalogue::builtin();
    let kpi = catalogue.get("launches").unwrap();
    let answer = sandbox.engine.kpi(kpi, &Params::new(), &Scope::All).await.unwrap();
    assert_eq!(svg_document(kpi, &answer, Size::Page).matches("<style>").count(), 1);
    assert!(!svg(kpi, &answer, Size::Page).contains("<style>"));
}

/// Every element is closed in order, and no attribute or text holds a bare sign.
fn well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in svg.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect(piece);
        assert!(!text.contains('>') && tag.matches('"').count() % 2 == 0, "{piece}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{piece}");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap());
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
