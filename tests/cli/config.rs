//! Settings, and how faults in them are told.

use acceptance::Sandbox;
use serde_json::Value;

#[test]
fn every_setting_is_shown_with_its_origin() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("hubscope.toml");
    std::fs::write(&file, "[query]\ntimeout = '7 s'\n\n[[hub]]\nname = 'north'\nzone = 'Asia/Kathmandu'\n").unwrap();
    let file = file.to_str().unwrap();
    let mut program = sandbox.command(["config", "show", "--format", "json", "--config", file]);
    program.env("HUBSCOPE_ARCHIVE__INTERVAL", "1 h");
    let shown: Value = serde_json::from_str(&sandbox.run_command(program).output()).unwrap();
    let found = |key: &str| {
        let settings = shown["settings"].as_array().unwrap();
        let setting =
            settings.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("no {key}: {shown}"));
        (setting["value"].as_str().unwrap().to_owned(), setting["origin"].as_str().unwrap().to_owned())
    };
    let expected = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(found("listen"), expected("127.0.0.1:8080", "default"));
    assert_eq!(found("archive.interval"), expected("1 h", "environment, HUBSCOPE_ARCHIVE__INTERVAL"));
    assert_eq!(found("query.timeout"), expected("7 s", &format!("{file}, line 2")));
    assert_eq!(found("hub[0].zone"), expected("Asia/Kathmandu", &format!("{file}, line 6")));

    let table = sandbox.run(["config", "show", "--config", file]).output();
    assert!(table.lines().any(|line| line.starts_with("query.timeout ") && line.ends_with(", line 2")), "{table}");
    assert!(!sandbox.data().exists(), "asking makes no folder");
}

#[test]
fn a_setting_that_does_not_exist_is_told_with_the_nearest_that_does() {
    let sandbox = Sandbox::new();
    let mut program = sandbox.command(["serve", "--listen", "127.0.0.1:0"]);
    program.env("HUBSCOPE_STORE__FLUSH_INTERWAL", "5 s");
    let ended = sandbox.run_command(program);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for told in ["HUBSCOPE_STORE__FLUSH_INTERWAL", "did you mean 'store.flush_interval'?"] {
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }

    let file = sandbox.path("hubscope.toml");
    std::fs::write(&file, "listen = '127.0.0.1:0'\n\n[archive]\nintervall = '5 s'\n").unwrap();
    let ended = sandbox.run(["serve", "--config", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for told in ["hubscope.toml, line 4", "'archive.intervall'", "did you mean 'archive.interval'?"] {
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
}
