//! Secrets in plain text: every planted one is found by its place, and none is ever shown.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use pso_tests::tool::Tool;

use super::deployment::Deployment;
use super::{finding, findings, section, text};

const SECRETS: [&str; 2] = ["--only", "secrets"];

/// The deployment's own: what its configuration resolves to.
const PG: &str = "correct-horse-battery";
const TOKEN: &str = "api-token-of-the-test-77";
const QDRANT: &str = "qdrant-key-of-the-test-88";

/// Those that stand where they should not. Put together, so that scanners of repositories do not take the test for a leak.
fn planted() -> Vec<String> {
    let letters = |prefix: &str, length: usize| {
        format!("{prefix}{}", "A2bC3dE4fG5h".chars().cycle().take(length).collect::<String>())
    };
    vec![
        "kranich7919".to_owned(),
        "storch4711x".to_owned(),
        "reiher2203y".to_owned(),
        "ibis90210zz".to_owned(),
        "amsel55555q".to_owned(),
        "drossel8812".to_owned(),
        letters("ghp_", 36),
        letters("hooks.slack.com/services/T0AA/B0BB/", 24),
        letters("", 40),
        "elster31337w".to_owned(),
    ]
}

fn sloppy() -> Deployment {
    let deployment = Deployment::sane();
    let planted = planted();
    let [config, arg, secure, curl, exported, url, github, slack, bearer, logged] = planted.as_slice() else {
        unreachable!("ten of them")
    };
    let yaml = format!(
        "database:\n  postgres: {{user: planner, password: {PG}}}\nsmtp:\n  password: '{config}'\n  reference: ${{X:-none}}\n\
         notify: https://{slack}\nmaintenance:\n  qdrant: {{api_key: {QDRANT}}}\n"
    );
    deployment.write("config/config.yaml", yaml, 0o644);
    deployment.write("config/api-token.txt", format!("{TOKEN}\n"), 0o600);
    let powershell = format!(
        "# send\r\nSend-Mail -Password '{arg}'\r\n$s = ConvertTo-SecureString \"{secure}\" -AsPlainText -Force\r\n\
         $h = @{{ \"Authorization\" = \"Bearer $(Get-Content './config/api-token.txt' -Raw)\" }}\r\n$t = '{github}'\r\n"
    );
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(powershell.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    deployment.write("scripts/send.ps1", wide, 0o644);
    let shell = format!(
        "#!/bin/sh\nexport PGPASSWORD={exported}\ncurl -u sync:{curl} http://x\npsql postgres://a:{url}@db/x\n"
    );
    deployment.write("scripts/run.sh", shell, 0o750);
    deployment.write(
        "logs/api.log",
        format!("GET / Authorization: Bearer {bearer}\nlogin password={logged} ok\nuse {PG}\n"),
        0o640,
    );
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(format!("x\ny\nsent {TOKEN}\n").as_bytes()).expect("packed");
    deployment.write("logs/api.log.1.gz", packed.finish().expect("packed"), 0o644);
    deployment.write("roadmaps/plans/plan.md", format!("# Plan\n\nSet password: example\nKey is {QDRANT}\n"), 0o644);
    deployment.write(".env", format!("# from the vault\nSMTP_PASSWORD={config}\n"), 0o644);
    deployment.write("backups/daily/manifest.json", format!("{{\"password\": \"{PG}\"}}\n"), 0o600);
    deployment
}

fn never_shown() -> Vec<String> {
    planted().into_iter().chain([PG, TOKEN, QDRANT].map(str::to_owned)).collect()
}

#[test]
fn every_planted_secret_is_found_by_its_place() {
    let deployment = sloppy();
    let outcome = deployment.run(&SECRETS);
    outcome.assert_code(2).assert_quiet();
    for (name, kind, severity) in [
        ("plain_secret:config/config.yaml:2", "password", "high"),
        ("plain_secret:config/config.yaml:4", "password", "high"),
        ("plain_secret:config/config.yaml:6", "slack_webhook", "high"),
        ("plain_secret:config/config.yaml:8", "key", "high"),
        ("plain_secret:scripts/send.ps1:2", "argument", "high"),
        ("plain_secret:scripts/send.ps1:3", "secure_string", "high"),
        ("plain_secret:scripts/send.ps1:5", "github_token", "high"),
        ("plain_secret:scripts/run.sh:2", "password", "info"),
        ("plain_secret:scripts/run.sh:3", "curl_user", "info"),
        ("plain_secret:scripts/run.sh:4", "url_password", "info"),
        ("logged_secret:logs/api.log:1", "authorization_header", "warning"),
        ("logged_secret:logs/api.log:2", "password", "warning"),
        ("logged_secret:logs/api.log:3", "known", "high"),
        ("logged_secret:logs/api.log.1.gz:3", "known", "critical"),
        ("logged_secret:roadmaps/plans/plan.md:4", "known", "critical"),
        ("plain_secret:backups/daily/manifest.json:1", "password", "high"),
        ("plain_secret:.env:2", "password", "high"),
    ] {
        let finding = finding(&outcome, name).unwrap_or_else(|| panic!("{name}\n{outcome}"));
        assert_eq!((&finding["evidence"]["kind"], &finding["severity"]), (&kind.into(), &severity.into()), "{finding}");
    }
    assert_eq!(findings(&outcome).len(), 17, "{outcome}");
    let found = finding(&outcome, "plain_secret:config/config.yaml:4").expect("there");
    assert_eq!(found["evidence"]["key"], "password");
    assert_eq!(
        text(&found, "message"),
        "password stands in plain text in config/config.yaml:4, and everybody on this machine can read it"
    );
}

#[test]
fn no_secret_is_ever_shown() {
    let deployment = sloppy();
    let hidden = never_shown();
    let hidden: Vec<&str> = hidden.iter().map(String::as_str).collect();
    let records = deployment.path("records.jsonl");
    for format in ["jsonl", "table", "nagios", "openmetrics"] {
        let outcome = deployment
            .tool(&["--only", "secrets,files,token", "--format", format, "--service-url", "http://127.0.0.1:9"])
            .arg("--records")
            .arg(&records)
            .run()
            .expect("ends");
        outcome.assert_no_secret(&hidden);
        assert!(!outcome.stdout.is_empty(), "{outcome}");
    }
    let kept = fs::read_to_string(&records).expect("kept");
    assert!(hidden.iter().all(|secret| !kept.contains(secret)), "a secret is in the file of --records");
    deployment.run(&["--print-config"]).assert_code(0).assert_no_secret(&hidden);
}

#[test]
fn defaults_are_told_wherever_they_come_from() {
    let deployment = Deployment::sane();
    deployment.write("config/config.yaml", "database: {postgres: {user: planner, password: planner}}\n", 0o600);
    let outcome = deployment.run(&SECRETS);
    outcome.assert_code(2);
    assert_eq!(
        findings(&outcome),
        ["default_password:localhost:5432/planning_sync as planner", "plain_secret:config/config.yaml:1"],
        "{outcome}"
    );
    deployment.write("config/config.yaml", "", 0o600);
    let outcome = deployment.tool(&SECRETS).env("PGPASSWORD", "changeme").run().expect("ends");
    outcome.assert_code(2);
    assert_eq!(findings(&outcome), ["default_password:localhost:5432/planning_sync as sync_user"], "{outcome}");
    assert!(text(&section(&outcome, "secrets"), "message").contains("too ordinary a word"), "{outcome}");
    deployment.tool(&SECRETS).env("PGPASSWORD", "nightjar-3141").run().expect("ends").assert_code(0);
}

#[test]
fn a_log_full_of_one_secret_is_one_finding_and_binaries_are_counted() {
    let deployment = Deployment::sane();
    deployment.write("logs/full.log", "login password=blackbird-42 ok\n".repeat(5_000), 0o640);
    deployment.write("logs/core", [0_u8; 4096], 0o600);
    let outcome = deployment.run(&SECRETS);
    outcome.assert_code(1).assert_no_secret(&["blackbird-42"]);
    assert_eq!(findings(&outcome), ["logged_secret:logs/full.log (password, password)"], "{outcome}");
    let found = finding(&outcome, "logged_secret:logs/full.log (password, password)").expect("there");
    assert_eq!((&found["evidence"]["lines"], &found["evidence"]["first_lines"]), (&"5000".into(), &"1, 2, 3".into()));
    let end = section(&outcome, "secrets");
    // The archive and the core.
    assert!(text(&end, "message").contains("2 files that are no text were not read"), "{end}");
}

#[test]
fn a_pipe_is_not_waited_for_and_a_lack_of_time_is_told() {
    let deployment = Deployment::sane();
    let made = std::process::Command::new("mkfifo").arg(deployment.path("logs/pipe")).status().expect("mkfifo");
    assert!(made.success());
    deployment.run(&SECRETS).assert_code(0);
    let line = "2025-06-12T09:00:00Z INFO token refreshed, token of the next, token of the last\n";
    deployment.write("logs/long.log", line.repeat(1_000_000), 0o640);
    let outcome = deployment.run(&[&SECRETS[..], &["--timeout", "1s"]].concat());
    outcome.assert_code(3);
    // On a busy machine the look itself is given up.
    let section = section(&outcome, "secrets");
    let message = text(&section, "message");
    let told = ["the time was up in logs/long.log", "it did not come to its end within 1s"];
    assert!(told.iter().any(|told| message.contains(told)), "{outcome}");
}

#[test]
fn what_may_not_be_read_is_told_and_the_rest_is_read() {
    let deployment = Deployment::sane();
    deployment.mode("config/config.yaml", 0o644);
    deployment.write("logs/closed.log", "password=blackbird-42\n", 0o000);
    deployment.write("logs/open.log", "password=blackbird-42\n", 0o644);
    let outcome = deployment.run_as_nobody(&SECRETS);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert_eq!(findings(&outcome), ["logged_secret:logs/open.log:1"], "{outcome}");
    let end = section(&outcome, "secrets");
    assert!(text(&end, "message").contains("logs/closed.log: Permission denied"), "{end}");
}

#[test]
fn a_signal_ends_a_long_search() {
    let deployment = Deployment::sane();
    let line = "2025-06-12T09:00:00Z INFO token refreshed, token of the next, token of the last\n";
    deployment.write("logs/long.log", line.repeat(1_000_000), 0o640);
    let tool: Tool = deployment.tool(&SECRETS);
    let mut running = tool.spawn().expect("starts");
    running.signal("TERM").expect("sent");
    let outcome = running.finish().expect("ends");
    assert!(outcome.signal.is_some() || outcome.code == Some(3), "{outcome}");
}
