//! `hubscope kpi`.

use acceptance::{Sandbox, fixture};

#[test]
fn the_catalogue_is_listed_shown_and_run() {
    let sandbox = Sandbox::new();
    let list = sandbox.run(["kpi", "list"]).output();
    for id in ["launches", "top-repos", "repo-history"] {
        assert!(list.lines().any(|line| line.split_whitespace().next() == Some(id)), "{id} in {list}");
        let shown = sandbox.run(["kpi", "show", id]).output();
        assert!(shown.contains('?') && shown.contains("SELECT") && shown.contains("--param from="), "{shown}");
    }
    let log = fixture("archive/golden/raw-export");
    sandbox.run(["import", "cloud-log", log.to_str().expect("a UTF-8 path")]).output();
    let day = ["--param", "from=2018-11-03", "--param", "to=2018-11-04", "--format", "csv"];
    let run = |id: &str, more: &[&str]| sandbox.run([&["kpi", "run", id], &day[..], more].concat()).output();
    insta::assert_snapshot!("launches", run("launches", &[]));
    insta::assert_snapshot!("top-repos", run("top-repos", &[]));
}

#[test]
fn a_parameter_that_is_wrong_is_told() {
    let sandbox = Sandbox::new();
    let log = fixture("archive/golden/raw-export");
    sandbox.run(["import", "cloud-log", log.to_str().expect("a UTF-8 path")]).output();
    for (parameter, told) in [("from=soon", "soon"), ("fro=2018-11-03", "fro")] {
        let ended = sandbox.run(["kpi", "run", "launches", "--param", parameter]);
        assert_ne!(ended.code, Some(0), "{parameter}: {}", ended.stdout);
        assert!(ended.stderr.contains(told), "{parameter}: {}", ended.stderr);
    }
}
