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
