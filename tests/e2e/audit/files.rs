//! Modes, owners and links of a deployment's files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

use pso_tests::tool::Tool;

use super::deployment::{Deployment, is_root};
use super::{finding, findings, folder, section, text};

const FILES: [&str; 2] = ["--only", "files"];

#[test]
fn a_sane_deployment_has_no_findings() {
    let deployment = Deployment::sane();
    let outcome = deployment.run(&FILES);
    outcome.assert_code(0).assert_quiet();
    assert_eq!(findings(&outcome), [""; 0], "{outcome}");
    let section = section(&outcome, "files");
    assert_eq!(section["severity"], "ok", "{outcome}");
    assert!(section["examined"].as_u64().is_some_and(|examined| examined >= 12), "{outcome}");
}

#[test]
fn a_root_that_is_a_link_is_judged_by_what_it_leads_to_and_by_its_folder() {
    let deployment = Deployment::sane();
    let elsewhere = folder();
    let mode = |mode| fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(mode)).expect("mode");
    mode(0o755);
    let link = elsewhere.path().join("ps");
    symlink(deployment.root(), &link).expect("linked");
    let run = || deployment.tool(&FILES).env("PSO_ROOT", &link).run().expect("ends");
    assert_eq!(findings(&run()), [""; 0], "the link's own mode says nothing");
    // Whoever can write there can have it lead to somewhere else.
    mode(0o777);
    let above = elsewhere.path().canonicalize().expect("there");
    assert_eq!(findings(&run()), [format!("parent_writable:{}", above.display())]);
}

#[test]
fn every_fix_can_be_run_as_it_is() {
    let deployment = Deployment::sane();
    deployment.write("config/config.yaml", "database: {postgres: {password: hunter2x}}\n", 0o644);
    deployment.write("config/api-token.txt", "token\n", 0o644);
    deployment.write(".env", "SMTP_PASSWORD=hunter2x\n", 0o644);
    deployment.write("scripts/run.sh", "#!/bin/sh\n", 0o777);
    deployment.write("scripts/root.sh", "#!/bin/sh\n", 0o4755);
    deployment.write("backups/daily/20251112_090000.zip", "PK", 0o644);
    deployment.mode("roadmaps/plans", 0o777);
    for name in [&b"it's \"$HOME\".log"[..], b"two\nlines.log", b"-rf", b"caf\xe9 %s.log", "é🎉.log".as_bytes()] {
        deployment.write(Path::new("logs").join(OsStr::from_bytes(name)), "x", 0o666);
    }
    fs::create_dir(deployment.path("logs/-old's")).expect("made");
    deployment.mode("logs/-old's", 0o755);
    for number in 0..47 {
        deployment.write(format!("logs/-old's/{number}.log"), "x", 0o666);
    }
    let outcome = deployment.run(&FILES);
    outcome.assert_code(2);
    for (name, severity) in [
        ("world_readable_secret:config/config.yaml", "high"),
        ("world_readable_secret:config/api-token.txt", "high"),
        ("world_readable_secret:.env", "high"),
        ("world_writable:scripts/run.sh", "critical"),
        ("setuid:scripts/root.sh", "high"),
        ("world_readable_backup:backups/daily/20251112_090000.zip", "high"),
        ("world_writable:roadmaps/plans", "warning"),
        ("world_writable:logs/it's \"$HOME\".log", "warning"),
        (r"world_writable:logs/two\x0Alines.log", "warning"),
        (r"world_writable:logs/caf\xE9 %s.log", "warning"),
        ("world_writable:logs/-rf", "warning"),
        ("world_writable:logs/é🎉.log", "warning"),
        ("world_writable:logs/-old's/", "warning"),
    ] {
        let finding = finding(&outcome, name).unwrap_or_else(|| panic!("{name}\n{outcome}"));
        assert_eq!(finding["severity"], severity, "{finding}");
    }
    let grouped = finding(&outcome, "world_writable:logs/-old's/").expect("there");
    assert!(text(&grouped, "message").starts_with("47 in logs/-old's/: each can be changed by everybody"), "{grouped}");
    assert_eq!(
        (&grouped["evidence"]["count"], &grouped["evidence"]["examples"]),
        (&"47".into(), &"0.log, 1.log, 10.log".into())
    );

    for finding in outcome.records_of_kind("audit.finding") {
        let status = Command::new("sh").args(["-c", text(&finding, "fix")]).current_dir(deployment.root()).status();
        assert!(status.expect("sh").success(), "{finding}");
    }
    let outcome = deployment.run(&FILES);
    outcome.assert_code(0);
    assert_eq!(findings(&outcome), [""; 0], "{outcome}");
}

#[test]
fn a_closed_folder_keeps_others_from_what_is_in_it() {
    let deployment = Deployment::sane();
    deployment.write("config/api-token.txt", "token\n", 0o644);
    deployment.write("scripts/run.sh", "#!/bin/sh\n", 0o777);
    for folder in ["config", "scripts"] {
        deployment.mode(folder, 0o700);
    }
    let outcome = deployment.run(&FILES);
    outcome.assert_code(0);
    assert_eq!(findings(&outcome), ["world_writable:scripts/run.sh"], "{outcome}");
    assert_eq!(finding(&outcome, "world_writable:scripts/run.sh").expect("there")["severity"], "info");
}

#[test]
fn a_folder_above_that_others_may_change_is_told() {
    let top = Deployment::sane();
    let inner = top.path("roadmaps/inner");
    fs::create_dir_all(inner.join("config")).expect("made");
    fs::write(inner.join("config/config.yaml"), "").expect("written");
    top.mode("roadmaps", 0o777);
    let run = || Tool::new("pso-audit").expect("built").args(FILES).folder(&inner).run().expect("ends");
    let outcome = run();
    outcome.assert_code(2);
    let above = top.path("roadmaps").canonicalize().expect("a path");
    let name = format!("parent_writable:{}", above.display());
    assert_eq!(finding(&outcome, &name).expect("told")["severity"], "high", "{outcome}");
    // As /tmp: nobody takes away what is not theirs.
    top.mode("roadmaps", 0o1777);
    assert!(findings(&run()).is_empty());
}

#[test]
fn links_are_told_by_where_they_lead() {
    let deployment = Deployment::sane();
    let (closed, open) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    fs::set_permissions(open.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("mode");
    fs::write(closed.path().join("f"), "x").expect("written");
    fs::write(open.path().join("f"), "x").expect("written");
    let link = |target: &Path, name: &str| symlink(target, deployment.path(name)).expect("linked");
    link(&closed.path().join("f"), "logs/closed");
    link(&open.path().join("f"), "scripts/open.sh");
    link(Path::new("../logs/sync-engine.log"), "config/inside");
    link(Path::new("."), "logs/itself");
    link(Path::new("circle"), "logs/circle");
    link(Path::new("nothing"), "logs/dangling");
    let outcome = deployment.run(&FILES);
    outcome.assert_code(2);
    let severity = |name: &str| finding(&outcome, name).map(|finding| text(&finding, "severity").to_owned());
    assert_eq!(severity("link_leads_out:logs/closed").as_deref(), Some("info"), "{outcome}");
    assert_eq!(severity("link_leads_out:scripts/open.sh").as_deref(), Some("high"), "{outcome}");
    assert_eq!(severity("link_dangling:logs/circle").as_deref(), Some("info"), "{outcome}");
    assert_eq!(severity("link_dangling:logs/dangling").as_deref(), Some("info"), "{outcome}");
    assert_eq!(findings(&outcome).len(), 4, "{outcome}");
}

#[test]
fn strangers_own_nothing_unless_they_are_named() {
    if !is_root() {
        // Only root can give files away.
        return;
    }
    let deployment = Deployment::sane();
    chown(deployment.path("scripts/run.sh"), Some(4_242), None).expect("given away");
    chown(deployment.path("logs/sync-engine.log"), Some(4_242), None).expect("given away");
    let outcome = deployment.run(&FILES);
    outcome.assert_code(2);
    assert_eq!(findings(&outcome), ["wrong_owner:scripts/run.sh", "wrong_owner:logs/sync-engine.log"], "{outcome}");
    let stranger = finding(&outcome, "wrong_owner:scripts/run.sh").expect("told");
    assert!(text(&stranger, "message").contains("belongs to 4242"), "{stranger}");
    assert!(
        Command::new("sh")
            .args(["-c", text(&stranger, "fix")])
            .current_dir(deployment.root())
            .status()
            .expect("sh")
            .success()
    );
    assert_eq!(fs::metadata(deployment.path("scripts/run.sh")).expect("there").uid(), 0);
    let named = "maintenance: {audit: {files: {owners: ['4242']}}}\n";
    deployment.write("config/config.yaml", named, 0o640);
    deployment.run(&FILES).assert_code(0);
    deployment.write("config/config.yaml", named.replace("4242", "no-such-user"), 0o640);
    let outcome = deployment.run(&FILES);
    outcome.assert_code(3);
    assert!(text(&section(&outcome, "files"), "message").contains("no user no-such-user"), "{outcome}");
}

#[test]
fn a_folder_that_may_not_be_read_is_told_and_the_rest_is_looked_at() {
    let deployment = Deployment::sane();
    fs::create_dir(deployment.path("logs/private")).expect("made");
    deployment.mode("logs/private", 0o000);
    deployment.write("scripts/run.sh", "#!/bin/sh\n", 0o777);
    deployment.mode("config/config.yaml", 0o644);
    let outcome = deployment.run_as_nobody(&FILES);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    let section = section(&outcome, "files");
    assert_eq!(section["severity"], "unknown");
    assert!(text(&section, "message").contains("logs/private: "), "{outcome}");
    assert!(text(&section, "message").contains("Permission denied"), "{outcome}");
    assert!(findings(&outcome).contains(&"world_writable:scripts/run.sh".to_owned()), "{outcome}");
    deployment.mode("logs/private", 0o755);
}

#[test]
fn files_that_the_configuration_names_are_looked_at_wherever_they_are() {
    let deployment = Deployment::sane();
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::set_permissions(elsewhere.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    for name in ["pg", "key", "age", "more"] {
        fs::write(elsewhere.path().join(name), "s3cret-of-the-test\n").expect("written");
    }
    let at = elsewhere.path().display();
    let text = format!(
        "maintenance:\n  postgres: {{password_file: {at}/pg}}\n  qdrant: {{api_key_file: {at}/key}}\n  restore: {{identity_file: \
         {at}/age}}\n  audit: {{files: {{paths: [{at}/more]}}}}\n"
    );
    deployment.write("config/config.yaml", text, 0o640);
    let outcome = deployment.run(&FILES);
    let expected = ["age", "key", "pg"].map(|name| format!("world_readable_secret:{at}/{name}"));
    assert_eq!(findings(&outcome), expected, "{outcome}");
    outcome.assert_no_secret(&["s3cret-of-the-test"]);
    fs::set_permissions(elsewhere.path().join("more"), std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .expect("mode");
    assert!(finding(&deployment.run(&FILES), &format!("world_writable:{at}/more")).is_some());
}

#[test]
fn an_empty_folder_is_no_deployment() {
    let outcome =
        Tool::new("pso-audit").expect("built").args(FILES).folder(super::folder().path()).run().expect("ends");
    outcome.assert_code(3);
    assert!(text(&section(&outcome, "files"), "message").contains("maintenance.root"), "{outcome}");
}

#[test]
fn twenty_thousand_open_logs_are_one_finding() {
    let deployment = Deployment::sane();
    for number in 0..20_000 {
        deployment.write(format!("logs/{number:05}.log"), "", 0o666);
    }
    let outcome = deployment.run(&FILES);
    outcome.assert_code(1);
    assert_eq!(findings(&outcome), ["world_writable:logs/"], "{outcome}");
    assert!(section(&outcome, "files")["examined"].as_u64().is_some_and(|examined| examined > 20_000), "{outcome}");
}
