//! What no script does: begin with a wrong parameter, or without its tools; and what it does when a tool of it dies.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use pso_tests::tool::Tool;

use super::{Deployment, SCRIPTS, Shell, ends, folder, path_with_tools};

#[test]
fn every_script_of_the_specification_is_there_twice_and_says_what_it_is_for() {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            names.push(path.file_name().expect("a name").to_string_lossy().into_owned());
        }
    }
    names.sort();
    let mut expected: Vec<String> = vec!["lib.ps1".to_owned(), "lib.sh".to_owned()];
    expected.extend(SCRIPTS.iter().flat_map(|(name, ..)| [format!("{name}.ps1"), format!("{name}.sh")]));
    expected.sort();
    assert_eq!(names, expected);

    for (name, ..) in SCRIPTS {
        let help = Tool::program(folder().join(format!("{name}.sh"))).arg("--help").run().expect("ends");
        assert!(help.text().starts_with(&format!("usage: {name}.sh ")) && help.code == Some(0), "{help}");
        assert!(help.text().contains("exit codes: 0 "), "{help}");
        assert_eq!(help.stderr, "", "{help}");
    }
}

#[test]
fn a_missing_tool_is_said_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in Shell::all() {
        for (name, tool, parameters) in SCRIPTS {
            let script = shell.script(name, parameters).env("PATH", "/usr/bin:/bin").env("HOME", folder.path());
            let outcome = script.folder(folder.path()).run().expect("ends");
            outcome.assert_stderr_has(&format!("{}: {tool} is not on the PATH", shell.file(name)));
            assert_eq!((outcome.code, outcome.stdout.len()), (Some(3), 0), "{outcome}");
        }
    }
}

#[test]
fn a_wrong_parameter_is_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |name: &str, args: &[&str]| {
        let script = Tool::program(super::folder().join(format!("{name}.sh"))).args(args);
        script.env("PATH", path_with_tools()).folder(folder.path()).run().expect("ends")
    };
    for (name, ..) in SCRIPTS {
        for args in
            [["--frobnicate", "1"], ["--records", ""], ["--format", ""], ["surplus", "x"], ["--", "x"], ["-x", "y"]]
        {
            let outcome = run(name, &args);
            outcome.assert_stderr_has(args[0]).assert_stderr_has("see --help");
            assert_eq!((outcome.code, outcome.stdout.len()), (Some(3), 0), "{name} {args:?}\n{outcome}");
        }
    }
    for (name, parameter) in [
        ("analyze-logs", "--hours-back"),
        ("backup-daily", "--retention-days"),
        ("daily-maintenance", "--hours-back"),
        ("daily-maintenance", "--retention-days"),
        ("monitoring-daemon", "--check-interval-seconds"),
        ("weekly-maintenance", "--retention-days"),
    ] {
        for value in ["soon", "0", "-1", "1.5", "", "99999999999999999999", "1; reboot"] {
            let outcome = run(name, &[parameter, value]);
            outcome.assert_stderr_has(parameter).assert_stderr_has("a whole number");
            assert_eq!((outcome.code, outcome.stdout.len()), (Some(3), 0), "{name} {value}\n{outcome}");
            let joined = format!("{parameter}={value}");
            let outcome = run(name, &[&joined]);
            outcome.assert_stderr_has("a whole number");
        }
    }
    for (name, missing) in
        [("restore-backup", "--backup-path"), ("restore-selective", "--backup-path"), ("send-alert", "--message")]
    {
        let outcome = run(name, &[]);
        outcome.assert_stderr_has(&format!("{missing} is missing"));
        assert_eq!(outcome.code, Some(3), "{outcome}");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing was written");
}

#[test]
fn a_tool_that_dies_is_told_and_the_others_still_run() {
    let deployment = Deployment::start("script_dies");
    let fake = deployment.parts.path("fake");
    fs::create_dir(&fake).expect("a folder");
    let program = fake.join("pso-health");
    fs::write(&program, "#!/bin/sh\nkill -9 $$\n").expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("mode");
    for shell in Shell::all() {
        let path = format!("{}:{}", fake.display(), path_with_tools());
        let outcome = deployment.script(shell, "daily-health-check", &[]).env("PATH", path).run().expect("ends");
        outcome.assert_stderr_has("pso-health died with exit code");
        assert_eq!(outcome.code, Some(3), "{outcome}");
        let lines: Vec<_> = outcome.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let ends = ends(&lines);
        assert_eq!(ends.iter().map(|(tool, _)| *tool).collect::<Vec<_>>(), ["pso-pgstats", "pso-alert"], "{outcome}");
    }
}

/// Nobody is told then; but the work is done, and the exit code says that something is wrong.
#[test]
fn a_pso_alert_that_dies_does_not_undo_the_work() {
    let deployment = Deployment::start("script_alert_dies");
    let fake = deployment.parts.path("fake");
    fs::create_dir(&fake).expect("a folder");
    let program = fake.join("pso-alert");
    fs::write(&program, "#!/bin/sh\nkill -9 $$\n").expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("mode");
    for shell in Shell::all() {
        let before = deployment.parts.path("backups/daily").read_dir().map_or(0, Iterator::count);
        let path = format!("{}:{}", fake.display(), path_with_tools());
        let outcome = deployment.script(shell, "backup-daily", &[]).env("PATH", path).run().expect("ends");
        assert!(outcome.code.is_some_and(|code| code > 2), "{outcome}");
        assert!(deployment.parts.path("backups/daily").read_dir().expect("a folder").count() > before, "{outcome}");
    }
}

/// People link scripts into a folder of their PATH; what they have in common is found all the same.
#[test]
fn a_script_runs_by_a_link_and_from_a_path_with_spaces() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("the scripts");
    let copied = Command::new("cp").arg("-r").arg(super::folder()).arg(&copy).status().expect("cp");
    assert!(copied.success());
    let link = folder.path().join("check");
    std::os::unix::fs::symlink(copy.join("daily-health-check.sh"), &link).expect("a link");
    let outcome = Tool::program(link).arg("--help").folder("/").run().expect("ends");
    assert!(outcome.text().starts_with("usage:") && outcome.code == Some(0), "{outcome}");
}
