//! `pso-alert check`: the file, and what is in effect.

use std::fs;

use super::{SPECIFICATION, alert, deployment};

#[test]
fn the_specifications_file_is_valid() {
    let folder = deployment(SPECIFICATION);
    let outcome = alert(folder.path())
        .arg("check")
        .env("SLACK_WEBHOOK", "https://hooks.slack.com/services/T/B/s3cr3tSlackToken")
        .env("SMTP_PASSWORD", "s3cr3tMail")
        .run()
        .unwrap();
    outcome.assert_code(0).assert_no_secret(&["s3cr3tSlackToken", "s3cr3tMail"]);
    assert_eq!(outcome.stderr, "pso-alert: config/alerts.yaml is valid; notices go to email, slack\n", "{outcome}");
    let setting = |key: &str| {
        let record = outcome.record("config.setting", key);
        (record["setting"].as_str().expect("a text").to_owned(), record["source"].as_str().expect("a text").to_owned())
    };
    let line = SPECIFICATION.lines().position(|line| line.trim().starts_with("cpu_usage:")).expect("there") + 1;
    assert_eq!(
        setting("thresholds.cpu_usage"),
        ("80".to_owned(), format!("config/alerts.yaml:{line} (thresholds.cpu_usage)"))
    );
    // What the file does not say is in effect too.
    assert_eq!(setting("notices.repeat"), ("4h".to_owned(), "default".to_owned()));
}

#[test]
fn rules_are_shown_and_doubts_are_said() {
    let folder = deployment(
        r#"
alerts:
  stdout: {enabled: true}
rules:
  - {name: a, match: {kind: helth.metric}, above: 1}
  - {name: b, match: {kind: health.metric}, field: valeu, above: 1, channels: [stdout]}
  - {name: c, match: {kind: "backup.*"}, field: size_bytes, below: 1, message: "{value} of {naem}"}
  - {name: d, match: {severity: warning}, message: "{anything}"}
"#,
    );
    let outcome = alert(folder.path()).arg("check").run().unwrap();
    outcome.assert_code(1);
    assert_eq!(
        outcome.stderr,
        "pso-alert: rules.a.match.kind: none of the tools writes records of the kind helth.metric\n\
         pso-alert: rules.b.field: records of the kind health.metric have no field `valeu`\n\
         pso-alert: rules.c.message: records of the kind backup.* have no field `naem`\n\
         pso-alert: config/alerts.yaml is valid; 4 rules beside ours; notices go to stdout, those of b to stdout\n"
    );
    assert_eq!(outcome.record("config.setting", "rules.b.above")["setting"], "1");
}

#[test]
fn every_fault_is_named_with_its_line() {
    let folder = deployment(
        "thresholds:\n  cpu_usage: lots\nrules:\n  - name: r\n    match: {kind: x.y}\n    above: 1\n    channels: [slakc]\nquiet_hours:\n  - {from: \"22:00\", to: \"07:00\", time_zone: Mars/Base}\n",
    );
    let expected = "3 faults: (1) config/alerts.yaml:2: thresholds.cpu_usage: expected a number that is not below zero, found \"lots\" \
        (2) config/alerts.yaml:7: rules.r.channels: there is no channel \"slakc\" below `alerts:`; it has none \
        (3) config/alerts.yaml:9: quiet_hours[0].time_zone: expected the name of a time zone, such as Europe/Paris, found \"Mars/Base\"";
    let outcome = alert(folder.path()).arg("check").run().unwrap();
    outcome.assert_code(3).assert_stderr_has(expected);
    // A file that is wrong stops every run that would judge by it.
    let outcome = alert(folder.path()).stdin(super::trouble()).run().unwrap();
    outcome.assert_code(3).assert_stderr_has(expected);
    for (text, expected) in [
        ("rules:\n  - {name: r, match: {kind: x}, abvoe: 1}\n", "config/alerts.yaml:2: unknown field `abvoe`"),
        ("rulez: []\n", "config/alerts.yaml:1: unknown field `rulez`"),
        ("rules: {name: r}\n", "config/alerts.yaml:1: "),
        ("rules:\n  - {name: r\n", "config/alerts.yaml:"),
    ] {
        fs::write(folder.path().join("config/alerts.yaml"), text).unwrap();
        alert(folder.path()).arg("check").run().unwrap().assert_code(3).assert_stderr_has(expected);
    }
}

#[test]
fn a_file_that_is_not_there_is_not_valid() {
    let folder = deployment("");
    let outcome = alert(folder.path()).args(["check", "other.yaml"]).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("other.yaml");
}

#[test]
fn the_readmes_file_is_valid_and_the_channels_go_where_it_says() {
    let readme = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
    let (_, alerts) = readme.split_once("\n## Alerts\n").expect("a chapter");
    let (_, file) = alerts.split_once("```yaml\n").expect("an example");
    let (file, _) = file.split_once("```").expect("its end");
    let folder = deployment(file);
    let outcome = alert(folder.path())
        .arg("check")
        .env("SLACK_WEBHOOK", "https://hooks.slack.com/services/T/B/s3cr3tSlackToken")
        .env("SMTP_PASSWORD", "s3cr3tMail")
        .env("NTFY_URL", "https://ntfy.example.com/s3cr3tTopic")
        .env("HEARTBEAT_URL", "https://hc.example.com/s3cr3tCheck")
        .run()
        .unwrap();
    outcome.assert_code(0).assert_no_secret(&["s3cr3tSlackToken", "s3cr3tMail", "s3cr3tTopic", "s3cr3tCheck"]);
    outcome.assert_stderr_has("notices go to email, slack, on-call, those of slow-sync to slack");
}

#[test]
fn a_heartbeat_that_cannot_be_sent_is_said() {
    let folder = deployment("heartbeat: {url: '${HC_URL}'}\nalerts: {stdout: {enabled: true}}\n");
    let outcome = alert(folder.path()).arg("check").run().unwrap();
    outcome.assert_code(1).assert_stderr_has("the heartbeat will not be sent: ").assert_stderr_has("HC_URL is not set");
    alert(folder.path()).arg("check").env("HC_URL", "http://localhost/x").run().unwrap().assert_code(0);
}
