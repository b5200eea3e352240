//! What the program says of itself. A change of these texts is a change for users: the snapshots show it.

use acceptance::Sandbox;

#[test]
fn every_command_explains_itself() {
    let sandbox = Sandbox::new();
    let commands: [&[&str]; 30] = [
        &[],
        &["serve"],
        &["demo"],
        &["import"],
        &["import", "cloud-log"],
        &["import", "archive"],
        &["import", "hub-log"],
        &["import", "hub-db"],
        &["archive"],
        &["archive", "publish"],
        &["query"],
        &["kpi"],
        &["kpi", "run"],
        &["kpi", "check"],
        &["schema"],
        &["schema", "list"],
        &["schema", "add"],
        &["token"],
        &["token", "create"],
        &["token", "list"],
        &["token", "revoke"],
        &["forget"],
        &["verify"],
        &["rebuild"],
        &["backup"],
        &["inspect"],
        &["inspect", "table"],
        &["inspect", "journal"],
        &["config"],
        &["config", "show"],
    ];
    for command in commands {
        let arguments = [command, &["--help"]].concat();
        let mut program = sandbox.command(&arguments);
        program.env("COLUMNS", "100");
        let help = sandbox.run_command(program).output();
        insta::assert_snapshot!(format!("help {}", command.join(" ")).trim_end().replace(' ', "-"), help);
    }
}

#[test]
fn wrong_usage_is_told_and_ends_with_2() {
    let sandbox = Sandbox::new();
    for arguments in
        [&["no-such-command"][..], &["query"], &["serve", "--listen", "nowhere"], &["kpi", "show", "nothing"]]
    {
        let ended = sandbox.run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
}
