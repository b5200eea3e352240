//! `hubscope demo`: one command, sample data, and nothing left behind.

use std::path::PathBuf;

use acceptance::{Sandbox, Server, TIME_LIMIT};

#[test]
fn the_demo_shows_its_questions_and_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let temporary = sandbox.path("tmp");
    std::fs::create_dir(&temporary).expect("a folder can be made");
    let mut command = sandbox.command(["demo", "--quiet", "--port", "18080"]);
    command.env("TMPDIR", &temporary);
    let server = Server::started(command);
    assert_eq!(entries(&temporary).len(), 1, "its data lie in one temporary folder");

    let pages = ["/", "/?audience=funder", "/?audience=public"].map(|path| {
        let page = server.get(path);
        assert_eq!(page.status, 200, "{path}");
        page.text()
    });
    for page in &pages {
        assert!(page.contains("<svg") && page.contains("Reconstructed") && page.contains("Simulated"), "{page}");
    }
    let questions = questions(&server);
    for page in &pages {
        assert!(questions.iter().filter(|question| page.contains(*question)).count() >= 3, "{page}");
    }
    let catalogue = server.get("/kpi/").text();
    for question in questions {
        assert!(catalogue.contains(&question), "the catalogue lacks '{question}'");
    }
    let launches = server.query("SELECT count(*) AS n FROM launches");
    assert!(launches[0]["n"].as_u64() > Some(100_000), "{launches:?}");
    let day = server.query(
        "SELECT count(*) AS n FROM launches WHERE time >= '2021-11-01T00:00:00Z' AND time < '2021-11-02T00:00:00Z'",
    );
    assert!(day[0]["n"].as_u64() > Some(10_000), "the day with true counts: {day:?}");
    let actions = server.query("SELECT count(*) AS n FROM server_actions");
    assert!(actions[0]["n"].as_u64() > Some(100), "{actions:?}");

    server.interrupt();
    let (ended, signal) = server.ended_within(TIME_LIMIT);
    assert_eq!((ended.code, signal), (Some(0), None), "{ended:#?}");
    assert!(entries(&temporary).is_empty(), "something is left: {:?}", entries(&temporary));
    assert!(!sandbox.data().exists(), "the demo leaves the folder of data alone");
}

fn questions(server: &Server) -> Vec<String> {
    let catalogue = server.get("/api/v1/kpis").json();
    let kpis = catalogue["kpis"].as_array().expect("a list").iter();
    let questions: Vec<String> = kpis.filter_map(|kpi| kpi["question"].as_str().map(str::to_owned)).collect();
    assert!(questions.len() >= 3, "{catalogue}");
    questions
}

fn entries(folder: &PathBuf) -> Vec<PathBuf> {
    std::fs::read_dir(folder).expect("the folder can be read").map(|entry| entry.expect("an entry").path()).collect()
}
