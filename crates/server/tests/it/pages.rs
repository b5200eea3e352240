//! What people look at.

use crate::http::{self, Answer};
use crate::sandbox::{Sandbox, Wishes, launch};
use server::Note;

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

async fn with_launches() -> Sandbox {
    let sandbox = Sandbox::new().await;
    let events: Vec<String> = (0..400).map(|hour| launch("jupyterlab/jupyterlab-demo/main", hour)).collect();
    sandbox.keep(&events).await;
    sandbox
}

#[track_caller]
fn assert_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.header("referrer-policy").is_some() && answer.header("x-request-id").is_some());
    let text = answer.text();
    for inline in [" style=", "<style", " onclick=", " onload=", "javascript:"] {
        assert!(!text.contains(inline), "{inline} in {text}");
    }
    for address in addresses(text) {
        assert!(!address.starts_with("//") && !address.starts_with("http"), "{address} leads to another host");
        assert!(!address.starts_with('/'), "{address} would leave a prefix");
    }
}

/// Every address that the page loads or links to.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    ["src=\"", "href=\"", "action=\""]
        .into_iter()
        .flat_map(move |attribute| text.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap_or_default()))
}

#[tokio::test]
async fn the_first_page_has_a_card_with_a_chart_for_every_question_of_its_audience() {
    let sandbox = with_launches().await;
    for range in ["", "&range=7d", "&range=90d", "&range=12m", "&range=all", "&from=2026-11-01&to=2026-11-20"] {
        let path = &format!("/?audience=public{range}");
        let answer = sandbox.get(path).await;
        assert_page(&answer, 200);
        let text = answer.text();
        for id in ["launches", "top-repos", "repo-history"] {
            assert!(text.contains(&format!("id=\"q-{id}\"")), "{path}: {id}");
        }
        assert!(text.matches("<svg").count() >= 3, "{path}");
        assert!(!text.contains("could not be answered"), "{path}: {text}");
    }
}

#[tokio::test]
async fn every_link_and_asset_of_every_page_leads_somewhere() {
    let sandbox = with_launches().await;
    for (page, base) in [
        ("/", "/"),
        ("/?audience=funder&compare=year&range=12m", "/"),
        ("/kpi/", "/kpi/"),
        ("/kpi/launches?range=90d", "/kpi/"),
        ("/kpi/top-repos?audience=public&range=all", "/kpi/"),
        ("/quarantine", "/"),
        ("/data", "/"),
    ] {
        let answer = sandbox.get(page).await;
        assert_page(&answer, 200);
        for address in addresses(answer.text()).filter(|address| !address.starts_with('#')) {
            let address = address.split('#').next().unwrap_or_default().replace("&amp;", "&");
            let path = resolved(base, page, &address);
            if path == "/archive/" {
                continue; // Nothing is published yet in this test.
            }
            assert_eq!(sandbox.get(&path).await.status, 200, "{page} → {address} → {path}");
        }
    }
}

fn resolved(base: &str, page: &str, address: &str) -> String {
    match address {
        address if address.starts_with('?') => format!("{}{address}", page.split('?').next().unwrap()),
        address if address.starts_with("../") => {
            format!("/{}", address.trim_start_matches("../").trim_start_matches("./"))
        }
        address => format!("{base}{}", address.trim_start_matches("./")),
    }
}

#[tokio::test]
async fn a_question_has_a_page_with_chart_table_help_sql_and_csv() {
    let sandbox = with_launches().await;
    for id in ["launches", "top-repos", "repo-history"] {
        let answer = sandbox.get(&format!("/kpi/{id}?range=28d")).await;
        assert_page(&answer, 200);
        let text = answer.text();
        for part in ["<h1>", "<svg", "<table", "How to read it", "SELECT", "format=csv"] {
            assert!(text.contains(part), "{id}: {part}: {text}");
        }
    }
    assert_page(&sandbox.get("/kpi/nothing").await, 404);
}

#[tokio::test]
async fn a_repository_can_be_asked_for_and_the_most_launched_one_is_the_default() {
    let sandbox = with_launches().await;
    sandbox.keep(&[launch("binder-examples/r/master", 5)]).await;
    let usual = sandbox.get("/?audience=public").await;
    assert!(usual.text().contains("jupyterlab/jupyterlab-demo\""), "{}", usual.text());
    let asked = sandbox.get("/?audience=public&repo=https%3A%2F%2Fgithub.com%2Fbinder-examples%2Fr").await;
    assert_page(&asked, 200);
    assert!(asked.text().contains("value=\"https://github.com/binder-examples/r\""));
    // It stays when the range changes.
    assert!(
        asked.text().contains("?audience=public&amp;repo=https%3A%2F%2Fgithub.com%2Fbinder-examples%2Fr&amp;range=90d")
    );
}

/// Where there is no trend, the weeks stand there nevertheless, and why nothing is foretold.
#[tokio::test]
async fn without_a_trend_there_is_a_chart_without_a_figure() {
    let sandbox = Sandbox::new().await;
    assert!(sandbox.get("/kpi/headroom").await.text().contains("connect"), "no hub has sent anything");
    let events: Vec<String> = [("2026-11-03T09:00:00.000000Z", "start"), ("2026-11-12T09:00:00.000000Z", "start")]
        .into_iter()
        .map(|(time, action)| {
            serde_json::json!({
                "__timestamp__": time, "__schema__": "hub.jupyter.org/server-action", "__schema_version__": 1,
                "__metadata_version__": 1, "action": action, "username": "ada", "servername": "",
            })
            .to_string()
        })
        .collect();
    sandbox.keep(&events).await;
    let answer = sandbox.get("/kpi/headroom?room=5").await;
    assert_page(&answer, 200);
    let text = answer.text();
    assert!(text.contains("No trend: it takes 6 whole weeks with data, and there are 1."), "{text}");
    assert!(text.contains("no trend to go by") && text.contains("<svg") && text.contains("2026-11-09"), "{text}");
}

#[tokio::test]
async fn hostile_names_are_text_on_every_page() {
    let sandbox = Sandbox::with(Wishes {
        notes: vec![Note { label: HOSTILE.to_owned(), text: HOSTILE.to_owned() }],
        ..Wishes::default()
    })
    .await;
    let hostile_schema = serde_json::json!({"schema": HOSTILE, "version": HOSTILE, "x": HOSTILE}).to_string();
    sandbox.keep(&[launch(&format!("owner/{HOSTILE}/main"), 1), launch(HOSTILE, 1), hostile_schema]).await;
    let encoded = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%22'%3E%3Cimg%20src=x%20onerror=alert(1)%3E";
    for path in [
        "/",
        &format!("/?repo={encoded}"),
        &format!("/?{encoded}={encoded}"),
        &format!("/?range={encoded}"),
        "/kpi/top-repos",
        &format!("/kpi/{encoded}"),
        "/quarantine",
        "/data",
        "/api/v1/kpis/top-repos?format=svg",
    ] {
        let answer = sandbox.get(path).await;
        let text = answer.text();
        assert!(!text.contains("<script>alert"), "{path}: {text}");
        assert!(!text.contains("<img src=x"), "{path}: {text}");
    }
    let host = http::exchange(sandbox.address, b"GET / HTTP/1.1\r\nhost: <script>\r\nconnection: close\r\n\r\n").await;
    assert!(!host.text().contains("<script>"), "{}", host.text());
}

#[tokio::test]
async fn an_empty_store_shows_the_lines_that_connect_a_hub() {
    let answer = Sandbox::new().await.get("/").await;
    assert_page(&answer, 200);
    for line in [
        "from logging.handlers import HTTPHandler",
        "HTTPHandler(&quot;hub.test:8080&quot;, &quot;/api/v1/events&quot;, method=&quot;POST&quot;)",
        "c.EventLogger.handlers = [hubscope]",
    ] {
        assert!(answer.text().contains(line), "{line} in {}", answer.text());
    }
}

#[tokio::test]
async fn a_range_without_events_says_so_and_leads_to_one_that_has_some() {
    let sandbox = with_launches().await;
    let answer = sandbox.get("/?from=2020-01-01&to=2020-02-01").await;
    assert_page(&answer, 200);
    assert!(answer.text().contains("range=all\">Show all time"), "{}", answer.text());
    assert!(!answer.text().contains("could not be answered"));
}

#[tokio::test]
async fn what_is_wrong_in_an_address_is_said_on_a_page() {
    let sandbox = with_launches().await;
    for (path, status) in [
        ("/?range=8d", 400),
        ("/?audience=everyone", 400),
        ("/?compare=last", 400),
        (&format!("/?repo={}", "x".repeat(1_001)), 400),
        ("/?from=2026-02-30", 400),
        ("/kpi/launches?to=x", 400),
    ] {
        assert_page(&sandbox.get(path).await, status);
    }
    // Its style is found however deep the address that does not exist.
    for (path, root) in [("/nowhere", ""), ("/kpis/launches", "../"), ("/a/b/c/", "../../../")] {
        let request = http::request("GET", path, &[("accept", "text/html")], b"");
        let answer = http::exchange(sandbox.address, &request).await;
        assert_page(&answer, 404);
        assert!(answer.text().contains(&format!("<link rel=\"stylesheet\" href=\"{root}assets/")), "{path}");
    }
}

#[tokio::test]
async fn notes_on_the_data_stand_on_every_page() {
    let note = Note { label: "simulated".to_owned(), text: "The hub's weeks are made up.".to_owned() };
    let sandbox = Sandbox::with(Wishes { notes: vec![note], ..Wishes::default() }).await;
    sandbox.keep(&[launch("a/b/main", 1)]).await;
    for path in ["/", "/kpi/launches", "/quarantine"] {
        let answer = sandbox.get(path).await;
        assert!(
            answer.text().contains("The hub's weeks are made up.") || answer.text().contains("The hub&#39;s weeks"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_alone_carries_its_own_style_and_nothing_that_runs() {
    let sandbox = with_launches().await;
    let answer = sandbox.get("/api/v1/kpis/launches?from=2026-11-01&to=2026-11-22&format=svg").await;
    assert!(answer.text().starts_with("<svg") && answer.text().contains("<style>"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"), "{policy}");
}

#[tokio::test]
async fn a_chart_can_be_had_as_a_specification_that_loads_nothing_and_says_what_the_drawing_says() {
    let sandbox = with_launches().await;
    sandbox.keep(&[launch(HOSTILE, 1), launch(&format!("owner/{HOSTILE}/main"), 1)]).await;
    for id in ["launches", "top-repos"] {
        let drawn = sandbox.get(&format!("/api/v1/kpis/{id}?format=svg")).await;
        let answer = sandbox.get(&format!("/api/v1/kpis/{id}?format=vega")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        let spec: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
        assert!(!answer.text().contains("\"url\"") && !answer.text().contains("\"href\""), "{spec}");
        let stops = spec["usermeta"]["stops"].as_array().unwrap();
        assert!(!stops.is_empty() && stops.len() <= 28, "{spec}");
        for stop in stops {
            let read = stop["read"].as_str().unwrap();
            let escaped = read.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let escaped = escaped.replace('"', "&quot;").replace('\'', "&#39;");
            let is_gap = read.ends_with("no data");
            assert!(is_gap || drawn.text().contains(&escaped), "{id}: {read} in {}", drawn.text());
        }
    }
    assert_eq!(sandbox.get("/api/v1/kpis/launches?format=dot").await.status, 400);
}

#[tokio::test]
async fn the_catalogue_lists_every_question_and_each_page_its_neighbours() {
    let sandbox = with_launches().await;
    let answer = sandbox.get("/kpi/?range=90d").await;
    assert_page(&answer, 200);
    for kpi in query::Catalogue::builtin().iter() {
        assert!(answer.text().contains(&format!("href=\"{}?range=90d\"", kpi.id)), "{}", kpi.id);
    }
    let middle = sandbox.get("/kpi/repo-history").await;
    assert!(middle.text().contains("rel=\"prev\"") && middle.text().contains("rel=\"next\""), "{}", middle.text());
}

#[tokio::test]
async fn assets_are_packed_for_ever_and_not_sent_twice() {
    let sandbox = Sandbox::new().await;
    let page = sandbox.get("/").await;
    let address = addresses(page.text()).find(|address| address.ends_with("page.css")).unwrap().to_owned();
    let vega = address.replace("page.css", "vega.min.js");
    let ask = async |headers: &[(&str, &str)], path: &str| {
        http::exchange(sandbox.address, &http::request("GET", &format!("/{path}"), headers, b"")).await
    };
    let plain = ask(&[], &vega).await;
    let packed = ask(&[("accept-encoding", "br, gzip")], &vega).await;
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), (None, Some("gzip")));
    assert_eq!(packed.header("vary"), Some("accept-encoding"));
    assert_eq!(packed.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert!(packed.body.len() * 2 < plain.body.len(), "{} of {}", packed.body.len(), plain.body.len());
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed.body.as_slice()), &mut unpacked).unwrap();
    assert!(unpacked == plain.body, "unpacked it is another file");
    let (tag, other) = (packed.header("etag").unwrap(), plain.header("etag").unwrap());
    assert_ne!(tag, other);
    assert_eq!(ask(&[("accept-encoding", "gzip"), ("if-none-match", tag)], &vega).await.status, 304);
    assert_eq!(ask(&[("if-none-match", tag)], &vega).await.status, 200);
    let old = ask(&[], "assets/0000000000000000/page.css").await;
    assert_eq!((old.status, old.header("cache-control")), (200, Some("no-cache")));
    assert_eq!(ask(&[], "assets/0000000000000000/none.css").await.status, 404);
}
