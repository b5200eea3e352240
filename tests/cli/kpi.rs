//! `hubscope kpi`.

use std::fs;
use std::path::{Path, PathBuf};

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

/// The example of `docs/questions.md`, in a folder of its own.
fn own_questions(sandbox: &Sandbox) -> PathBuf {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/questions.md");
    let page = fs::read_to_string(page).expect("the page about questions");
    let (_, example) = page.split_once("````markdown\n").expect("an example");
    let (example, _) = example.split_once("````\n").expect("its end");
    let folder = sandbox.path("questions");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("launches-of-one-owner.md"), example).expect("a file");
    folder
}

#[test]
fn a_question_of_ones_own_is_asked_on_every_surface() {
    let sandbox = Sandbox::new();
    let folder = own_questions(&sandbox);
    let log = fixture("archive/golden/raw-export");
    sandbox.run(["import", "cloud-log", log.to_str().expect("a UTF-8 path")]).output();
    let with_folder = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        command.env("HUBSCOPE_QUERY__QUESTIONS", &folder);
        sandbox.run_command(command)
    };
    let checked = with_folder(&["kpi", "check"]).output();
    assert_eq!(checked, "1 right: launches-of-one-owner\n");
    assert!(with_folder(&["kpi", "list"]).output().contains("launches-of-one-owner"));
    let shown = with_folder(&["kpi", "show", "launches-of-one-owner"]).output();
    assert!(shown.contains("How often are the repositories of one owner launched?"), "{shown}");
    let range = ["--param", "from=2018-10-29", "--param", "to=2018-11-12", "--format", "csv"];
    let asked = with_folder(&[&["kpi", "run", "launches-of-one-owner"], &range[..]].concat()).output();

    // A file that is wrong stops nothing else.
    fs::write(folder.join("broken.md"), "no question").expect("a file");
    let server = sandbox.serve(&[("HUBSCOPE_QUERY__QUESTIONS", folder.to_str().expect("a UTF-8 path"))]);
    let at = "launches-of-one-owner?from=2018-10-29&to=2018-11-12";
    assert_eq!(server.get(&format!("/api/v1/kpis/{at}&format=csv")).text(), asked);
    assert!(asked.lines().count() == 3 && asked.starts_with("period,value"), "{asked}");
    for page in ["/kpi/", "/?audience=public&from=2018-10-29&to=2018-11-12"] {
        assert!(server.get(page).text().contains("How often are the repositories of one owner"), "{page}");
    }
    let page = server.get(&format!("/kpi/{at}")).text();
    assert!(page.contains("Repositories that were handed over to another owner"), "{page}");
}

#[test]
fn what_is_wrong_with_a_question_is_told_with_file_and_line() {
    let sandbox = Sandbox::new();
    let folder = own_questions(&sandbox);
    let file = folder.join("launches-of-one-owner.md");
    let right = fs::read_to_string(&file).expect("a file");
    let line_of = |text: &str| right.lines().position(|line| line.starts_with(text)).expect("a line") + 1;
    for (from, to, line, told) in [
        ("audience = [", "audience = [7, ", line_of("audience"), "wanted string or table"),
        ("[\"launches\"]", "[\"lunches\"]", line_of("needs"), "there is no table 'lunches'"),
        ("[range]\nweeks", "[range]\nyears", line_of("weeks"), "unknown field `years`"),
        ("FROM launches", "FROM lunches", line_of("```sql"), "there is no table 'lunches'"),
        ("AS value", "AS worth", line_of("```sql"), "answers with period, worth; wanted are period, value"),
        ("\"week\"\nchart = \"bar\"", "\"none\"\nchart = \"curve\"", line_of("```sql"), "needs a number first"),
        ("chart = \"bar\"", "chart = \"lorenz\"", line_of("chart"), "its grain is none"),
        ("$owner", "$honour", line_of("```sql"), "honour"),
        ("GROUP BY 1", "GROUP OVER 1", line_of("GROUP"), "this is not SQL"),
        ("```sql", "```", right.lines().count() + 1, "no block ```sql"),
        ("\"launches-of-one-owner\"", "\"launches\"", line_of("id"), "the file must be called launches.md"),
    ] {
        fs::write(&file, right.replace(from, to)).expect("a file");
        let ended = sandbox.run([Path::new("kpi"), Path::new("check"), &folder]);
        assert_eq!(ended.code, Some(1), "{to}: {} {}", ended.stdout, ended.stderr);
        let place = format!("{}:{line}: ", file.display());
        assert!(ended.stdout.starts_with(&place) && ended.stdout.contains(told), "{to}: {place} {}", ended.stdout);
    }
    fs::write(folder.join("launches.md"), right.replace("\"launches-of-one-owner\"", "\"launches\"")).expect("a file");
    let ended = sandbox.run([Path::new("kpi"), Path::new("check"), &folder.join("launches.md")]);
    assert!(ended.stdout.contains("the id 'launches' is taken by"), "{}", ended.stdout);
}
