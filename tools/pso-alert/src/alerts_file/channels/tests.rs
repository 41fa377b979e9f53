//! What a section may say, and what is said where it is wrong.

use std::path::Path;

use pso_common::Severity;
use pso_common::io::Env;

use crate::alerts_file::{Alerts, parse};

fn parsed(text: &str, variables: &[(&str, &str)], root: &Path) -> anyhow::Result<Alerts> {
    let mut env = Env::default();
    for (name, value) in variables {
        env.set(name, value);
    }
    parse(Path::new("config/alerts.yaml"), text, &env, root)
}

fn alerts(text: &str) -> Alerts {
    parsed(text, &[("SECRET", "s3cr3t")], Path::new(".")).expect("valid")
}

/// The error of the whole file, on one channel `it` with these lines.
fn fault(lines: &str) -> String {
    let text = format!("alerts:\n  it:\n{lines}");
    format!("{:#}", parsed(&text, &[], Path::new(".")).expect_err("wrong"))
}

/// The problem of one channel `it`.
fn problem(section: &str) -> String {
    let alerts = alerts(&format!("alerts:\n  it: {section}\n"));
    assert!(alerts.channels.is_empty(), "{section}: {alerts:?}");
    let [problem] = alerts.problems.as_slice() else { panic!("{section}: {:?}", alerts.problems) };
    problem.reason.clone()
}

#[test]
fn every_type_can_be_named_twice_under_names_of_ones_own() {
    let sections = [
        ("email", "smtp_server: h, username: a@example.com, password: '${SECRET}', recipients: [b@example.com]"),
        ("slack", "webhook_url: https://h/x, channel: '#c'"),
        ("discord", "webhook_url: https://h/x"),
        ("alertmanager", "url: http://h:9093, username: u, password: '${SECRET}', expires_after: 2d"),
        ("webhook", "url: http://h/x, method: PATCH, headers: {X-A: b}, template: '{message}', secret: '${SECRET}'"),
        ("ntfy", "url: https://ntfy.sh/topic, token: '${SECRET}'"),
        ("command", "command: [logger, -t, pso]"),
        ("stdout", ""),
        ("file", "path: notices.jsonl"),
    ];
    for (kind, keys) in sections {
        let keys = if keys.is_empty() { String::new() } else { format!(", {keys}") };
        let text = format!(
            "alerts:\n  one: {{type: {kind}, enabled: true{keys}}}\n  two: {{type: {kind}, enabled: true, min_severity: High, send_resolved: false{keys}}}\n"
        );
        let alerts = alerts(&text);
        let [one, two] = alerts.channels.as_slice() else { panic!("{kind}: {alerts:?}") };
        assert_eq!((one.name.as_str(), one.channel.kind(), two.name.as_str()), ("one", kind, "two"));
        assert_eq!((one.min_severity, one.send_resolved), (Severity::Ok, true));
        assert_eq!((two.min_severity, two.send_resolved), (Severity::High, false));
        assert!(!format!("{alerts:?}").contains("s3cr3t"), "{kind}");
        assert_eq!(one.channel.fingerprint(), two.channel.fingerprint());
    }
}

#[test]
fn what_is_not_enabled_needs_no_variables() {
    let alerts = alerts("alerts:\n  slack: {enabled: false, webhook_url: '${NOT_SET}'}\n  ntfy:\n");
    assert!(alerts.channels.is_empty() && alerts.problems.is_empty());
    assert_eq!(alerts.disabled, ["slack"]);
}

#[test]
fn a_type_or_a_key_that_is_none_is_an_error_of_the_file() {
    let list = "there are email, slack, discord, alertmanager, webhook, ntfy, command, stdout, file";
    assert_eq!(
        fault("    enabled: true\n"),
        format!("config/alerts.yaml:3: alerts.it has no type, and its name is none; {list}")
    );
    assert_eq!(
        fault("    enabled: true\n    type: slak\n"),
        format!("config/alerts.yaml:4: alerts.it.type: \"slak\" is no type of channel; {list}")
    );
    assert_eq!(
        fault("    type: stdout\n    enabled: true\n\n    webhook_url: x\n"),
        "config/alerts.yaml:6: alerts.it.webhook_url: a channel of type stdout has no such key; it has enabled, type, min_severity, send_resolved"
    );
    assert_eq!(
        fault("    type: slack\n    enabled: true\n    recipients:\n      - x\n"),
        "config/alerts.yaml:6: alerts.it.recipients: a channel of type slack has no such key; it has enabled, type, min_severity, send_resolved, webhook_url, webhook_url_file, channel, ca_file"
    );
    assert!(fault("    type: slack\n    enbled: true\n").starts_with("config/alerts.yaml:4: unknown field `enbled`"));
}

#[test]
fn a_secret_comes_from_a_variable_or_from_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("hook"), "https://h/s3cr3t\n").expect("written");
    let text = |keys: &str| format!("alerts: {{slack: {{enabled: true, {keys}}}}}\n");
    let read = |keys: &str| parsed(&text(keys), &[("HOOK", "https://h/s3cr3t")], folder.path()).expect("valid");
    let (file, variable) = (read("webhook_url_file: hook"), read("webhook_url: '${HOOK}'"));
    assert_eq!(file.channels[0].channel.fingerprint(), variable.channels[0].channel.fingerprint());
    let missing = read("webhook_url_file: no-such");
    assert!(missing.problems[0].reason.contains("read the secret in "), "{}", missing.problems[0].reason);
    let both = read("webhook_url: '${HOOK}', webhook_url_file: hook");
    let expected = "config/alerts.yaml:1: alerts.slack.webhook_url and alerts.slack.webhook_url_file are both given; leave one of them out";
    assert_eq!(both.problems[0].reason, expected);
}

#[test]
fn a_value_that_is_wrong_spoils_its_channel_and_is_named() {
    let mail = |more: &str| {
        problem(&format!("{{type: email, enabled: true, smtp_server: h, recipients: [a@example.com], {more}}}"))
    };
    for (said, expected) in [
        (mail("from: nobody"), "config/alerts.yaml:2: alerts.it.from: expected an address of mail"),
        (
            mail("username: me"),
            "config/alerts.yaml:2: alerts.it.from is missing; give the sender's address (username is none), or set enabled: false",
        ),
        (
            mail("from: a@example.com, tls: maybe"),
            "config/alerts.yaml:2: alerts.it.tls: expected starttls, tls, opportunistic or none",
        ),
        (
            mail("password: x, from: a@example.com"),
            "config/alerts.yaml:2: alerts.it.username is missing; give the name that belongs to the password, or set enabled: false",
        ),
        (
            problem(
                "{type: email, enabled: true, smtp_server: h, from: a@example.com, recipients: [b@example.com, 'c d']}",
            ),
            "config/alerts.yaml:2: alerts.it.recipients: expected addresses such as ops@example.com",
        ),
        (
            problem("{type: email, enabled: true}"),
            "config/alerts.yaml:2: alerts.it.smtp_server is missing; give the mail server's name, or set enabled: false",
        ),
        (
            problem("{type: slack, enabled: true}"),
            "config/alerts.yaml:2: alerts.it.webhook_url is missing; give the webhook's URL, or set enabled: false",
        ),
        (
            problem("{type: webhook, enabled: true, url: 'http://h/', method: GET}"),
            "config/alerts.yaml:2: alerts.it.method: expected POST, PUT or PATCH",
        ),
        (
            problem("{type: webhook, enabled: true, url: 'http://h/', headers: {Host: x}}"),
            "config/alerts.yaml:2: alerts.it.headers.Host: expected the name and the value of a header",
        ),
        (
            problem("{type: webhook, enabled: true, url: 'http://h/', headers: {X-A: \"b\\r\\nX-C: d\"}}"),
            "config/alerts.yaml:2: alerts.it.headers.X-A: expected the name and the value of a header",
        ),
        (
            problem("{type: ntfy, enabled: true, url: 'http://h/', username: u}"),
            "config/alerts.yaml:2: a login is a token, or username and password",
        ),
        (
            problem("{type: command, enabled: true}"),
            "config/alerts.yaml:2: alerts.it.command is missing; give a list of a program and its arguments, or set enabled: false",
        ),
        (
            problem("{type: command, enabled: true, command: [curl, -H, '${SECRET}']}"),
            "config/alerts.yaml:2: alerts.it.command: everybody can see a command line, so it takes no variables; the command has the environment",
        ),
        (
            problem("{type: file, enabled: true}"),
            "config/alerts.yaml:2: alerts.it.path is missing; give the file's path, or set enabled: false",
        ),
    ] {
        assert_eq!(said, expected);
    }
    let template = problem("{type: webhook, enabled: true, url: 'http://h/', template: '{mesage}'}");
    assert!(
        template.starts_with(
            "config/alerts.yaml:2: alerts.it.template: there is no {mesage}; there are text, headline, message,"
        ),
        "{template}"
    );
    let severity = problem("{type: stdout, enabled: true, min_severity: bad}");
    assert!(severity.starts_with("config/alerts.yaml:2: alerts.it.min_severity: expected a severity"), "{severity}");
}

#[test]
fn the_port_says_how_mail_is_secured_where_nothing_else_does() {
    let fingerprint = |more: &str| {
        let text = format!(
            "alerts: {{it: {{type: email, enabled: true, smtp_server: h, from: a@example.com, recipients: [b@example.com]{more}}}}}\n"
        );
        alerts(&text).channels[0].channel.fingerprint()
    };
    assert_eq!(fingerprint(""), fingerprint(", smtp_port: 587, tls: starttls"));
    assert_eq!(fingerprint(", smtp_port: 465"), fingerprint(", tls: tls"));
    assert_eq!(fingerprint(", smtp_port: 25"), fingerprint(", smtp_port: 25, tls: starttls"));
    assert_ne!(fingerprint(""), fingerprint(", tls: opportunistic"));
}

#[test]
fn what_alertmanager_forgets_is_told_again_before() {
    let text = |expires: &str, repeat: &str| {
        let am = format!("alerts: {{alertmanager: {{enabled: true, url: 'http://h', expires_after: {expires}}}}}");
        let text = format!("{am}\nnotices: {{repeat: 4h}}\nrules: [{{name: cpu_usage, repeat: {repeat}}}]\n");
        parsed(&text, &[], Path::new(".")).map(drop).map_err(|error| format!("{error:#}"))
    };
    assert_eq!(text("2d", "1d"), Ok(()));
    let expected = "config/alerts.yaml: alerts.alertmanager.expires_after: 1d is not longer than the longest `repeat`, 1d: it would be taken for over in between";
    assert_eq!(text("24h", "1d"), Err(expected.to_owned()));
}

#[test]
fn a_command_with_a_path_is_the_deployments_wherever_we_are_started() {
    let mark = |word: &str, root: &str| {
        let text = format!("alerts: {{it: {{type: command, enabled: true, command: ['{word}', ./x]}}}}\n");
        parsed(&text, &[], Path::new(root)).expect("valid").channels[0].channel.fingerprint()
    };
    assert_eq!(mark("scripts/tell.sh", "/srv/pso"), mark("/srv/pso/scripts/tell.sh", "/"));
    assert_eq!(mark("tell", "/srv/pso"), mark("tell", "/"));
}
